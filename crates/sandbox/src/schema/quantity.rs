//! Quantities as the server stores and sends them: the canonical form of `resource.Quantity`
//! (`k8s.io/apimachinery/pkg/api/resource`), and the rounding that resource lists undergo.

/// What a text has to look like to be a quantity.
const FORMAT: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMBER: &str = "unable to parse numeric part of quantity";
const SUFFIX: &str = "unable to parse quantity's suffix";
/// Amounts with more digits or larger exponents than this stay as they are written. The server has no such limit.
const MOST_DIGITS: usize = 36;
/// The finest power of ten that is kept.
const NANO: i32 = -9;
/// The finest power of ten in a resource list.
const MILLI: i32 = -3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

const DECIMAL: &[(&str, i32)] =
    &[("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: &[(&str, i32)] = &[("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// `mantissa × 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount {
    mantissa: i128,
    scale: i32,
}

/// The canonical form of a quantity's text, or the server's complaint.
pub(super) fn canonical(text: &str) -> Result<String, &'static str> {
    let parts = Parts::scan(text.trim())?;
    let (format, exponent) = suffix(parts.suffix).ok_or(SUFFIX)?;
    if parts.is_kept(format, exponent) {
        return Ok(text.trim().to_owned());
    }
    parts.check_number()?;
    Ok(parts.amount(format, exponent).map_or_else(|| text.trim().to_owned(), |amount| write(amount, format)))
}

/// The quantity rounded up, away from zero, to thousandths (`SetDefaults_ResourceList` in `pkg/apis/core/v1`).
pub(super) fn rounded_to_milli(text: &str) -> String {
    round(text).unwrap_or_else(|| text.to_owned())
}

fn round(text: &str) -> Option<String> {
    let parts = Parts::scan(text).ok()?;
    let (format, exponent) = suffix(parts.suffix)?;
    let amount = parts.amount(format, exponent)?;
    let small = parts.is_small(format, exponent);
    (!small || amount.scale < MILLI).then(|| write(amount.rounded_up(MILLI), format))
}

fn suffix(text: &str) -> Option<(Format, i32)> {
    let known = |table: &[(&str, i32)]| table.iter().find(|(name, _)| *name == text).map(|(_, exponent)| *exponent);
    if let Some(exponent) = known(DECIMAL) {
        return Some((Format::Decimal, exponent));
    }
    if let Some(exponent) = known(BINARY) {
        return Some((Format::Binary, exponent));
    }
    let exponent = text.strip_prefix(['e', 'E'])?.parse::<i64>().ok()?;
    Some((Format::Exponent, i32::try_from(exponent).unwrap_or(i32::MAX)))
}

struct Parts<'a> {
    text: &'a str,
    negative: bool,
    /// Sign, digits and point.
    number: &'a str,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn scan(text: &'a str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err(FORMAT);
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, rest) = digits(unsigned.trim_start_matches('0'));
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), digits);
        let number = text.get(..text.len() - suffix.len()).unwrap_or_default();
        let whole = if whole.is_empty() { "0" } else { whole };
        let tail = suffix.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
        let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
        if !tail.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FORMAT);
        }
        Ok(Self { text, negative: text.starts_with('-'), number, whole, fraction, suffix })
    }

    /// The server reads a number that the fast way cannot read with a decimal parser, which wants a digit.
    fn check_number(&self) -> Result<(), &'static str> {
        let has_digit = self.number.bytes().any(|byte| byte.is_ascii_digit());
        if has_digit || self.number.trim_start_matches(['-', '+']).len() <= 1 { Ok(()) } else { Err(NUMBER) }
    }

    fn digits(&self) -> String {
        format!("{}{}", self.whole, self.fraction)
    }

    fn fraction_places(&self) -> i32 {
        i32::try_from(self.fraction.len()).unwrap_or(i32::MAX)
    }

    /// Whether the server computes with it in an `i64`.
    fn is_small(&self, format: Format, exponent: i32) -> bool {
        let digits = i32::try_from(self.whole.len() + self.fraction.len()).unwrap_or(i32::MAX);
        let spare = match format {
            Format::Binary if !self.fraction.is_empty() => return false,
            Format::Binary => 15_i32.saturating_sub(digits) - exponent * 3 / 10 - 1,
            _ => 18_i32.saturating_sub(digits),
        };
        spare >= 0 && self.scale(format, exponent) >= NANO
    }

    fn scale(&self, format: Format, exponent: i32) -> i32 {
        let scale = if format == Format::Binary { 0 } else { exponent };
        scale.saturating_sub(self.fraction_places())
    }

    /// Whether the server keeps the text as it is written.
    fn is_kept(&self, format: Format, exponent: i32) -> bool {
        if self.text == "0" {
            return true;
        }
        let digits = self.digits();
        if !self.is_small(format, exponent) {
            return false;
        }
        if format == Format::Binary {
            return digits.parse::<i64>().is_ok_and(|value| value & 7 != 0);
        }
        self.scale(format, exponent) % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0')
    }

    /// The amount, if it is not larger than what is computed with here.
    fn amount(&self, format: Format, exponent: i32) -> Option<Amount> {
        let digits = self.digits();
        if digits.len() > MOST_DIGITS || exponent.checked_abs()? > 1_000 {
            return None;
        }
        let magnitude = digits.parse::<i128>().ok()?;
        let magnitude = match format {
            // What overflows is far above the largest binary amount.
            Format::Binary => doubled(magnitude, exponent).unwrap_or(i128::MAX),
            _ => magnitude,
        };
        let mantissa = if self.negative { -magnitude } else { magnitude };
        let amount = Amount { mantissa, scale: self.scale(format, exponent) }.rounded_up(NANO);
        Some(if format == Format::Binary { amount.capped() } else { amount })
    }
}

