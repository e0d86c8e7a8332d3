//! `metadata` of objects within objects: `ObjectMeta` as the server decodes and checks it
//! (`apiextensions-apiserver/pkg/apiserver/schema/objectmeta`, `apimachinery/pkg/api/validation/objectmeta.go`).

use admission::cel::time::Timestamp;
use admission::{FieldError, FieldErrorKind, FieldPath, names};
use serde_json::{Map, Value};

use crate::schema::go_names::kind;

/// What a field of `ObjectMeta` holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Whole,
    Flag,
    Time,
    TextMap,
    TextList,
    Any,
    Structs(&'static [(&'static str, Shape)]),
}

const OWNER: [(&str, Shape); 6] = [
    ("apiVersion", Shape::Text),
    ("blockOwnerDeletion", Shape::Flag),
    ("controller", Shape::Flag),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("uid", Shape::Text),
];

const MANAGED: [(&str, Shape); 7] = [
    ("apiVersion", Shape::Text),
    ("fieldsType", Shape::Text),
    ("fieldsV1", Shape::Any),
    ("manager", Shape::Text),
    ("operation", Shape::Text),
    ("subresource", Shape::Text),
    ("time", Shape::Time),
];

const FIELDS: [(&str, Shape); 15] = [
    ("annotations", Shape::TextMap),
    ("creationTimestamp", Shape::Time),
    ("deletionGracePeriodSeconds", Shape::Whole),
    ("deletionTimestamp", Shape::Time),
    ("finalizers", Shape::TextList),
    ("generateName", Shape::Text),
    ("generation", Shape::Whole),
    ("labels", Shape::TextMap),
    ("managedFields", Shape::Structs(&MANAGED)),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("ownerReferences", Shape::Structs(&OWNER)),
    ("resourceVersion", Shape::Text),
    ("selfLink", Shape::Text),
    ("uid", Shape::Text),
];

/// Metadata as the server would write it again, with what it did not know.
pub struct Coerced {
    /// The known fields, without those that are empty.
    pub fields: Map<String, Value>,
    /// The paths of the unknown fields.
    pub unknown: Vec<String>,
}

/// Decodes metadata and writes it again.
pub fn coerce(value: &Value) -> Result<Coerced, String> {
    let mut unknown = Vec::new();
    match value {
        Value::Null => Ok(Coerced { fields: Map::new(), unknown }),
        Value::Object(fields) => {
            let fields = structure(fields, &FIELDS, "", "ObjectMeta", &mut unknown)?;
            Ok(Coerced { fields, unknown })
        }
        other => Err(format!("json: cannot unmarshal {} into Go value of type v1.ObjectMeta", kind(other))),
    }
}

fn structure(
    fields: &Map<String, Value>,
    shapes: &[(&str, Shape)],
    path: &str,
    go_name: &str,
    unknown: &mut Vec<String>,
) -> Result<Map<String, Value>, String> {
    let mut kept = Map::new();
    for (name, value) in fields {
        let Some((_, shape)) = shapes.iter().find(|(known, _)| known == name) else {
            unknown.push(format!("{path}{name}"));
            continue;
        };
        let place = format!("{go_name}.{name}");
        let value = decode(value, *shape, &format!("{path}{name}"), &place, unknown)?;
        if !is_empty(&value, *shape) {
            kept.insert(name.clone(), value);
        }
    }
    Ok(kept)
}

/// Whether the server leaves a field out; references keep their texts, and flags are pointers.
fn is_empty(value: &Value, shape: Shape) -> bool {
    match (value, shape) {
        (Value::Null, _) => true,
        (_, Shape::Flag) => false,
        (Value::String(text), _) => text.is_empty(),
        (Value::Array(items), _) => items.is_empty(),
        (Value::Object(fields), _) => fields.is_empty(),
        (Value::Number(number), _) => number.as_i64() == Some(0),
        _ => false,
    }
}

