//! The operator's own account, rights, limits and workload.

use serde_json::{Value, json};

use ownership::guard::{Guard, HEARTBEATS};

use crate::expression::quote;

use super::rights::{self, Right, Rights, right};
use super::{
    AGENT, CONTROLLER, Installation, PROBE, PROBER, PROBES, Part, controllers_profile, heartbeats, rehearsed, workloads,
};

/// The account of the operator.
pub const OPERATOR: &str = "nodebound-operator";

/// What of a kind is ours by its name is made, repaired and taken away again; of the others it is seen that they come and go.
/// Objects are made by patches, which name them: a right to create one is none to create others.
const KEEP: [&[&str]; 2] = [&["list", "watch"], &["get", "create", "update", "patch", "delete"]];
/// The same of what is looked at only with the others.
const BESIDE: [&[&str]; 2] = [&[], KEEP[1]];
/// The agents' profile, which goes with their pods.
const CONFIGURE: [&[&str]; 2] = [&[], &["get", "create", "update", "patch"]];
/// What is never taken away.
const MAKE: [&[&str]; 2] = [&[], &["get", "create", "patch"]];

pub(super) fn objects(installation: &Installation) -> Vec<Value> {
    let mut objects = Installation::definitions(true);
    objects.extend([installation.namespace(), installation.service_account(OPERATOR)]);
    // Its rights there are no rights on the Leases of others.
    objects.extend((installation.is_ours() || installation.profile.beats_by_lease()).then(heartbeats));
    objects.extend(limits(installation));
    objects.extend(roles(installation));
    objects.extend(Part::ALL.into_iter().flat_map(|part| prober(installation, part)));
    objects.extend(workloads::operator(installation));
    objects
}

/// The prober, which may speak for the agents: whoever grants to others may not.
pub(super) fn prober(installation: &Installation, part: Part) -> Vec<Value> {
    match part {
        Part::Ground => vec![installation.service_account(PROBER)],
        Part::Guards => findings(&installation.settings.namespace),
        Part::Rights => rights::prober(installation).into_iter().flat_map(rights::Role::objects).collect(),
        Part::Controller => workloads::prober(installation),
        _ => Vec::new(),
    }
}

/// What it installs, and what it grants.
fn roles(installation: &Installation) -> Vec<Value> {
    let (rbac, admission) = ("rbac.authorization.k8s.io", "admissionregistration.k8s.io");
    let account = installation.profile.service_account();
    let (policies, roles) = (policies(installation), rights::names(installation));
    let mut everywhere = vec![
        right("nodebound.io", "agentprofiles", &["list", "watch"]),
        right("nodebound.io", "agentprofiles/status", &["patch"]),
        right("nodebound.io", "shadownodes", &["get", "create"]),
        right("", "namespaces", &["get", "patch"])
            .on_all([installation.settings.namespace.clone(), HEARTBEATS.to_owned()]),
        right("", "nodes", &["list"]),
        right("", "events", &["create"]),
        right("kubevirt.io", "kubevirts", &["list"]),
    ];
    let definitions = ["agentprofiles.nodebound.io", "shadownodes.nodebound.io"].map(str::to_owned);
    let watched: [&[&str]; 2] = [KEEP[0], MAKE[1]];
    everywhere.extend(ours("apiextensions.k8s.io", "customresourcedefinitions", watched, &definitions));
    for resource in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        everywhere.extend(ours(admission, resource, KEEP, &policies));
    }
    for resource in ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] {
        everywhere.extend(ours(rbac, resource, KEEP, &roles));
    }
    if !installation.is_ours() {
        let name = [installation.hold_name()];
        let verbs: [&[&str]; 2] = if installation.settings.hold_upgrades { BESIDE } else { [&[], &["get", "delete"]] };
        everywhere.extend(ours(admission, "validatingwebhookconfigurations", verbs, &name));
    }
    let [agent, controller] = [AGENT, CONTROLLER].map(|name| [name.to_owned()]);
    let mut here = rights::election(installation, OPERATOR).to_vec();
    here.extend(ours("", "serviceaccounts", MAKE, &controller));
    here.extend(ours("apps", "deployments", KEEP, &controller));
    here.extend(ours("policy", "poddisruptionbudgets", BESIDE, &controller));
    // Those that somebody else makes there are none of its business; but it asks for them together with the rest.
    let sets: [&[&str]; 2] = if installation.is_ours() { KEEP } else { [&["list", "watch"], &[]] };
    here.extend(ours("apps", "daemonsets", sets, &agent));
    if installation.is_ours() {
        here.extend(ours("", "serviceaccounts", MAKE, &agent));
        here.extend(ours("", "configmaps", CONFIGURE, &[workloads::configuration(installation)]));
    }
    let beside_agents = vec![right("", "serviceaccounts", &["get"]).on(&account.name), right("", "pods", &["list"])];
    let mut all = Rights::from([(None, everywhere), (Some(installation.settings.namespace.clone()), here)]);
    all.entry(Some(account.namespace.clone())).or_default().extend(beside_agents);
    for (namespace, rights) in rights::all(installation) {
        all.entry(namespace).or_default().extend(rights);
    }
    let roles = rights::once(all)
        .into_iter()
        .map(|(namespace, rights)| installation.role(OPERATOR, "operator", namespace.as_deref(), rights));
    roles.flat_map(rights::Role::objects).collect()
}

/// Verbs on every object of a kind, and verbs on those that are ours.
fn ours(group: &'static str, resource: &str, [all, named]: [&[&'static str]; 2], names: &[String]) -> Vec<Right> {
    // Without a name it would be a right to all of them.
    let named = right(group, resource, if names.is_empty() { &[] } else { named }).on_all(names.iter().cloned());
    [right(group, resource, all), named].into_iter().filter(Right::is_something).collect()
}

