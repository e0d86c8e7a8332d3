//! The operator's own account, rights, limits and workload.

use serde_json::{Value, json};

use super::rights::{self, Right, right};
use super::{Installation, PROBE, workloads};

/// The account of the operator.
pub const OPERATOR: &str = "nodebound-operator";

const WRITE: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete"];
const MAKE: &[&str] = &["get", "list", "create", "patch"];

pub(super) fn objects(installation: &Installation) -> Vec<Value> {
    let mut objects = Installation::definitions(true);
    objects.extend([installation.namespace(), installation.service_account(OPERATOR)]);
    objects.extend(limits(installation));
    objects.extend(roles(installation));
    objects.extend(workloads::operator(installation));
    objects
}

/// What it installs, and what it grants: nobody may grant what he has not.
fn roles(installation: &Installation) -> Vec<Value> {
    let (rbac, admission) = ("rbac.authorization.k8s.io", "admissionregistration.k8s.io");
    let account = installation.profile.service_account();
    let mut everywhere = vec![
        right("nodebound.io", "agentprofiles", &["get", "list", "watch"]),
        right("nodebound.io", "agentprofiles/status", &["patch"]),
        right("nodebound.io", "shadownodes", &["get", "create"]),
        right("apiextensions.k8s.io", "customresourcedefinitions", &["get", "list", "watch", "create", "patch"]),
        right(admission, "validatingadmissionpolicies", WRITE),
        right(admission, "validatingadmissionpolicybindings", WRITE),
        right(rbac, "clusterroles", WRITE),
        right(rbac, "clusterrolebindings", WRITE),
        right(rbac, "roles", WRITE),
        right(rbac, "rolebindings", WRITE),
        right("", "namespaces", MAKE),
        right("", "serviceaccounts", MAKE),
        right("", "nodes", &["list"]),
        right("", "pods", &["list"]),
        right("", "events", &["create"]),
        right("kubevirt.io", "kubevirts", &["list"]),
    ];
    everywhere.extend(merged(rights::claims().into_iter().chain(rights::all(installation))));
    let here = vec![
        right("apps", "daemonsets", WRITE),
        right("apps", "deployments", WRITE),
        right("policy", "poddisruptionbudgets", WRITE),
        right("", "configmaps", WRITE),
        right("coordination.k8s.io", "leases", &["get", "create", "update"]),
    ];
    let beside_agents = vec![right("", "serviceaccounts", &["impersonate"]).on(&account.name)];
    let namespace = &installation.settings.namespace;
    [
        installation.role(OPERATOR, "operator", None, everywhere),
        installation.role(OPERATOR, "operator", Some(namespace), here),
        installation.role(OPERATOR, "operator-agents", Some(&account.namespace), beside_agents),
    ]
    .into_iter()
    .flat_map(rights::Role::objects)
    .collect()
}

/// Each right once.
fn merged(rights: impl Iterator<Item = Right>) -> Vec<Right> {
    let mut once: Vec<Right> = Vec::new();
    for right in rights {
        if !once.iter().any(|known| known.rule() == right.rule()) {
            once.push(right);
        }
    }
    once
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
