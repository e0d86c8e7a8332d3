//! `nodebound completions`: completions for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::{Console, Exit, command_line};

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let Self { shell } = self;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command_line(), "nodebound", &mut script);
        console.out.write_all(&script)?;
        Ok(Exit::Fine)
    }
}