fn doubled(magnitude: i128, exponent: i32) -> Option<i128> {
    magnitude.checked_mul(1_i128.checked_shl(u32::try_from(exponent).ok()?)?)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

impl Amount {
    /// Away from zero, to a multiple of `10^scale`.
    fn rounded_up(self, scale: i32) -> Self {
        let Some(places) = scale.checked_sub(self.scale).and_then(|places| u32::try_from(places).ok()) else {
            return self;
        };
        let Some(factor) = 10_i128.checked_pow(places) else {
            return Self { mantissa: self.mantissa.signum(), scale };
        };
        let rest = if self.mantissa % factor == 0 { 0 } else { self.mantissa.signum() };
        Self { mantissa: self.mantissa / factor + rest, scale }
    }

    /// Binary amounts end at the largest `i64`, in both directions.
    fn capped(self) -> Self {
        let limit = i128::from(i64::MAX);
        let whole = self.rounded_up(0);
        if whole.mantissa.abs() > limit { Self { mantissa: whole.mantissa.signum() * limit, scale: 0 } } else { self }
    }

    fn integer(self) -> Option<i128> {
        let whole = self.rounded_up(0);
        let factor = 10_i128.checked_pow(self.scale.unsigned_abs())?;
        match self.scale {
            0.. => self.mantissa.checked_mul(factor),
            _ => (whole.mantissa.checked_mul(factor) == Some(self.mantissa)).then_some(whole.mantissa),
        }
    }
}

fn write(amount: Amount, format: Format) -> String {
    if amount.mantissa == 0 {
        return "0".to_owned();
    }
    match (format, amount.integer()) {
        (Format::Binary, Some(value)) if value.abs() >= 1024 => write_binary(value),
        (Format::Exponent, _) => write_decimal(amount, |exponent| format!("e{exponent}")),
        _ => write_decimal(amount, decimal_suffix),
    }
}

/// Powers beyond the last suffix are written without any, as the server does.
fn decimal_suffix(exponent: i32) -> String {
    let known = DECIMAL.iter().find(|(_, known)| *known == exponent);
    known.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

fn write_binary(value: i128) -> String {
    let (mut rest, mut times) = (value, 0_usize);
    while rest.abs() >= 1024 && rest % 1024 == 0 {
        rest /= 1024;
        times += 1;
    }
    let suffix = times.checked_sub(1).and_then(|index| BINARY.get(index)).map_or("", |(name, _)| name);
    format!("{rest}{suffix}")
}

fn write_decimal(amount: Amount, suffix: impl Fn(i32) -> String) -> String {
    let (mut mantissa, mut exponent) = (amount.mantissa, amount.scale);
    while mantissa.abs() >= 10 && mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    while exponent % 3 != 0 {
        mantissa = mantissa.saturating_mul(10);
        exponent -= 1;
    }
    if exponent == 0 { mantissa.to_string() } else { format!("{mantissa}{}", suffix(exponent)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANONICAL: &[(&str, &str)] = &[
        ("1000m", "1"),
        ("1024Ki", "1Mi"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("100", "100"),
        ("1000", "1k"),
        ("0", "0"),
        ("00", "0"),
        ("-1000m", "-1"),
        ("1e3", "1e3"),
        ("1000e3", "1e6"),
        ("0.1n", "1n"),
        ("8Ki", "8Ki"),
        ("1Ki", "1Ki"),
        ("1023", "1023"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        ("1.500", "1.500"),
        ("+1", "+1"),
        (" 7 ", "7"),
        ("16777216Ti", "9223372036854775807"),
        ("923844.9Pi", "9223372036854775807"),
        ("-285393539675781251783Ei", "-9223372036854775807"),
    ];

    #[test]
    fn quantities_are_written_as_the_server_writes_them() {
        for (text, expected) in CANONICAL {
            assert_eq!(canonical(text).as_deref(), Ok(*expected), "{text}");
        }
    }

    #[test]
    fn malformed_quantities_are_refused_with_the_reason() {
        let cases =
            [("", FORMAT), ("abc", FORMAT), ("1.2.3", FORMAT), ("1Zi", FORMAT), ("1e", SUFFIX), ("1ee5", SUFFIX)];
        for (text, expected) in cases {
            assert_eq!(canonical(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn resource_lists_are_rounded_to_thousandths() {
        for (text, expected) in
            [("1", "1"), ("1n", "1m"), ("1500u", "2m"), ("100m", "100m"), ("-1u", "-1m"), ("1Gi", "1Gi")]
        {
            assert_eq!(rounded_to_milli(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_a_fixed_point(text in "[+-]?[0-9]{0,12}(\\.[0-9]{0,6})?(n|u|m|k|M|G|Ki|Mi|Gi|e[0-9]|E-[0-9])?") {
            if let Ok(once) = canonical(&text) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
            }
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            let _ = canonical(&text);
            let _ = rounded_to_milli(&text);
        }
    }
}
