//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod install;
pub(crate) mod man;
pub(crate) mod render;
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod uninstall;
pub(crate) mod verify;

use crate::cli::Command;
use crate::{Console, Exit};

pub(crate) fn run(command: Command, console: &mut Console<'_>) -> anyhow::Result<Exit> {
    match command {
        Command::Render(arguments) => arguments.run(console),
        Command::Check(arguments) => arguments.run(console),
        Command::Test(arguments) => arguments.run(console),
        Command::Sandbox(arguments) => arguments.run(console),
        Command::Verify(arguments) => arguments.run(console),
        Command::Demo(arguments) => arguments.run(console),
        Command::Install(arguments) => arguments.run(console),
        Command::Status(arguments) => arguments.run(console),
        Command::Uninstall(arguments) => arguments.run(console),
        Command::Completions(arguments) => arguments.run(console),
        Command::Man(arguments) => arguments.run(console),
    }
}