/// What policies and their bindings are called, by whatever channel.
pub(super) fn policies(installation: &Installation) -> Vec<String> {
    let controllers = controllers_profile(&installation.profile, installation.account(CONTROLLER));
    let own = Guard::ALL.map(|guard| guard.policy_name(installation.profile.name()));
    let rehearsed = own.clone().map(rehearsed);
    let others = [Guard::Nodes.policy_name(controllers.name()), PROBES.to_owned()];
    own.into_iter().chain(rehearsed).chain(others).collect()
}

/// What it holds in order to grant it is not for its own use: it writes nothing that agents publish, grants to nobody but ours, and
/// makes no pods that could do more than ours do.
fn limits(installation: &Installation) -> Vec<Value> {
    let user = format!("system:serviceaccount:{}:{OPERATOR}", installation.settings.namespace);
    let rbac = |resources: [&str; 2]| rule("rbac.authorization.k8s.io", &["CREATE", "UPDATE"], &resources);
    let limit = |expression: &str, says| vec![(expression.to_owned(), says)];
    let beats_elsewhere = format!("request.namespace != {}", quote(HEARTBEATS));
    let table = [
        ("nodes", rule("", &["*"], &["nodes", "nodes/*"]), limit("false", "the operator writes no Node")),
        (
            "shadownodes",
            rule("nodebound.io", &["*"], &["shadownodes", "shadownodes/*"]),
            limit(EMPTY, "the operator makes empty shadow nodes only"),
        ),
        (
            "leases",
            rule("coordination.k8s.io", &["*"], &["leases", "leases/*"]),
            limit(&beats_elsewhere, "the operator writes no heartbeat"),
        ),
        ("grants", rbac(["clusterrolebindings", "rolebindings"]), grants(&installation.settings.namespace)),
        (
            "roles",
            rbac(["clusterroles", "roles"]),
            [
                limit(ALONE, "the operator makes no roles that become part of others"),
                limit(WEAK, "the operator grants no rights like its own"),
            ]
            .concat(),
        ),
        (
            "workloads",
            rule("apps", &["CREATE", "UPDATE"], &["daemonsets", "deployments"]),
            workloads::limits(installation),
        ),
    ];
    let condition = format!("request.userInfo.username == {}", quote(&user));
    let limit = |(name, rules, rest): (_, _, Vec<Limit>)| {
        policy(&format!("nodebound-operator-{name}"), ["operator", &condition], rules, &rest)
    };
    table.into_iter().flat_map(limit).collect()
}

/// What is said of guards, nobody says but the prober.
fn findings(namespace: &str) -> Vec<Value> {
    let condition = format!(
        "request.namespace == {} && object.metadata.name.startsWith({})",
        quote(namespace),
        quote(&api::finding::lease_name(""))
    );
    let prober = quote(&format!("system:serviceaccount:{namespace}:{PROBER}"));
    let validation = (format!("request.userInfo.username == {prober}"), "nobody else says what guards do");
    let leases = rule("coordination.k8s.io", &["CREATE", "UPDATE"], &["leases"]);
    policy("nodebound-prober-findings", ["finding", &condition], leases, &[validation])
}

const EMPTY: &str =
    "request.operation == 'CREATE' && !has(object.metadata.labels) && !has(object.metadata.annotations)";
/// Roles are put together by labels, of which others have theirs.
const ALONE: &str = "!has(object.metadata.labels) || object.metadata.labels.all(label, label.startsWith('app.kubernetes.io/') || label.startsWith('nodebound.io/'))";
const WEAK: &str = "!has(object.rules) || object.rules.all(rule, rule.verbs.all(verb, verb in ['get', 'list', 'watch']) || !has(rule.apiGroups) || rule.apiGroups.all(group, !(group in ['*', 'admissionregistration.k8s.io', 'apiextensions.k8s.io', 'apps', 'rbac.authorization.k8s.io'])))";

/// To whom, and what: a role is bound by a binding of its name.
fn grants(namespace: &str) -> Vec<Limit> {
    let of_ours = format!(
        "subject.kind == 'ServiceAccount' ? subject.namespace == '{namespace}' && subject.name in ['{AGENT}', '{CONTROLLER}'] : subject.kind == 'Group' && subject.name == '{PROBE}'"
    );
    let bound = format!("!has(object.subjects) || object.subjects.all(subject, {of_ours})");
    let name = "object.metadata.name";
    let named =
        format!("{name}.startsWith('nodebound-') && {name} == object.roleRef.name && !{name}.endsWith('-operator')");
    vec![
        (bound, "the operator grants to accounts of ours only"),
        (named, "the operator binds roles of ours only, and not its own"),
    ]
}

/// An expression, and what whoever breaks it is told.
pub(super) type Limit = (String, &'static str);

fn rule(group: &str, operations: &[&str], resources: &[&str]) -> Value {
    json!([{"apiGroups": [group], "apiVersions": ["*"], "operations": operations, "resources": resources, "scope": "*"}])
}

fn policy(name: &str, [about, condition]: [&str; 2], rules: Value, validations: &[Limit]) -> Vec<Value> {
    let validations: Vec<Value> = validations
        .iter()
        .map(|(expression, message)| {
            json!({"expression": expression, "message": format!("nodebound: {about}: {message}"), "reason": "Forbidden"})
        })
        .collect();
    let condition = json!({"name": about, "expression": condition});
    vec![
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", "matchConditions": [condition],
                "matchConstraints": {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
                    "resourceRules": rules},
                "validations": validations}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}),
    ]
}
