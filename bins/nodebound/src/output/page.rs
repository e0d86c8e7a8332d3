//! The page for a browser.

use anyhow::Context;
use attack::Matrix;
use attack::page::{Story, html};
use attack::report::Report;
use std::path::Path;

pub(crate) fn write(
    path: &Path,
    title: &str,
    before: Option<&Report>,
    report: &Report,
    matrix: Option<&Matrix>,
) -> anyhow::Result<()> {
    let made = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string();
    let text = html(&Story { title, made: &made, before, report, matrix });
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
