//! Decimal numbers of any size: an integer of decimal digits and a scale, as quantities need them.

use std::cmp::Ordering;

/// Digits that an aligned sum may reach. The server has no bound and would run out of memory instead.
pub(super) const MAX_DIGITS: usize = 100_000;

/// A number would need more than [`MAX_DIGITS`] digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyDigits;

/// `±digits × 10^-scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Most significant first, without leading zeros; empty for zero.
    digits: Vec<u8>,
    scale: i32,
}

impl Decimal {
    /// `unscaled × 10^-scale`.
    pub(super) fn new(unscaled: i64, scale: i32) -> Self {
        let digits = unscaled.unsigned_abs().to_string();
        Self { negative: unscaled < 0, digits: significant(digits.bytes()), scale }
    }

    /// A number with an optional sign and point, such as `-12.50`; none where there is no digit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        let digits = significant(whole.bytes().chain(fraction.bytes()));
        let scale = i32::try_from(fraction.len()).ok()?;
        let number = !(whole.is_empty() && fraction.is_empty());
        number.then_some(Self { negative, digits, scale })
    }

    /// Adds to the scale, wrapping as the server's 32-bit scale does.
    #[must_use]
    pub(super) fn shifted(mut self, by: i32) -> Self {
        self.scale = self.scale.wrapping_add(by);
        self
    }

    /// The number times 2 to the power of `exponent`.
    #[must_use]
    pub(super) fn doubled(mut self, exponent: u32) -> Self {
        for _ in 0..exponent {
            self.double();
        }
        self
    }

    fn double(&mut self) {
        let mut carry = 0;
        for digit in self.digits.iter_mut().rev() {
            let sum = *digit * 2 + carry;
            *digit = sum % 10;
            carry = sum / 10;
        }
        if carry > 0 {
            self.digits.insert(0, carry);
        }
    }

    /// The magnitude, rounded away from zero to this scale.
    pub(super) fn rounded_up(&self, scale: i32) -> Result<Self, TooManyDigits> {
        let dropped = i64::from(self.scale) - i64::from(scale);
        let Ok(dropped) = usize::try_from(dropped) else { return self.rescaled(scale) };
        let kept = self.digits.len().saturating_sub(dropped);
        let (head, tail) = self.digits.split_at(kept);
        let mut rounded = Self { negative: self.negative, digits: head.to_vec(), scale };
        if tail.iter().any(|digit| *digit != 0) {
            rounded.digits = sum_of_digits(&rounded.digits, &[1]);
        }
        Ok(rounded)
    }

    fn rescaled(&self, scale: i32) -> Result<Self, TooManyDigits> {
        let zeros = usize::try_from(i64::from(scale) - i64::from(self.scale)).map_err(|_| TooManyDigits)?;
        let mut digits = self.digits.clone();
        if !digits.is_empty() {
            let length = digits.len().checked_add(zeros).filter(|length| *length <= MAX_DIGITS);
            digits.resize(length.ok_or(TooManyDigits)?, 0);
        }
        Ok(Self { negative: self.negative, digits, scale })
    }

    /// The sum, at the finer of the two scales.
    pub(super) fn plus(&self, other: &Self) -> Result<Self, TooManyDigits> {
        let scale = self.scale.max(other.scale);
        let (left, right) = (self.rescaled(scale)?, other.rescaled(scale)?);
        if left.negative == right.negative {
            let digits = sum_of_digits(&left.digits, &right.digits);
            return Ok(Self { negative: left.negative, digits, scale });
        }
        let (more, less) = match compare_digits(&left.digits, &right.digits) {
            Ordering::Less => (right, left),
            _ => (left, right),
        };
        let digits = difference_of_digits(&more.digits, &less.digits);
        Ok(Self { negative: more.negative && !digits.is_empty(), digits, scale })
    }

    /// The number with the opposite sign.
    #[must_use]
    pub(super) fn negated(mut self) -> Self {
        self.negative = !self.negative && !self.digits.is_empty();
        self
    }

    /// -1, 0 or 1.
    pub(super) fn sign(&self) -> i64 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (_, true) => -1,
            _ => 1,
        }
    }

    /// The order of two numbers, without writing either out.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let magnitude = self.compare_magnitude(other);
        match (self.sign(), other.sign()) {
            (-1, -1) => magnitude.reverse(),
            (1, 1) => magnitude,
            (left, right) => left.cmp(&right),
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        self.places().cmp(&other.places()).then_with(|| {
            let length = self.digits.len().max(other.digits.len());
            let padded = |number: &Self| -> Vec<u8> {
                number.digits.iter().copied().chain(std::iter::repeat(0)).take(length).collect()
            };
            padded(self).cmp(&padded(other))
        })
    }

    /// Digits before the point.
    fn places(&self) -> i64 {
        i64::try_from(self.digits.len()).unwrap_or(i64::MAX).saturating_sub(i64::from(self.scale))
    }

    /// The double nearest to the integer of the digits, and the power of ten that it stands for.
    pub(super) fn approximate(&self) -> (f64, i32) {
        let text: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let magnitude = text.parse().unwrap_or(0.0_f64);
        (if self.negative { -magnitude } else { magnitude }, self.scale.wrapping_neg())
    }
}

