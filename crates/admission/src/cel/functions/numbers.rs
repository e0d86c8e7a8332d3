//! Numbers as text and text as numbers, as Go writes and reads them.

/// From this exponent on, and below -4, the form with an exponent is used.
const EXPONENT_FROM: i32 = 6;
const EXPONENT_BELOW: i32 = -4;

/// A double in its shortest form that reads back, as `%g` prints it.
pub(crate) fn display_double(value: f64) -> String {
    if value.is_nan() {
        return String::from("NaN");
    }
    if value.is_infinite() {
        return String::from(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    // Only the exponent's sign and width differ from this crate's language.
    let scientific = format!("{value:e}");
    match scientific.split_once('e').map(|(digits, exponent)| (digits, exponent.parse::<i32>())) {
        Some((digits, Ok(exponent))) if !(EXPONENT_BELOW..EXPONENT_FROM).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}

/// Reads a double as Go does: decimal or hexadecimal, infinities and NaN by name; overflow fails.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    let text = without_underscores(text)?;
    let text = text.as_ref();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = parse_hexadecimal(digits)?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    let value: f64 = text.parse().ok()?;
    let named = unsigned.starts_with(['i', 'I', 'n', 'N']);
    (value.is_finite() || named).then_some(value)
}

/// Underscores are allowed between digits.
fn without_underscores(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text.contains('_') {
        return Some(text.into());
    }
    let is_digit = |part: Option<char>| part.is_some_and(|symbol| symbol.is_ascii_hexdigit());
    let mut parts = text.split('_').peekable();
    while let Some(part) = parts.next() {
        if let Some(next) = parts.peek()
            && !(is_digit(part.chars().next_back()) && is_digit(next.chars().next()))
        {
            return None;
        }
    }
    Some(text.replace('_', "").into())
}

fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let value =
        digits.chars().filter_map(|digit| digit.to_digit(16)).fold(0.0, |sum, digit| sum * 16.0 + f64::from(digit));
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let scaled = value * 2f64.powi(exponent.parse::<i32>().ok()?.checked_sub(places)?);
    scaled.is_finite().then_some(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_the_server_prints_them() {
        let cases = [
            (1.0, "1"),
            (1_234_567.0, "1.234567e+06"),
            (123_456.0, "123456"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0"),
            (12.5e-7, "1.25e-06"),
            (f64::INFINITY, "+Inf"),
            (1.5e300, "1.5e+300"),
        ];
        for (value, text) in cases {
            assert_eq!(display_double(value), text);
        }
    }

    #[test]
    fn texts_read_as_the_server_reads_them() {
        let cases = [
            ("0x1p4", Some(16.0)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("+1e3", Some(1000.0)),
            ("1_0", Some(10.0)),
            ("_1", None),
            ("1e400", None),
        ];
        for (text, value) in cases {
            assert_eq!(parse_double(text), value, "{text}");
        }
    }
}
