//! The built-in admission plugins that change or refuse objects before validation.

use admission::Operation;
use serde_json::{Value, json};

use super::call::Call;
use super::settings::Plugin;
use super::state::State;
use crate::failure::Failure;
use crate::node_restriction;
use crate::objects::Objects;
use crate::resource::GroupResource;

/// Namespaces that may not be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn before_create(state: &State, call: &Call, object: &mut Value) -> Result<(), Failure> {
    if state.settings.runs(Plugin::NamespaceLifecycle) {
        namespace_takes(state, call, object)?;
    }
    match (call.resource.group.as_str(), call.resource.plural.as_str()) {
        ("", "nodes") if state.settings.runs(Plugin::TaintNodesByCondition) => taint(object),
        ("", "pods") if state.settings.runs(Plugin::ServiceAccount) => assign_account(state, call, object)?,
        _ => {}
    }
    restrict(state, call, Operation::Create, Some(object), None)
}

pub(super) fn before_update(state: &State, call: &Call, new: &mut Value, old: &Value) -> Result<(), Failure> {
    restrict(state, call, Operation::Update, Some(new), Some(old))
}

pub(super) fn before_delete(state: &State, call: &Call, name: &str, old: &Value) -> Result<(), Failure> {
    let is_namespace = call.resource.group.is_empty() && call.resource.plural == "namespaces";
    if is_namespace && state.settings.runs(Plugin::NamespaceLifecycle) && IMMORTAL.contains(&name) {
        return Err(Failure::forbidden(&call.group_resource(), name, "this namespace may not be deleted"));
    }
    restrict(state, call, Operation::Delete, None, Some(old))
}

fn restrict(
    state: &State,
    call: &Call,
    operation: Operation,
    new: Option<&Value>,
    old: Option<&Value>,
) -> Result<(), Failure> {
    if !state.settings.runs(Plugin::NodeRestriction) {
        return Ok(());
    }
    let Call { user, place, resource, .. } = call;
    let own = new.and_then(|new| new["metadata"]["name"].as_str()).unwrap_or_default();
    let name = if place.name.is_empty() { own } else { &place.name };
    let write = node_restriction::Write {
        user,
        operation,
        group: &resource.group,
        resource: &resource.plural,
        subresource: &place.subresource,
        namespace: &place.namespace,
        name,
        new,
        old,
    };
    node_restriction::admit(&write, &state.store, &|attributes| state.decide(attributes), state.settings.version)
}

/// A namespaced object needs a namespace that is there to stay.
fn namespace_takes(state: &State, call: &Call, object: &Value) -> Result<(), Failure> {
    if !call.resource.namespaced {
        return Ok(());
    }
    let name = &call.place.namespace;
    let Some(namespace) = Objects::get(&state.store, "", "namespaces", "", name) else {
        return Err(Failure::not_found(&GroupResource::new("", "namespaces"), name));
    };
    if namespace["status"]["phase"] != "Terminating" {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {name} because it is being terminated");
    let mut failure =
        Failure::forbidden(&call.group_resource(), object["metadata"]["name"].as_str().unwrap_or_default(), &why);
    let cause = json!([{"reason": "NamespaceTerminating", "message": format!("namespace {name} is being terminated"),
        "field": "metadata.namespace"}]);
    failure.details.get_or_insert_default().insert("causes".to_owned(), cause);
    Err(failure)
}

/// Until a kubelet says otherwise a new Node is not ready.
fn taint(node: &mut Value) {
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let spec = &mut node["spec"];
    if !spec.is_object() {
        *spec = json!({});
    }
    match spec["taints"].as_array_mut() {
        Some(taints) if taints.iter().any(|own| own["key"] == taint["key"] && own["effect"] == taint["effect"]) => {}
        Some(taints) => taints.push(taint),
        None => spec["taints"] = json!([taint]),
    }
}

/// A pod without an account gets the default one, which must exist.
fn assign_account(state: &State, call: &Call, pod: &mut Value) -> Result<(), Failure> {
    let spec = &mut pod["spec"];
    let named = spec["serviceAccountName"].as_str().unwrap_or_default();
    let account = if named.is_empty() { "default".to_owned() } else { named.to_owned() };
    if Objects::get(&state.store, "", "serviceaccounts", &call.place.namespace, &account).is_none() {
        let why = format!(
            "error looking up service account {}/{account}: serviceaccount \"{account}\" not found",
            call.place.namespace
        );
        return Err(Failure::forbidden(
            &call.group_resource(),
            pod["metadata"]["name"].as_str().unwrap_or_default(),
            &why,
        ));
    }
    spec["serviceAccountName"] = json!(account);
    spec["serviceAccount"] = json!(account);
    Ok(())
}
