//! `/proc/meminfo`.

use crate::fault::Problem;

/// The file.
pub const FILE: &str = "/proc/meminfo";

/// The host's memory in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`.
    pub total: u64,
    /// `MemAvailable`.
    pub available: u64,
}

impl Memory {
    /// Reads `/proc/meminfo`.
    ///
    /// # Errors
    /// One of the two fields is missing or no number.
    pub fn parse(text: &[u8]) -> Result<Self, Problem> {
        let text = String::from_utf8_lossy(text);
        Ok(Self { total: field(&text, "MemTotal")?, available: field(&text, "MemAvailable")? })
    }

    /// The memory that is not available.
    #[must_use]
    pub fn used(self) -> u64 {
        self.total.saturating_sub(self.available)
    }

    /// Whether no more than this share of the memory is available.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of the memory, to no more digits than it was given in")]
    pub fn is_scarce(self, share: f32) -> bool {
        self.available as f64 <= self.total as f64 * f64::from(share)
    }
}

fn field(text: &str, name: &str) -> Result<u64, Problem> {
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(field, _)| *field == name);
    let number = value.and_then(|(_, value)| value.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| Problem::Malformed(format!("has no number for {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fields_are_read() {
        let text = "MemTotal:       10053848 kB\nMemFree: 1 kB\nMemAvailable:    9000000 kB\n";
        assert_eq!(Memory::parse(text.as_bytes()), Ok(Memory { total: 10_053_848, available: 9_000_000 }));
        for text in ["", "MemTotal: 1 kB", "MemTotal: x\nMemAvailable: 1", "MemTotal 1\nMemAvailable: 1", "MemTotal:\n"]
        {
            assert!(Memory::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_scarce_up_to_the_share() {
        let table = [
            (100, 20, 0.2, true),
            (100, 21, 0.2, false),
            (100, 0, 0.0, true),
            (0, 0, 0.2, true),
            (100, 100, 1.0, true),
        ];
        for (total, available, share, expected) in table {
            let memory = Memory { total, available };
            assert_eq!(memory.is_scarce(share), expected, "{memory:?} {share}");
        }
    }

    #[test]
    fn more_available_than_there_is_counts_as_none_used() {
        assert_eq!(Memory { total: 1, available: 2 }.used(), 0);
    }
}
