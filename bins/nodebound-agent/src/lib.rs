//! The agent of a node as a program: flags, log, metrics and signals around [`agent`].

mod arguments;
mod once;
mod privileges;
mod serve;
mod telemetry;

use agent::run::Ended;
use clap::{CommandFactory as _, Parser as _};
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use arguments::Arguments;

/// What the program ends with: the Node could not be marked at the end.
const UNMARKED: u8 = 1;
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
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(UNMARKED) };
        }
    };
    app::log::start(arguments.flags.log_level, arguments.flags.log_format);
    match run(arguments) {
        Ok(Ended::Marked) => ExitCode::SUCCESS,
        Ok(Ended::Unmarked) => ExitCode::from(UNMARKED),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(USAGE)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    if arguments.once {
        return once::run(&arguments, &mut io::stdout()).map(|()| Ended::Marked);
    }
    serve::run(arguments)
}
