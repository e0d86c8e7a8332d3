//! Findings in the format that code scanners share (SARIF 2.1.0).

use attack::report::{Check, Report, Status, Trial};
use serde_json::{Value, json};

/// A log with one result for each finding.
pub(crate) fn log(report: &Report) -> Value {
    let attacks = attack::attacks().iter().chain(attack::legitimate());
    let rules: Vec<Value> = attacks.map(|recipe| rule(&recipe.id, &recipe.title, &recipe.gain)).collect();
    let checks = report.checks.iter().map(|check| rule(&check.id, &check.title, ""));
    let rules: Vec<Value> = rules.into_iter().chain(checks).collect();
    let trials = report.trials.iter().filter(|trial| trial.outcome.is_finding()).map(|trial| of_trial(report, trial));
    let checks = report.checks.iter().filter(|check| check.status == Status::Bad).map(|check| of_check(report, check));
    let results: Vec<Value> = trials.chain(checks).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "nodebound", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn rule(id: &str, title: &str, gain: &str) -> Value {
    let full = if gain.is_empty() { title } else { gain };
    json!({"id": id, "shortDescription": {"text": title}, "fullDescription": {"text": full}})
}

fn of_trial(report: &Report, trial: &Trial) -> Value {
    let answer =
        trial.answer.as_ref().map_or(String::new(), |answer| format!(" (answer {} {})", answer.code, answer.message));
    let text = format!("{}: {}{answer}", trial.outcome.as_str(), trial.name);
    let path = trial.request.as_ref().map_or("", |request| request.path.as_str());
    result(report, &trial.recipe, &text, path)
}

fn of_check(report: &Report, check: &Check) -> Value {
    result(report, &check.id, &format!("{}: {}", check.title, check.text), "")
}

fn result(report: &Report, rule: &str, text: &str, path: &str) -> Value {
    let name = format!("{} {path}", report.account);
    json!({
        "ruleId": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": name.trim(), "kind": "resource"}]}],
    })
}
