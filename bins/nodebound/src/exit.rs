//! How a command ends.

use std::process::ExitCode;

/// How a command ends. Of several, the one that counts is found by [`Exit::or_worse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was as it should be.
    #[default]
    Fine = 0,
    /// Something was refused, or failed a test.
    Finding = 1,
    /// The command line or an input was wrong.
    Usage = 2,
    /// The question could not be answered.
    Unknown = 3,
}

impl Exit {
    /// The one of both that counts: wrong use, then no answer, then a finding.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Finding => 1,
            Self::Unknown => 2,
            Self::Usage => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{Finding, Fine, Unknown, Usage};

    #[test]
    fn wrong_use_counts_most_then_no_answer_then_a_finding() {
        let order = [Fine, Finding, Unknown, Usage];
        for (i, low) in order.into_iter().enumerate() {
            for high in order.into_iter().skip(i) {
                assert_eq!(low.or_worse(high), high);
                assert_eq!(high.or_worse(low), high);
            }
        }
    }
}
