//! Amounts of resources: the grammar and the arithmetic of `resource.Quantity` in `k8s.io/apimachinery`.
//!
//! An amount is small (an `i64` times a power of ten) where it can be, else a decimal of any size.
//! The difference shows: only small amounts are ever integers to `isInteger`.

use std::cmp::Ordering;

use thiserror::Error;

use super::decimal::{Decimal, TooManyDigits};

/// Why a text is no quantity, or an amount cannot be computed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum QuantityError {
    /// Not of the form of a quantity.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// No digits where the number should be.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// Not a known suffix or exponent.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// More digits than this evaluator computes with. The server has no such limit.
    #[error("quantity has too many digits to be computed here")]
    Size,
    /// Scales so far apart that the server's own comparison fails.
    #[error("internal error: runtime error: integer divide by zero")]
    Scale,
}

impl From<TooManyDigits> for QuantityError {
    fn from(_: TooManyDigits) -> Self {
        Self::Size
    }
}

/// Decimal digits that surely fit an `i64`.
const SMALL_DIGITS: i32 = 18;
/// The finest scale, nano.
const NANO: i32 = -9;

/// An amount.
#[derive(Clone, Debug)]
pub(super) enum Amount {
    /// `value × 10^scale`.
    Small {
        /// The integer.
        value: i64,
        /// The power of ten.
        scale: i32,
    },
    /// Anything else.
    Large(Decimal),
}

impl Amount {
    /// An integer.
    pub(super) fn integer(value: i64) -> Self {
        Self::Small { value, scale: 0 }
    }

    /// The amount that a text denotes.
    pub(super) fn parse(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = Parts::scan(text)?;
        let suffix = Suffix::parse(parts.suffix).ok_or(QuantityError::Suffix)?;
        parts.small(suffix).map_or_else(|| parts.large(suffix), Ok)
    }

    /// The amount as a decimal.
    pub(super) fn to_decimal(&self) -> Decimal {
        match self {
            Self::Small { value, scale } => Decimal::new(*value, scale.wrapping_neg()),
            Self::Large(decimal) => decimal.clone(),
        }
    }

    /// The integer, if it is small and written without a fraction.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Small { value, scale: 0 } => Some(*value),
            Self::Small { value, scale } if *scale > 0 => scaled(*value, *scale),
            _ => None,
        }
    }

    /// -1, 0 or 1.
    pub(super) fn sign(&self) -> i64 {
        match self {
            Self::Small { value, .. } => value.signum(),
            Self::Large(decimal) => decimal.sign(),
        }
    }

    /// The nearest double, by way of the server's table of powers of ten.
    pub(super) fn approximate(&self) -> f64 {
        let (base, exponent) = match self {
            Self::Small { value, scale } => (small_double(*value), *scale),
            Self::Large(decimal) => decimal.approximate(),
        };
        if exponent == 0 { base } else { base * power_of_ten(exponent) }
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Self) -> Result<Self, QuantityError> {
        self.small_sum(other, |value| value).map_or_else(|| self.plus_decimal(&other.to_decimal()), Ok)
    }

    /// The difference. Where the result is small, the smallest `i64` counts as its own opposite, as on the server.
    pub(super) fn minus(&self, other: &Self) -> Result<Self, QuantityError> {
        let small = self.small_sum(other, i64::wrapping_neg);
        small.map_or_else(|| self.plus_decimal(&other.to_decimal().negated()), Ok)
    }

    fn small_sum(&self, other: &Self, signed: fn(i64) -> i64) -> Option<Self> {
        match (self, other) {
            (Self::Small { value, scale }, Self::Small { value: more, scale: finer }) => {
                sum((*value, *scale), (signed(*more), *finer))
            }
            _ => None,
        }
    }

    fn plus_decimal(&self, other: &Decimal) -> Result<Self, QuantityError> {
        Ok(Self::Large(self.to_decimal().plus(other)?))
    }

    /// The order of two amounts.
    pub(super) fn compare(&self, other: &Self) -> Result<Ordering, QuantityError> {
        if let (Self::Small { scale: left, .. }, Self::Small { scale: right, .. }) = (self, other)
            && left.max(right).checked_sub(*left.min(right)).is_none()
        {
            return Err(QuantityError::Scale);
        }
        Ok(self.to_decimal().compare(&other.to_decimal()))
    }
}

fn sum(left: (i64, i32), right: (i64, i32)) -> Option<Amount> {
    let (value, scale) = match (left, right) {
        (left, (0, _)) => left,
        ((0, _), right) => right,
        ((left, coarse), (right, fine)) if coarse > fine => {
            (scaled(left, coarse.wrapping_sub(fine))?.checked_add(right)?, fine)
        }
        ((left, fine), (right, coarse)) => (left.checked_add(scaled(right, coarse.wrapping_sub(fine))?)?, fine),
    };
    Some(Amount::Small { value, scale })
}

