//! What the API server does to an object before it judges it, kind by kind (`pkg/registry/*/*/strategy.go`,
//! `apiextensions-apiserver/pkg/registry/customresource`), and what requests a kind allows.

mod create;
mod quality;
mod table;
mod update;

use serde_json::Value;

use crate::resource::Resource;
use table::{Generation, Strategy};

pub use create::{canonicalize, prepare_create};
pub use update::prepare_update;

/// The strategy of a resource.
fn of(resource: &Resource) -> Strategy {
    if resource.is_custom() {
        return Strategy { status: resource.subresource("status").is_some(), ..table::CUSTOM };
    }
    table::of(&resource.group, &resource.plural)
}

/// Whether a PUT may create (`AllowCreateOnUpdate`).
#[must_use]
pub fn creates_on_put(resource: &Resource) -> bool {
    of(resource).creates_on_put
}

/// Whether a PUT may leave out the version that it replaces (`AllowUnconditionalUpdate`).
#[must_use]
pub fn updates_unconditionally(resource: &Resource) -> bool {
    of(resource).unconditional
}

/// The fields that a request cannot set and therefore does not own (`GetResetFields`), with dots between the parts of
/// a path. The subresource is empty for the object itself.
#[must_use]
pub fn reset(resource: &Resource, subresource: &str) -> &'static [&'static str] {
    let strategy = of(resource);
    match subresource {
        "" if strategy.status => &["status"],
        "finalize" => &["status"],
        "status" => strategy.reset_by_status,
        _ => &[],
    }
}

/// A field of the metadata.
fn metadata<'v>(object: &'v Value, field: &str) -> Option<&'v Value> {
    object.get("metadata")?.get(field).filter(|value| !value.is_null())
}

/// Sets a field of the metadata, or removes it.
fn set_metadata(object: &mut Value, field: &str, value: Option<Value>) {
    set_in(object.get_mut("metadata"), field, value);
}

/// Sets a field of an object, or removes it.
fn set(object: &mut Value, field: &str, value: Option<Value>) {
    set_in(Some(object), field, value);
}

fn set_in(object: Option<&mut Value>, field: &str, value: Option<Value>) {
    let Some(fields) = object.and_then(Value::as_object_mut) else { return };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

/// Objects of the whole cluster have no namespace, whatever a request says.
fn clear_namespace(resource: &Resource, object: &mut Value) {
    if !resource.namespaced {
        set_metadata(object, "namespace", None);
    }
}

fn generation(object: &Value) -> Option<i64> {
    metadata(object, "generation").and_then(Value::as_i64)
}

/// Whether two values are equal when an empty list counts as absent (`apiequality.Semantic.DeepEqual`). An empty
/// structure does not: it may be a choice, as in `emptyDir: {}`.
fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    let (one, other) = (one.filter(|value| !is_empty(value)), other.filter(|value| !is_empty(value)));
    match (one, other) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            keys.into_iter().all(|key| same(one.get(key), other.get(key)))
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(Some(one), Some(other)))
        }
        (one, other) => one == other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
