//! Durations and timestamps with the server's ranges and text forms.

use std::cmp::Ordering;
use std::fmt;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeZone, Timelike};

use super::error::EvalError;

const NANOSECONDS: i128 = 1_000_000_000;
/// 0001-01-01T00:00:00Z.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Nanoseconds, negative for a span into the past.
    pub nanoseconds: i64,
}

impl Duration {
    /// Reads Go's form, such as `1h2m3.5s`, `-1.5h` or `0`.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Some(Self { nanoseconds: 0 });
        }
        if rest.is_empty() {
            return None;
        }
        let mut total: i128 = 0;
        while !rest.is_empty() {
            let (part, tail) = component(rest)?;
            total = total.checked_add(part)?;
            rest = tail;
        }
        i64::try_from(if negative { -total } else { total }).ok().map(|nanoseconds| Self { nanoseconds })
    }
}

/// One number with its unit from the front of a duration's text.
fn component(text: &str) -> Option<(i128, &str)> {
    let number_end = text.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')?;
    let (number, rest) = text.split_at(number_end);
    let unit_end = rest.find(|symbol: char| symbol.is_ascii_digit() || symbol == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit = unit_nanoseconds(unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let whole = whole.checked_mul(unit)?;
    Some((whole.checked_add(fraction_of(fraction, unit))?, rest))
}

fn fraction_of(digits: &str, unit: i128) -> i128 {
    let (sum, _) = digits
        .chars()
        .take(18)
        .filter_map(|digit| digit.to_digit(10))
        .fold((0, 1), |(sum, scale), digit| (sum * 10 + i128::from(digit), scale * 10));
    let scale = 10i128.pow(u32::try_from(digits.len().min(18)).unwrap_or(18));
    sum * unit / scale
}

fn unit_nanoseconds(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOSECONDS,
        "m" => 60 * NANOSECONDS,
        "h" => 3_600 * NANOSECONDS,
        _ => return None,
    })
}

/// Seconds with as many decimals as needed.
impl fmt::Display for Duration {
    #[expect(clippy::cast_precision_loss, reason = "the server prints the nearest double of the seconds")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.nanoseconds / 1_000_000_000;
        let rest = self.nanoseconds % 1_000_000_000;
        write!(out, "{}s", whole as f64 + rest as f64 / 1e9)
    }
}

/// A point in time, from year 1 to 9999, with the offset it was written in.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
    /// Seconds east of UTC in which its text form is given.
    offset: i32,
}

/// The same moment written in two offsets is one moment.
impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
    }
}

impl Timestamp {
    /// A timestamp, if it is within the range.
    pub fn new(seconds: i64, nanoseconds: u32, offset: i32) -> Option<Self> {
        (FIRST_SECOND..=LAST_SECOND).contains(&seconds).then_some(Self { seconds, nanoseconds, offset })
    }

    /// Reads RFC 3339 as Go does: upper-case separators, two-digit fields, no leap second.
    pub fn parse(text: &str) -> Option<Self> {
        let date = NaiveDate::from_ymd_opt(
            number(text, 0, 4)?.try_into().ok()?,
            number(separated(text, 4, '-')?, 5, 2)?,
            number(separated(text, 7, '-')?, 8, 2)?,
        )?;
        let time = date.and_hms_opt(
            number(separated(text, 10, 'T')?, 11, 2)?,
            number(separated(text, 13, ':')?, 14, 2)?,
            number(separated(text, 16, ':')?, 17, 2)?,
        )?;
        let (nanoseconds, zone) = fraction(text.get(19..)?)?;
        let offset = zone_offset(zone)?;
        Self::new(time.and_utc().timestamp() - i64::from(offset), nanoseconds, offset)
    }

    /// Nanoseconds since 1970.
    pub(crate) fn since_epoch(&self) -> i128 {
        i128::from(self.seconds) * NANOSECONDS + i128::from(self.nanoseconds)
    }

    /// Whether this is the first moment of year 1.
    pub(crate) fn is_first(&self) -> bool {
        self.seconds == FIRST_SECOND && self.nanoseconds == 0
    }

    /// The moment so many nanoseconds later, if it is within the range.
    pub(crate) fn plus(&self, nanoseconds: i128) -> Option<Self> {
        let sum = self.since_epoch() + nanoseconds;
        let rest = u32::try_from(sum.rem_euclid(NANOSECONDS)).ok()?;
        Self::new(i64::try_from(sum.div_euclid(NANOSECONDS)).ok()?, rest, self.offset)
    }

    /// The parts of the moment in a zone: a name, or an offset such as `-01:30`.
    pub(crate) fn calendar(&self, zone: &str) -> Result<Calendar, EvalError> {
        let moment = DateTime::from_timestamp(self.seconds, self.nanoseconds)
            .ok_or_else(|| EvalError::new("timestamp overflow"))?;
        let offset = match zone.split_once(':') {
            Some((hours, minutes)) => fixed_offset(zone, hours, minutes)?,
            None => named_offset(zone, &moment.naive_utc())?,
        };
        Ok(Calendar::of(&moment.with_timezone(&offset)))
    }
}