/// `value × 10^places`; places below zero (a wrapped difference of scales) leave the value as it is, as on the server.
fn scaled(value: i64, places: i32) -> Option<i64> {
    if value == 0 {
        return Some(0);
    }
    let factor = 10_i64.checked_pow(u32::try_from(places).unwrap_or(0))?;
    value.checked_mul(factor)
}

#[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
fn small_double(value: i64) -> f64 {
    value as f64
}

/// 10 to the power of `exponent` as Go's `math.Pow10` composes it from two tables.
fn power_of_ten(exponent: i32) -> f64 {
    let ten = |power: i32| format!("1e{power}").parse().unwrap_or(f64::NAN);
    match exponent {
        309.. => f64::INFINITY,
        0.. => ten(exponent / 32 * 32) * ten(exponent % 32),
        -323.. => ten(exponent / 32 * 32) / ten(-(exponent % 32)),
        _ => 0.0,
    }
}

/// The meaning of a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix {
    /// A power of ten.
    Decimal(i32),
    /// A power of two.
    Binary(u32),
}

const SUFFIXES: &[(&str, Suffix)] = &[
    ("n", Suffix::Decimal(-9)),
    ("u", Suffix::Decimal(-6)),
    ("m", Suffix::Decimal(-3)),
    ("", Suffix::Decimal(0)),
    ("k", Suffix::Decimal(3)),
    ("M", Suffix::Decimal(6)),
    ("G", Suffix::Decimal(9)),
    ("T", Suffix::Decimal(12)),
    ("P", Suffix::Decimal(15)),
    ("E", Suffix::Decimal(18)),
    ("Ki", Suffix::Binary(10)),
    ("Mi", Suffix::Binary(20)),
    ("Gi", Suffix::Binary(30)),
    ("Ti", Suffix::Binary(40)),
    ("Pi", Suffix::Binary(50)),
    ("Ei", Suffix::Binary(60)),
];

impl Suffix {
    fn parse(text: &str) -> Option<Self> {
        if let Some((_, suffix)) = SUFFIXES.iter().find(|(name, _)| *name == text) {
            return Some(*suffix);
        }
        let exponent = text.strip_prefix(['e', 'E'])?.parse::<i64>().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "the server wraps the exponent in the same way")]
        let exponent = exponent as i32;
        Some(Self::Decimal(exponent))
    }
}

/// The parts of a quantity's text.
#[derive(Debug)]
struct Parts<'a> {
    negative: bool,
    /// Sign, digits and point.
    number: &'a str,
    /// Digits before the point, without leading zeros but not empty.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn scan(text: &'a str) -> Result<Self, QuantityError> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let after_zeros = unsigned.trim_start_matches('0');
        let (whole, rest) = split_digits(after_zeros);
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        let (number, _) = text.split_at(text.len() - suffix.len());
        let (number, whole) = match (after_zeros, whole) {
            ("", _) => ("0", "0"),
            (_, "") => (number, "0"),
            _ => (number, whole),
        };
        if !is_suffix_shaped(suffix) {
            return Err(QuantityError::Format);
        }
        Ok(Self { negative: text.starts_with('-'), number, whole, fraction, suffix })
    }

    fn digits(&self) -> i32 {
        i32::try_from(self.whole.len() + self.fraction.len()).unwrap_or(i32::MAX)
    }

    /// The small amount, if the digits and the suffix surely fit.
    fn small(&self, suffix: Suffix) -> Option<Amount> {
        let (scale, spare, factor) = match suffix {
            Suffix::Decimal(exponent) => (exponent, SMALL_DIGITS - self.digits(), 1),
            Suffix::Binary(exponent) if self.fraction.is_empty() => (0, self.spare_digits(exponent)?, 1 << exponent),
            Suffix::Binary(_) => return None,
        };
        let scale = scale.wrapping_sub(i32::try_from(self.fraction.len()).ok()?);
        if spare < 0 || scale < NANO {
            return None;
        }
        let value = format!("{}{}", self.whole, self.fraction).parse::<i64>().ok()?.checked_mul(factor)?;
        Some(Amount::Small { value: if self.negative { -value } else { value }, scale })
    }

    fn spare_digits(&self, exponent: u32) -> Option<i32> {
        let taken = i32::try_from(exponent * 3 / 10).ok()?;
        15_i32.checked_sub(self.digits())?.checked_sub(taken)?.checked_sub(1)
    }

    fn large(&self, suffix: Suffix) -> Result<Amount, QuantityError> {
        let number = Decimal::parse(self.number).ok_or(QuantityError::Number)?;
        let number = match suffix {
            Suffix::Decimal(exponent) => number.shifted(exponent.wrapping_neg()),
            Suffix::Binary(exponent) => number.doubled(exponent),
        };
        let rounded = if number.sign() == 0 { number } else { number.rounded_up(-NANO)? };
        Ok(Amount::Large(match suffix {
            Suffix::Binary(_) => capped(rounded),
            Suffix::Decimal(_) => rounded,
        }))
    }
}

