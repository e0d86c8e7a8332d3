//! What is wrong with the parts of a version besides its schema: deprecation, subresources, columns, selectable fields
//! (`apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).

use admission::{FieldError, FieldPath};
use serde_json::Value;

use super::field_path;
use super::structural::Schema;
use super::view::{flag, text};

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const MAX_SELECTABLE: usize = 8;

/// What is wrong with a deprecation warning.
pub fn deprecation(version: &Value, path: &FieldPath) -> Vec<FieldError> {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else { return Vec::new() };
    let mut problems = Vec::new();
    if !flag(version, "deprecated") {
        problems.push(String::from("can only be set for deprecated versions"));
    } else {
        if warning.len() > 256 {
            problems.push(String::from("must be <= 256 characters long"));
        }
        if warning.is_empty() {
            problems.push(String::from("must not be an empty string"));
        }
        problems.extend(warning.char_indices().find(|(_, symbol)| !is_printable(*symbol)).map(|(index, _)| {
            format!("must only contain printable UTF-8 characters; non-printable character found at index {index}")
        }));
    }
    problems.into_iter().map(|problem| FieldError::invalid(path, warning, problem)).collect()
}

fn is_printable(symbol: char) -> bool {
    let quoted = admission::quote::go_quoted(&symbol.to_string());
    matches!(symbol, '"' | '\\') || quoted.chars().nth(1) == Some(symbol)
}

/// What is wrong with subresources.
pub fn subresources(subresources: &Value, path: &FieldPath) -> Vec<FieldError> {
    let Some(scale) = subresources.get("scale").filter(|scale| !scale.is_null()) else { return Vec::new() };
    let paths = [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")];
    let mut errors = Vec::new();
    for (name, prefix) in paths {
        let (value, path) = (text(scale, &format!("/{name}")), path.child(&format!("scale.{name}")));
        if value.is_empty() {
            errors.push(FieldError::required(&path, ""));
        } else if let Some(error) = plain_path(value, &path) {
            errors.push(error);
        } else if !value.starts_with(prefix) {
            let below = prefix.trim_end_matches('.');
            errors.push(FieldError::invalid(&path, value, format!("should be a json path under {below}")));
        }
    }
    errors.extend(selector_path(scale, path));
    errors
}

fn selector_path(scale: &Value, path: &FieldPath) -> Option<FieldError> {
    let (value, path) = (text(scale, "/labelSelectorPath"), path.child("scale.labelSelectorPath"));
    let fits = value.is_empty() || value.starts_with(".spec.") || value.starts_with(".status.");
    let wrong = || FieldError::invalid(&path, value, "should be a json path under either .spec or .status");
    Some(value)
        .filter(|value| !value.is_empty())
        .and_then(|value| plain_path(value, &path))
        .or_else(|| (!fits).then(wrong))
}

fn plain_path(value: &str, path: &FieldPath) -> Option<FieldError> {
    let detail = "must be a simple json path starting with .";
    (!value.starts_with('.')).then(|| FieldError::invalid(path, value, detail))
}

/// What is wrong with printer columns.
pub fn columns(columns: &Value, path: &FieldPath) -> Vec<FieldError> {
    let columns = columns.as_array().into_iter().flatten().enumerate();
    columns.flat_map(|(index, column)| column_errors(column, &path.index(index))).collect()
}

fn column_errors(column: &Value, path: &FieldPath) -> Vec<FieldError> {
    let (kind, format, json_path) = (text(column, "/type"), text(column, "/format"), text(column, "/jsonPath"));
    let mut errors = Vec::new();
    if text(column, "/name").is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let types = format!("must be one of {}", COLUMN_TYPES.join(","));
    if kind.is_empty() {
        errors.push(FieldError::required(&path.child("type"), &types));
    } else if !COLUMN_TYPES.contains(&kind) {
        errors.push(FieldError::invalid(&path.child("type"), kind, types));
    }
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let detail = format!("must be one of {}", COLUMN_FORMATS.join(","));
        errors.push(FieldError::invalid(&path.child("format"), format, detail));
    }
    if json_path.is_empty() {
        errors.push(FieldError::required(&path.child("JSONPath"), ""));
    } else {
        errors.extend(plain_path(json_path, &path.child("JSONPath")));
    }
    errors
}

/// What is wrong with selectable fields; `unsayable` is said where there is no schema.
pub fn selectable(fields: &Value, validation: &Value, path: &FieldPath, unsayable: &str) -> Vec<FieldError> {
    let Some(json) = validation.get("openAPIV3Schema").filter(|json| !json.is_null()) else {
        return vec![FieldError::invalid(path, "", unsayable)];
    };
    let schema = Schema::read(json);
    let (mut errors, mut seen) = (Vec::new(), Vec::new());
    for (index, field) in fields.as_array().into_iter().flatten().enumerate() {
        errors.extend(selectable_field(
            text(field, "/jsonPath"),
            &schema,
            &path.index(index).child("jsonPath"),
            &mut seen,
        ));
    }
    if seen.len() > MAX_SELECTABLE {
        errors.push(FieldError::too_many(path, seen.len(), MAX_SELECTABLE));
    }
    errors
}

fn selectable_field(value: &str, schema: &Schema, path: &FieldPath, seen: &mut Vec<FieldPath>) -> Vec<FieldError> {
    if value.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let target = match field_path::resolve(value, schema, false) {
        Ok(target) => target,
        Err(why) => return vec![FieldError::invalid(path, value, format!("is an invalid path: {why}"))],
    };
    let mut errors = Vec::new();
    if target.first == "metadata" {
        errors.push(FieldError::invalid(path, value, "must not point to fields in metadata"));
    }
    if !matches!(target.schema.kind.as_str(), "string" | "boolean" | "integer") {
        let detail = "must point to a field of type string, boolean or integer. \
                      Enum string fields and strings with formats are allowed.";
        errors.push(FieldError::invalid(path, value, detail));
    }
    if seen.contains(&target.path) {
        errors.push(FieldError::duplicate(path, value));
    } else {
        seen.push(target.path);
    }
    errors
}
