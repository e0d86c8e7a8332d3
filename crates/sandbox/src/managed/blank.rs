//! The object before its creation.

use serde_json::{Map, Value};

use crate::schema::{Field, Schema, Shape};

/// Depth at which a type that contains itself ends.
const MAX_DEPTH: usize = 20;

/// What the server compares a created object with: the zero value of its Go type, of which everything is there that
/// is not left out when it is empty. For a custom resource that is nothing.
#[must_use]
pub fn blank(schema: Schema<'_>) -> Value {
    structure(schema, 0)
}

/// Whether the server has a Go type for a structure; a custom resource comes as it is.
pub(super) fn is_native(schema: Schema<'_>) -> bool {
    matches!(schema.shape(), Shape::Struct(shape) if !shape.go_name.is_empty())
}

fn structure(schema: Schema<'_>, depth: usize) -> Value {
    let Shape::Struct(shape) = schema.shape() else { return Value::Null };
    if !is_native(schema) || depth > MAX_DEPTH {
        return Value::Object(Map::new());
    }
    let part = |(name, field): (&String, &Field)| Some((name.clone(), zero(field, schema.at(field.ty), depth)?));
    Value::Object(shape.fields.iter().filter_map(part).collect())
}

/// What stands for a key field that an item does not have: its default, or the zero value that it would get.
pub(super) fn key_default(structure: Schema<'_>, name: &str) -> Option<Value> {
    let (field, schema) = structure.field(name)?;
    let zero = || zero(field, schema, MAX_DEPTH).filter(|zero| is_native(structure) && !zero.is_null());
    field.default.clone().or_else(zero)
}

/// The zero value of a field, if it is not left out.
fn zero(field: &Field, schema: Schema<'_>, depth: usize) -> Option<Value> {
    if field.omit_zero {
        return None;
    }
    Some(match schema.shape() {
        _ if field.nullable => Value::Null,
        Shape::Struct(_) => structure(schema, depth + 1),
        Shape::Boolean => Value::Bool(false),
        Shape::Integer(_) | Shape::Number => Value::from(0),
        Shape::Text("date-time") | Shape::Any | Shape::List(_) | Shape::Map { .. } => Value::Null,
        Shape::Text("quantity") => Value::from("0"),
        Shape::IntOrString => Value::from(0),
        Shape::Text(_) => Value::from(""),
    })
}
