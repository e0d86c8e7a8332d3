//! Trials and checks as `JUnit` XML.

use attack::outcome::Outcome;
use attack::report::{Check, Report, Status, Trial};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use std::io::{self, Write};

pub(crate) fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut document = Document::new("nodebound");
    let mut trials = TestSuite::new("attacks and legitimate writes");
    trials.add_test_cases(report.trials.iter().map(of_trial));
    let mut checks = TestSuite::new("checks");
    checks.add_test_cases(report.checks.iter().map(of_check));
    document.add_test_suite(trials);
    document.add_test_suite(checks);
    out.write_all(document.to_string().map_err(io::Error::other)?.as_bytes())
}

fn of_trial(trial: &Trial) -> TestCase {
    let mut status = match trial.outcome {
        Outcome::Stopped | Outcome::Admitted | Outcome::Residual | Outcome::Permitted | Outcome::Harmless => {
            TestCaseStatus::success()
        }
        Outcome::Breach | Outcome::Blocked | Outcome::Defect => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Unproven => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Skipped => TestCaseStatus::skipped(),
    };
    status.set_message(format!("{} {}", trial.outcome.as_str(), trial.note));
    let mut test = TestCase::new(trial.name.as_str(), status);
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
