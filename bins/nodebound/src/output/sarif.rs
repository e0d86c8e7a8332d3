//! Findings in the format that code scanners share (SARIF 2.1.0).

use attack::outcome::Outcome;
use attack::report::{Check, Report, Status, Trial};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A log with one result for each finding, and one for each question that stayed open.
pub(crate) fn log(report: &Report) -> Value {
    let trials = report.trials.iter().filter_map(|trial| of_trial(report, trial));
    let checks = report.checks.iter().filter_map(|check| of_check(report, check));
    let results: Vec<Value> = trials.chain(checks).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "nodebound", "version": env!("CARGO_PKG_VERSION"), "rules": rules(report)}},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications(report)}],
            "results": results,
        }],
    })
}

/// What results can be about, each once.
fn rules(report: &Report) -> Vec<Value> {
    let recipes = attack::attacks().iter().chain(attack::legitimate());
    let recipes = recipes.map(|recipe| rule(&recipe.id, &recipe.title, &recipe.gain));
    let mut seen = BTreeSet::new();
    let checks = report.checks.iter().filter(move |check| seen.insert(check.id.as_str()));
    recipes.chain(checks.map(|check| rule(&check.id, &check.title, ""))).collect()
}

fn rule(id: &str, title: &str, gain: &str) -> Value {
    let full = if gain.is_empty() { title } else { gain };
    json!({"id": id, "shortDescription": {"text": title}, "fullDescription": {"text": full}})
}

/// What the way in which the attack was made leaves unproven.
fn notifications(report: &Report) -> Vec<Value> {
    let text = report.means.unproven.as_str();
    if text.is_empty() { Vec::new() } else { vec![json!({"level": "warning", "message": {"text": text}})] }
}

/// Whether something is a finding, or open.
#[derive(Clone, Copy)]
enum Kind {
    Fail,
    Open,
}

fn of_trial(report: &Report, trial: &Trial) -> Option<Value> {
    let kind = match trial.outcome {
        outcome if outcome.is_finding() => Kind::Fail,
        Outcome::Unproven => Kind::Open,
        _ => return None,
    };
    let answer =
        trial.answer.as_ref().map_or(String::new(), |answer| format!(" (answer {} {})", answer.code, answer.message));
    let place = if report.servers.len() > 1 { format!(" at {}", trial.server) } else { String::new() };
    let text = format!("{}: {}{place}{answer}", trial.outcome.as_str(), trial.name);
    let path = trial.request.as_ref().map_or("", |request| request.path.as_str());
    Some(result(report, kind, &trial.recipe, &text, path))
}

fn of_check(report: &Report, check: &Check) -> Option<Value> {
    let kind = match check.status {
        Status::Bad => Kind::Fail,
        Status::Unknown => Kind::Open,
        Status::Good | Status::Noted => return None,
    };
    Some(result(report, kind, &check.id, &format!("{}: {}", check.title, check.text), ""))
}

fn result(report: &Report, kind: Kind, rule: &str, text: &str, path: &str) -> Value {
    let name = format!("{} {path}", report.account);
    let (kind, level) = match kind {
        Kind::Fail => ("fail", "error"),
        Kind::Open => ("open", "none"),
    };
    json!({
        "ruleId": rule,
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": name.trim(), "kind": "resource"}]}],
    })
}
