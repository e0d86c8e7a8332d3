//! `nodebound check`: verdicts on recorded requests, without a cluster.

use anyhow::bail;
use clap::{ArgGroup, Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ownership::spec::ServiceAccount;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::bench::Bench;
use crate::output::verdict_table::VerdictTable;
use crate::output::{json, yaml};
use crate::parallel::in_order;
use crate::recording::{self, Counted, Pieces};
use crate::verdicts::{Verdict, judge};
use crate::{Console, Exit, profiles};

/// Inputs from this size on show how far they are.
const LONG: u64 = 16 << 20;

/// Judge recorded AdmissionReviews by a profile or by any policies, without a cluster
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("judge").required(true).multiple(true).args(["profile", "policy"])))]
pub(crate) struct Arguments {
    /// A built-in profile (kubevirt, kubevirt-least) or a file; may be given more than once
    #[arg(long, short, value_name = "PROFILE")]
    profile: Vec<String>,
    /// A file with ValidatingAdmissionPolicies and their bindings; may be given more than once
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Judge as if the profile were for this service account
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = profiles::service_account, requires = "profile")]
    service_account: Option<ServiceAccount>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Recordings: JSON, JSON lines, YAML or lists of them; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// An array of records
    Json,
    /// A list of records
    Yaml,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let Self { profile, policy, service_account, output, files } = self;
        let mut bench = Bench::default();
        for name in &profile {
            bench.add_profile(&profiles::load_for(name, service_account.clone())?)?;
        }
        for warning in bench.add_files(policy.iter().map(PathBuf::as_path))? {
            console.say(format_args!("warning: {warning}"));
        }
        if files.iter().filter(|file| is_stdin(file)).count() > 1 {
            bail!("standard input can be read only once");
        }
        let mut report = Report::new(output, &bench, console)?;
        let mut exit = Exit::Fine;
        for file in &files {
            let source = file.display().to_string();
            report.begin(console, (files.len() > 1).then_some(source.as_str()))?;
            exit = exit.or_worse(judge_source(file, &source, &bench, &mut report, console)?);
        }
        report.finish(console)?;
        Ok(exit)
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Judges one recording. What is wrong with it is said, and the next one has its turn.
fn judge_source(
    path: &Path,
    source: &str,
    bench: &Bench,
    report: &mut Report,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    if is_stdin(path) {
        let mut bytes = &mut *console.input;
        // The pieces borrow the input, and the verdicts go to the rest of the console.
        let mut rest = Console { input: &mut io::empty(), out: console.out, err: console.err, look: console.look };
        return judge_stream(&mut bytes, source, bench, report, &mut rest);
    }
    match recording::open(path) {
        Ok(file) => {
            let bar = progress(&file, console);
            let exit = judge_stream(&mut Counted { inner: file, bar: &bar }, source, bench, report, console);
            bar.finish_and_clear();
            exit
        }
        Err(error) => {
            console.say(format_args!("nodebound: {error:#}"));
            Ok(Exit::Usage)
        }
    }
}

fn progress(file: &File, console: &Console<'_>) -> ProgressBar {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    if !console.look.progress || size < LONG {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn judge_stream(
    mut input: &mut dyn Read,
    source: &str,
    bench: &Bench,
    report: &mut Report,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    let (mut exit, mut index) = (Exit::Fine, 0);
    let work = |piece: anyhow::Result<recording::Piece>| piece.map(|piece| judge(bench, &piece));
    in_order(Pieces::new(&mut input), work, |judged| {
        let judged = judged.unwrap_or_else(|error| vec![Err(format!("{error:#}"))]);
        for judged in judged {
            index += 1;
            match judged {
                Ok(verdict) => {
                    exit = exit.or_worse(verdict.exit());
                    report.push(console, source, index, &verdict)?;
                }
                Err(problem) => {
                    exit = Exit::Usage;
                    console.say_of(source, problem);
                }
            }
        }
        anyhow::Ok(())
    })?;
    Ok(exit)
}

/// The verdicts in one of the formats.
enum Report {
    Table(VerdictTable),
    Json(json::Array),
    Yaml,
}

impl Report {
    fn new(format: Format, bench: &Bench, console: &mut Console<'_>) -> io::Result<Self> {
        Ok(match format {
            Format::Json => Self::Json(json::Array::default()),
            Format::Yaml => Self::Yaml,
            Format::Table => {
                let table = VerdictTable::new(bench.columns(), console.look.colour);
                table.legend(console.out)?;
                Self::Table(table)
            }
        })
    }

    fn begin(&mut self, console: &mut Console<'_>, source: Option<&str>) -> io::Result<()> {
        match self {
            Self::Table(table) => table.begin(console.out, source),
            Self::Json(_) | Self::Yaml => Ok(()),
        }
    }

    fn push(&mut self, console: &mut Console<'_>, source: &str, index: usize, verdict: &Verdict) -> io::Result<()> {
        match self {
            Self::Table(table) => table.push(console.out, index, verdict),
            Self::Json(array) => array.push(console.out, &verdict.record(source, index)),
            Self::Yaml => yaml::element(console.out, &verdict.record(source, index)),
        }
    }

    fn finish(self, console: &mut Console<'_>) -> io::Result<()> {
        match self {
            Self::Table(table) => table.finish(console.out),
            Self::Json(array) => array.finish(console.out),
            Self::Yaml => Ok(()),
        }
    }
}
