//! Quantities as far as rules compare them and messages show them (`k8s.io/apimachinery/pkg/api/resource`).

use std::cmp::Ordering;
use std::fmt;

/// The smallest part of a unit that a quantity knows.
const NANO: i128 = 1_000_000_000;

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// How a quantity was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Decimal,
    Exponent,
    Binary,
}

/// An amount of a resource, to a billionth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    nanos: i128,
    notation: Notation,
}

impl Quantity {
    /// Reads a quantity. What is finer than a billionth is rounded away from zero.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let (notation, tens, twos) = unit(suffix)?;
        let nanos = scaled(whole, fraction, tens, twos);
        Some(Self { nanos: if negative { -nanos } else { nanos }, notation })
    }

    /// Below, at or above zero.
    pub(crate) fn sign(self) -> Ordering {
        self.nanos.cmp(&0)
    }

    /// Whether it is whole, to a thousandth (`MilliValue`).
    pub(crate) fn is_whole(self) -> bool {
        let (milli, rest) = (self.nanos / (NANO / 1000), self.nanos % (NANO / 1000));
        (milli + rest.signum()) % 1000 == 0
    }

    /// Which of two is larger.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }

    /// The sum, written as the first.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { nanos: self.nanos.saturating_add(other.nanos), ..self }
    }

    fn decimal(self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut mantissa, mut exponent) = (self.nanos, -9);
        while exponent < 18 && mantissa % 1000 == 0 {
            (mantissa, exponent) = (mantissa / 1000, exponent + 3);
        }
        if self.notation == Notation::Exponent && exponent != 0 {
            return write!(out, "{mantissa}e{exponent}");
        }
        let suffix = DECIMAL.iter().find(|(_, power)| *power == exponent).map_or("", |(suffix, _)| suffix);
        write!(out, "{mantissa}{suffix}")
    }

    fn binary(self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.nanos / NANO;
        let suffix = BINARY.iter().rev().find(|(_, bits)| whole % (1_i128 << bits) == 0);
        match suffix {
            Some((suffix, bits)) => write!(out, "{}{suffix}", whole >> bits),
            None => write!(out, "{whole}"),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = self.nanos.abs() < 1024 * NANO;
        match self.notation {
            _ if self.nanos == 0 => out.write_str("0"),
            Notation::Binary if !small && self.nanos % NANO == 0 => self.binary(out),
            _ => self.decimal(out),
        }
    }
}

/// What a suffix says: the notation, the power of ten, the power of two.
fn unit(suffix: &str) -> Option<(Notation, i32, u32)> {
    if let Some((_, tens)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        return Some((Notation::Decimal, *tens, 0));
    }
    if let Some((_, twos)) = BINARY.iter().find(|(known, _)| *known == suffix) {
        return Some((Notation::Binary, 0, *twos));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Notation::Exponent, exponent.parse().ok()?, 0))
}

/// The number in billionths. What is larger than the server's largest quantity becomes that.
fn scaled(whole: &str, fraction: &str, tens: i32, twos: u32) -> i128 {
    let digits = || whole.bytes().chain(fraction.bytes()).map(|digit| i128::from(digit.wrapping_sub(b'0')));
    let limit = i128::from(i64::MAX) * NANO;
    let mut power = i64::from(tens) + 9 - i64::try_from(fraction.len()).unwrap_or(i64::MAX / 2);
    let (mut value, mut inexact) = (0_i128, false);
    for digit in digits() {
        value = value.saturating_mul(10).saturating_add(digit).min(i128::MAX >> 61);
    }
    value = value.saturating_mul(1 << twos);
    while power > 0 && value != 0 && value < limit {
        (value, power) = (value.saturating_mul(10), power - 1);
    }
    while power < 0 && value != 0 {
        (inexact, value, power) = (inexact || value % 10 != 0, value / 10, power + 1);
    }
    (value + i128::from(inexact)).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_canonical_form() {
        let cases = [
            ("1", "1"),
            ("-0.5", "-500m"),
            ("-1500m", "-1500m"),
            ("1.5", "1500m"),
            ("-1e3", "-1e3"),
            ("-1000", "-1k"),
            ("-2048Ki", "-2Mi"),
            ("-1Gi", "-1Gi"),
            ("0.0000000001", "1n"),
            ("1000Ki", "1000Ki"),
            ("0.5Ki", "512"),
            ("0", "0"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("1.5Gi", "1536Mi"),
        ];
        for (text, shown) in cases {
            assert_eq!(Quantity::parse(text).map(|quantity| quantity.to_string()), Some(shown.to_owned()), "{text}");
        }
        for text in ["", "x", ".", "1x", "1.2.3", "-", "1ki", "1e", "é"] {
            assert!(Quantity::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn wholes() {
        for (text, whole) in
            [("1", true), ("1k", true), ("0.5", false), ("100m", false), ("1000m", true), ("1n", false)]
        {
            assert_eq!(Quantity::parse(text).map(Quantity::is_whole), Some(whole), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_is_total(text in "[-+]?[0-9.]{0,40}[a-zA-Z]{0,2}[0-9]{0,12}") {
            if let Some(quantity) = Quantity::parse(&text) {
                prop_assert!(Quantity::parse(&quantity.to_string()).is_some(), "{text} {quantity}");
            }
        }
    }
}