fn decode(value: &Value, shape: Shape, path: &str, place: &str, unknown: &mut Vec<String>) -> Result<Value, String> {
    let fits = match (value, shape) {
        (Value::Null, _) | (_, Shape::Any) | (Value::String(_), Shape::Text) | (Value::Bool(_), Shape::Flag) => true,
        (Value::Number(number), Shape::Whole) => number.as_i64().is_some(),
        (Value::String(text), Shape::Time) => Timestamp::parse(text).is_some(),
        (Value::Object(entries), Shape::TextMap) => texts(entries.values(), place)?,
        (Value::Array(items), Shape::TextList) => texts(items.iter(), place)?,
        (Value::Array(items), Shape::Structs(shapes)) => return structures(items, shapes, path, place, unknown),
        _ => false,
    };
    if fits { Ok(value.clone()) } else { Err(mismatch(value, shape, place)) }
}

fn texts<'v>(mut values: impl Iterator<Item = &'v Value>, place: &str) -> Result<bool, String> {
    match values.find(|value| !value.is_string() && !value.is_null()) {
        Some(odd) => Err(mismatch(odd, Shape::Text, place)),
        None => Ok(true),
    }
}

fn structures(
    items: &[Value],
    shapes: &[(&str, Shape)],
    path: &str,
    place: &str,
    unknown: &mut Vec<String>,
) -> Result<Value, String> {
    let one = |(index, item): (usize, &Value)| match item {
        Value::Object(fields) => {
            structure(fields, shapes, &format!("{path}[{index}]."), place, unknown).map(Value::Object)
        }
        other => Err(mismatch(other, Shape::Structs(&[]), place)),
    };
    items.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn mismatch(value: &Value, shape: Shape, place: &str) -> String {
    let expected = match shape {
        Shape::Text | Shape::Any => "string",
        Shape::Whole => "int64",
        Shape::Flag => "bool",
        Shape::TextMap => "map[string]string",
        Shape::TextList => "[]string",
        Shape::Structs(_) => "v1.OwnerReference",
        Shape::Time => {
            return format!("parsing time {value} as \"2006-01-02T15:04:05Z07:00\": cannot parse {value} as \"2006\"");
        }
    };
    format!("json: cannot unmarshal {} into Go struct field {place} of type {expected}", kind(value))
}

/// What is wrong with the metadata of an object within an object.
pub fn errors(value: &Value, path: &FieldPath) -> Vec<FieldError> {
    let coerced = match coerce(value) {
        Ok(coerced) => coerced.fields,
        Err(why) => return vec![FieldError::of(path, FieldErrorKind::Invalid, Some(value), why)],
    };
    let mut errors = name_errors(&coerced, path);
    if let Some(number) = coerced.get("generation").filter(|number| number.as_i64().is_some_and(|number| number < 0)) {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::of(&path.child("generation"), FieldErrorKind::Invalid, Some(number), detail));
    }
    errors.extend(entry_errors(&coerced, "labels", path));
    errors.extend(entry_errors(&coerced, "annotations", path));
    errors
}

fn name_errors(metadata: &Map<String, Value>, path: &FieldPath) -> Vec<FieldError> {
    let problems = ["generateName", "name"].into_iter().flat_map(|name| {
        let text = metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        let found = if text.is_empty() { Vec::new() } else { names::path_segment(text) };
        found.into_iter().map(move |problem| (name, text, problem))
    });
    problems.map(|(name, text, problem)| FieldError::invalid(&path.child(name), text, problem)).collect()
}

/// Labels have keys and values of a certain shape; annotations only keys, in any case.
fn entry_errors(metadata: &Map<String, Value>, field: &str, path: &FieldPath) -> Vec<FieldError> {
    let path = path.child(field);
    let is_label = field == "labels";
    let mut errors = Vec::new();
    for (key, value) in metadata.get(field).and_then(Value::as_object).into_iter().flatten() {
        let shown = if is_label { key.clone() } else { key.to_lowercase() };
        errors.extend(names::label_key(&shown).into_iter().map(|problem| FieldError::invalid(&path, key, problem)));
        let text = value.as_str().filter(|_| is_label).unwrap_or_default();
        errors.extend(names::label_value(text).into_iter().map(|problem| FieldError::invalid(&path, text, problem)));
    }
    errors
}
