//! Objects within objects: their `apiVersion`, `kind` and `metadata`
//! (`apiextensions-apiserver/pkg/apiserver/schema/objectmeta`).

use admission::{FieldError, FieldErrorKind, FieldPath, names};
use serde_json::{Map, Value};

use super::metadata;
use super::structural::Schema;

/// Brings the metadata of an object itself into shape. Returns the paths of its unknown fields, or what is wrong.
pub fn coerce_own(object: &mut Value) -> Result<Vec<String>, String> {
    object.as_object_mut().map_or(Ok(Vec::new()), |fields| coerce_metadata(fields, "metadata"))
}

/// Brings the metadata of all objects within an object into shape. Returns the sorted paths of unknown fields, or
/// what is wrong.
pub fn coerce(object: &mut Value, schema: &Schema) -> Result<Vec<String>, String> {
    let mut coercer = Coercer { unknown: Vec::new() };
    coercer.value(object, schema, &FieldPath::default()).map_err(|error| error.to_string())?;
    coercer.unknown.sort();
    Ok(coercer.unknown)
}

/// What is wrong with the shape of objects within a value, itself included if the schema says so.
pub fn malformed(value: &Value, schema: &Schema, path: &FieldPath) -> Option<FieldError> {
    Coercer { unknown: Vec::new() }.value(&mut value.clone(), schema, path).err()
}

fn coerce_metadata(fields: &mut Map<String, Value>, path: &str) -> Result<Vec<String>, String> {
    let Some(value) = fields.get("metadata") else { return Ok(Vec::new()) };
    let coerced = metadata::coerce(value)?;
    fields.insert(String::from("metadata"), Value::Object(coerced.fields));
    Ok(coerced.unknown.into_iter().map(|name| format!("{path}.{name}")).collect())
}

struct Coercer {
    unknown: Vec<String>,
}

impl Coercer {
    fn value(&mut self, value: &mut Value, schema: &Schema, path: &FieldPath) -> Result<(), FieldError> {
        match value {
            Value::Object(fields) => {
                if schema.extensions.embedded {
                    self.object(fields, path)?;
                }
                for (name, value) in fields.iter_mut() {
                    let listed = schema.properties.get(name);
                    let below = if listed.is_some() { path.child(name) } else { path.key(name) };
                    if let Some(schema) = listed.or_else(|| schema.additional.schema()) {
                        self.value(value, schema, &below)?;
                    }
                }
                Ok(())
            }
            Value::Array(items) => {
                let Some(schema) = schema.items.as_deref() else { return Ok(()) };
                let mut items = items.iter_mut().enumerate();
                items.try_for_each(|(index, item)| self.value(item, schema, &path.index(index)))
            }
            _ => Ok(()),
        }
    }

    fn object(&mut self, fields: &mut Map<String, Value>, path: &FieldPath) -> Result<(), FieldError> {
        for name in ["apiVersion", "kind"] {
            if let Some(value) = fields.get(name).filter(|value| !value.is_string()) {
                return Err(FieldError::of(
                    &path.child(name),
                    FieldErrorKind::Invalid,
                    Some(value),
                    "must be a string",
                ));
            }
        }
        let place = path.child("metadata");
        let found = fields.get("metadata").cloned();
        let prefix = FieldError::forbidden(&place, "").field().to_owned();
        let unknown = coerce_metadata(fields, &prefix)
            .map_err(|why| FieldError::of(&place, FieldErrorKind::Invalid, found.as_ref(), why))?;
        self.unknown.extend(unknown);
        Ok(())
    }
}

/// What is wrong with the objects within a value.
pub fn errors(value: &Value, schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    collect(value, schema, path, &mut errors);
    errors
}

fn collect(value: &Value, schema: &Schema, path: &FieldPath, errors: &mut Vec<FieldError>) {
    if schema.extensions.embedded && value.is_object() {
        errors.extend(object_errors(value, path));
    }
    collect_below(value, schema, path, errors);
}

fn collect_below(value: &Value, schema: &Schema, path: &FieldPath, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let listed = schema.properties.get(name);
                let below = if listed.is_some() { path.child(name) } else { path.key(name) };
                if let Some(schema) = listed.or_else(|| schema.additional.schema()) {
                    collect(value, schema, &below, errors);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            items.iter().enumerate().for_each(|(index, item)| collect(item, schema, &path.index(index), errors));
        }
        _ => {}
    }
}

fn object_errors(object: &Value, path: &FieldPath) -> Vec<FieldError> {
    let missing = ["apiVersion", "kind"].into_iter().filter(|name| object.get(name).is_none());
    let mut errors: Vec<FieldError> = missing.map(|name| FieldError::required(&path.child(name), "")).collect();
    errors.extend(object.get("apiVersion").and_then(|value| api_version_error(value, &path.child("apiVersion"))));
    errors.extend(object.get("kind").and_then(|value| kind_error(value, &path.child("kind"))));
    if let Some(value) = object.get("metadata") {
        errors.extend(metadata::errors(value, &path.child("metadata")));
    }
    errors
}

fn api_version_error(value: &Value, path: &FieldPath) -> Option<FieldError> {
    let detail = match value.as_str() {
        None => String::from("must be a string"),
        Some("") => String::from("must not be empty"),
        Some(text) if text.matches('/').count() > 1 => format!("unexpected GroupVersion string: {text}"),
        Some(_) => return None,
    };
    Some(FieldError::of(path, FieldErrorKind::Invalid, Some(value), detail))
}

fn kind_error(value: &Value, path: &FieldPath) -> Option<FieldError> {
    let detail = match value.as_str() {
        None => String::from("must be a string"),
        Some("") => String::from("must not be empty"),
        Some(kind) => mixed_case_label(kind)?,
    };
    Some(FieldError::of(path, FieldErrorKind::Invalid, Some(value), detail))
}

/// What is wrong with a kind, if anything.
#[must_use]
pub fn mixed_case_label(kind: &str) -> Option<String> {
    let problems = names::dns_1035_label(&kind.to_lowercase());
    let list = problems.join(",");
    (!problems.is_empty()).then(|| format!("may have mixed case, but should otherwise match: {list}"))
}
