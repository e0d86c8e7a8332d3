//! What the API server demands of objects before it stores them: metadata, and the rules of the built-in kinds
//! (`pkg/apis/*/validation`, `pkg/registry/*/*/strategy.go`, `k8s.io/apiserver/pkg/registry/rest`).
//!
//! Objects come here decoded, defaulted and prepared by [`crate::strategy`].

mod addresses;
mod container;
mod data;
mod disruption;
mod event;
mod lease;
mod match_condition;
pub mod metadata;
pub mod names;
mod namespace;
mod node;
mod ordered;
mod place;
mod placement;
mod pod;
mod pod_change;
mod probe;
pub(crate) mod quantity;
mod rbac;
mod resources;
mod review;
mod selector;
mod service;
mod volume;
mod web_address;
mod webhook;
mod workload;

use admission::{FieldError, FieldPath};
use serde_json::Value;
use std::collections::BTreeSet;

pub use metadata::NameRule;
pub use review::{binding, token_request};

use crate::resource::Resource;
use place::Place;

/// The rules for a new object, without its metadata.
type Create = fn(&Place<'_>) -> Vec<FieldError>;
/// The rules for a changed object.
type Update = fn(&Place<'_>, &Place<'_>) -> Vec<FieldError>;

/// The rules of a kind.
struct Rules {
    group: &'static str,
    resource: &'static str,
    names: NameRule,
    flavour: Flavour,
    create: Create,
    update: Update,
    /// The rules below `status`.
    status: Update,
}

/// How a kind looks at metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// Finalizers need slashes; a change is judged like a new object, too.
    Core,
    /// Finalizers need slashes.
    CoreOnce,
    /// A change is judged like a new object, too.
    Generic,
    /// Nothing of its own.
    GenericOnce,
    /// Nothing of its own, and names of any kind (Events of the core group).
    Loose,
    /// There is no metadata to look at (reviews).
    Absent,
}

impl Flavour {
    fn checks_finalizers(self) -> bool {
        matches!(self, Self::Core | Self::CoreOnce)
    }

    fn repeats(self) -> bool {
        matches!(self, Self::Core | Self::Generic)
    }
}

const CORE: &str = "";
const APPS: &str = "apps";
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

fn nothing(_: &Place<'_>) -> Vec<FieldError> {
    Vec::new()
}

fn unchanged(_: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    Vec::new()
}

const fn rules(group: &'static str, resource: &'static str, names: NameRule, flavour: Flavour) -> Rules {
    Rules { group, resource, names, flavour, create: nothing, update: unchanged, status: unchanged }
}

use Flavour::{Absent, Core, CoreOnce, Generic, GenericOnce, Loose};
use NameRule::{Label, PathSegment, Subdomain};

#[rustfmt::skip]
static RULES: [Rules; 27] = [
    Rules { create: node::create, update: node::update, status: node::status, ..rules(CORE, "nodes", Subdomain, Core) },
    Rules { create: namespace::create, update: namespace::update, status: namespace::status, ..rules(CORE, "namespaces", Label, Core) },
    Rules { create: pod::create, update: pod_change::update, status: pod_change::status, ..rules(CORE, "pods", Subdomain, Core) },
    rules(CORE, "serviceaccounts", Subdomain, Core),
    Rules { create: data::create_secret, update: data::update_secret, ..rules(CORE, "secrets", Subdomain, Core) },
    Rules { create: data::create_config_map, update: data::update_config_map, ..rules(CORE, "configmaps", Subdomain, Core) },
    Rules { create: service::create, update: service::update, status: service::status, ..rules(CORE, "services", Label, CoreOnce) },
    Rules { create: event::create_core, update: event::update_core, ..rules(CORE, "events", PathSegment, Loose) },
    Rules { create: event::create, update: event::update, ..rules("events.k8s.io", "events", Subdomain, CoreOnce) },
    Rules { create: lease::create, update: lease::update, ..rules("coordination.k8s.io", "leases", Subdomain, GenericOnce) },
    Rules { create: workload::create_daemon_set, update: workload::update_daemon_set, status: workload::daemon_set_status, ..rules(APPS, "daemonsets", Subdomain, CoreOnce) },
    Rules { create: workload::create_deployment, update: workload::update_deployment, status: workload::deployment_status, ..rules(APPS, "deployments", Subdomain, CoreOnce) },
    Rules { create: workload::create_revision, update: workload::update_revision, ..rules(APPS, "controllerrevisions", Subdomain, Core) },
    Rules { create: disruption::create, update: disruption::update, status: disruption::status, ..rules("policy", "poddisruptionbudgets", Subdomain, Core) },
    Rules { create: rbac::create_role, update: rbac::update_role, ..rules(RBAC, "roles", PathSegment, Generic) },
    Rules { create: rbac::create_cluster_role, update: rbac::update_cluster_role, ..rules(RBAC, "clusterroles", PathSegment, Generic) },
    Rules { create: rbac::create_role_binding, update: rbac::update_role_binding, ..rules(RBAC, "rolebindings", PathSegment, Generic) },
    Rules { create: rbac::create_cluster_role_binding, update: rbac::update_cluster_role_binding, ..rules(RBAC, "clusterrolebindings", PathSegment, Generic) },
    rules(ADMISSION, "validatingadmissionpolicies", Subdomain, Generic),
    rules(ADMISSION, "validatingadmissionpolicybindings", Subdomain, Generic),
    Rules { create: webhook::create, update: webhook::update, ..rules(ADMISSION, "validatingwebhookconfigurations", Subdomain, Generic) },
    rules("apiextensions.k8s.io", "customresourcedefinitions", Subdomain, GenericOnce),
    Rules { create: review::subject, ..rules(AUTHORIZATION, "subjectaccessreviews", Subdomain, Absent) },
    Rules { create: review::own, ..rules(AUTHORIZATION, "selfsubjectaccessreviews", Subdomain, Absent) },
    Rules { create: review::local, ..rules(AUTHORIZATION, "localsubjectaccessreviews", Subdomain, Absent) },
    rules("authentication.k8s.io", "tokenreviews", Subdomain, Absent),
    rules("authentication.k8s.io", "selfsubjectreviews", Subdomain, Absent),
];

