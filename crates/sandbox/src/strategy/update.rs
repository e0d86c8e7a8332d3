//! Changed objects (`rest.BeforeUpdate`, `PrepareForUpdate`).

use serde_json::{Value, json};

use super::create::{canonicalize, named_secrets, stored_version, template_generation, uncoordinated};
use super::table::Strategy;
use super::{Generation, clear_namespace, generation, metadata, of, same, set, set_metadata};
use crate::resource::Resource;

/// What a status request leaves alone in the metadata of policies (`ResetObjectMetaForStatus`).
const KEPT_BY_STATUS: [&str; 7] =
    ["deletionTimestamp", "generation", "selfLink", "labels", "annotations", "finalizers", "ownerReferences"];

/// Restores what the request cannot change. The subresource is empty for the object itself.
pub fn prepare_update(resource: &Resource, subresource: &str, new: &mut Value, old: &Value) {
    let strategy = of(resource);
    clear_namespace(resource, new);
    keep(new, old, "generation");
    match subresource {
        "status" if resource.is_custom() => custom_status(new, old),
        "status" => status(resource, &strategy, new, old),
        "finalize" => set(new, "status", old.get("status").cloned()),
        _ => object(resource, &strategy, new, old),
    }
    if (resource.group.as_str(), resource.plural.as_str()) == ("apps", "daemonsets") {
        template_generation(new, Some(old));
    }
    restore_identity(new, old);
}

/// What nobody can change, and what a request may leave out (`rest.BeforeUpdate`).
fn restore_identity(new: &mut Value, old: &Value) {
    for field in ["uid", "deletionGracePeriodSeconds"] {
        if metadata(new, field).is_none_or(|value| value == "") {
            keep(new, old, field);
        }
    }
    for field in ["creationTimestamp", "deletionTimestamp"] {
        if metadata(old, field).is_some() {
            keep(new, old, field);
        }
    }
    set_metadata(new, "selfLink", None);
}

fn keep(new: &mut Value, old: &Value, field: &str) {
    set_metadata(new, field, metadata(old, field).cloned());
}

fn object(resource: &Resource, strategy: &Strategy, new: &mut Value, old: &Value) {
    if strategy.status {
        set(new, "status", old.get("status").cloned());
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "nodes") => without_config_source(new, old),
        ("", "namespaces") => namespace(resource, new, old),
        ("", "serviceaccounts") => named_secrets(new),
        ("", "secrets") => secret(new, old),
        ("", "services") => service(new, old),
        ("coordination.k8s.io", "leases") => uncoordinated(new, Some(old)),
        ("apiextensions.k8s.io", "customresourcedefinitions") => stored_version(new),
        _ => {}
    }
    if grows(strategy.generation, new, old) {
        let next = generation(old).unwrap_or_default().saturating_add(1);
        set_metadata(new, "generation", Some(json!(next)));
    }
}

fn grows(rule: Generation, new: &Value, old: &Value) -> bool {
    match rule {
        Generation::None => false,
        Generation::Fields(fields) => !fields.iter().all(|field| same(new.get(field), old.get(field))),
        Generation::SpecOrAnnotations => {
            let annotations = |object| metadata(object, "annotations");
            !same(new.get("spec"), old.get("spec")) || !same(annotations(new), annotations(old))
        }
        Generation::Content => !same_content(new, old),
    }
}

/// Whether two objects are the same besides their metadata. A whole number is another value than a fraction.
fn same_content(new: &Value, old: &Value) -> bool {
    let content = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.remove("metadata");
        Value::Object(fields)
    };
    content(new) == content(old)
}

fn without_config_source(new: &mut Value, old: &Value) {
    let used = old.pointer("/spec/configSource").is_some_and(|source| !source.is_null());
    if let (false, Some(spec)) = (used, new.get_mut("spec")) {
        set(spec, "configSource", None);
    }
}

