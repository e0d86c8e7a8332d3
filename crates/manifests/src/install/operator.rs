//! The operator's own account, rights, limits and workload.

use serde_json::{Value, json};

use super::rights::{self, Rights, right};
use super::{Installation, PROBE, heartbeats, workloads};

/// The account of the operator.
pub const OPERATOR: &str = "nodebound-operator";

/// Installed, watched, repaired, and taken away again.
const KEEP: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete"];
/// The same of what is looked at only with the others.
const BESIDE: &[&str] = &["get", "create", "update", "patch", "delete"];
/// What is never taken away.
const MAKE: &[&str] = &["get", "create", "patch"];

pub(super) fn objects(installation: &Installation) -> Vec<Value> {
    let mut objects = Installation::definitions(true);
    objects.extend([installation.namespace(), installation.service_account(OPERATOR)]);
    // Its rights there are no rights on the Leases of others.
    objects.extend((installation.is_ours() || installation.profile.beats_by_lease()).then(heartbeats));
    objects.extend(limits(installation));
    objects.extend(roles(installation));
    objects.extend(workloads::operator(installation));
    objects
}

/// What it installs, and what it grants.
fn roles(installation: &Installation) -> Vec<Value> {
    let (rbac, admission) = ("rbac.authorization.k8s.io", "admissionregistration.k8s.io");
    let account = installation.profile.service_account();
    let mut everywhere = vec![
        right("nodebound.io", "agentprofiles", &["list", "watch"]),
        right("nodebound.io", "agentprofiles/status", &["patch"]),
        right("nodebound.io", "shadownodes", &["get", "create"]),
        right("apiextensions.k8s.io", "customresourcedefinitions", &["get", "list", "watch", "create", "patch"]),
        right(admission, "validatingadmissionpolicies", KEEP),
        right(admission, "validatingadmissionpolicybindings", KEEP),
        right(rbac, "clusterroles", KEEP),
        right(rbac, "clusterrolebindings", KEEP),
        right(rbac, "roles", KEEP),
        right(rbac, "rolebindings", KEEP),
        right("", "namespaces", &["get", "patch"]),
        right("", "serviceaccounts", MAKE),
        right("", "nodes", &["list"]),
        right("", "events", &["create"]),
        right("kubevirt.io", "kubevirts", &["list"]),
    ];
    if !installation.is_ours() {
        let holds = installation.settings.hold_upgrades;
        let verbs: &[&str] = if holds { BESIDE } else { &["get", "delete"] };
        everywhere.push(right(admission, "validatingwebhookconfigurations", verbs));
    }
    everywhere.extend(rights::claims());
    let here = vec![
        right("apps", "daemonsets", KEEP),
        right("apps", "deployments", KEEP),
        right("policy", "poddisruptionbudgets", BESIDE),
        right("", "configmaps", &["get", "create", "update", "patch"]),
        right("coordination.k8s.io", "leases", &["get", "create", "update"]),
    ];
    let beside_agents =
        vec![right("", "serviceaccounts", &["impersonate"]).on(&account.name), right("", "pods", &["list"])];
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

/// What it holds in order to grant it is not for its own use: it writes no Node, and binds nobody but ours.
fn limits(installation: &Installation) -> Vec<Value> {
    let namespace = &installation.settings.namespace;
    let user = format!("system:serviceaccount:{namespace}:{OPERATOR}");
    let of_ours = format!(
        "subject.kind == 'ServiceAccount' ? subject.namespace == '{namespace}' && subject.name in ['nodebound-agent', 'nodebound-controller'] : subject.kind == 'Group' && subject.name == '{PROBE}'"
    );
    let bound = format!("!has(object.subjects) || object.subjects.all(subject, {of_ours})");
    let named = "object.metadata.name.startsWith('nodebound-')".to_owned();
    let nodes = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["nodes", "nodes/*"], "scope": "*"}]);
    let bindings = json!([{"apiGroups": ["rbac.authorization.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["clusterrolebindings", "rolebindings"], "scope": "*"}]);
    [
        policy("nodebound-operator-nodes", &user, nodes, &[("false".to_owned(), "the operator writes no Node")]),
        policy(
            "nodebound-operator-grants",
            &user,
            bindings,
            &[
                (bound, "the operator grants to accounts of ours only"),
                (named, "the operator writes bindings of ours only"),
            ],
        ),
    ]
    .concat()
}

fn policy(name: &str, user: &str, rules: Value, validations: &[(String, &str)]) -> Vec<Value> {
    let validations: Vec<Value> = validations
        .iter()
        .map(|(expression, message)| {
            json!({"expression": expression, "message": format!("nodebound: operator: {message}"), "reason": "Forbidden"})
        })
        .collect();
    let condition = json!({"name": "operator", "expression": format!("request.userInfo.username == '{user}'")});
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
