//! Whether a policy that is there can do anything: many are installed, and never asked.

use admission::matching::Step;
use admission::request::{GroupVersionKind, GroupVersionResource};
use admission::{
    AdmissionRequest, Binding, KubeVersion, Mismatch, NoCluster, Operation, Policy, UserInfo, Verdict, evaluate,
};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use ownership::guard::{Guard, Rule};
use ownership::profile::Resource;
use ownership::spec::{OwnNode, ResourceOperation};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::expand::nested;
use crate::ground::{Ground, Speaker, name};
use crate::outcome::Outcome;
use crate::report::{Check, Status, Trial};
use crate::survey::{Survey, text_of};

/// The policies and bindings of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// ValidatingAdmissionPolicies.
    pub policies: Vec<Value>,
    /// Their bindings.
    pub bindings: Vec<Value>,
}

/// A write that a policy must refuse.
struct Door {
    id: &'static str,
    title: String,
    request: AdmissionRequest,
}

/// The ways on which an agent can reach a Node.
const WAYS: [(&str, &str, Operation, &str); 5] = [
    ("updates", "updates of Nodes", Operation::Update, ""),
    ("status", "updates of the status of Nodes", Operation::Update, "status"),
    ("creation", "creation of Nodes", Operation::Create, ""),
    ("deletion", "deletion of Nodes", Operation::Delete, ""),
    ("proxy", "connections to kubelets", Operation::Connect, "proxy"),
];

fn doors_to_nodes(ground: &Ground) -> Vec<Door> {
    let door = |(id, title, operation, subresource): (&'static str, &str, Operation, &str)| Door {
        id,
        title: title.to_owned(),
        request: on_node(ground, operation, subresource),
    };
    WAYS.map(door).into()
}

/// The profile's other resources, as far as they are served.
fn doors_to_objects(survey: &Survey) -> Vec<Door> {
    let resources = survey.ground.profile.resources().iter();
    let updated = resources.filter(|resource| resource.operations.contains(&ResourceOperation::Update));
    let served = updated.filter(|resource| survey.served.contains(&resource.resource));
    let door = |resource: &Resource| Door {
        id: "objects",
        title: format!("updates of {}", resource.resource),
        request: on_object(&survey.ground, resource),
    };
    served.map(door).collect()
}

/// Looks at the policies that are meant to guard the agent: the guards of its profile, or those that are named.
fn inspect(survey: &Survey, named: &[String]) -> Vec<Check> {
    let ground = &survey.ground;
    let Some(installed) = &survey.installed else {
        return vec![check("policies-served", "ValidatingAdmissionPolicies are served", Status::Bad, NOT_SERVED)];
    };
    let meant = meant(survey, named);
    let mut checks: Vec<Check> =
        meant.iter().flat_map(|(policy, doors)| of_policy(ground, installed, policy, doors)).collect();
    let names: Vec<&str> = meant.iter().map(|(policy, _)| policy.as_str()).collect();
    checks.extend(others(ground, installed, &names));
    checks
}

/// The policies that are meant to guard the agent, each with what it must refuse.
fn meant(survey: &Survey, named: &[String]) -> Vec<(String, Vec<Door>)> {
    let ground = &survey.ground;
    if !named.is_empty() {
        return named.iter().map(|policy| (policy.clone(), doors_to_nodes(ground))).collect();
    }
    let name = |guard: Guard| guard.policy_name(ground.profile.name());
    let mut meant = vec![(name(Guard::Nodes), doors_to_nodes(ground))];
    let objects = doors_to_objects(survey);
    if !objects.is_empty() {
        meant.push((name(Guard::Resources), objects));
    }
    meant
}