fn namespace(resource: &Resource, new: &mut Value, old: &Value) {
    let finalizers = old.pointer("/spec/finalizers").cloned();
    if new.get("spec").is_none_or(Value::is_null) {
        set(new, "spec", Some(json!({})));
    }
    if let Some(spec) = new.get_mut("spec") {
        set(spec, "finalizers", finalizers);
    }
    canonicalize(resource, new);
}

/// What a Service loses that becomes another name only (`dropTypeDependentFields`).
const ALLOCATED: [&str; 5] = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"];

/// A Service keeps the addresses that it was given (`patchAllocatedValues`, `normalizeClusterIPs`).
fn service(new: &mut Value, old: &Value) {
    let external = |object: &Value| object.pointer("/spec/type") == Some(&json!("ExternalName"));
    let (now, before) = (external(new), external(old));
    let (Some(spec), Some(old)) = (new.get_mut("spec"), old.get("spec")) else { return };
    if before {
        return;
    }
    let text = |spec: &Value| spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !now && text(spec).is_empty() {
        set(spec, "clusterIP", old.get("clusterIP").cloned());
        if same(spec.get("clusterIPs"), None) {
            set(spec, "clusterIPs", old.get("clusterIPs").cloned());
        }
    } else if now && same(spec.get("clusterIPs"), old.get("clusterIPs")) {
        ALLOCATED.iter().for_each(|field| drop_unchanged(spec, old, field));
    } else if text(spec) != text(old) && same(spec.get("clusterIPs"), old.get("clusterIPs")) {
        let only = json!([text(spec)]);
        set(spec, "clusterIPs", Some(only));
    }
}

fn drop_unchanged(new: &mut Value, old: &Value, field: &str) {
    if same(new.get(field), old.get(field)) {
        set(new, field, None);
    }
}

fn secret(new: &mut Value, old: &Value) {
    if new.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
        set(new, "type", old.get("type").cloned());
    }
}

/// `status` of a built-in kind: the specification stays, metadata mostly changes.
fn status(resource: &Resource, strategy: &Strategy, new: &mut Value, old: &Value) {
    set(new, "spec", old.get("spec").cloned());
    for path in strategy.reset_by_status {
        match path.strip_prefix("metadata.") {
            Some("deletionTimestamp") => set_metadata(new, "deletionTimestamp", None),
            Some(field) => keep(new, old, field),
            None if *path == "metadata" => KEPT_BY_STATUS.iter().for_each(|field| keep(new, old, field)),
            None => {}
        }
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "nodes") => without_status_config(new, old),
        ("", "pods") => pod_status(new, old),
        ("", "namespaces") => canonicalize(resource, new),
        _ => {}
    }
}

fn without_status_config(new: &mut Value, old: &Value) {
    let used = old.pointer("/status/config").is_some_and(|config| !config.is_null());
    if let (false, Some(status)) = (used, new.get_mut("status")) {
        set(status, "config", None);
    }
}

fn pod_status(new: &mut Value, old: &Value) {
    for field in ["qosClass", "observedGeneration"] {
        let absent = new.pointer("/status").and_then(|status| status.get(field)).is_none_or(is_zero);
        if let (true, Some(status)) = (absent, new.get_mut("status")) {
            set(status, field, old.pointer("/status").and_then(|status| status.get(field)).cloned());
        }
    }
}

fn is_zero(value: &Value) -> bool {
    value.is_null() || value == "" || value == 0
}

/// `status` of a custom resource: nothing else changes, besides who manages it.
fn custom_status(new: &mut Value, old: &Value) {
    let status = new.get("status").cloned();
    let managed = metadata(new, "managedFields").cloned();
    let version = metadata(new, "resourceVersion").cloned();
    *new = old.clone();
    set(new, "status", status);
    set_metadata(new, "managedFields", managed);
    set_metadata(new, "resourceVersion", version.or_else(|| metadata(old, "resourceVersion").cloned()));
}
