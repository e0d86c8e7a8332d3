//! Whether a policy that is there can do anything: many are installed, and never asked.

use admission::matching::Step;
use admission::{
    AdmissionRequest, Binding, KubeVersion, Mismatch, NoCluster, Operation, Policy, UserInfo, Verdict, evaluate,
};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use ownership::guard::Guard;
use ownership::spec::OwnNode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::ground::{Ground, Speaker, name};
use crate::report::{Check, Status};
use crate::survey::{Survey, text_of};

/// The policies and bindings of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// ValidatingAdmissionPolicies.
    pub policies: Vec<Value>,
    /// Their bindings.
    pub bindings: Vec<Value>,
}

/// A way on which an agent can reach a Node.
struct Door {
    id: &'static str,
    title: &'static str,
    operation: Operation,
    subresource: &'static str,
}

const DOORS: [Door; 5] = [
    Door { id: "updates", title: "updates of Nodes", operation: Operation::Update, subresource: "" },
    Door { id: "status", title: "updates of the status of Nodes", operation: Operation::Update, subresource: "status" },
    Door { id: "creation", title: "creation of Nodes", operation: Operation::Create, subresource: "" },
    Door { id: "deletion", title: "deletion of Nodes", operation: Operation::Delete, subresource: "" },
    Door { id: "proxy", title: "connections to kubelets", operation: Operation::Connect, subresource: "proxy" },
];

/// Looks at the policies that are meant to guard the agent: the guard of its profile and those that are named.
#[must_use]
pub fn inspect(ground: &Ground, installed: Option<&Installed>, named: &[String]) -> Vec<Check> {
    let Some(installed) = installed else {
        return vec![check("policies-served", "ValidatingAdmissionPolicies are served", Status::Bad, NOT_SERVED)];
    };
    let guard = Guard::Nodes.policy_name(ground.profile.name());
    let meant = if named.is_empty() { vec![guard] } else { named.to_vec() };
    let mut checks: Vec<Check> = meant.iter().flat_map(|policy| of_policy(ground, installed, policy)).collect();
    checks.extend(others(ground, installed, &meant));
    checks
}

/// Everything about a cluster that can be looked up: the account, its tokens, the policies.
#[must_use]
pub fn checks(survey: &Survey, named: &[String]) -> Vec<Check> {
    let ground = &survey.ground;
    let pod = format!("the pod {} on {} runs as {}", ground.pod.name, ground.pod.node, text_of(&ground.profile));
    let mut checks = vec![check("account", "the account exists and is used", Status::Good, pod)];
    checks.push(claims(survey));
    checks.extend(legacy(survey));
    checks.extend(inspect(ground, survey.installed.as_ref(), named));
    checks
}

fn claims(survey: &Survey) -> Check {
    let title = "the agent's tokens say which node they belong to";
    let (status, text) = match (survey.is_claimed(), survey.ground.profile.node()) {
        (Some(true), _) => (Status::Good, ""),
        (Some(false), OwnNode::Own) => (
            Status::Bad,
            "they do not, so a guard that asks for it refuses every write of the agent: wait until every agent pod is younger than the API server's upgrade, or write node: OwnIfClaimed",
        ),
        (Some(false), OwnNode::OwnIfClaimed) => (
            Status::Bad,
            "they do not, so nothing keeps the agent to its own node; Kubernetes 1.32 and newer issue the claim",
        ),
        (Some(false), OwnNode::Any) => (Status::Noted, "they do not, and the profile does not ask for it"),
        (None, _) => (Status::Noted, "no token could be had, so it was not seen"),
    };
    check("claims", title, status, text)
}

/// Tokens in secrets are bound to no pod.
fn legacy(survey: &Survey) -> Option<Check> {
    let title = "tokens that cannot say where they come from";
    let secrets = survey.legacy.as_ref()?;
    let text =
        format!("secrets hold tokens of the account that never expire and carry no claim: {}", secrets.join(", "));
    (!secrets.is_empty()).then(|| check("legacy-tokens", title, Status::Noted, text))
}

const NOT_SERVED: &str = "this API server serves no admissionregistration.k8s.io/v1 policies (Kubernetes 1.30 and newer do): \
    no policy can guard anything here";

fn check(id: &str, title: impl Into<String>, status: Status, text: impl Into<String>) -> Check {
    Check { id: id.to_owned(), title: title.into(), status, text: text.into() }
}

