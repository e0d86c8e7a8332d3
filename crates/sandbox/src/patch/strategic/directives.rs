//! What a patch says of itself.

use serde_json::Value;
use std::collections::BTreeSet;

use super::Fields;
use crate::failure::Failure;
use crate::patch::crashed;
use crate::patch::go_text::{shown, shown_as_text};

/// Replaces or deletes the map or the item that it stands in.
pub(super) const PATCH: &str = "$patch";
/// The only fields that stay.
const RETAIN_KEYS: &str = "$retainKeys";
/// Plain values that go.
pub(super) const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
/// The order of a list.
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder";

/// 500 for a directive that nothing is known of.
pub(super) fn unknown(directive: &Value, patch: &Fields) -> Failure {
    let patch = shown(&Value::Object(patch.clone()));
    Failure::internal(format!("unknown patch type: {} in map: {patch}", shown_as_text(directive)))
}

/// The list that `$…/list` is about.
pub(super) fn list_name<'k>(key: &'k str, directive: &str) -> Result<&'k str, Failure> {
    let name = key.strip_prefix(directive).and_then(|rest| rest.strip_prefix('/'));
    name.ok_or_else(|| match directive {
        DELETE_FROM_LIST => Failure::bad_request("invalid patch format of primitive list"),
        _ => Failure::bad_request("invalid patch format of setElementOrder list"),
    })
}

/// Drops the fields that `$retainKeys` does not list.
pub(super) fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), Failure> {
    let malformed = || Failure::bad_request("invalid patch format of retainKeys");
    let Some(listed) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(listed) = listed else { return Err(malformed()) };
    if listed.iter().any(|key| key.is_array() || key.is_object()) {
        return Err(crashed());
    }
    let kept: BTreeSet<&str> = listed.iter().filter_map(Value::as_str).collect();
    let is_directive = |key: &str| key.starts_with(DELETE_FROM_LIST) || key.starts_with(ELEMENT_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !is_directive(key) && !kept.contains(key.as_str())) {
        return Err(malformed());
    }
    original.retain(|key, _| kept.contains(key.as_str()));
    Ok(())
}

/// Drops fields that are null, also in lists; nulls that are items stay.
pub(super) fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without the maps in it that have a `$patch`; nothing if it is such a map itself.
pub(super) fn without_directives(value: &mut Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(PATCH) => return None,
        Value::Object(fields) => {
            let kept = |(name, field): (&String, &mut Value)| Some((name.clone(), without_directives(field)?));
            *fields = fields.iter_mut().filter_map(kept).collect();
        }
        Value::Array(items) => return Some(items.iter_mut().filter_map(without_directives).collect()),
        _ => {}
    }
    Some(value.clone())
}
