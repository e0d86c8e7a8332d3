//! A report that begins with what it comes to, for programs.

use attack::report::{Conclusion, Report};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Concluded<'a> {
    conclusion: Conclusion,
    sentence: String,
    #[serde(flatten)]
    report: &'a Report,
}

impl<'a> Concluded<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        Self { conclusion: report.conclusion(), sentence: report.sentence(), report }
    }
}