/// Binary amounts end at the largest `i64`, in both directions.
fn capped(amount: Decimal) -> Decimal {
    let limit = Decimal::new(i64::MAX, 0);
    let lowest = limit.clone().negated();
    if amount.compare(&limit).is_gt() {
        limit
    } else if amount.compare(&lowest).is_lt() {
        lowest
    } else {
        amount
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn is_suffix_shaped(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    let digits = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    digits.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    const INTEGERS: &[(&str, Option<i64>)] = &[
        ("0", Some(0)),
        ("-", Some(0)),
        (".", Some(0)),
        ("000", Some(0)),
        ("+5", Some(5)),
        ("-5", Some(-5)),
        ("1k", Some(1_000)),
        ("1E", Some(1_000_000_000_000_000_000)),
        ("1e3", Some(1_000)),
        ("1e18", Some(1_000_000_000_000_000_000)),
        ("1Ki", Some(1_024)),
        ("007", Some(7)),
        ("123456789012345678", Some(123_456_789_012_345_678)),
        ("1.0", None),
        ("1000m", None),
        ("1.5Ki", None),
        ("1e19", None),
        ("1234567890123456789", None),
        ("7Ei", None),
        ("9Ei", None),
    ];

    #[test]
    fn only_small_amounts_without_a_fraction_are_integers() {
        for (text, expected) in INTEGERS {
            assert_eq!(amount(text).as_integer(), *expected, "{text}");
        }
    }

    #[test]
    fn malformed_text_is_refused_with_the_reason() {
        let cases = [
            ("", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1abc", QuantityError::Format),
            ("1.2.3", QuantityError::Format),
            ("1Zi", QuantityError::Format),
            ("1 ", QuantityError::Format),
            ("1é", QuantityError::Format),
            ("1e", QuantityError::Suffix),
            ("1ee5", QuantityError::Suffix),
            ("1e99999999999999999999", QuantityError::Suffix),
            ("1e+", QuantityError::Suffix),
            (".e-20", QuantityError::Number),
        ];
        for (text, expected) in cases {
            assert_eq!(Amount::parse(text).map(|_| ()), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn amounts_compare_exactly() {
        let cases = [
            ("200M", "0.2G", Ordering::Equal),
            ("50M", "50Mi", Ordering::Less),
            ("0.1n", "1n", Ordering::Equal),
            ("5.5e-10", "1n", Ordering::Equal),
            ("-5.5e-10", "-1n", Ordering::Equal),
            ("9Ei", "8Ei", Ordering::Equal),
            ("8Ei", "9223372036854775807", Ordering::Equal),
            ("100Ei", "1e19", Ordering::Less),
            ("-100Ei", "-9223372036854775807", Ordering::Equal),
            ("1e1000", "1e999", Ordering::Greater),
            ("1000m", "1", Ordering::Equal),
            ("-1", "1n", Ordering::Less),
        ];
        for (left, right, expected) in cases {
            assert_eq!(amount(left).compare(&amount(right)), Ok(expected), "{left} {right}");
        }
    }

    #[test]
    fn sums_stay_small_while_they_fit() {
        let cases = [
            ("1k", "20", Some(1_020)),
            ("1k", "0.5k", Some(1_500)),
            ("0", "1e3", Some(1_000)),
            ("922337203685477580", "9000000000000000000", None),
            ("1", "1n", None),
        ];
        for (left, right, expected) in cases {
            assert_eq!(amount(left).plus(&amount(right)).unwrap().as_integer(), expected, "{left} {right}");
        }
    }

    #[test]
    fn differences_know_the_smallest_integer() {
        let smallest = Amount::integer(i64::MIN);
        assert_eq!(amount("1").minus(&smallest).unwrap().as_integer(), Some(i64::MIN + 1));
        let exact = amount("-5").minus(&smallest).unwrap();
        assert_eq!(exact.compare(&amount("9223372036854775803")), Ok(Ordering::Equal));
        assert_eq!(amount("1.5").minus(&amount("0.5")).unwrap().compare(&amount("1")), Ok(Ordering::Equal));
    }

    #[test]
    fn approximations_go_through_powers_of_ten() {
        let cases = [
            ("1e-3", 0.001),
            ("0.1n", 1e-9),
            ("1.5Ki", 1536.0),
            ("123.456", 123.456),
            ("1e400", f64::INFINITY),
            ("1234567890123456789e400", f64::INFINITY),
            ("1234567890123456789e290", f64::INFINITY),
            ("1.000000001", 1.000_000_001),
        ];
        for (text, expected) in cases {
            assert_eq!(amount(text).approximate(), expected, "{text}");
        }
    }

    #[test]
    fn extreme_exponents_neither_panic_nor_grow() {
        assert_eq!(amount("1e2147483647").compare(&amount("1n")), Err(QuantityError::Scale));
        assert_eq!(amount("1e2147483647").plus(&amount("1n")).unwrap().as_integer(), None);
        assert_eq!(Amount::parse("12345678901234567890e2000000000").map(|_| ()), Err(QuantityError::Size));
        assert_eq!(amount("1e4294967296").as_integer(), Some(1));
        assert_eq!(Amount::parse("1e-2147483648").map(|_| ()), Err(QuantityError::Size));
    }
}
