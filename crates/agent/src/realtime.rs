//! Whether the scheduler lets realtime threads run without a pause, which realtime guests need.

use crate::fault::Problem;

/// The file of `kernel.sched_rt_runtime_us`.
pub const FILE: &str = "/proc/sys/kernel/sched_rt_runtime_us";

/// Whether the setting is -1, no limit.
///
/// # Errors
/// The text is no number.
pub fn is_unlimited(text: &[u8]) -> Result<bool, Problem> {
    let text = String::from_utf8_lossy(text);
    match text.trim().parse::<i64>() {
        Ok(microseconds) => Ok(microseconds == -1),
        Err(_) => Err(Problem::malformed("is no number", text.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_minus_one_is_unlimited() {
        for (text, expected) in [("-1\n", true), ("950000\n", false), ("0", false), ("1", false)] {
            assert_eq!(is_unlimited(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in ["", "x", "-1 -1", "99999999999999999999"] {
            assert!(is_unlimited(text.as_bytes()).is_err(), "{text}");
        }
    }
}
