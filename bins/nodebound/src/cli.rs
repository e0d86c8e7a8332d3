//! The command line.

use clap::{Parser, Subcommand};

use crate::command::{check, completions, demo, install, man, render, sandbox, status, test, uninstall, verify};

const EXIT_CODES: &str = "\
Exit codes:
  0  fine
  1  a finding: a request is refused or cannot be judged, a test fails, a guard is not in force
  2  wrong usage or bad input
  3  could not tell";

/// Binds every node agent to the node it runs on and to the metadata it owns, and proves that the binding holds.
#[derive(Debug, Parser)]
#[command(name = "nodebound", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Arguments),
    Render(render::Arguments),
    Check(check::Arguments),
    Test(test::Arguments),
    Sandbox(sandbox::Arguments),
    Verify(verify::Arguments),
    Install(install::Arguments),
    Status(status::Arguments),
    Uninstall(uninstall::Arguments),
    #[command(hide = true)]
    Completions(completions::Arguments),
    #[command(hide = true)]
    Man(man::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
