//! The built-in resources as one table: names, verbs, scopes, subresources and selectable fields as kube-apiserver 1.36
//! discovers them (`/api/v1` and `/apis/*/*` of a running server; fields from `pkg/apis/*/v1/conversion.go`).

use admission::KubeVersion;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::resource::{Resource, Subresource};
use crate::schema::{TypeId, Types};

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NAMESPACES: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];
const CHANGE: &[&str] = &["get", "patch", "update"];
const UPDATE: &[&str] = &["update"];
const CONNECT: &[&str] = &["create", "delete", "get", "patch", "update"];

const CORE: &str = "";
const APPS: &str = "apps";
const POLICY: &str = "policy";
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const EXTENSIONS: &str = "apiextensions.k8s.io";

/// Groups in the order of discovery: the highest priority first
/// (`DefaultGenericAPIServicePriorities` in `pkg/controlplane/apiserver/aggregator.go`, `cmd/kube-apiserver/app/aggregator.go`).
const PRIORITIES: &[(&str, u32)] = &[
    (CORE, 18_000),
    (APPS, 17_800),
    ("events.k8s.io", 17_750),
    (AUTHENTICATION, 17_700),
    (AUTHORIZATION, 17_600),
    (POLICY, 17_100),
    (RBAC, 17_000),
    (ADMISSION, 16_700),
    (EXTENSIONS, 16_700),
    ("coordination.k8s.io", 16_500),
];

/// The priority of the groups of custom resources (`crdregistration_controller.go`).
const CUSTOM_PRIORITY: u32 = 1_000;

const POD_FIELDS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
];
const CORE_EVENT_FIELDS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
const EVENT_FIELDS: &[&str] = &[
    "reason",
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reportingController",
    "type",
];

struct Row {
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    verbs: &'static [&'static str],
    short: &'static [&'static str],
    categories: &'static [&'static str],
    subresources: &'static [Sub],
    fields: &'static [&'static str],
    /// The first minor release that serves it by default.
    since: u16,
}

struct Sub {
    name: &'static str,
    kind: Option<(&'static str, &'static str, &'static str)>,
    verbs: &'static [&'static str],
}

const STATUS: Sub = Sub { name: "status", kind: None, verbs: CHANGE };
const SCALE: Sub = Sub { name: "scale", kind: Some(("autoscaling", "v1", "Scale")), verbs: CHANGE };
const STATUS_ONLY: &[Sub] = &[STATUS];
const SCALABLE: &[Sub] = &[SCALE, STATUS];
const NODE_SUBRESOURCES: &[Sub] =
    &[Sub { name: "proxy", kind: Some((CORE, "v1", "NodeProxyOptions")), verbs: CONNECT }, STATUS];
const NAMESPACE_SUBRESOURCES: &[Sub] = &[Sub { name: "finalize", kind: None, verbs: UPDATE }, STATUS];
const POD_SUBRESOURCES: &[Sub] = &[
    Sub { name: "binding", kind: Some((CORE, "v1", "Binding")), verbs: CREATE },
    Sub { name: "eviction", kind: Some(("policy", "v1", "Eviction")), verbs: CREATE },
    STATUS,
];
const ACCOUNT_SUBRESOURCES: &[Sub] =
    &[Sub { name: "token", kind: Some((AUTHENTICATION, "v1", "TokenRequest")), verbs: CREATE }];

impl Row {
    const fn cluster(group: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self {
            group,
            plural,
            kind,
            namespaced: false,
            verbs: ALL,
            short: &[],
            categories: &[],
            subresources: &[],
            fields: &[],
            since: 0,
        }
    }

    const fn namespaced(group: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self { namespaced: true, ..Self::cluster(group, plural, kind) }
    }

    const fn review(group: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self { verbs: CREATE, ..Self::cluster(group, plural, kind) }
    }

    const fn short(self, short: &'static [&'static str]) -> Self {
        Self { short, ..self }
    }

    const fn category(self, categories: &'static [&'static str]) -> Self {
        Self { categories, ..self }
    }

    const fn with(self, subresources: &'static [Sub]) -> Self {
        Self { subresources, ..self }
    }

    const fn selectable(self, fields: &'static [&'static str]) -> Self {
        Self { fields, ..self }
    }

    const fn since(self, minor: u16) -> Self {
        Self { since: minor, ..self }
    }
}

const WORKLOAD: &[&str] = &["all"];
const EXTENSION: &[&str] = &["api-extensions"];

