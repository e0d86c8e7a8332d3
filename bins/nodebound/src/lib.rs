//! The commands of `nodebound`, apart from the process that runs them: arguments and streams come in, an exit code goes
//! out.

mod bench;
mod cli;
mod cluster;
mod command;
mod console;
mod demo;
mod exit;
mod interruption;
mod opinion;
mod output;
mod parallel;
mod policies;
mod profiles;
mod progress;
mod recording;
mod scratch;
mod second_opinion;
mod suites;
mod verdicts;

use clap::{CommandFactory, Parser};
use std::ffi::OsString;

pub use cli::Arguments;
pub use console::{Console, Look};
pub use exit::Exit;

/// Runs one command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> Exit {
    let exit = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => command::run(arguments.command, console),
        Err(error) => Ok(console.usage(&error)),
    };
    match exit.and_then(|exit| console.flush().map(|()| exit)) {
        Ok(exit) => exit,
        Err(error) => console.failed(&error),
    }
}

/// The command line as data, for completions, man pages and references.
#[must_use]
pub fn command_line() -> clap::Command {
    Arguments::command()
}