fn of_policy(ground: &Ground, installed: &Installed, policy: &str) -> Vec<Check> {
    let title = format!("{policy} is installed");
    let Some(found) = installed.policies.iter().find(|known| name(known) == policy) else {
        let text = format!("inert: there is no ValidatingAdmissionPolicy {policy}");
        return vec![check("installed", title, Status::Bad, text)];
    };
    let Ok(typed) = serde_json::from_value::<ValidatingAdmissionPolicy>(found.clone()) else {
        return vec![check("installed", title, Status::Unknown, "the policy cannot be read")];
    };
    let compiled = Policy::stored(&typed, KubeVersion::NEWEST);
    let bindings = bindings_of(installed, policy);
    let mut checks = vec![check("installed", title, Status::Good, "")];
    checks.push(failure(policy, &compiled));
    checks.extend(DOORS.iter().map(|door| of_door(ground, found, &compiled, &bindings, door)));
    checks.push(types(policy, found));
    checks
}

fn bindings_of(installed: &Installed, policy: &str) -> Vec<Binding> {
    let of_policy = |binding: &&Value| binding.pointer("/spec/policyName").and_then(Value::as_str) == Some(policy);
    let typed =
        installed.bindings.iter().filter(of_policy).filter_map(|binding| serde_json::from_value(binding.clone()).ok());
    typed.map(|binding: ValidatingAdmissionPolicyBinding| Binding::stored(&binding)).collect()
}

fn failure(policy: &str, compiled: &Policy) -> Check {
    let title = format!("{policy} refuses what it cannot judge");
    match compiled.failure_policy() {
        admission::FailurePolicy::Fail => check("fails-closed", title, Status::Good, ""),
        admission::FailurePolicy::Ignore => check(
            "fails-closed",
            title,
            Status::Bad,
            "failurePolicy is Ignore: whatever makes an expression fail gets through",
        ),
    }
}

fn of_door(ground: &Ground, found: &Value, compiled: &Policy, bindings: &[Binding], door: &Door) -> Check {
    let policy = compiled.name();
    let title = format!("{policy} watches {}", door.title);
    let report = evaluate(compiled, bindings, &forbidden(ground, door), &NoCluster);
    let (status, text) = match report.verdict {
        Verdict::Deny(_) => (Status::Good, String::new()),
        Verdict::Allow if !bindings.iter().any(refuses) => (Status::Bad, only(bindings)),
        Verdict::Allow => (Status::Bad, "it is asked, and lets a forbidden write through".to_owned()),
        Verdict::Error(error) if error.admitted => {
            (Status::Bad, format!("it fails and lets everything through: {}", error.message))
        }
        Verdict::Error(error) => (Status::Bad, format!("it refuses only because it fails: {}", error.message)),
        Verdict::NotMatched(mismatch) => (Status::Bad, inert(ground, found, &mismatch, door)),
    };
    check(door.id, title, status, text)
}

fn refuses(binding: &Binding) -> bool {
    binding.actions().contains(&admission::Action::Deny)
}

fn only(bindings: &[Binding]) -> String {
    let actions: BTreeSet<&str> = bindings.iter().flat_map(Binding::actions).map(|action| action.as_str()).collect();
    let names: Vec<&str> = actions.into_iter().collect();
    format!("inert: its binding has only {}, and nothing is refused without Deny", names.join(" and "))
}

