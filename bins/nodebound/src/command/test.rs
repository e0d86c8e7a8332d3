//! `nodebound test`: suites of cases against the policies that they name.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

use crate::output::suite_report;
use crate::suites::{self, SuiteReport};
use crate::{Console, Exit};

/// Run suites of cases against a profile or any policies, without a cluster
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// List every case in the table, not only those that fail
    #[arg(long, short)]
    verbose: bool,
    /// Suites of cases (apiVersion nodebound.io/cases/v1)
    #[arg(required = true, value_name = "SUITE")]
    suites: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// An array of results
    Json,
    /// A list of results
    Yaml,
    /// `JUnit` XML, for CI systems
    Junit,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let Self { output, verbose, suites } = self;
        let (mut exit, mut reports) = (Exit::Fine, Vec::new());
        for path in &suites {
            match suites::run(path, console) {
                Ok(report) => {
                    exit = exit.or_worse(report.exit());
                    reports.push(report);
                }
                Err(error) => {
                    exit = Exit::Usage;
                    format!("{error:#}").lines().for_each(|line| console.say(format_args!("nodebound: {line}")));
                }
            }
        }
        write(output, verbose, &reports, console)?;
        Ok(exit)
    }
}

fn write(format: Format, verbose: bool, reports: &[SuiteReport], console: &mut Console<'_>) -> anyhow::Result<()> {
    match format {
        Format::Table => suite_report::table(console.out, reports, verbose, console.look.colour)?,
        Format::Json => suite_report::json(console.out, reports)?,
        Format::Yaml => suite_report::yaml(console.out, reports)?,
        Format::Junit => suite_report::junit(console.out, reports)?,
    }
    Ok(())
}
