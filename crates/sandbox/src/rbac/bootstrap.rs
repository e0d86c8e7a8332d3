//! The roles and bindings that a server begins with (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy`),
//! without those of the controllers.

use admission::KubeVersion;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

use super::{GROUP, aggregation};

const SOURCE: &str = include_str!("bootstrap_roles.txt");
static ROLES: LazyLock<Vec<Role>> = LazyLock::new(|| parse(SOURCE));

/// ClusterRoles that gather others: the name, and the label of those that they gather.
const GATHERING: [&str; 3] = ["admin", "edit", "view"];
/// ClusterRoles that are gathered, and by which.
const GATHERED: [(&str, &str); 5] = [
    ("system:aggregate-to-admin", "admin"),
    ("edit", "admin"),
    ("system:aggregate-to-edit", "edit"),
    ("view", "edit"),
    ("system:aggregate-to-view", "view"),
];

/// Who has which ClusterRole of the same name.
const CLUSTER_BINDINGS: [(&str, &[Subject]); 12] = [
    ("cluster-admin", &[Subject::Group("system:masters")]),
    ("system:basic-user", &[Subject::Group("system:authenticated")]),
    ("system:discovery", &[Subject::Group("system:authenticated")]),
    ("system:kube-controller-manager", &[Subject::User("system:kube-controller-manager")]),
    ("system:kube-dns", &[Subject::Account("kube-dns")]),
    ("system:kube-scheduler", &[Subject::User("system:kube-scheduler")]),
    ("system:monitoring", &[Subject::Group("system:monitoring")]),
    ("system:node", &[]),
    ("system:node-proxier", &[Subject::User("system:kube-proxy")]),
    ("system:public-info-viewer", &[Subject::Group("system:authenticated"), Subject::Group("system:unauthenticated")]),
    ("system:service-account-issuer-discovery", &[Subject::Group("system:serviceaccounts")]),
    ("system:volume-scheduler", &[Subject::User("system:kube-scheduler")]),
];

const CONTROLLER_MANAGER: &str = "system::leader-locking-kube-controller-manager";
const SCHEDULER: &str = "system::leader-locking-kube-scheduler";
/// Bindings in `kube-system`: the name, the Role, who has it.
const BINDINGS: [(&str, &str, &[Subject]); 3] = [
    (
        "system::extension-apiserver-authentication-reader",
        "extension-apiserver-authentication-reader",
        &[Subject::User("system:kube-controller-manager"), Subject::User("system:kube-scheduler")],
    ),
    (
        CONTROLLER_MANAGER,
        CONTROLLER_MANAGER,
        &[
            Subject::User("system:kube-controller-manager"),
            Subject::Account("kube-controller-manager"),
            Subject::Account("leader-election-controller"),
        ],
    ),
    (SCHEDULER, SCHEDULER, &[Subject::User("system:kube-scheduler"), Subject::Account("kube-scheduler")]),
];

#[derive(Clone, Copy)]
enum Subject {
    User(&'static str),
    Group(&'static str),
    /// A service account in `kube-system`.
    Account(&'static str),
}

impl Subject {
    fn value(self) -> Value {
        match self {
            Self::User(name) => json!({"apiGroup": GROUP, "kind": "User", "name": name}),
            Self::Group(name) => json!({"apiGroup": GROUP, "kind": "Group", "name": name}),
            Self::Account(name) => json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}),
        }
    }
}

struct Role {
    name: &'static str,
    namespace: &'static str,
    rules: Vec<(KubeVersion, Value)>,
}

fn parse(source: &'static str) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for line in source.lines() {
        if let Some(role) = line.strip_prefix("role ") {
            let (name, namespace) = role.split_once(" in ").unwrap_or((role, ""));
            roles.push(Role { name, namespace, rules: Vec::new() });
        } else if let (Some(role), Some(rule)) = (roles.last_mut(), parse_rule(line.trim_start())) {
            role.rules.push(rule);
        }
    }
    roles
}