/// A write that no guard of Nodes lets through.
fn forbidden(ground: &Ground, door: &Door) -> AdmissionRequest {
    let identity = ground.identity(Speaker::Agent);
    let mut new = ground.own.clone();
    new["spec"]["unschedulable"] = json!(true);
    new["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = json!("");
    let (object, old) = match door.operation {
        Operation::Create => (Some(new), None),
        Operation::Update => (Some(new), Some(ground.own.clone())),
        Operation::Delete => (None, Some(ground.own.clone())),
        Operation::Connect => (Some(json!({"apiVersion": "v1", "kind": "NodeProxyOptions"})), None),
    };
    let kind = if door.operation == Operation::Connect { "NodeProxyOptions" } else { "Node" };
    AdmissionRequest {
        uid: String::new(),
        kind: admission::request::GroupVersionKind {
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            ..Default::default()
        },
        resource: admission::request::GroupVersionResource {
            version: "v1".to_owned(),
            resource: "nodes".to_owned(),
            ..Default::default()
        },
        sub_resource: door.subresource.to_owned(),
        request_kind: None,
        request_resource: None,
        request_sub_resource: None,
        name: name(&ground.own).to_owned(),
        namespace: String::new(),
        operation: door.operation,
        user_info: UserInfo {
            username: identity.username,
            uid: String::new(),
            groups: identity.groups,
            extra: identity.extra,
        },
        object: object.map(Into::into),
        old_object: old.map(Into::into),
        dry_run: true,
        options: None,
    }
}

/// Why a policy is not asked.
fn inert(ground: &Ground, found: &Value, mismatch: &Mismatch, door: &Door) -> String {
    let reason = match mismatch {
        Mismatch::NoBinding => "no binding names it".to_owned(),
        Mismatch::MatchCondition { name, .. } => {
            format!("its match condition {name} is false for {}: it speaks of somebody else", ground.profile.username())
        }
        Mismatch::Policy(Step::ResourceRules) => uncovered(found, door),
        Mismatch::Policy(step) => format!("its {} leave Nodes out", part(*step)),
        Mismatch::Binding { binding, step } => format!("the {} of its binding {binding} leave Nodes out", part(*step)),
        Mismatch::NoParams { binding } => format!("its binding {binding} has no parameters"),
        Mismatch::ExemptResource => "policies do not concern this resource".to_owned(),
    };
    format!("inert: {reason}")
}

fn part(step: Step) -> &'static str {
    match step {
        Step::NamespaceSelector => "namespaceSelector",
        Step::ObjectSelector => "objectSelector",
        Step::ExcludeResourceRules => "excludeResourceRules",
        Step::ResourceRules => "resourceRules",
    }
}

/// Which part of the rules does not cover a door.
fn uncovered(found: &Value, door: &Door) -> String {
    let rules: Vec<&Value> =
        found.pointer("/spec/matchConstraints/resourceRules").and_then(Value::as_array).into_iter().flatten().collect();
    let resource = if door.subresource.is_empty() { "nodes".to_owned() } else { format!("nodes/{}", door.subresource) };
    let parts = [
        ("apiGroups", vec!["*", ""], "the core group"),
        ("apiVersions", vec!["*", "v1"], "the version v1, which is the one that is served"),
        ("resources", vec!["*", "*/*", "nodes/*", resource.as_str()], resource.as_str()),
        ("operations", vec!["*", door.operation.as_str()], door.operation.as_str()),
    ];
    let covers = |field: &str, wanted: &[&str]| {
        rules.iter().any(|rule| {
            let listed = rule.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            listed.into_iter().any(|item| wanted.contains(&item))
        })
    };
    let missing = parts.iter().find(|(field, wanted, _)| !covers(field, wanted));
    missing.map_or_else(
        || format!("no single one of its resourceRules covers {}", door.title),
        |(field, _, what)| format!("the {field} of its resourceRules do not have {what}"),
    )
}

/// What the controller manager says of the types in the expressions.
fn types(policy: &str, found: &Value) -> Check {
    let title = format!("the types in {policy} are sound");
    match found.pointer("/status/typeChecking") {
        None => check("types", title, Status::Noted, "no controller manager has checked them here"),
        Some(checked) => {
            let warnings = checked.get("expressionWarnings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let text: Vec<String> = warnings.iter().map(warning).collect();
            check("types", title, if text.is_empty() { Status::Good } else { Status::Bad }, text.join("; "))
        }
    }
}

fn warning(warning: &Value) -> String {
    let text = |field: &str| warning.get(field).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", text("fieldRef"), text("warning").lines().next().unwrap_or_default())
}

/// Other policies that concern the same account: which of several refusing policies reports is arbitrary.
fn others(ground: &Ground, installed: &Installed, meant: &[String]) -> Option<Check> {
    let username = ground.profile.username();
    let speaks = |policy: &&Value| policy.get("spec").is_some_and(|spec| spec.to_string().contains(username));
    let names =
        installed.policies.iter().filter(speaks).map(name).filter(|name| !meant.iter().any(|meant| meant == name));
    let ours = format!("nodebound-{}-", ground.profile.name());
    let names: Vec<&str> = names.filter(|name| !name.starts_with(&ours)).collect();
    let text = format!(
        "{} concern the same account: which of several refusing policies reports is arbitrary",
        names.join(", ")
    );
    (!names.is_empty()).then(|| check("other-policies", "other policies", Status::Noted, text))
}
