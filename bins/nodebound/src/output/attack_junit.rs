//! Trials and checks as `JUnit` XML.

use attack::outcome::Outcome;
use attack::report::{Check, Means, Report, Status, Trial};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

use super::attack_table::why;

pub(crate) fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut document = Document::new("nodebound");
    let mut trials = TestSuite::new("attacks and legitimate writes");
    trials.add_test_cases(report.trials.iter().map(|trial| of_trial(trial, report.servers.len() > 1)));
    let mut checks = TestSuite::new("checks");
    checks.add_test_cases(report.checks.iter().map(of_check));
    checks.add_test_case(of_means(&report.means));
    document.add_test_suite(trials);
    document.add_test_suite(checks);
    out.write_all(document.to_string().map_err(io::Error::other)?.as_bytes())
}

fn of_trial(trial: &Trial, several: bool) -> TestCase {
    let mut status = match trial.outcome {
        Outcome::Stopped | Outcome::Admitted | Outcome::Residual | Outcome::Permitted | Outcome::Harmless => {
            TestCaseStatus::success()
        }
        Outcome::Breach | Outcome::Blocked | Outcome::Defect => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Unproven => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    let parts = [trial.outcome.as_str().to_owned(), why(trial, false)];
    status.set_message(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "));
    let name = if several { format!("{} at {}", trial.name, trial.server) } else { trial.name.clone() };
    let mut test = TestCase::new(name, status);
    test.set_classname(trial.recipe.as_str());
    test
}

fn of_check(check: &Check) -> TestCase {
    let mut status = match check.status {
        Status::Good | Status::Noted => TestCaseStatus::success(),
        Status::Bad => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(check.text.as_str());
    TestCase::new(check.title.as_str(), status)
}

fn of_means(means: &Means) -> TestCase {
    let proven = means.unproven.is_empty();
    let mut status =
        if proven { TestCaseStatus::success() } else { TestCaseStatus::non_success(NonSuccessKind::Error) };
    status.set_message(means.unproven.as_str());
    TestCase::new("the attack was made with the agent's own token", status)
}
