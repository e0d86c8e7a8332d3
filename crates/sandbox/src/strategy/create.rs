//! New objects (`PrepareForCreate`, `Canonicalize`).

use serde_json::{Map, Value, json};

use super::{Generation, clear_namespace, metadata, of, quality, same, set, set_metadata};
use crate::resource::Resource;

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Removes what a new object cannot bring and adds what the kind begins with.
pub fn prepare_create(resource: &Resource, object: &mut Value) {
    let strategy = of(resource);
    clear_namespace(resource, object);
    if !strategy.brings_status && (strategy.status || !resource.is_custom()) {
        set(object, "status", None);
    }
    if strategy.generation != Generation::None {
        set_metadata(object, "generation", Some(json!(1)));
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "nodes") => node(object),
        ("", "namespaces") => namespace(object),
        ("", "pods") => pod(object),
        ("", "services") => service(object),
        ("", "serviceaccounts") => named_secrets(object),
        ("coordination.k8s.io", "leases") => uncoordinated(object, None),
        ("apps", "daemonsets") => template_generation(object, None),
        ("apiextensions.k8s.io", "customresourcedefinitions") => stored_version(object),
        _ => {}
    }
    canonicalize(resource, object);
}

/// What the server writes after everything else: a Namespace carries its name as a label.
pub fn canonicalize(resource: &Resource, object: &mut Value) {
    if (resource.group.as_str(), resource.plural.as_str()) != ("", "namespaces") {
        return;
    }
    let Some(name) = metadata(object, "name").filter(|name| *name != "").cloned() else { return };
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if labels.is_null() {
        *labels = json!({});
    }
    set(labels, NAMESPACE_LABEL, Some(name));
}

/// Dynamic configuration of kubelets is gone.
fn node(object: &mut Value) {
    for (part, field) in [("spec", "configSource"), ("status", "config")] {
        if let Some(part) = object.get_mut(part) {
            set(part, field, None);
        }
    }
}

fn namespace(object: &mut Value) {
    set(object, "status", Some(json!({"phase": "Active"})));
    let Some(fields) = object.as_object_mut() else { return };
    let spec = fields.entry("spec").or_insert_with(|| json!({}));
    if !spec.is_object() {
        *spec = json!({});
    }
    let own = json!("kubernetes");
    match spec.get_mut("finalizers").and_then(Value::as_array_mut) {
        Some(finalizers) if finalizers.contains(&own) => {}
        Some(finalizers) => finalizers.push(own),
        None => set(spec, "finalizers", Some(json!([own]))),
    }
}

fn pod(object: &mut Value) {
    let mut status = Map::new();
    status.insert("phase".to_owned(), json!("Pending"));
    status.insert("qosClass".to_owned(), json!(quality::of(object)));
    let gates = object.pointer("/spec/schedulingGates").and_then(Value::as_array);
    if gates.is_some_and(|gates| !gates.is_empty()) {
        status.insert("conditions".to_owned(), json!([gated()]));
    }
    set(object, "status", Some(Value::Object(status)));
}

fn gated() -> Value {
    json!({"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
        "lastTransitionTime": null, "message": "Scheduling is blocked due to non-empty scheduling gates"})
}

/// Without a load balancer; the list of addresses begins with the one (`normalizeClusterIPs`).
fn service(object: &mut Value) {
    set(object, "status", Some(json!({"loadBalancer": {}})));
    let Some(spec) = object.get_mut("spec") else { return };
    let one = spec.get("clusterIP").and_then(Value::as_str).filter(|one| !one.is_empty()).map(|one| json!([one]));
    let listed = spec.get("clusterIPs").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    if let (Some(one), false) = (one, listed) {
        set(spec, "clusterIPs", Some(one));
    }
}

/// Of the secrets of an account only the names are kept (`cleanSecretReferences`).
pub(super) fn named_secrets(object: &mut Value) {
    for secret in object.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = secret.get("name").cloned();
        *secret = name.map_or_else(|| json!({}), |name| json!({"name": name}));
    }
}

/// Coordinated leader election is off, so that its fields only stay where they are.
pub(super) fn uncoordinated(object: &mut Value, old: Option<&Value>) {
    for field in ["strategy", "preferredHolder"] {
        let known = old.and_then(|old| old.pointer("/spec")?.get(field)).is_some_and(|value| !value.is_null());
        if let (false, Some(spec)) = (known, object.get_mut("spec")) {
            set(spec, field, None);
        }
    }
}

/// DaemonSets count the changes of their templates in an annotation
/// (`pkg/apis/apps/v1/conversion.go`, `DeprecatedTemplateGeneration`).
pub(super) fn template_generation(object: &mut Value, old: Option<&Value>) {
    let counted =
        |object: &Value| metadata(object, "annotations")?.get(TEMPLATE_GENERATION)?.as_str()?.parse::<i64>().ok();
    let template = |object: &Value| object.pointer("/spec/template").cloned();
    let next = match old {
        None => counted(object).unwrap_or_default().max(1),
        Some(old) => {
            let changed = !same(template(object).as_ref(), template(old).as_ref());
            counted(old).unwrap_or_default().saturating_add(i64::from(changed))
        }
    };
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if annotations.is_null() {
        *annotations = json!({});
    }
    set(annotations, TEMPLATE_GENERATION, Some(json!(next.to_string())));
}

/// The version in which objects of a definition are stored is remembered.
pub(super) fn stored_version(object: &mut Value) {
    let versions = object.pointer("/spec/versions").and_then(Value::as_array);
    let stored = versions.into_iter().flatten().find(|version| version.get("storage") == Some(&json!(true)));
    let Some(name) = stored.and_then(|version| version.get("name")).cloned() else { return };
    let Some(fields) = object.as_object_mut() else { return };
    let status = fields.entry("status").or_insert_with(|| json!({}));
    match status.get_mut("storedVersions").and_then(Value::as_array_mut) {
        Some(known) if known.contains(&name) => {}
        Some(known) => known.push(name),
        None => set(status, "storedVersions", Some(json!([name]))),
    }
}
