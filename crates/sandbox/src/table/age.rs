//! How long ago something was, in the words of the server (`k8s.io/apimachinery/pkg/util/duration/duration.go`).

use chrono::DateTime;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How long before `now` a moment was; the text is RFC 3339, or empty for none.
pub(super) fn since(moment: &str, now: i64) -> String {
    match seconds(moment) {
        Some(then) => duration(now.saturating_sub(then)),
        None => "<unknown>".to_owned(),
    }
}

/// The moment in seconds since 1970.
pub(super) fn seconds(moment: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(moment).ok().map(|moment| moment.timestamp())
}

/// Two or three significant figures of a duration.
fn duration(seconds: i64) -> String {
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds, (MINUTE, 'm'), (1, 's')),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds, (HOUR, 'h'), (MINUTE, 'm')),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds, (DAY, 'd'), (HOUR, 'h')),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds, (YEAR, 'y'), (DAY, 'd')),
        _ => format!("{}y", seconds / YEAR),
    }
}

fn two(seconds: i64, (large, large_name): (i64, char), (small, small_name): (i64, char)) -> String {
    let (whole, rest) = (seconds / large, seconds % large / small);
    if rest == 0 { format!("{whole}{large_name}") } else { format!("{whole}{large_name}{rest}{small_name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_two_or_three_figures() {
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (192, "3m12s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 61, "3h1m"),
            (8 * HOUR, "8h"),
            (48 * HOUR - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 5 * HOUR, "2d5h"),
            (8 * DAY + 5 * HOUR, "8d"),
            (729 * DAY, "729d"),
            (2 * YEAR, "2y"),
            (6 * YEAR + 327 * DAY, "6y327d"),
            (8 * YEAR + DAY, "8y"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn a_moment_that_is_none_is_unknown() {
        let now = seconds("2026-11-22T17:47:00Z").unwrap();
        let cases = [
            ("2026-11-22T17:46:21Z", "39s"),
            ("2026-11-22T17:46:21.123456Z", "39s"),
            ("2020-01-01T00:00:00Z", "6y327d"),
            ("", "<unknown>"),
            ("nope", "<unknown>"),
        ];
        for (moment, expected) in cases {
            assert_eq!(since(moment, now), expected, "{moment}");
        }
    }

    proptest! {
        #[test]
        fn any_duration_has_words(seconds in any::<i64>(), now in any::<i64>()) {
            prop_assert!(!duration(seconds).is_empty());
            prop_assert!(!since("2020-01-01T00:00:00Z", now).is_empty());
        }
    }
}
