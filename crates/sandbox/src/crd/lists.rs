//! Lists without duplicates: sets, and maps by keys (`apiextensions-apiserver/pkg/apiserver/schema/listtype`).

use std::collections::HashMap;

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::{Map, Value};

use super::structural::Schema;

/// The duplicates in all lists of a value.
pub fn duplicates(value: &Value, schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    collect(value, schema, path, &mut errors);
    errors
}

fn collect(value: &Value, schema: &Schema, path: &FieldPath, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(others) = schema.additional.schema() {
                    collect(value, others, &path.key(name), errors);
                }
                if let Some(property) = schema.properties.get(name) {
                    collect(value, property, &path.child(name), errors);
                }
            }
        }
        Value::Array(items) => {
            errors.extend(in_list(items, schema, path));
            if let Some(schema) = schema.items.as_deref() {
                items.iter().enumerate().for_each(|(index, item)| collect(item, schema, &path.index(index), errors));
            }
        }
        _ => {}
    }
}

fn in_list(items: &[Value], schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    let duplicate = |(index, value): (usize, &Value)| {
        FieldError::of(&path.index(index), FieldErrorKind::Duplicate, Some(value), "")
    };
    match schema.extensions.list_type.as_deref() {
        Some("set") => repeated(items.iter().map(Value::to_string))
            .into_iter()
            .filter_map(|index| Some((index, items.get(index)?)))
            .map(duplicate)
            .collect(),
        Some("map") => in_keyed_list(items, &schema.extensions.list_map_keys, path),
        _ => Vec::new(),
    }
}

fn in_keyed_list(items: &[Value], names: &[String], path: &FieldPath) -> Vec<FieldError> {
    let odd = items.iter().position(|item| !item.is_null() && !item.is_object());
    if let Some((index, item)) = odd.and_then(|index| Some((index, items.get(index)?))) {
        let detail = "must be an object for an array of list-type map";
        return vec![FieldError::of(&path.index(index), FieldErrorKind::Invalid, Some(item), detail)];
    }
    let keys: Vec<Value> = items.iter().map(|item| Value::Object(keys_of(item, names))).collect();
    repeated(keys.iter().map(Value::to_string))
        .into_iter()
        .map(|index| FieldError::of(&path.index(index), FieldErrorKind::Duplicate, keys.get(index), ""))
        .collect()
}

fn keys_of(item: &Value, names: &[String]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
}

/// The places where something occurs for the second time; later times are not counted.
fn repeated(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut places = Vec::new();
    for (index, text) in texts.enumerate() {
        let times = seen.entry(text).or_default();
        if *times == 1 {
            places.push(index);
        }
        *times += 1;
    }
    places
}
