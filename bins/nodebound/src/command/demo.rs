//! `nodebound demo`: the whole story on the sandbox.

use anyhow::Context;
use attack::Matrix;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

use crate::demo::{self, Shown};
use crate::output::concluded::Concluded;
use crate::output::{attack_table, json, page, yaml};
use crate::progress::Progress;
use crate::{Console, Exit};

/// Attack a node agent in a cluster of this process: without protection, with the guard, and by each way to protect it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where to write a page for a browser
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object
    Json,
    /// One document
    Yaml,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        page::claim(self.report.as_deref())?;
        let progress = Progress::new(console.look.progress, demo::attacks()?, "attacks");
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        let shown = runtime.block_on(demo::show(|| progress.step()))?;
        progress.finish();
        self.write(&shown, console)?;
        Ok(if shown.is_as_expected() { Exit::Fine } else { Exit::Finding })
    }

    fn write(&self, shown: &Shown, console: &mut Console<'_>) -> anyhow::Result<()> {
        match self.output {
            Format::Table => {
                attack_table::before_and_after(console.out, &shown.before, &shown.after, console.look.colour)?;
                attack_table::matrix(console.out, &shown.matrix, console.look.colour)?;
            }
            Format::Json => json::document(console.out, &Story::of(shown))?,
            Format::Yaml => yaml::document(console.out, &Story::of(shown))?,
        }
        if let Some(path) = &self.report {
            page::write(path, "nodebound demo", Some(&shown.before), &shown.after, Some(&shown.matrix))?;
            console.say(format_args!("the report is {}", path.display()));
        }
        Ok(())
    }
}

/// What was shown, for programs.
#[derive(Serialize)]
struct Story<'a> {
    before: Concluded<'a>,
    after: Concluded<'a>,
    matrix: &'a Matrix,
}

impl<'a> Story<'a> {
    fn of(shown: &'a Shown) -> Self {
        let Shown { before, after, matrix } = shown;
        Self { before: Concluded::new(before), after: Concluded::new(after), matrix }
    }
}
