//! What Go's encoder makes of fields without a value, and of zero values (`omitempty`).

use serde_json::Value;

use super::{Field, Schema, Shape};

/// What a field that is not there, or `null`, is encoded as, if it is not left out.
pub(super) fn absent(schema: Schema<'_>, field: &Field) -> Value {
    if field.nullable { Value::Null } else { zero(schema.at(field.ty)) }
}

/// The zero value of a type, encoded.
pub(super) fn zero(schema: Schema<'_>) -> Value {
    match schema.shape() {
        Shape::Any | Shape::List(_) | Shape::Map { .. } | Shape::Text("date-time") => Value::Null,
        Shape::Boolean => Value::Bool(false),
        Shape::Integer(_) | Shape::Number | Shape::IntOrString => Value::from(0),
        Shape::Text("quantity") => Value::from("0"),
        Shape::Text(_) => Value::from(""),
        Shape::Struct(shape) => {
            let kept = shape.fields.iter().filter(|(_, field)| !field.omit_zero);
            Value::Object(kept.map(|(name, field)| (name.clone(), absent(schema, field))).collect())
        }
    }
}

/// The encoded value of a field; none if the field is left out.
pub(super) fn settled(schema: Schema<'_>, field: &Field, value: Value) -> Option<Value> {
    let vanishes = match &value {
        Value::Null => !field.nullable || !matches!(schema.shape(), Shape::Text("date-time")),
        _ if is_slice(schema) => is_empty(&value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => !field.nullable && is_zero(&value),
        _ => false,
    };
    match (vanishes, field.omit_zero) {
        (true, true) => None,
        (true, false) if is_slice(schema) => Some(Value::Null),
        _ => Some(value),
    }
}

fn is_slice(schema: Schema<'_>) -> bool {
    matches!(schema.shape(), Shape::List(_) | Shape::Map { .. } | Shape::Text("byte"))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        other => other.is_null(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        other => is_empty(other),
    }
}
