//! The server's names of types and values, as its decoding errors have them.

use serde_json::Value;

use super::{Schema, Shape};

/// The type of the items of a list's type.
pub(super) fn item_go(go: &str) -> &str {
    go.strip_prefix("[]").unwrap_or_default()
}

/// The type of the values of a map's type.
pub(super) fn value_go(go: &str) -> &str {
    go.strip_prefix("map[").and_then(|rest| rest.split_once(']')).map_or("", |(_, value)| value)
}

/// What the server calls a type.
pub(super) fn go_name(schema: Schema<'_>, go: &str) -> String {
    if !go.is_empty() {
        return go.to_owned();
    }
    match schema.shape() {
        Shape::Any => "interface {}".to_owned(),
        Shape::List(list) => format!("[]{}", go_name(schema.at(list.item), "")),
        Shape::Map { value, .. } => format!("map[string]{}", go_name(schema.at(*value), "")),
        Shape::Struct(shape) => format!("v1.{}", shape.go_name),
        Shape::Text("byte") => "[]uint8".to_owned(),
        _ => basic(schema).to_owned(),
    }
}

/// Go's name of the kind of a plain type.
fn basic(schema: Schema<'_>) -> &'static str {
    match schema.shape() {
        Shape::Boolean => "bool",
        Shape::Integer(format) => format,
        Shape::Number => "float64",
        Shape::IntOrString => "int32",
        _ => "string",
    }
}

/// What Go's decoder calls a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The same, with the number that does not fit.
pub(super) fn number_or_kind(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("number {number}"),
        other => kind(other).to_owned(),
    }
}

/// How the server's converter of unstructured objects refuses a value.
pub(super) fn conversion(schema: Schema<'_>, go: &str, value: &Value) -> String {
    let found = unstructured_kind(value);
    match (schema.shape(), found) {
        (Shape::Struct(_), _) => format!("cannot restore struct from: {found}"),
        (Shape::Map { .. }, _) => format!("cannot restore map from {found}"),
        (Shape::List(_) | Shape::Text("byte"), _) => format!("cannot restore slice from {found}"),
        (Shape::Text(_), "int64") | (Shape::Integer(_), "float64") => {
            format!("cannot convert {found} to {}", go_name(schema, go))
        }
        _ => format!("unrecognized type: {}", basic(schema)),
    }
}

fn unstructured_kind(value: &Value) -> &'static str {
    match value {
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
        other => kind(other),
    }
}
