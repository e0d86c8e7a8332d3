//! Requests recorded by a webhook on a real API server, judged by both built-in profiles.
//!
//! The recordings lie beside the project, in `../shared/data`. Where they do not, these tests are ignored and say so.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

use admission::AdmissionRequest;
use libtest_mimic::{Arguments, Failed, Trial};
use ownership::guard::Rule;
use ownership::spec::ServiceAccount;
use ownership::{Profile, builtin};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tests::agreement::{Answer, Guards, by_decision};

fn main() -> ExitCode {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/admission-reviews/node-requests.jsonl");
    let missing = !file.exists();
    if missing {
        eprintln!("{} is not there: the tests on recorded requests are ignored", file.display());
    }
    let trial = |name: &str, profile: &'static str, table: fn(&str, usize) -> Expected| {
        let file: PathBuf = file.clone();
        Trial::test(name, move || judge(&file, profile, table).map_err(Failed::from)).with_ignored_flag(missing)
    };
    let trials = vec![
        trial("the profile kubevirt", "kubevirt", kubevirt),
        trial("the profile kubevirt-least", "kubevirt-least", least),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(Debug, PartialEq)]
enum Expected {
    Allow,
    NotMatched,
    Deny(Rule),
}

/// What comes of a request of a kind; `line` counts from 1.
fn kubevirt(kind: &str, line: usize) -> Expected {
    let elsewhere = matches!(line, 18..=28);
    match kind {
        "legitimate" | "attack: value" => Expected::Allow,
        "unrelated identity" => Expected::NotMatched,
        "attack: create" | "attack: delete" => Expected::Deny(Rule::Operation),
        _ if elsewhere => Expected::Deny(Rule::OwnNode),
        "attack: cordon" | "attack: taint" => Expected::Deny(Rule::Spec),
        // The two that go for labels through the subresource.
        "attack: status" if matches!(line, 14 | 22) => Expected::Deny(Rule::Labels),
        "attack: status" => Expected::Deny(Rule::Status),
        "attack: metadata" => Expected::Deny(Rule::Metadata),
        "attack: look-alike key" if line == 38 => Expected::Deny(Rule::Annotations),
        "attack: foreign label" | "attack: look-alike key" => Expected::Deny(Rule::Labels),
        "attack: foreign annotation" => Expected::Deny(Rule::Annotations),
        other => panic!("a kind that this test does not know: {other}"),
    }
}

/// virt-handler does not write the TSC frequencies that two of the requests touch, nor a heartbeat that is no timestamp.
fn least(kind: &str, line: usize) -> Expected {
    match line {
        5 | 8 => Expected::Deny(Rule::Labels),
        44 => Expected::Deny(Rule::Values),
        _ => kubevirt(kind, line),
    }
}

fn judge(file: &Path, profile: &str, table: fn(&str, usize) -> Expected) -> Result<(), String> {
    let account = ServiceAccount { namespace: "rec-kubevirt".to_owned(), name: "kubevirt-handler".to_owned() };
    let profile = builtin::profile(profile).expect("is built in").expect("is valid").for_account(account);
    let guards = Guards::of(&profile);
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 47, "the recordings are complete");
    let failed = |(index, line): (usize, &&str)| line_judged(&profile, &guards, table, index + 1, line).err();
    let failures: Vec<String> = lines.iter().enumerate().filter_map(failed).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn line_judged(
    profile: &Profile,
    guards: &Guards,
    table: fn(&str, usize) -> Expected,
    number: usize,
    line: &str,
) -> Result<(), String> {
    let record: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let request: AdmissionRequest =
        serde_json::from_value(record["review"]["request"].clone()).map_err(|error| error.to_string())?;
    let kind = record["kind"].as_str().unwrap_or_default();
    let policy = guards.answer(&request);
    let rule = by_decision(profile, &request).map_err(|error| error.to_string())?;
    let actual = match &policy {
        Answer::Allow => Some(Expected::Allow),
        Answer::NotMatched => Some(Expected::NotMatched),
        Answer::Deny { rule, .. } => Some(Expected::Deny(*rule)),
        Answer::Error(_) => None,
    };
    let expected = table(kind, number);
    if policy != rule || actual.as_ref() != Some(&expected) {
        return Err(format!("line {number} ({kind}): expected {expected:?}, policy {policy:?}, rule {rule:?}"));
    }
    Ok(())
}
