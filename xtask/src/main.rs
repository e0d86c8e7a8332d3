//! `cargo xtask generate` writes the committed files that come from code; `cargo xtask tidy` checks that they are
//! current, and the rules of the workspace that no linter knows.

mod arrows;
mod chart;
mod generate;
mod sources;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the generated files.
    Generate,
    /// Check the generated files and the rules of the workspace.
    Tidy,
}

fn main() -> Result<()> {
    let root = root()?;
    match Arguments::parse().task {
        Task::Generate => generate::files()?.iter().try_for_each(|file| file.write(&root)),
        Task::Tidy => tidy(&root),
    }
}

fn root() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.map(Path::to_owned).context("xtask lies beside the workspace's other folders")
}

fn tidy(root: &Path) -> Result<()> {
    let mut findings = Vec::new();
    for file in generate::files()? {
        findings.extend(file.stale(root));
    }
    findings.extend(arrows::findings(root)?);
    findings.extend(sources::findings(root)?);
    let mut err = std::io::stderr().lock();
    for finding in &findings {
        writeln!(err, "tidy: {finding}")?;
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    writeln!(err, "tidy: nothing to say")?;
    Ok(())
}
