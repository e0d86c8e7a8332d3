//! The operator as a program: flags, log, metrics, signals and who leads, around [`operator`].

mod arguments;
mod prober;
mod serve;
mod telemetry;

use clap::CommandFactory as _;
use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Arguments;

/// The command line, for whoever describes it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs one command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    app::program::main(arguments, |arguments: Arguments| serve::run(arguments).map(|()| ExitCode::SUCCESS))
}
