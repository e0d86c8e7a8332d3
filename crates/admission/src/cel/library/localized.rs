//! Doubles as `format` prints them: `%f` and `%e` in the notation of American English, `%s` in Go's shortest form.

/// Digits after the point where a clause names no precision, and always in scientific notation.
pub(super) const DEFAULT_PRECISION: u64 = 6;

/// Precisions from ten times this value on make the server's printer give up.
const GIVE_UP: u64 = 1_000_000;

/// What the server's printer writes when it gives up.
const GAVE_UP: &str = "%!(NOVERB)";

/// `%.Nf`: grouped by thousands. The server keeps the precision in 16 and 8 bits, and so does this.
pub(super) fn fixed(value: f64, precision: u64) -> String {
    if precision / 10 > GIVE_UP {
        return String::from(GAVE_UP);
    }
    if let Some(special) = special(value) {
        return String::from(special);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let digits = fixed_digits(value.abs(), precision);
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

#[expect(clippy::cast_possible_truncation, reason = "the server wraps a precision in the same way")]
fn fixed_digits(value: f64, precision: u64) -> String {
    let (most, least) = (precision as u16 as i16, usize::from(precision as u8));
    let exact = match usize::try_from(most) {
        Ok(most) => format!("{value:.most$}"),
        Err(_) => format!("{value}"),
    };
    let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
    let kept = fraction.trim_end_matches('0');
    let zeros = "0".repeat(least.saturating_sub(kept.len()));
    if kept.is_empty() && zeros.is_empty() { String::from(whole) } else { format!("{whole}.{kept}{zeros}") }
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `%.Ne`: always six digits after the point; the server takes the precision for a minimal width.
pub(super) fn scientific(value: f64, precision: u64) -> String {
    if precision / 10 > GIVE_UP {
        return String::from(GAVE_UP);
    }
    let text = special(value).map_or_else(|| scientific_digits(value), String::from);
    let width = usize::from(u16::try_from(precision % (1 << 16)).unwrap_or(0));
    let missing = width.saturating_sub(text.chars().count());
    format!("{}{text}", " ".repeat(missing))
}

fn scientific_digits(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let text = format!("{:.6e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (minus, digits) = exponent.strip_prefix('-').map_or(("", exponent), |digits| ("⁻", digits));
    let digits: String = format!("{digits:0>2}").chars().map(superscript).collect();
    format!("{sign}{mantissa}×10{minus}{digits}")
}

fn superscript(digit: char) -> char {
    match digit {
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    }
}

fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("∞"),
        f64::NEG_INFINITY => Some("-∞"),
        _ => None,
    }
}

/// Six digits after the point, as elements of lists and maps are printed.
pub(super) fn plain(value: f64) -> String {
    match value {
        _ if value.is_nan() => String::from("NaN"),
        f64::INFINITY => String::from("+Inf"),
        f64::NEG_INFINITY => String::from("-Inf"),
        _ => format!("{value:.6}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &[(f64, u64, &str)] = &[
        (1.2345, 3, "1.234"),
        (1_234_567.234_5, 3, "1,234,567.235"),
        (2.5, 0, "2"),
        (0.5, 0, "0"),
        (1234.5, 0, "1,234"),
        (-0.000_000_1, 6, "-0.000000"),
        (-0.0, 1, "0.0"),
        (999.999, 2, "1,000.00"),
        (-1234.005, 2, "-1,234.01"),
        (1.5, 256, "1.5"),
        (1.5, 65_536, "2"),
        (0.1, 300, "0.1000000000000000055511151231257827021181583404541015625"),
        (0.1, 40_000, "0.1000000000000000000000000000000000000000000000000000000000000000"),
        (1.5, 10_000_010, "%!(NOVERB)"),
        (f64::NAN, 2, "NaN"),
        (f64::INFINITY, 2, "∞"),
        (f64::NEG_INFINITY, 2, "-∞"),
    ];

    const SCIENTIFIC: &[(f64, u64, &str)] = &[
        (1_052.032_911_275, 6, "1.052033×10⁰³"),
        (-0.001_234_56, 2, "-1.234560×10⁻⁰³"),
        (0.0, 0, "0.000000×10⁰⁰"),
        (1e300, 6, "1.000000×10³⁰⁰"),
        (1.000_001_5, 6, "1.000001×10⁰⁰"),
        (1.5, 15, "  1.500000×10⁰⁰"),
        (-1.5, 20, "      -1.500000×10⁰⁰"),
        (1.5, 65_540, "1.500000×10⁰⁰"),
        (f64::NEG_INFINITY, 6, "    -∞"),
        (f64::NAN, 6, "   NaN"),
        (0.1, 20_000_000, "%!(NOVERB)"),
    ];

    #[test]
    fn fixed_point_is_grouped_and_rounded_half_to_even() {
        for (value, precision, expected) in FIXED {
            assert_eq!(fixed(*value, *precision), *expected, "{value} {precision}");
        }
    }

    #[test]
    fn scientific_keeps_six_digits_and_pads() {
        for (value, precision, expected) in SCIENTIFIC {
            assert_eq!(scientific(*value, *precision), *expected, "{value} {precision}");
        }
    }

    #[test]
    fn elements_of_lists_are_plain() {
        assert_eq!(plain(1e21), "1000000000000000000000.000000");
        assert_eq!(plain(f64::INFINITY), "+Inf");
    }

    #[test]
    fn the_widest_precision_stays_small() {
        assert_eq!(fixed(1.5, 10_000_009).len(), 139);
        assert_eq!(scientific(1.5, 10_000_009).chars().count(), 38_537);
    }
}
