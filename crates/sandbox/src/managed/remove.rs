//! Taking fields out of an object (`structured-merge-diff/typed/remove.go`, `merge/update.go`).

use serde_json::{Map, Value};

use super::field_set::{fields_of, with_named_fields};
use super::form::{Form, ListForm, Place};
use super::path::Element;
use super::set::Set;

/// The object without the fields of a set; null if nothing is left.
pub(super) fn remove(value: &Value, fields: &Set, place: Place<'_>) -> Value {
    match (place.form(Some(value)), value) {
        (Form::Scalar(_), value) => value.clone(),
        (Form::List(list), Value::Array(items)) if list != ListForm::Atomic => from_items(list, items, fields, place),
        (Form::Map { atomic: false }, Value::Object(entries)) => from_entries(entries, fields, place),
        _ => Value::Null,
    }
}

/// What a part becomes; a container from which everything is taken stays as an empty one.
fn part(value: &Value, fields: &Set, place: Place<'_>) -> Value {
    match (remove(value, fields, place), value) {
        (Value::Null, Value::Object(_)) => Value::Object(Map::new()),
        (Value::Null, Value::Array(_)) => Value::Array(Vec::new()),
        (left, _) => left,
    }
}

fn from_entries(entries: &Map<String, Value>, fields: &Set, place: Place<'_>) -> Value {
    let mut out = Map::new();
    let mut touched = false;
    for (name, value) in entries {
        let kept = match fields.node(&Element::field(name)) {
            None => value.clone(),
            Some(node) if node.member => continue,
            Some(node) => {
                touched = true;
                part(value, &node.children, place.entry(name))
            }
        };
        out.insert(name.clone(), kept);
    }
    if out.is_empty() && !touched { Value::Null } else { Value::Object(out) }
}

fn from_items(list: ListForm<'_>, items: &[Value], fields: &Set, place: Place<'_>) -> Value {
    let mut out = Vec::new();
    let mut touched = false;
    for item in items {
        let element = place.element(list, item).ok();
        let kept = match element.and_then(|element| fields.node(&element)) {
            None => item.clone(),
            Some(node) if node.member => continue,
            Some(node) => {
                touched = true;
                part(item, &node.children, place.item())
            }
        };
        out.push(kept);
    }
    if out.is_empty() && !touched { Value::Null } else { Value::Array(out) }
}

/// Takes out of a merged object what the applier owned before and nobody owns now, itself included.
pub(super) fn prune(merged: Value, last: &Set, owned: &Set, place: Place<'_>) -> Value {
    if last.is_empty() {
        return merged;
    }
    let named = |set: &Set| with_named_fields(set, place);
    let (last, all) = (named(last), named(&fields_of(&merged, place)));
    let pruned = remove(&merged, &last, place);
    let kept = named(&fields_of(&pruned, place)).union(&named(owned));
    let pruned = remove(&merged, &all.difference(&kept), place);
    let left = named(&fields_of(&pruned, place));
    remove(&merged, &all.difference(&left).intersection(&last), place)
}
