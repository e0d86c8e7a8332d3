//! Roles and their bindings (`pkg/apis/rbac/validation`).

use admission::FieldError;

use super::names;
use super::ordered::{Ordered, ROLE_REFERENCE};
use super::place::Place;
use super::selector;

const GROUP: &str = "rbac.authorization.k8s.io";

/// A new Role.
pub(crate) fn create_role(object: &Place<'_>) -> Vec<FieldError> {
    object.child("rules").items().iter().flat_map(|rule| self::rule(rule, true)).collect()
}

/// A changed Role.
pub(crate) fn update_role(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create_role(new)
}

/// A new ClusterRole.
pub(crate) fn create_cluster_role(object: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = object.child("rules").items().iter().flat_map(|rule| self::rule(rule, false)).collect();
    errors.extend(aggregation(&object.child("aggregationRule")));
    errors
}

/// A changed ClusterRole.
pub(crate) fn update_cluster_role(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create_cluster_role(new)
}

fn aggregation(rule: &Place<'_>) -> Vec<FieldError> {
    if !rule.is_set() {
        return Vec::new();
    }
    let selectors = rule.child("clusterRoleSelectors");
    let mut errors = Vec::new();
    if selectors.is_empty() {
        errors.push(selectors.required("at least one clusterRoleSelector required if aggregationRule is non-nil"));
    }
    for selector in selectors.items() {
        errors.extend(selector::check(&selector));
        if selector::read(selector.value()).is_none() {
            let nothing = serde_json::Value::Null;
            errors.push(FieldError::invalid_json(selector.path(), &nothing, "invalid label selector."));
        }
    }
    errors
}

/// `ValidatePolicyRule`.
fn rule(rule: &Place<'_>, namespaced: bool) -> Vec<FieldError> {
    let (verbs, urls) = (rule.child("verbs"), rule.child("nonResourceURLs"));
    let mut errors = Vec::new();
    if verbs.is_empty() {
        errors.push(verbs.required("verbs must contain at least one value"));
    }
    if urls.is_empty() {
        errors.extend(resources(rule));
        return errors;
    }
    if namespaced {
        errors.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
    }
    if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !rule.child(field).is_empty()) {
        errors.push(urls.invalid("rules cannot apply to both regular resources and non-resource URLs"));
    }
    errors
}

fn resources(rule: &Place<'_>) -> Vec<FieldError> {
    let needed = [
        ("apiGroups", "resource rules must supply at least one api group"),
        ("resources", "resource rules must supply at least one resource"),
    ];
    let missing = needed.into_iter().map(|(field, detail)| (rule.child(field), detail));
    missing.filter(|(field, _)| field.is_empty()).map(|(field, detail)| field.required(detail)).collect()
}

/// A new RoleBinding.
pub(crate) fn create_role_binding(object: &Place<'_>) -> Vec<FieldError> {
    binding(object, &["Role", "ClusterRole"], true)
}

/// A changed RoleBinding.
pub(crate) fn update_role_binding(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = create_role_binding(new);
    errors.extend(same_role(new, old));
    errors
}

/// A new ClusterRoleBinding.
pub(crate) fn create_cluster_role_binding(object: &Place<'_>) -> Vec<FieldError> {
    binding(object, &["ClusterRole"], false)
}

/// A changed ClusterRoleBinding.
pub(crate) fn update_cluster_role_binding(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = create_cluster_role_binding(new);
    errors.extend(same_role(new, old));
    errors
}

fn same_role(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    let (new, old) = (new.child("roleRef"), old.child("roleRef"));
    let changed = ["apiGroup", "kind", "name"].iter().any(|field| new.child(field).text() != old.child(field).text());
    changed.then(|| Ordered::of(new.value(), ROLE_REFERENCE).invalid(new.path(), "cannot change roleRef"))
}

fn binding(object: &Place<'_>, kinds: &[&str], namespaced: bool) -> Vec<FieldError> {
    let role = object.child("roleRef");
    let (group, kind, name) = (role.child("apiGroup"), role.child("kind"), role.child("name"));
    let mut errors = Vec::new();
    if group.text() != GROUP {
        errors.push(group.not_supported(&[GROUP]));
    }
    if !kinds.contains(&kind.text()) {
        errors.push(kind.not_supported(kinds));
    }
    if name.is_empty() {
        errors.push(name.required(""));
    } else {
        errors.extend(name.checked(names::path_segment));
    }
    errors.extend(object.child("subjects").items().iter().flat_map(|subject| self::subject(subject, namespaced)));
    errors
}

/// `ValidateRoleBindingSubject`.
fn subject(subject: &Place<'_>, namespaced: bool) -> Vec<FieldError> {
    let (name, group) = (subject.child("name"), subject.child("apiGroup"));
    let mut errors = Vec::new();
    if name.is_empty() {
        errors.push(name.required(""));
    }
    match subject.child("kind").text() {
        "ServiceAccount" => errors.extend(account(subject, namespaced)),
        "User" | "Group" if group.text() == GROUP => {}
        "User" | "Group" => errors.push(group.not_supported(&[GROUP])),
        _ => errors.push(subject.child("kind").not_supported(&["ServiceAccount", "User", "Group"])),
    }
    errors
}

fn account(subject: &Place<'_>, namespaced: bool) -> Vec<FieldError> {
    let (name, group, namespace) = (subject.child("name"), subject.child("apiGroup"), subject.child("namespace"));
    let mut errors = if name.is_empty() { Vec::new() } else { name.checked(names::subdomain) };
    if !group.is_empty() {
        errors.push(group.not_supported(&[""]));
    }
    if !namespaced && namespace.is_empty() {
        errors.push(namespace.required(""));
    }
    errors
}
