//! The agent of a node as a program: flags, log, metrics and signals around [`agent`].

mod arguments;
mod once;
mod privileges;
mod serve;
mod telemetry;

use agent::run::Ended;
use app::program::UNDONE;
use clap::CommandFactory as _;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use arguments::Arguments;

/// The command line, for whoever describes it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs one command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    app::program::main(arguments, |arguments: Arguments| {
        run(arguments).map(|ended| match ended {
            Ended::Marked => ExitCode::SUCCESS,
            // The Node could not be marked at the end.
            Ended::Unmarked => ExitCode::from(UNDONE),
        })
    })
}

fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    if arguments.once {
        return once::run(&arguments, &mut io::stdout()).map(|()| Ended::Marked);
    }
    serve::run(arguments)
}
