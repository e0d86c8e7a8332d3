//! Running the cases of a suite by the evaluator and, where a profile judges, by the rule itself.

use admission::request::{GroupVersionKind, GroupVersionResource};
use admission::{AdmissionRequest, UserInfo};
use anyhow::bail;
use api::cases::{Case, Denied, Expectation, Failed, Layer, Operation, Resolved, Suite, parse};
use ownership::Profile;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bench::Bench;
use crate::opinion::{Opinion, Outcome, deciding};
use crate::{Console, Exit, profiles, recording, second_opinion};

/// No suite is longer.
const MAX_BYTES: u64 = 64 << 20;

/// What came of the cases of a suite.
#[derive(Debug)]
pub(crate) struct SuiteReport {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) cases: Vec<CaseReport>,
}

/// What came of a case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CaseReport {
    pub(crate) suite: String,
    pub(crate) source: String,
    pub(crate) case: String,
    pub(crate) references: Vec<String>,
    pub(crate) result: CaseResult,
    /// Why it failed or was left out.
    pub(crate) detail: Option<String>,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CaseResult {
    Passed,
    Failed,
    NotRun,
}

impl SuiteReport {
    pub(crate) fn count(&self, result: CaseResult) -> usize {
        self.cases.iter().filter(|case| case.result == result).count()
    }

    pub(crate) fn exit(&self) -> Exit {
        if self.count(CaseResult::Failed) > 0 { Exit::Finding } else { Exit::Fine }
    }
}

/// Runs a suite.
///
/// # Errors
/// Everything that keeps the suite from being run at all.
pub(crate) fn run(path: &Path, console: &mut Console<'_>) -> anyhow::Result<SuiteReport> {
    let source = path.display().to_string();
    let text = recording::text(path, MAX_BYTES)?;
    let suite = parse(&text).map_err(|error| {
        let lines: Vec<String> = error.0.iter().map(|problem| format!("{source}: {problem}")).collect();
        anyhow::anyhow!(lines.join("\n"))
    })?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let profile = suite.profile.as_deref().map(|name| profiles::load(name, Some(base))).transpose()?;
    let judges = Judges { bench: bench(&suite, profile.as_ref(), base, &source, console)?, profile };
    let report = |case: &Case| judges.report(&suite, case, &source);
    let cases = suite.cases.iter().map(report).collect::<anyhow::Result<_>>()?;
    Ok(SuiteReport { name: suite.name.clone(), source: source.clone(), cases })
}

fn bench(
    suite: &Suite,
    profile: Option<&Profile>,
    base: &Path,
    source: &str,
    console: &mut Console<'_>,
) -> anyhow::Result<Bench> {
    let mut bench = Bench::default();
    profile.map_or(Ok(()), |profile| bench.add_profile(profile))?;
    let files: Vec<PathBuf> = suite.policies.iter().map(|file| base.join(file)).collect();
    for warning in bench.add_files(files.iter().map(PathBuf::as_path))? {
        console.say(format_args!("warning: {source}: {warning}"));
    }
    Ok(bench)
}

struct Judges {
    bench: Bench,
    profile: Option<Profile>,
}

impl Judges {
    fn report(&self, suite: &Suite, case: &Case, source: &str) -> anyhow::Result<CaseReport> {
        let (result, detail) = match &case.not_run.offline {
            Some(why) => (CaseResult::NotRun, Some(why.clone())),
            None => match self.judge(suite, case, source)? {
                None => (CaseResult::Passed, None),
                Some(why) => (CaseResult::Failed, Some(why)),
            },
        };
        Ok(CaseReport {
            suite: suite.name.clone(),
            source: source.to_owned(),
            case: case.name.clone(),
            references: case.references.clone(),
            result,
            detail,
        })
    }

    /// Why a case fails; `None` if it passes.
    fn judge(&self, suite: &Suite, case: &Case, source: &str) -> anyhow::Result<Option<String>> {
        let of_case = |error: String| anyhow::anyhow!("{source}: case `{}`: {error}", case.name);
        if let Expectation::Deny(Denied { layer, .. }) = &case.expect
            && !layer.is_admission_policy()
        {
            let layer = layer.as_str();
            bail!(of_case(format!("the layer {layer} cannot be seen offline; give the reason in notRun.offline")));
        }
        let resolved = suite.resolve(case).map_err(of_case)?;
        let request = request(&resolved).map_err(of_case)?;
        let opinions = self.bench.judge(&request);
        let differs = self.profile.as_ref().and_then(|profile| second_opinion::differs(profile, &request, &opinions));
        Ok(differs.or_else(|| mismatch(&case.expect, &opinions)))
    }
}

