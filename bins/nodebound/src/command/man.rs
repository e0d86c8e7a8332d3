//! `nodebound man`: manual pages.

use clap::Args;
use clap_mangen::Man;

use crate::{Console, Exit, command_line};

/// Print the manual page of nodebound, or of one of its commands
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The command
    command: Option<String>,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let Self { command } = self;
        let mut root = command_line();
        root.build();
        let page = match &command {
            None => root,
            Some(name) => {
                let found = root.find_subcommand(name).cloned();
                found.ok_or_else(|| anyhow::anyhow!("`{name}` is no command of nodebound"))?
            }
        };
        Man::new(page).render(&mut *console.out)?;
        Ok(Exit::Fine)
    }
}
