//! The controller as a program: flags, log, metrics, signals and who leads, around [`controller`].

mod arguments;
mod serve;
mod telemetry;

use clap::{CommandFactory as _, Parser as _};
use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Arguments;

/// It could not be told what was wrong with the command line.
const UNTOLD: u8 = 1;
/// Wrong usage or bad input.
const USAGE: u8 = 2;

/// The command line, for whoever describes it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs one command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(UNTOLD) };
        }
    };
    app::log::start(arguments.flags.log_level, arguments.flags.log_format);
    match serve::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(USAGE)
        }
    }
}
