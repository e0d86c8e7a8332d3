//! Points in time as the server reads and writes them: RFC 3339, in the words of Go's `time.Parse`.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};

/// How finely a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// `metav1.Time`.
    Seconds,
    /// `metav1.MicroTime`.
    Microseconds,
}

impl Precision {
    fn layout(self) -> &'static str {
        match self {
            Self::Seconds => "2006-01-02T15:04:05Z07:00",
            Self::Microseconds => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

/// The time as the server writes it, in UTC; none for the zero time, which it writes as `null`.
pub(super) fn canonical(text: &str, precision: Precision) -> Result<Option<String>, String> {
    let mut reader = Reader { rest: text, precision };
    let moment = reader.moment().map_err(|problem| problem.describe(text, precision))?;
    let format = match precision {
        Precision::Seconds => SecondsFormat::Secs,
        Precision::Microseconds => SecondsFormat::Micros,
    };
    let zero = NaiveDate::from_ymd_opt(1, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    // Years of five digits have no sign in Go.
    let written = || moment.to_rfc3339_opts(format, true).trim_start_matches('+').to_owned();
    Ok((Some(moment.naive_utc()) != zero).then(written))
}

/// Why a text is no time.
enum Problem<'t> {
    /// What is left of the text does not begin as the element of the layout wants.
    Element(&'t str, &'static str),
    /// A number is out of range.
    Range(&'static str),
    /// Something follows.
    Extra(&'t str),
}

impl Problem<'_> {
    fn describe(&self, text: &str, precision: Precision) -> String {
        let quoted = quote(text);
        match self {
            Self::Element(rest, element) => {
                let layout = precision.layout();
                format!("parsing time {quoted} as \"{layout}\": cannot parse {} as \"{element}\"", quote(rest))
            }
            Self::Range(what) => format!("parsing time {quoted}: {what} out of range"),
            Self::Extra(rest) => format!("parsing time {quoted}: extra text: {}", quote(rest)),
        }
    }
}

/// A quoted text: only quotes, backslashes and what is not printable ASCII are escaped, byte by byte.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            other => out.extend(other.to_string().bytes().map(|byte| format!("\\x{byte:02x}"))),
        }
    }
    out.push('"');
    out
}

struct Reader<'t> {
    rest: &'t str,
    precision: Precision,
}

type Read<'t, T> = Result<T, Problem<'t>>;

impl<'t> Reader<'t> {
    fn moment(&mut self) -> Read<'t, DateTime<Utc>> {
        let year = self.digits(4, "2006")?;
        self.literal("-")?;
        let month = self.two("01", "month", 1, 12)?;
        self.literal("-")?;
        let day = self.digits(2, "02")?;
        self.literal("T")?;
        let hour = self.hour()?;
        self.literal(":")?;
        let minute = self.two("04", "minute", 0, 59)?;
        self.literal(":")?;
        let second = self.two("05", "second", 0, 59)?;
        let micros = self.fraction()?;
        let offset = self.zone()?;
        if !self.rest.is_empty() {
            return Err(Problem::Extra(self.rest));
        }
        let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let local = date.and_then(|date| date.and_hms_micro_opt(hour, minute, second, micros));
        let shifted = local.and_then(|local| local.checked_sub_signed(TimeDelta::seconds(offset)));
        shifted.map(|moment| moment.and_utc()).ok_or(Problem::Range("day"))
    }

    fn literal(&mut self, wanted: &'static str) -> Read<'t, ()> {
        self.rest = self.rest.strip_prefix(wanted).ok_or(Problem::Element(self.rest, wanted))?;
        Ok(())
    }

    fn digits(&mut self, count: usize, element: &'static str) -> Read<'t, u32> {
        let (digits, rest) = self.rest.split_at_checked(count).ok_or(Problem::Element(self.rest, element))?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain { digits.parse().ok() } else { None };
        let number = number.ok_or(Problem::Element(self.rest, element))?;
        self.rest = rest;
        Ok(number)
    }

    fn two(&mut self, element: &'static str, name: &'static str, least: u32, most: u32) -> Read<'t, u32> {
        let number = self.digits(2, element)?;
        if (least..=most).contains(&number) { Ok(number) } else { Err(Problem::Range(name)) }
    }

    /// An hour may have one digit.
    fn hour(&mut self) -> Read<'t, u32> {
        let digits = self.rest.bytes().take(2).take_while(u8::is_ascii_digit).count().max(1);
        let number = self.digits(digits, "15")?;
        if number < 24 { Ok(number) } else { Err(Problem::Range("hour")) }
    }

    /// A fraction of any length may follow the seconds; the finer layout wants six digits.
    fn fraction(&mut self) -> Read<'t, u32> {
        let digits = self.rest.strip_prefix(['.', ',']).unwrap_or_default();
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        match self.precision {
            Precision::Microseconds if count < 6 => return Err(Problem::Element(self.rest, ".000000")),
            Precision::Seconds if count == 0 => return Ok(0),
            _ => {}
        }
        let taken = if self.precision == Precision::Microseconds { 6 } else { count };
        let (fraction, rest) = digits.split_at_checked(taken).ok_or(Problem::Element(self.rest, ".000000"))?;
        self.rest = rest;
        let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
        Ok(micros.parse().unwrap_or(0))
    }

    /// Seconds east of UTC.
    fn zone(&mut self) -> Read<'t, i64> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let problem = Problem::Element(self.rest, ELEMENT);
        let Some((zone, rest)) = self.rest.split_at_checked(6) else { return Err(problem) };
        let Some(seconds) = zone_seconds(zone) else { return Err(problem) };
        self.rest = rest;
        seconds.map_err(Problem::Range)
    }
}

