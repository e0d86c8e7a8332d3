//! From a command line to an exit code.

use clap::Parser;
use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use crate::{Flags, log};

/// What a program ends with that could not do what it had to, or not even say what was wrong with its command line.
pub const UNDONE: u8 = 1;
/// What a program ends with after wrong usage or bad input.
const USAGE: u8 = 2;

/// The command line of a program, with the flags that every program has.
pub trait Arguments: Parser {
    /// The flags that every program has.
    fn flags(&self) -> &Flags;
}

/// Reads a command line, starts the log and runs the program. Help, and what is wrong with the command line, are
/// printed; an error of the program is logged.
pub fn main<A: Arguments, E: Display>(
    line: impl IntoIterator<Item = OsString>,
    run: impl FnOnce(A) -> Result<ExitCode, E>,
) -> ExitCode {
    let arguments = match A::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(if error.print().is_ok() { code } else { UNDONE });
        }
    };
    let flags = arguments.flags();
    log::start(flags.log_level, flags.log_format);
    run(arguments).unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::from(USAGE)
    })
}