fn named_offset(zone: &str, moment: &chrono::NaiveDateTime) -> Result<FixedOffset, EvalError> {
    if zone.is_empty() {
        return Ok(chrono::Utc.fix());
    }
    let zone: chrono_tz::Tz = zone.parse().map_err(|_| EvalError::new(format!("unknown time zone {zone}")))?;
    Ok(zone.offset_from_utc_datetime(moment).fix())
}

fn fixed_offset(zone: &str, hours: &str, minutes: &str) -> Result<FixedOffset, EvalError> {
    let (hours, minutes) = (parse_offset_part(hours)?, parse_offset_part(minutes)?);
    let minutes = if zone.starts_with('-') { -minutes } else { minutes };
    let seconds = hours.saturating_mul(60).saturating_add(minutes).saturating_mul(60);
    i32::try_from(seconds)
        .ok()
        .and_then(FixedOffset::east_opt)
        .ok_or_else(|| EvalError::new(format!("unknown time zone {zone}")))
}

fn parse_offset_part(text: &str) -> Result<i64, EvalError> {
    text.parse().map_err(|_| EvalError::new(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
}

/// The text, if it has this separator at this place.
fn separated(text: &str, at: usize, separator: char) -> Option<&str> {
    text.get(at..)?.starts_with(separator).then_some(text)
}

/// A number of exactly so many digits.
fn number(text: &str, at: usize, digits: usize) -> Option<u32> {
    let digits = text.get(at..at + digits)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Nanoseconds of an optional fraction, and what follows it.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix(['.', ',']) else { return Some((0, text)) };
    let end = rest.find(|symbol: char| !symbol.is_ascii_digit())?;
    if end == 0 {
        return None;
    }
    let digits: String = rest.chars().take(end.min(9)).chain(std::iter::repeat_n('0', 9 - end.min(9))).collect();
    Some((digits.parse().ok()?, rest.get(end..)?))
}

fn zone_offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let hours = number(zone, 1, 2).filter(|hours| *hours <= 24)?;
    let minutes = number(separated(zone, 3, ':')?, 4, 2).filter(|minutes| *minutes < 60)?;
    (zone.len() == 6).then_some(())?;
    i32::try_from(hours * 3600 + minutes * 60).ok().map(|seconds| sign * seconds)
}

/// RFC 3339 in the offset it was written in, with as many decimals as needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.seconds.saturating_add(i64::from(self.offset));
        let Some(local) = DateTime::from_timestamp(local, self.nanoseconds) else { return Err(fmt::Error) };
        write!(out, "{}", local.format("%Y-%m-%dT%H:%M:%S"))?;
        if self.nanoseconds > 0 {
            write!(out, ".{}", format!("{:09}", self.nanoseconds).trim_end_matches('0'))?;
        }
        if self.offset == 0 {
            return out.write_str("Z");
        }
        let minutes = self.offset.unsigned_abs() / 60;
        let sign = if self.offset < 0 { '-' } else { '+' };
        write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// The parts of a moment in some zone.
pub(crate) struct Calendar {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub day_of_year: i64,
    pub day_of_week: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub nanosecond: i64,
}

impl Calendar {
    fn of(moment: &DateTime<FixedOffset>) -> Self {
        Self {
            year: i64::from(moment.year()),
            month: i64::from(moment.month()),
            day: i64::from(moment.day()),
            day_of_year: i64::from(moment.ordinal()),
            day_of_week: i64::from(moment.weekday().num_days_from_sunday()),
            hour: i64::from(moment.hour()),
            minute: i64::from(moment.minute()),
            second: i64::from(moment.second()),
            nanosecond: i64::from(moment.nanosecond()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_on_the_server() {
        let cases = [
            ("1.5s", Some("1.5s")),
            ("-1h2m3.004005006s", Some("-3723.004005006s")),
            ("1us", Some("0.000001s")),
            ("0", Some("0s")),
            (".5h", Some("1800s")),
            ("1.h", Some("3600s")),
            ("+5m", Some("300s")),
            ("", None),
            ("1", None),
            (".s", None),
            ("1x", None),
            ("9999999h", None),
        ];
        for (text, printed) in cases {
            assert_eq!(Duration::parse(text).map(|span| span.to_string()).as_deref(), printed, "{text}");
        }
    }

    #[test]
    fn timestamps_read_and_print_as_on_the_server() {
        let cases = [
            ("2020-01-01T00:00:00Z", Some("2020-01-01T00:00:00Z")),
            ("2020-01-01T00:00:00.120Z", Some("2020-01-01T00:00:00.12Z")),
            ("2020-01-01T00:00:00.123456789-07:00", Some("2020-01-01T00:00:00.123456789-07:00")),
            ("2020-01-01T00:00:00,5Z", Some("2020-01-01T00:00:00.5Z")),
            ("2020-01-01t00:00:00z", None),
            ("2020-01-01T24:00:00Z", None),
            ("2020-01-01T00:00:60Z", None),
            ("2020-02-30T00:00:00Z", None),
            ("2020-01-01T00:00:00+25:00", None),
            ("2020-1-1T00:00:00Z", None),
            ("2020-01-01T00:00:00", None),
            ("", None),
        ];
        for (text, printed) in cases {
            assert_eq!(Timestamp::parse(text).map(|moment| moment.to_string()).as_deref(), printed, "{text}");
        }
    }
}
