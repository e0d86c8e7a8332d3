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
        let error =
            if seen.insert(case.name.as_str()) { problem(suite, case) } else { Some("name: is used twice".into()) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{Change, Expectation, Layer, Operation};

    const HEAD: &str = "apiVersion: nodebound.io/cases/v1\nkind: Suite\nmetadata: {name: s}\nprofile: kubevirt\n\
        users:\n  agent: {account: a/b, claims: {node: n1}}\n\
        objects:\n  n1: {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {x: y}}}\ncases:\n";

    fn suite(cases: &str) -> Result<Suite, SuiteError> {
        parse(&format!("{HEAD}{cases}"))
    }

    #[test]
    fn a_case_resolves_to_a_request() {
        let suite = suite(
            "- name: c\n  user: agent\n  old: n1\n  patch: {type: merge, body: {metadata: {labels: {x: null}}}}\n  \
             fill: [{map: annotations, count: 2, prefix: a/b, value: v}]\n  expect: {deny: {rule: labels, keys: [x]}}\n",
        )
        .unwrap();
        let case = &suite.cases[0];
        let resolved = suite.resolve(case).unwrap();
        assert_eq!((resolved.resource.resource.as_str(), resolved.kind.as_str()), ("nodes", "Node"));
        assert_eq!((resolved.name.as_str(), resolved.operation), ("n1", Operation::Update));
        assert!(matches!(resolved.change, Change::Patch(_)));
        let new = resolved.new_object().unwrap().unwrap();
        assert_eq!(new["metadata"], serde_json::json!({"name": "n1", "annotations": {"a/b0": "v", "a/b1": "v"}}));
        let Expectation::Deny(denied) = &case.expect else { panic!("{:?}", case.expect) };
        assert_eq!((denied.layer, denied.rule.as_deref(), denied.alone), (Layer::Guard, Some("labels"), false));
    }

    #[test]
    fn a_connection_shows_its_options_and_no_old_object() {
        let cases = "- {name: c, user: agent, operation: CONNECT, subresource: proxy, old: n1, expect: allow}";
        let suite = suite(cases).unwrap();
        let resolved = suite.resolve(&suite.cases[0]).unwrap();
        assert_eq!(resolved.old_object(), None);
        assert_eq!(resolved.new_object().unwrap().unwrap()["kind"], "NodeProxyOptions");
        assert_eq!((resolved.name.as_str(), resolved.kind.as_str()), ("n1", "Node"));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let table = [
            (
                "- {name: c, user: nobody, old: n1, new: n1, expect: allow}",
                "line 10: case `c`: user: the suite has no user `nobody`",
            ),
            (
                "- {name: c, user: agent, old: n2, new: n1, expect: allow}",
                "line 10: case `c`: old: the suite has no object `n2`",
            ),
            (
                "- {name: c, user: agent, old: n1, expect: allow}",
                "line 10: case `c`: old: UPDATE has old, and either new or patch",
            ),
            (
                "- {name: c, user: agent, operation: DELETE, expect: allow}",
                "line 10: case `c`: old: DELETE has old, and neither new nor patch",
            ),
            (
                "- {name: c, user: agent, operation: CREATE, old: n1, expect: allow}",
                "line 10: case `c`: new: CREATE has new, and neither old nor patch",
            ),
            (
                "- {name: c, user: agent, operation: CONNECT, old: n1, expect: allow}",
                "line 10: case `c`: subresource: CONNECT has a subresource and old, and no patch",
            ),
            ("- {name: c, user: {account: x}, old: n1, new: n1, expect: allow}", "`x` is no service account"),
            (
                "- {name: c, user: agent, old: n1, new: {apiVersion: v1, kind: Node}, fill: [{map: labels, count: 1, prefix: a, value: b}], expect: allow}",
                "line 10: case `c`: fill: the object has no metadata to fill",
            ),
            (
                "- {name: c, user: agent, old: n1, new: n1, fill: [{map: labels, count: 4000000000, prefix: a, value: b}], expect: allow}",
                "fill: at most 100000 keys",
            ),
            (
                "- {name: c, user: agent, operation: CREATE, new: {apiVersion: a/v1, kind: B}, expect: allow}",
                "resource: is needed for the kind a/v1 B",
            ),
            (
                "- {name: c, user: agent, old: n1, patch: {type: json, body: [{op: remove, path: /x}]}, expect: allow}",
                "line 10: case `c`: patch: operation '/0' failed at path '/x'",
            ),
            (
                "- {name: c, user: agent, old: n1, patch: {type: apply, body: {}}, expect: allow}",
                "give the reason in notRun.offline",
            ),
            ("- {name: c, user: agent, old: n1, new: n1, expect: maybe}", "line 10: "),
            ("- {name: c, user: agent, old: n1, new: n1, expect: allow, oops: 1}", "line 10: "),
            ("- {name: c, user: agent, old: 5, new: n1, expect: allow}", "must be a name or an object"),
            (
                "- {name: c, user: agent, old: n1, new: n1, expect: allow}\n- {name: c, user: agent, old: n1, new: n1, expect: allow}",
                "line 11: case `c`: name: is used twice",
            ),
            ("- [", "line "),
        ];
        for (cases, expected) in table {
            let error = suite(cases).unwrap_err().to_string();
            assert!(error.contains(expected), "{cases}\n  {error}\n  {expected}");
        }
    }

    #[test]
    fn an_apply_may_be_left_to_a_server() {
        let cases = "- {name: c, user: agent, old: n1, patch: {type: apply, body: {}}, expect: allow, notRun: {offline: apply}}";
        assert!(suite(cases).is_ok());
    }

    #[test]
    fn another_document_is_refused() {
        let tail = "metadata: {name: s}\nprofile: p\ncases: []";
        for (text, expected) in [
            (format!("apiVersion: v2\nkind: Suite\n{tail}"), "line 1: apiVersion: is `v2`"),
            (format!("apiVersion: nodebound.io/cases/v1\nkind: Node\n{tail}"), "line 2: kind: is `Node`"),
            (
                "apiVersion: nodebound.io/cases/v1\nkind: Suite\nmetadata: {name: s}\ncases: []".to_owned(),
                "line 3: needs a profile",
            ),
            (String::new(), "line "),
            ("[".repeat(5000), "line "),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:.80}\n  {error}");
        }
    }
}
