//! Policies, bindings and requests from short pieces of JSON, and verdicts as one line of text.

use admission::{
    AdmissionRequest, Binding, KnownObjects, KubeVersion, Mismatch, Policy, PolicyReport, Report, Verdict, evaluate,
    evaluate_all,
};
use serde_json::{Value as Json, json};

/// Puts the entries of one object over those of another.
pub fn with(base: Json, more: Json) -> Json {
    let (Json::Object(mut base), Json::Object(more)) = (base, more) else { panic!("not objects") };
    base.extend(more);
    Json::Object(base)
}

/// A policy on every operation of nodes, with more fields in its spec.
pub fn policy_json(spec: Json) -> Json {
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["nodes"]}]);
    let spec =
        with(json!({"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "true"}]}), spec);
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"}, "spec": spec,
    })
}

pub fn policy(spec: Json) -> Policy {
    let policy = serde_json::from_value(policy_json(spec)).unwrap();
    Policy::compile(&policy, KubeVersion::minor(36)).unwrap()
}

/// What the server objects to in a policy.
pub fn objections(policy: Json) -> Vec<String> {
    let policy = serde_json::from_value(policy).unwrap();
    let errors = Policy::compile(&policy, KubeVersion::minor(36)).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

pub fn binding_json(spec: Json) -> Json {
    let spec = with(json!({"policyName": "p", "validationActions": ["Deny"]}), spec);
    json!({"metadata": {"name": "b"}, "spec": spec})
}

pub fn binding(spec: Json) -> Binding {
    Binding::check(&serde_json::from_value(binding_json(spec)).unwrap()).unwrap()
}

pub fn binding_objections(binding: Json) -> Vec<String> {
    let errors = Binding::check(&serde_json::from_value(binding).unwrap()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// An update of node n that changes the label a from x to y.
pub fn request(more: Json) -> AdmissionRequest {
    let node = |a: &str| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"a": a}}, "spec": {}});
    let base = json!({
        "kind": {"group": "", "version": "v1", "kind": "Node"},
        "resource": {"group": "", "version": "v1", "resource": "nodes"},
        "name": "n", "operation": "UPDATE", "userInfo": {"username": "me", "groups": ["g"]},
        "object": node("y"), "oldObject": node("x"), "options": {"kind": "UpdateOptions"},
    });
    serde_json::from_value(with(base, more)).unwrap()
}

pub fn in_namespace(namespace: &str, more: Json) -> AdmissionRequest {
    let object = json!({"metadata": {"name": "c", "namespace": namespace}});
    let base = json!({
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "c", "namespace": namespace, "object": object, "oldObject": object,
    });
    request(with(base, more))
}

pub fn judge(spec: Json, actions: Json) -> PolicyReport {
    evaluate(&policy(spec), &[binding(actions)], &request(json!({})), &KnownObjects::default())
}

/// Judges several policies, named in this order, each with one binding of its name that denies.
pub fn judge_all(specs: &[(&str, Json)]) -> Report {
    let build = |(name, spec): &(&str, Json)| {
        let json = with(policy_json(spec.clone()), json!({"metadata": {"name": name}}));
        Policy::compile(&serde_json::from_value(json).unwrap(), KubeVersion::minor(36)).unwrap()
    };
    let policies: Vec<_> = specs.iter().map(build).collect();
    let bindings: Vec<_> = specs.iter().map(|(name, _)| Binding::denying(name)).collect();
    evaluate_all(&policies, &bindings, &request(json!({})), &KnownObjects::default())
}

/// The verdict in one line.
pub fn outcome(report: &PolicyReport) -> String {
    line(&report.verdict)
}

pub fn line(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Deny(denial) => {
            format!("deny {} {} {}: {}", denial.validation, denial.reason, denial.code(), denial.message)
        }
        Verdict::Error(error) => {
            let admitted = if error.admitted { "admitted " } else { "" };
            format!("{admitted}{:?}: {}", error.kind, error.message)
        }
        Verdict::NotMatched(mismatch) => format!("not matched: {}", mismatch_line(mismatch)),
    }
}

fn mismatch_line(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::ExemptResource => "exempt".to_owned(),
        Mismatch::NoBinding => "no binding".to_owned(),
        Mismatch::Policy(step) => format!("policy {step:?}"),
        Mismatch::Binding { step, .. } => format!("binding {step:?}"),
        Mismatch::NoParams { .. } => "no params".to_owned(),
        Mismatch::MatchCondition { name, .. } => format!("condition {name}"),
    }
}
