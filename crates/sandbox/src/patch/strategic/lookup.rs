//! How a field is merged, and what the server says of fields that it does not know how to merge.

use crate::failure::Failure;
use crate::schema::{Field, PatchStrategy, Schema, Shape};

/// How a field is merged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strategy<'t> {
    /// A list is merged, not replaced.
    pub merge: bool,
    /// What the items of a list are found by.
    pub key: Option<&'t str>,
}

/// The type of a field that has a map, or none if the map is replaced.
pub(super) fn map<'t>(schema: Schema<'t>, name: &str) -> Result<Option<Schema<'t>>, Failure> {
    find(schema, name).map(|(field, ty)| (!field.strategy.replace).then_some(ty))
}

/// The type of a list's items and how it is merged.
pub(super) fn list<'t>(schema: Schema<'t>, name: &str) -> Result<(Schema<'t>, Strategy<'t>), Failure> {
    let (field, ty) = find(schema, name)?;
    let Shape::List(list) = ty.shape() else {
        return match ty.shape() {
            Shape::Struct(_) if field.nullable => Ok((ty, strategy(&field.strategy))),
            _ => Err(Failure::internal(format!("expected slice or array type, but got: {}", kind(schema)))),
        };
    };
    let item = ty.at(list.item);
    match item.shape() {
        Shape::List(_) => Err(Failure::internal("unexpected slice of slice")),
        _ => Ok((item, strategy(&list.strategy))),
    }
}

fn strategy(strategy: &PatchStrategy) -> Strategy<'_> {
    Strategy { merge: strategy.merge, key: strategy.merge_key.as_deref() }
}

fn find<'t>(schema: Schema<'t>, name: &str) -> Result<(&'t Field, Schema<'t>), Failure> {
    let shape = match schema.shape() {
        Shape::Struct(shape) => shape,
        // The server's type for anything has no fields of its own.
        Shape::Any => return Err(unknown_field("RawExtension", name)),
        _ => {
            let text = "merging an object in json but data type is not struct, instead is";
            return Err(Failure::internal(format!("{text}: {}", kind(schema))));
        }
    };
    let alike = || shape.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| field);
    let field = shape.fields.get(name).or_else(alike).ok_or_else(|| unknown_field(&shape.go_name, name))?;
    Ok((field, schema.at(field.ty)))
}

fn unknown_field(go_name: &str, name: &str) -> Failure {
    Failure::internal(format!("unable to find api field in struct {go_name} for the json field {name:?}"))
}

/// The kind of Go type that holds such values.
pub(super) fn kind(schema: Schema<'_>) -> &'static str {
    match schema.shape() {
        Shape::Any | Shape::Struct(_) | Shape::IntOrString | Shape::Text("date-time" | "quantity") => "struct",
        Shape::Boolean => "bool",
        Shape::Integer(format) => format,
        Shape::Number => "float64",
        Shape::Text("byte") | Shape::List(_) => "slice",
        Shape::Text(_) => "string",
        Shape::Map { .. } => "map",
    }
}
