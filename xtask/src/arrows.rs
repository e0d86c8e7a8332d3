//! Which crate may depend on which, and what the pure crates may not depend on at all.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The crates of the workspace, and what each may use of the others.
const ARROWS: [(&str, &[&str]); 18] = [
    ("nodebound-operator", &["nodebound-ownership", "nodebound-api", "nodebound-manifests", "nodebound-attack"]),
    ("nodebound-ownership", &[]),
    ("nodebound-admission", &[]),
    ("nodebound-api", &["nodebound-ownership"]),
    ("nodebound-manifests", &["nodebound-ownership", "nodebound-api"]),
    ("nodebound-sandbox", &["nodebound-admission"]),
    ("nodebound-channels", &["nodebound-ownership", "nodebound-api"]),
    ("nodebound-controller", &["nodebound-ownership", "nodebound-api", "nodebound-channels"]),
    ("nodebound-agent", &["nodebound-ownership", "nodebound-channels"]),
    ("nodebound-app", &[]),
    ("nodebound-agent-program", &["nodebound-app", "nodebound-ownership", "nodebound-channels", "nodebound-agent"]),
    (
        "nodebound-controller-program",
        &["nodebound-app", "nodebound-ownership", "nodebound-channels", "nodebound-controller"],
    ),
    ("nodebound-operator-program", &["nodebound-app", "nodebound-api", "nodebound-manifests", "nodebound-operator"]),
    ("nodebound-attack", &["nodebound-ownership", "nodebound-admission", "nodebound-api"]),
    ("nodebound-testkit", &[]),
    (
        "nodebound",
        &[
            "nodebound-ownership",
            "nodebound-admission",
            "nodebound-api",
            "nodebound-attack",
            "nodebound-manifests",
            "nodebound-operator",
            "nodebound-sandbox",
        ],
    ),
    (
        "nodebound-tests",
        &[
            "nodebound-ownership",
            "nodebound-admission",
            "nodebound-agent",
            "nodebound-channels",
            "nodebound-controller",
            "nodebound-operator",
            "nodebound-api",
            "nodebound-attack",
            "nodebound-manifests",
            "nodebound-sandbox",
            "nodebound-testkit",
        ],
    ),
    (
        "xtask",
        &[
            "nodebound",
            "nodebound-agent-program",
            "nodebound-controller-program",
            "nodebound-operator-program",
            "nodebound-ownership",
            "nodebound-api",
            "nodebound-attack",
            "nodebound-manifests",
        ],
    ),
];

/// Crates with I/O or an asynchronous runtime: no pure crate has one anywhere below it.
const IMPURE: [&str; 8] = ["tokio", "hyper", "kube-client", "kube-runtime", "reqwest", "async-std", "mio", "rustls"];

const PURE: [&str; 4] = ["nodebound-ownership", "nodebound-admission", "nodebound-api", "nodebound-manifests"];

pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    let metadata = metadata(root)?;
    let mut findings = Vec::new();
    for package in members(&metadata) {
        findings.extend(forbidden(package));
    }
    for name in PURE {
        findings.extend(impure(root, name)?);
    }
    Ok(findings)
}

fn metadata(root: &Path) -> Result<Value> {
    let arguments = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new("cargo").args(arguments).current_dir(root).output().context("cargo cannot be run")?;
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Dependencies of a crate on others of ours that its row does not have. Tests may use more.
fn forbidden(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} is in no row of ARROWS: say what it may depend on")];
    };
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let ours = dependencies.filter(|dependency| dependency["path"].is_string() && dependency["kind"].is_null());
    let names = ours.filter_map(|dependency| dependency["name"].as_str());
    names.filter(|used| !allowed.contains(used)).map(|used| format!("{name} may not depend on {used}")).collect()
}

fn impure(root: &Path, name: &str) -> Result<Vec<String>> {
    let arguments = ["tree", "--package", name, "--edges=normal", "--prefix=none", "--format={p}", "--offline"];
    let output = Command::new("cargo").args(arguments).current_dir(root).output().context("cargo cannot be run")?;
    let text = String::from_utf8(output.stdout).context("cargo tree gave no text")?;
    anyhow::ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let used = |line: &str| line.split_whitespace().next().map(str::to_owned).unwrap_or_default();
    let found = text.lines().map(used).filter(|used| IMPURE.contains(&used.as_str()));
    Ok(found.map(|used| format!("{name} is pure, but {used} is below it")).collect())
}