/// The offset that `+07:00` means, if it looks like one; an error is what is out of range, as Go draws it.
fn zone_seconds(zone: &str) -> Option<Result<i64, &'static str>> {
    let (sign, zone) = match zone.split_at_checked(1)? {
        ("+", zone) => (1, zone),
        ("-", zone) => (-1, zone),
        _ => return None,
    };
    let (hours, minutes) = zone.split_once(':')?;
    if !(hours.len() == 2 && [hours, minutes].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(match (hours, minutes) {
        (_, 61..) => Err("time zone offset minute"),
        (25.., _) => Err("time zone offset hour"),
        _ => Ok(sign * (hours * 60 + minutes) * 60),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_written_in_utc_and_cut() {
        let cases = [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.999Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
            ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
            ("2026-01-02T3:04:05+02:60", "2026-01-02T00:04:05Z"),
            ("9999-12-31T23:59:59-23:59", "10000-01-01T23:58:59Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text, Precision::Seconds), Ok(Some(expected.to_owned())), "{text}");
        }
        let fine = canonical("2026-01-02T03:04:05.123456-01:00", Precision::Microseconds);
        assert_eq!(fine, Ok(Some("2026-01-02T04:04:05.123456Z".to_owned())));
        assert_eq!(canonical("0001-01-01T00:00:00Z", Precision::Seconds), Ok(None));
    }

    #[test]
    fn what_is_no_time_is_refused_in_the_words_of_the_server() {
        let as_time = "as \"2006-01-02T15:04:05Z07:00\": cannot parse";
        let cases = [
            ("x", format!("parsing time \"x\" {as_time} \"x\" as \"2006\"")),
            ("", format!("parsing time \"\" {as_time} \"\" as \"2006\"")),
            ("2026-01-02", format!("parsing time \"2026-01-02\" {as_time} \"\" as \"T\"")),
            ("2026-13-02T03:04:05Z", "parsing time \"2026-13-02T03:04:05Z\": month out of range".to_owned()),
            ("2026-02-30T03:04:05Z", "parsing time \"2026-02-30T03:04:05Z\": day out of range".to_owned()),
            ("2026-01-02T03:04:05Zx", "parsing time \"2026-01-02T03:04:05Zx\": extra text: \"x\"".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text, Precision::Seconds), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[0-9TZ:+. -]{0,40}") {
            let _ = canonical(&text, Precision::Seconds);
            let _ = canonical(&text, Precision::Microseconds);
        }
    }
}