fn parse_rule(line: &str) -> Option<(KubeVersion, Value)> {
    let (since, line) = match line.strip_prefix("since ").and_then(|rest| rest.split_once(' ')) {
        Some((since, rest)) => (KubeVersion::minor(since.parse().ok()?), rest),
        None => (KubeVersion::OLDEST, line),
    };
    let (keys, fields): (&[&str], &str) = match line.split_once(' ')? {
        ("rule", fields) => (&["verbs", "apiGroups", "resources", "resourceNames"], fields),
        ("paths", fields) => (&["verbs", "nonResourceURLs"], fields),
        _ => return None,
    };
    let words = |field: &str| field.split_whitespace().map(|word| json!(word.trim_matches('-'))).collect();
    let fields = fields.split('|').map(|field| Value::Array(words(field)));
    Some((since, keys.iter().map(ToString::to_string).zip(fields).collect::<Map<_, _>>().into()))
}

impl Role {
    fn rules(&self, version: KubeVersion) -> impl Iterator<Item = &Value> {
        self.rules.iter().filter(move |(since, _)| *since <= version).map(|(_, rule)| rule)
    }

    fn value(&self, version: KubeVersion) -> Value {
        let kind = if self.namespace.is_empty() { "ClusterRole" } else { "Role" };
        let mut role = object(kind, self.namespace, self.name);
        role["rules"] = self.rules(version).cloned().collect();
        role
    }
}

/// The rules of `system:node`, which the authorizer of nodes goes by.
pub(super) fn node_rules(version: KubeVersion) -> Vec<&'static Value> {
    ROLES.iter().filter(|role| role.name == "system:node").flat_map(|role| role.rules(version)).collect()
}

/// The objects that a server of a release begins with: ClusterRoles (aggregated already), ClusterRoleBindings, Roles
/// and RoleBindings, each with `kind` and `apiVersion`, without what the store fills in.
#[must_use]
pub fn objects(version: KubeVersion) -> Vec<Value> {
    let roles = ROLES.iter().filter(|role| role.namespace.is_empty()).map(|role| role.value(version));
    let mut objects: Vec<Value> = roles.chain(GATHERING.iter().map(|name| gathering(name))).collect();
    for object in &mut objects {
        label(object);
    }
    // The roles are gathered from one another: "view" into "edit", that into "admin".
    for name in GATHERING.iter().rev() {
        gather(&mut objects, name);
    }
    objects
        .extend(CLUSTER_BINDINGS.iter().map(|(name, subjects)| binding(("", name), ("ClusterRole", name), subjects)));
    objects.extend(ROLES.iter().filter(|role| !role.namespace.is_empty()).map(|role| role.value(version)));
    objects.extend(BINDINGS.iter().map(|(name, role, has)| binding(("kube-system", name), ("Role", role), has)));
    objects
}

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({"kind": kind, "apiVersion": format!("{GROUP}/v1"), "metadata": metadata})
}

fn aggregation_label(into: &str) -> String {
    format!("{GROUP}/aggregate-to-{into}")
}

fn gathering(name: &str) -> Value {
    let mut role = object("ClusterRole", "", name);
    let selector = json!({"matchLabels": {aggregation_label(name): "true"}});
    role["aggregationRule"] = json!({"clusterRoleSelectors": [selector]});
    role["rules"] = Value::Null;
    role
}

fn label(role: &mut Value) {
    let name = role["metadata"]["name"].clone();
    if let Some((_, into)) = GATHERED.iter().find(|(gathered, _)| name == *gathered) {
        role["metadata"]["labels"][aggregation_label(into)] = json!("true");
    }
}

fn gather(objects: &mut [Value], name: &str) {
    let mut all: Vec<Arc<Value>> = objects.iter().cloned().map(Arc::new).collect();
    all.sort_by(|one, other| one["metadata"]["name"].as_str().cmp(&other["metadata"]["name"].as_str()));
    for role in objects.iter_mut().filter(|role| role["metadata"]["name"] == *name) {
        if let Some(rules) = aggregation::aggregate(role, &all) {
            role["rules"] = Value::Array(rules);
        }
    }
}

fn binding((namespace, name): (&str, &str), (kind, role): (&str, &str), subjects: &[Subject]) -> Value {
    let binding_kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    let mut binding = object(binding_kind, namespace, name);
    binding["roleRef"] = json!({"apiGroup": GROUP, "kind": kind, "name": role});
    if !subjects.is_empty() {
        binding["subjects"] = subjects.iter().map(|subject| subject.value()).collect();
    }
    binding
}
