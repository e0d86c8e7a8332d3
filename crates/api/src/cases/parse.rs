//! Suites from YAML or JSON text.

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;

use super::format::{Case, Suite};
use super::identity::User;
use super::patch::Unpatchable;
use super::{API_VERSION, KIND};

/// Text that is no suite.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", list(.0))]
pub struct SuiteError(pub Vec<Problem>);

/// One thing that is wrong with a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where there is none.
    pub line: u64,
    /// The case, if it is one's.
    pub case: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.case {
            Some(case) => write!(f, "case `{case}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    metadata: Metadata,
    profile: Option<String>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    users: BTreeMap<String, User>,
    #[serde(default)]
    objects: BTreeMap<String, Value>,
    cases: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Spanned<String>,
}

/// Reads a suite, and resolves each of its cases once, so that a case that makes no sense is found before any runs.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Suite, SuiteError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: 64 },
    };
    let file: File = serde_saphyr::from_str_with_options(text, options).map_err(syntax)?;
    let envelope = envelope(&file);
    let lines: Vec<u64> = file.cases.iter().map(|case| case.referenced.line()).collect();
    let suite = Suite {
        name: file.metadata.name.value,
        profile: file.profile,
        policies: file.policies,
        users: file.users,
        objects: file.objects,
        cases: file.cases.into_iter().map(|case| case.value).collect(),
    };
    let problems: Vec<Problem> = envelope.into_iter().chain(check(&suite, &lines)).collect();
    if problems.is_empty() { Ok(suite) } else { Err(SuiteError(problems)) }
}

fn syntax(error: serde_saphyr::Error) -> SuiteError {
    let line = error.location().map_or(0, |location| location.line());
    let message = error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned();
    SuiteError(vec![Problem { line, case: None, message }])
}

fn envelope(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut must = |holds: bool, line: u64, message: String| {
        if !holds {
            problems.push(Problem { line, case: None, message });
        }
    };
    let File { kind, api_version, metadata, profile, policies, .. } = file;
    must(kind.value == KIND, kind.referenced.line(), format!("kind: is `{}`; this version reads {KIND}", kind.value));
    let known = api_version.value == API_VERSION;
    let message = format!("apiVersion: is `{}`; this version reads {API_VERSION}", api_version.value);
    must(known, api_version.referenced.line(), message);
    let judged = profile.is_some() || !policies.is_empty();
    must(judged, metadata.name.referenced.line(), "needs a profile or policies that judge its cases".to_owned());
    problems
}

fn check(suite: &Suite, lines: &[u64]) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for (case, line) in suite.cases.iter().zip(lines) {
        let error = if seen.insert(case.name.as_str()) { problem(suite, case) } else { Some("name: is used twice".into()) };
        problems.extend(error.map(|message| Problem { line: *line, case: Some(case.name.clone()), message }));
    }
    problems
}

fn problem(suite: &Suite, case: &Case) -> Option<String> {
    let resolved = match suite.resolve(case) {
        Ok(resolved) => resolved,
        Err(message) => return Some(message),
    };
    match resolved.new_object() {
        Err(Unpatchable::Broken(message)) => Some(format!("patch: {message}")),
        Err(Unpatchable::NeedsServer(why)) if case.not_run.offline.is_none() => {
            Some(format!("patch: {why}; give the reason in notRun.offline"))
        }
        _ => None,
    }
}
