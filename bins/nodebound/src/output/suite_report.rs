//! Results of suites: for people, for programs, for CI systems.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

use super::paint::Paint;
use super::table::{Cell, Table};
use crate::suites::{CaseReport, CaseResult, SuiteReport};

/// Writes the cases that failed, or all of them, and the sums.
pub(crate) fn table(out: &mut dyn Write, reports: &[SuiteReport], verbose: bool, colour: bool) -> io::Result<()> {
    for report in reports {
        let listed = report.cases.iter().filter(|case| verbose || case.result == CaseResult::Failed);
        let rows: Vec<Vec<Cell>> = listed.map(row).collect();
        if rows.is_empty() {
            continue;
        }
        writeln!(out, "{}", Paint::Strong.on(&report.source, colour))?;
        let mut table = Table::new(&["RESULT", "CASE", "WHY"], colour);
        rows.into_iter().try_for_each(|row| table.push(out, row))?;
        table.finish(out)?;
        writeln!(out)?;
    }
    sums(out, reports, colour)
}

fn row(case: &CaseReport) -> Vec<Cell> {
    let (word, paint) = match case.result {
        CaseResult::Passed => ("ok", Paint::Good),
        CaseResult::Failed => ("FAILED", Paint::Bad),
        CaseResult::NotRun => ("not run", Paint::Faint),
    };
    let detail = case.detail.as_deref().unwrap_or_default();
    vec![Cell::new(word, paint), Cell::plain(&case.case), Cell::plain(detail)]
}

fn sums(out: &mut dyn Write, reports: &[SuiteReport], colour: bool) -> io::Result<()> {
    let mut table = Table::new(&["SUITE", "PASSED", "FAILED", "NOT RUN"], colour);
    for report in reports {
        let failed = report.count(CaseResult::Failed);
        let count = |result| report.count(result).to_string();
        table.push(
            out,
            vec![
                Cell::plain(&report.source),
                Cell::plain(&count(CaseResult::Passed)),
                Cell::new(&failed.to_string(), if failed > 0 { Paint::Bad } else { Paint::Plain }),
                Cell::plain(&count(CaseResult::NotRun)),
            ],
        )?;
    }
    table.finish(out)
}

/// Writes an array of results.
pub(crate) fn json(out: &mut dyn Write, reports: &[SuiteReport]) -> io::Result<()> {
    let mut array = super::json::Array::default();
    cases(reports).try_for_each(|case| array.push(out, case))?;
    array.finish(out)
}

/// Writes a list of results.
pub(crate) fn yaml(out: &mut dyn Write, reports: &[SuiteReport]) -> io::Result<()> {
    cases(reports).try_for_each(|case| super::yaml::element(out, case))
}

fn cases(reports: &[SuiteReport]) -> impl Iterator<Item = &CaseReport> {
    reports.iter().flat_map(|report| &report.cases)
}

/// Writes `JUnit` XML.
pub(crate) fn junit(out: &mut dyn Write, reports: &[SuiteReport]) -> io::Result<()> {
    let mut all = Report::new("nodebound");
    for report in reports {
        let mut suite = TestSuite::new(report.name.as_str());
        suite.add_test_cases(report.cases.iter().map(junit_case));
        all.add_test_suite(suite);
    }
    let text = all.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn junit_case(case: &CaseReport) -> TestCase {
    let mut status = match case.result {
        CaseResult::Passed => TestCaseStatus::success(),
        CaseResult::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseResult::NotRun => TestCaseStatus::skipped(),
    };
    if let Some(detail) = &case.detail {
        status.set_message(detail.as_str());
    }
    let mut test = TestCase::new(case.case.as_str(), status);
    test.set_classname(case.suite.as_str());
    test
}