/// Per group in the order of names, as discovery lists them.
static ROWS: &[Row] = &[
    Row::namespaced(CORE, "configmaps", "ConfigMap").short(&["cm"]),
    Row::namespaced(CORE, "events", "Event").short(&["ev"]).selectable(CORE_EVENT_FIELDS),
    Row { verbs: NAMESPACES, ..Row::cluster(CORE, "namespaces", "Namespace") }
        .short(&["ns"])
        .with(NAMESPACE_SUBRESOURCES)
        .selectable(&["status.phase"]),
    Row::cluster(CORE, "nodes", "Node").short(&["no"]).with(NODE_SUBRESOURCES).selectable(&["spec.unschedulable"]),
    Row::namespaced(CORE, "pods", "Pod")
        .short(&["po"])
        .category(WORKLOAD)
        .with(POD_SUBRESOURCES)
        .selectable(POD_FIELDS),
    Row::namespaced(CORE, "secrets", "Secret").selectable(&["type"]),
    Row::namespaced(CORE, "serviceaccounts", "ServiceAccount").short(&["sa"]).with(ACCOUNT_SUBRESOURCES),
    Row::namespaced(CORE, "services", "Service")
        .short(&["svc"])
        .category(WORKLOAD)
        .with(STATUS_ONLY)
        .selectable(&["spec.clusterIP", "spec.type"]),
    Row::namespaced(APPS, "controllerrevisions", "ControllerRevision"),
    Row::namespaced(APPS, "daemonsets", "DaemonSet").short(&["ds"]).category(WORKLOAD).with(STATUS_ONLY),
    Row::namespaced(APPS, "deployments", "Deployment").short(&["deploy"]).category(WORKLOAD).with(SCALABLE),
    Row::namespaced(APPS, "replicasets", "ReplicaSet").short(&["rs"]).category(WORKLOAD).with(SCALABLE),
    Row::namespaced("events.k8s.io", "events", "Event").short(&["ev"]).selectable(EVENT_FIELDS),
    Row::review(AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview").since(28),
    Row::review(AUTHENTICATION, "tokenreviews", "TokenReview"),
    Row { namespaced: true, ..Row::review(AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview") },
    Row::review(AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    Row::review(AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    Row::review(AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview"),
    Row::namespaced(POLICY, "poddisruptionbudgets", "PodDisruptionBudget").short(&["pdb"]).with(STATUS_ONLY),
    Row::cluster(RBAC, "clusterrolebindings", "ClusterRoleBinding"),
    Row::cluster(RBAC, "clusterroles", "ClusterRole"),
    Row::namespaced(RBAC, "rolebindings", "RoleBinding"),
    Row::namespaced(RBAC, "roles", "Role"),
    Row::cluster(ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
        .category(EXTENSION)
        .with(STATUS_ONLY)
        .since(30),
    Row::cluster(ADMISSION, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")
        .category(EXTENSION)
        .since(30),
    Row::cluster(ADMISSION, "validatingwebhookconfigurations", "ValidatingWebhookConfiguration").category(EXTENSION),
    Row::cluster(EXTENSIONS, "customresourcedefinitions", "CustomResourceDefinition")
        .short(&["crd", "crds"])
        .category(EXTENSION)
        .with(STATUS_ONLY),
    Row::namespaced("coordination.k8s.io", "leases", "Lease"),
];

/// The built-in resources that a release serves by default. Their types are looked up by their OpenAPI names; a type
/// that is not there admits any JSON.
#[must_use]
pub fn builtin(version: KubeVersion, types: &Arc<Types>) -> Vec<Resource> {
    let served = ROWS.iter().filter(|row| version >= KubeVersion::minor(row.since));
    served.map(|row| row.resource(types)).collect()
}

impl Row {
    fn resource(&self, types: &Arc<Types>) -> Resource {
        Resource {
            group: self.group.to_owned(),
            version: "v1".to_owned(),
            plural: self.plural.to_owned(),
            singular: self.kind.to_ascii_lowercase(),
            kind: self.kind.to_owned(),
            list_kind: format!("{}List", self.kind),
            namespaced: self.namespaced,
            short_names: owned(self.short),
            categories: owned(self.categories),
            verbs: owned(self.verbs),
            subresources: self.subresources.iter().map(Sub::subresource).collect(),
            root: types.named(&type_name(self.group, "v1", self.kind)).unwrap_or(TypeId::MAX),
            types: types.clone(),
            selectable_fields: owned(self.fields),
            definition: None,
        }
    }
}

impl Sub {
    fn subresource(&self) -> Subresource {
        let kind = self.kind.map(|(group, version, kind)| (group.to_owned(), version.to_owned(), kind.to_owned()));
        Subresource { name: self.name.to_owned(), kind, verbs: owned(self.verbs) }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// The name by which OpenAPI refers to a built-in kind: `io.k8s.api.core.v1.Node`.
#[must_use]
pub fn type_name(group: &str, version: &str, kind: &str) -> String {
    let package = match group {
        CORE => "io.k8s.api.core".to_owned(),
        EXTENSIONS => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned(),
        other => format!("io.k8s.api.{}", other.split('.').next().unwrap_or(other)),
    };
    format!("{package}.{version}.{kind}")
}

/// A group with its versions, the preferred one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name; empty for the core group.
    pub name: String,
    /// The versions, the preferred one first.
    pub versions: Vec<String>,
}

/// The groups of resources in the order of discovery: the core group, the built-in ones by priority, those of custom
/// resources by name.
#[must_use]
pub fn groups(resources: &[Arc<Resource>]) -> Vec<Group> {
    let mut found: BTreeMap<(Reverse<u32>, &str), Vec<&str>> = BTreeMap::new();
    for resource in resources {
        let versions = found.entry((Reverse(priority(&resource.group)), &resource.group)).or_default();
        if !versions.contains(&resource.version.as_str()) {
            versions.push(&resource.version);
        }
    }
    found.into_iter().map(|((_, name), versions)| Group::new(name, versions)).collect()
}

impl Group {
    fn new(name: &str, mut versions: Vec<&str>) -> Self {
        versions.sort_by(|one, other| compare_versions(one, other));
        Self { name: name.to_owned(), versions: owned(&versions) }
    }
}

fn priority(group: &str) -> u32 {
    PRIORITIES.iter().find(|(name, _)| *name == group).map_or(CUSTOM_PRIORITY, |(_, priority)| *priority)
}

/// How versions follow each other: the newest stable one first, then beta, then alpha, then by text whatever is no
/// version (`k8s.io/apimachinery/pkg/version/helpers.go`).
#[must_use]
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    match (rank(one), rank(other)) {
        (Some(left), Some(right)) => right.cmp(&left),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// Stability, major and minor number of a version.
fn rank(version: &str) -> Option<(u8, u32, u32)> {
    let rest = version.strip_prefix('v')?;
    for (word, stability) in [("alpha", 0), ("beta", 1)] {
        if let Some((major, minor)) = rest.split_once(word) {
            return Some((stability, number(major)?, number(minor)?));
        }
    }
    Some((2, number(rest)?, 0))
}

fn number(text: &str) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(minor: u16) -> Vec<Arc<Resource>> {
        builtin(KubeVersion::minor(minor), &Arc::default()).into_iter().map(Arc::new).collect()
    }

    #[test]
    fn policies_come_with_1_30() {
        let cases = [(28, false), (29, false), (30, true), (36, true)];
        for (minor, present) in cases {
            let plurals: Vec<String> = served(minor).iter().map(|resource| resource.plural.clone()).collect();
            assert_eq!(plurals.iter().any(|plural| plural == "validatingadmissionpolicies"), present, "1.{minor}");
            assert_eq!(
                plurals.iter().any(|plural| plural == "validatingadmissionpolicybindings"),
                present,
                "1.{minor}"
            );
            assert!(plurals.iter().any(|plural| plural == "validatingwebhookconfigurations"));
            assert!(plurals.iter().any(|plural| plural == "selfsubjectreviews"));
        }
    }

    #[test]
    fn groups_follow_the_priorities() {
        let names: Vec<String> = groups(&served(36)).into_iter().map(|group| group.name).collect();
        let expected = [
            "",
            "apps",
            "events.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "policy",
            "rbac.authorization.k8s.io",
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
            "coordination.k8s.io",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn versions_follow_the_kubernetes_order() {
        let mut versions =
            ["foo10", "v1alpha1", "v2", "v11beta2", "foo1", "v10", "v1", "v10beta3", "v3beta1", "v0", "v1beta"];
        versions.sort_by(|one, other| compare_versions(one, other));
        let expected =
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v1alpha1", "foo1", "foo10", "v0", "v1beta"];
        assert_eq!(versions, expected);
    }

    #[test]
    fn types_have_the_names_of_openapi() {
        let cases = [
            ("", "Node", "io.k8s.api.core.v1.Node"),
            ("rbac.authorization.k8s.io", "Role", "io.k8s.api.rbac.v1.Role"),
            ("coordination.k8s.io", "Lease", "io.k8s.api.coordination.v1.Lease"),
            (
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
            ),
        ];
        for (group, kind, expected) in cases {
            assert_eq!(type_name(group, "v1", kind), expected);
        }
    }

    #[test]
    fn a_type_that_is_missing_admits_anything() {
        assert!(served(36).iter().all(|resource| *resource.schema().shape() == crate::schema::Shape::Any));
    }
}
