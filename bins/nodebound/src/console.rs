//! The streams of a command, and how things look on them.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};

use crate::Exit;

/// The streams of a command: results go out, messages go to the side.
pub struct Console<'a> {
    /// What `-` reads.
    pub input: &'a mut dyn Read,
    /// Where results go.
    pub out: &'a mut dyn Write,
    /// Where messages go.
    pub err: &'a mut dyn Write,
    /// How things look.
    pub look: Look,
}

/// How things look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether results are coloured.
    pub colour: bool,
    /// Whether long work shows how far it is.
    pub progress: bool,
}

impl Look {
    /// What fits the process's streams and environment: colours and progress for people only, and no colours where
    /// `NO_COLOR` asks for none.
    pub fn new(out_is_terminal: bool, err_is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|value| value == "dumb");
        Self { colour: out_is_terminal && !plain && !dumb, progress: err_is_terminal && !dumb }
    }
}

impl Console<'_> {
    /// Says something that is no result. Where even that fails, nothing can be said any more.
    pub(crate) fn say(&mut self, message: impl fmt::Display) {
        let _ = writeln!(self.err, "{message}");
    }

    /// Says something about an input, one line of text after the other.
    pub(crate) fn say_of(&mut self, source: &str, message: impl fmt::Display) {
        for line in message.to_string().lines() {
            self.say(format_args!("nodebound: {source}: {line}"));
        }
    }

    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.out.flush()?;
        Ok(())
    }

    /// Answers a command line that is wrong, or asks for help.
    pub(crate) fn usage(&mut self, error: &clap::Error) -> Exit {
        let text = error.render();
        if error.use_stderr() {
            let _ = write!(self.err, "{text}");
            return Exit::Usage;
        }
        let _ = write!(self.out, "{text}").and_then(|()| self.out.flush());
        Exit::Fine
    }

    /// Ends a command that could not go on. A reader that has seen enough is no failure.
    pub(crate) fn failed(&mut self, error: &anyhow::Error) -> Exit {
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(closed)) {
            return Exit::Fine;
        }
        for line in format!("{error:#}").lines() {
            self.say(format_args!("nodebound: {line}"));
        }
        Exit::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let environment = |set: &'static [(&str, &str)]| {
            move |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        for (terminal, set, colour) in [
            (true, &[][..], true),
            (false, &[], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "xterm")], true),
        ] {
            assert_eq!(Look::new(terminal, terminal, environment(set)).colour, colour, "{terminal} {set:?}");
        }
    }
}