/// Everything about a cluster that can be looked up: the account, its tokens, the policies.
#[must_use]
pub fn checks(survey: &Survey, named: &[String]) -> Vec<Check> {
    let ground = &survey.ground;
    let pod = format!("the pod {} on {} runs as {}", ground.pod.name, ground.pod.node, text_of(&ground.profile));
    let mut checks = vec![check("account", "the account exists and is used", Status::Good, pod)];
    checks.push(claims(survey));
    checks.extend(legacy(survey));
    checks.extend(inspect(survey, named));
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

/// Whether a write from another node was seen to be refused, for profiles that ask for it.
pub(crate) fn held_to_its_node(ground: &Ground, trials: &[Trial]) -> Option<Check> {
    let title = "a write from another node was seen to be refused";
    let elsewhere = |trial: &Trial| trial.recipe == "domain-lure" || trial.speaker == Speaker::Elsewhere.describe();
    let claimed = |trial: &&Trial| trial.request.is_some() && elsewhere(trial);
    let refused = |trial: &Trial| {
        let by_rule =
            trial.refusal.as_ref().is_some_and(|refusal| refusal.rule.is_none_or(|rule| rule == Rule::OwnNode));
        trial.outcome == Outcome::Stopped && by_rule
    };
    let made: Vec<&Trial> = trials.iter().filter(claimed).collect();
    let status = if made.iter().any(|trial| refused(trial)) { Status::Good } else { Status::Unknown };
    let text = if made.is_empty() {
        "no such write could be made: the cluster has one node, and the account may not be impersonated"
    } else {
        ""
    };
    let open = made.is_empty() || status == Status::Good;
    (ground.profile.node() != OwnNode::Any && open).then(|| check("own-node", title, status, text))
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

fn of_policy(ground: &Ground, installed: &Installed, policy: &str, doors: &[Door]) -> Vec<Check> {
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
    checks.extend(doors.iter().map(|door| of_door(ground, found, &compiled, &bindings, door)));
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
    let report = evaluate(compiled, bindings, &door.request, &NoCluster);
    let (status, text) = match report.verdict {
        Verdict::Deny(_) => (Status::Good, String::new()),
        Verdict::Allow if !bindings.iter().any(refuses) => (Status::Bad, only(bindings)),
        Verdict::Allow => (Status::Bad, "it is asked, and lets a forbidden write through".to_owned()),
        Verdict::Error(error) if error.admitted => {
            (Status::Bad, format!("it fails and lets everything through: {}", error.message))
        }
        Verdict::Error(error) => (Status::Bad, format!("it refuses only because it fails: {}", error.message)),
        Verdict::NotMatched(mismatch) => (Status::Bad, inert(ground, found, &mismatch, &door.request)),
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

/// A write to the own Node that no guard of Nodes lets through.
fn on_node(ground: &Ground, operation: Operation, subresource: &str) -> AdmissionRequest {
    let mut new = ground.own.clone();
    new["spec"]["unschedulable"] = json!(true);
    new["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = json!("");
    let (object, old) = match operation {
        Operation::Create => (Some(new), None),
        Operation::Update => (Some(new), Some(ground.own.clone())),
        Operation::Delete => (None, Some(ground.own.clone())),
        Operation::Connect => (Some(json!({"apiVersion": "v1", "kind": "NodeProxyOptions"})), None),
    };
    let kind = if operation == Operation::Connect { "NodeProxyOptions" } else { "Node" };
    AdmissionRequest {
        sub_resource: subresource.to_owned(),
        name: name(&ground.own).to_owned(),
        ..blank(ground, ["", "v1", "nodes", kind], operation, object, old)
    }
}

/// A change of an object of another node, or, where no field names a node, of one that may not change.
fn on_object(ground: &Ground, resource: &Resource) -> AdmissionRequest {
    let mut old = json!({"metadata": {"name": "nodebound-probe", "namespace": "default"}, "spec": {}});
    for field in &resource.node {
        let named = nested(field, json!("nodebound-another-node")).unwrap_or_default();
        json_patch::merge(&mut old, &named);
    }
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({"example.com/nodebound-probe": "x"});
    new["spec"]["nodebound-probe"] = json!("x");
    let names = [resource.group.as_str(), &resource.version, &resource.resource, "Object"];
    AdmissionRequest {
        name: "nodebound-probe".to_owned(),
        namespace: "default".to_owned(),
        ..blank(ground, names, Operation::Update, Some(new), Some(old))
    }
}

fn blank(
    ground: &Ground,
    [group, version, resource, kind]: [&str; 4],
    operation: Operation,
    object: Option<Value>,
    old: Option<Value>,
) -> AdmissionRequest {
    let identity = ground.identity(Speaker::Agent);
    let text = str::to_owned;
    AdmissionRequest {
        uid: String::new(),
        kind: GroupVersionKind { group: text(group), version: text(version), kind: text(kind) },
        resource: GroupVersionResource { group: text(group), version: text(version), resource: text(resource) },
        sub_resource: String::new(),
        request_kind: None,
        request_resource: None,
        request_sub_resource: None,
        name: String::new(),
        namespace: String::new(),
        operation,
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
fn inert(ground: &Ground, found: &Value, mismatch: &Mismatch, request: &AdmissionRequest) -> String {
    let reason = match mismatch {
        Mismatch::NoBinding => "no binding names it".to_owned(),
        Mismatch::MatchCondition { name, .. } => {
            format!("its match condition {name} is false for {}: it speaks of somebody else", ground.profile.username())
        }
        Mismatch::Policy(Step::ResourceRules) => uncovered(found, request),
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

/// Which part of the rules does not cover a request.
fn uncovered(found: &Value, request: &AdmissionRequest) -> String {
    let rules = found.pointer("/spec/matchConstraints/resourceRules").and_then(Value::as_array);
    let rules: Vec<&Value> = rules.into_iter().flatten().collect();
    let GroupVersionResource { group, version, resource } = &request.resource;
    let whole = match request.sub_resource.as_str() {
        "" => resource.clone(),
        part => format!("{resource}/{part}"),
    };
    let parts_of = format!("{resource}/*");
    let operation = request.operation.as_str();
    let parts = [
        ("apiGroups", vec!["*", group.as_str()], if group.is_empty() { "the core group" } else { group }),
        ("apiVersions", vec!["*", version.as_str()], version.as_str()),
        ("resources", vec!["*", "*/*", parts_of.as_str(), whole.as_str()], whole.as_str()),
        ("operations", vec!["*", operation], operation),
    ];
    let covers = |field: &str, wanted: &[&str]| {
        let lists = rules.iter().filter_map(|rule| rule.get(field).and_then(Value::as_array));
        lists.flatten().filter_map(Value::as_str).any(|item| wanted.contains(&item))
    };
    let missing = parts.iter().find(|(field, wanted, _)| !covers(field, wanted));
    missing.map_or_else(
        || format!("no single one of its resourceRules covers {operation} of {whole}"),
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
fn others(ground: &Ground, installed: &Installed, meant: &[&str]) -> Option<Check> {
    let username = ground.profile.username();
    let speaks = |policy: &&Value| policy.get("spec").is_some_and(|spec| spec.to_string().contains(username));
    let names = installed.policies.iter().filter(speaks).map(name).filter(|name| !meant.contains(name));
    let ours = format!("nodebound-{}-", ground.profile.name());
    let names: Vec<&str> = names.filter(|name| !name.starts_with(&ours)).collect();
    let text = format!(
        "also judging this account: {}; which of several refusing policies reports is arbitrary",
        names.join(", ")
    );
    (!names.is_empty()).then(|| check("other-policies", "other policies", Status::Noted, text))
}
