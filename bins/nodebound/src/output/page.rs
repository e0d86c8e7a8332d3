//! The page for a browser.

use anyhow::Context;
use attack::Matrix;
use attack::page::{Story, html};
use attack::report::Report;
use std::fs::{self, OpenOptions};
use std::path::Path;

/// Says before there is anything to write that it could not be written there.
pub(crate) fn claim(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let is_new = !path.exists();
    OpenOptions::new().append(true).create(true).open(path).with_context(|| cannot_write(path))?;
    if is_new { fs::remove_file(path).with_context(|| cannot_write(path)) } else { Ok(()) }
}

pub(crate) fn write(
    path: &Path,
    title: &str,
    before: Option<&Report>,
    report: &Report,
    matrix: Option<&Matrix>,
) -> anyhow::Result<()> {
    let made = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string();
    let text = html(&Story { title, made: &made, before, report, matrix });
    fs::write(path, text).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