fn significant(octets: impl Iterator<Item = u8>) -> Vec<u8> {
    octets.map(|octet| octet.wrapping_sub(b'0')).skip_while(|digit| *digit == 0).collect()
}

fn compare_digits(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn sum_of_digits(left: &[u8], right: &[u8]) -> Vec<u8> {
    let (long, short) = if left.len() < right.len() { (right, left) } else { (left, right) };
    let mut digits = long.to_vec();
    let mut carry = 0;
    let addends = short.iter().rev().copied().chain(std::iter::repeat(0));
    for (digit, addend) in digits.iter_mut().rev().zip(addends) {
        let sum = *digit + addend + carry;
        *digit = sum % 10;
        carry = sum / 10;
    }
    if carry > 0 {
        digits.insert(0, carry);
    }
    digits
}

/// The first is at least as large as the second.
fn difference_of_digits(more: &[u8], less: &[u8]) -> Vec<u8> {
    let mut digits = more.to_vec();
    let mut borrow = 0;
    let subtrahends = less.iter().rev().copied().chain(std::iter::repeat(0));
    for (digit, subtrahend) in digits.iter_mut().rev().zip(subtrahends) {
        let taken = subtrahend + borrow;
        borrow = u8::from(*digit < taken);
        *digit = *digit + 10 * borrow - taken;
    }
    digits.into_iter().skip_while(|digit| *digit == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn sums_carry_and_borrow() {
        let cases = [
            ("999", "1", "1000"),
            ("1000", "-1", "999"),
            ("-0.5", "0.25", "-0.25"),
            ("1.5", "-1.5", "0"),
            ("12345678901234567890", "0.000000001", "12345678901234567890.000000001"),
        ];
        for (left, right, expected) in cases {
            let sum = decimal(left).plus(&decimal(right)).unwrap();
            assert_eq!(sum.compare(&decimal(expected)), Ordering::Equal, "{left} + {right}");
        }
    }

    #[test]
    fn numbers_are_ordered_across_scales_and_signs() {
        let ascending =
            ["-10", "-9.5", "-0.001", "0", "0.000000001", "0.1", "1", "1.01", "9", "10", "9999999999999999999"];
        for (index, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(decimal(left).compare(&decimal(right)), index.cmp(&other), "{left} {right}");
            }
        }
    }

    #[test]
    fn huge_scales_compare_without_being_written_out() {
        let huge = Decimal::new(1, -2_000_000_000);
        assert_eq!(huge.compare(&decimal("99999")), Ordering::Greater);
        assert_eq!(huge.plus(&decimal("1")), Err(TooManyDigits));
    }

    #[test]
    fn rounding_goes_away_from_zero() {
        let cases = [("0.0000000001", "0.000000001"), ("1.0000000011", "1.000000002"), ("9.9999999999", "10")];
        for (text, expected) in cases {
            let rounded = decimal(text).rounded_up(9).unwrap();
            assert_eq!(rounded.compare(&decimal(expected)), Ordering::Equal, "{text}");
        }
    }

    #[test]
    fn doubling_carries_into_a_new_digit() {
        assert_eq!(decimal("5").doubled(60).compare(&decimal("5764607523034234880")), Ordering::Equal);
    }

    #[test]
    fn a_number_needs_a_digit() {
        assert_eq!(Decimal::parse("."), None);
        assert_eq!(Decimal::parse("-"), None);
        assert!(Decimal::parse("1.").is_some() && Decimal::parse(".1").is_some());
    }
}
