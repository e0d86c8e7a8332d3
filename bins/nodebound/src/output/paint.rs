//! Colours, and text that cannot paint by itself.

use std::borrow::Cow;

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As the terminal writes.
    #[default]
    Plain,
    /// Of less interest.
    Faint,
    /// Of more.
    Strong,
    /// Let through, passed.
    Good,
    /// Refused, failed.
    Bad,
    /// Not judged.
    Odd,
}

impl Paint {
    /// The text in this colour, if colours are wanted.
    pub(crate) fn on(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Odd => "33",
        };
        if colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text from an input without control characters, which could write anything on a terminal.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.replace(char::is_control, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(Paint::Bad.on("x", false), "x");
        assert_eq!(Paint::Bad.on("x", true), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Paint::Bad.on("", true), "");
    }

    #[test]
    fn an_input_cannot_paint() {
        assert_eq!(harmless("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert!(matches!(harmless("aé"), Cow::Borrowed(_)));
    }
}