/// What holds for custom resources, whose own rules are their definitions'.
static CUSTOM: Rules = rules("", "", Subdomain, GenericOnce);

fn of(group: &str, resource: &str) -> &'static Rules {
    RULES.iter().find(|rules| rules.group == group && rules.resource == resource).unwrap_or(&CUSTOM)
}

/// What names of a resource look like; custom resources have subdomains.
#[must_use]
pub fn name_rule(group: &str, resource: &str) -> NameRule {
    of(group, resource).names
}

/// What is wrong with a new object (`rest.BeforeCreate`).
#[must_use]
pub fn create(resource: &Resource, object: &Value) -> Vec<FieldError> {
    let rules = of(&resource.group, &resource.plural);
    let root = Place::root(object);
    if rules.flavour == Absent {
        return (rules.create)(&root);
    }
    let mut errors = Vec::new();
    if rules.flavour != Loose {
        errors = own_metadata(rules, resource, object);
    }
    errors.extend((rules.create)(&root));
    if errors.is_empty() {
        errors = metadata::create(metadata_of(object), resource.namespaced, PathSegment, &metadata_path());
    }
    errors
}

/// What is wrong with a changed object (`rest.BeforeUpdate`). The subresource is empty for the object itself.
#[must_use]
pub fn update(resource: &Resource, subresource: &str, new: &Value, old: &Value) -> Vec<FieldError> {
    let rules = of(&resource.group, &resource.plural);
    let path = metadata_path();
    let mut errors = metadata::create(metadata_of(new), resource.namespaced, PathSegment, &path);
    errors.extend(metadata::update(metadata_of(new), metadata_of(old), &path));
    if subresource.is_empty() && rules.flavour.repeats() {
        errors.extend(own_metadata(rules, resource, new));
    } else if rules.flavour.checks_finalizers() {
        errors.extend(metadata::known_finalizers(metadata_of(new), &path));
    }
    let judge = match (subresource, rules.resource) {
        ("", _) => rules.update,
        ("status", _) => rules.status,
        ("finalize", "namespaces") => namespace::finalize,
        ("scale", _) => rules.update,
        _ => unchanged,
    };
    errors.extend(judge(&Place::root(new), &Place::root(old)));
    without_repetition(errors)
}

/// The server judges changed metadata several times over; once is enough to know.
fn without_repetition(errors: Vec<FieldError>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    errors.into_iter().filter(|error| seen.insert(error.to_string())).collect()
}

fn own_metadata(rules: &Rules, resource: &Resource, object: &Value) -> Vec<FieldError> {
    let path = metadata_path();
    let mut errors = metadata::create(metadata_of(object), resource.namespaced, rules.names, &path);
    if rules.flavour.checks_finalizers() {
        errors.extend(metadata::known_finalizers(metadata_of(object), &path));
    }
    errors
}

fn metadata_of(object: &Value) -> &Value {
    static NOTHING: Value = Value::Null;
    object.get("metadata").unwrap_or(&NOTHING)
}

fn metadata_path() -> FieldPath {
    FieldPath::root("metadata")
}

#[cfg(test)]
mod tests;