fn request(resolved: &Resolved) -> Result<AdmissionRequest, String> {
    let object = resolved.new_object().map_err(|error| error.to_string())?;
    let resource = &resolved.resource;
    let kind = match resolved.operation {
        Operation::Connect => object.as_ref().and_then(|object| object.get("kind")?.as_str()).unwrap_or_default(),
        _ => resolved.kind.as_str(),
    };
    Ok(AdmissionRequest {
        uid: String::new(),
        kind: GroupVersionKind {
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: kind.to_owned(),
        },
        resource: GroupVersionResource {
            group: resource.group.clone(),
            version: resource.version.clone(),
            resource: resource.resource.clone(),
        },
        sub_resource: resolved.subresource.clone(),
        request_kind: None,
        request_resource: None,
        request_sub_resource: None,
        name: resolved.name.clone(),
        namespace: resolved.namespace.clone(),
        operation: operation(resolved.operation),
        user_info: UserInfo {
            username: resolved.user.username.clone(),
            uid: String::new(),
            groups: resolved.user.groups.clone(),
            extra: resolved.user.extra.clone(),
        },
        old_object: resolved.old_object().cloned().map(Arc::new),
        object: object.map(Arc::new),
        dry_run: false,
        options: None,
    })
}

fn operation(operation: Operation) -> admission::Operation {
    match operation {
        Operation::Create => admission::Operation::Create,
        Operation::Update => admission::Operation::Update,
        Operation::Delete => admission::Operation::Delete,
        Operation::Connect => admission::Operation::Connect,
    }
}

/// What is otherwise than expected. Which of several refusing policies a server names is arbitrary, so that one of them
/// must be the expected one, and the only one where the case says `alone`.
fn mismatch(expected: &Expectation, opinions: &[Opinion]) -> Option<String> {
    let refusing: Vec<&Opinion> = opinions.iter().filter(|opinion| opinion.refuses).collect();
    let outcome = deciding(opinions).map_or(Outcome::NotMatched, |opinion| opinion.outcome);
    let (holds, alone, wanted) = match expected {
        Expectation::Allow => (outcome == Outcome::Allow, false, "allow".to_owned()),
        Expectation::NotMatched => (outcome == Outcome::NotMatched, false, "notMatched".to_owned()),
        Expectation::Deny(denied) => {
            (refusing.iter().any(|o| denies(denied, o)), denied.alone, describe_denied(denied))
        }
        Expectation::Error(failed) => {
            (refusing.iter().any(|o| fails(failed, o)), failed.alone, describe_failed(failed))
        }
    };
    if holds && !(alone && refusing.len() > 1) {
        return None;
    }
    let got = if refusing.is_empty() { outcome.as_str().to_owned() } else { describe_all(&refusing) };
    let only = if alone { ", and nobody else" } else { "" };
    Some(format!("expected {wanted}{only}; got {got}"))
}

fn denies(denied: &Denied, opinion: &Opinion) -> bool {
    let Denied { layer, policy, rule, keys, message, alone: _ } = denied;
    opinion.outcome == Outcome::Deny
        && opinion.guard == (*layer == Layer::Guard)
        && policy.as_ref().is_none_or(|policy| *policy == opinion.policy)
        && rule.as_ref().is_none_or(|rule| opinion.rule.as_ref() == Some(rule))
        && keys.as_ref().is_none_or(|keys| *keys == opinion.keys)
        && message.as_ref().is_none_or(|message| opinion.message.as_ref() == Some(message))
}

fn fails(failed: &Failed, opinion: &Opinion) -> bool {
    let Failed { policy, message, alone: _ } = failed;
    opinion.outcome == Outcome::Error
        && policy.as_ref().is_none_or(|policy| *policy == opinion.policy)
        && message.as_ref().is_none_or(|part| opinion.message.as_ref().is_some_and(|text| text.contains(part)))
}

fn describe_denied(denied: &Denied) -> String {
    let Denied { layer, policy, rule, keys, message, alone: _ } = denied;
    let mut text = format!("deny by {}", policy.as_deref().unwrap_or(layer.as_str()));
    text.extend(rule.iter().map(|rule| format!(", rule {rule}")));
    text.extend(keys.iter().map(|keys| format!(", keys {}", keys.iter().cloned().collect::<Vec<_>>().join(", "))));
    text.extend(message.iter().map(|message| format!(", `{message}`")));
    text
}

fn describe_failed(failed: &Failed) -> String {
    let Failed { policy, message, alone: _ } = failed;
    let mut text = "error".to_owned();
    text.extend(policy.iter().map(|policy| format!(" of {policy}")));
    text.extend(message.iter().map(|message| format!(", `{message}`")));
    text
}

fn describe_all(opinions: &[&Opinion]) -> String {
    let describe = |opinion: &&Opinion| {
        let message = opinion.message.as_deref().unwrap_or_default();
        format!("{} by {}: {message}", opinion.outcome.as_str(), opinion.policy)
    };
    opinions.iter().map(describe).collect::<Vec<_>>().join("; ")
}
