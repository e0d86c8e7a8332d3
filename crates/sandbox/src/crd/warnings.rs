//! What the server warns about when a definition is written
//! (`apiextensions-apiserver/pkg/registry/customresourcedefinition/strategy.go`).

use serde_json::Value;

use super::formats;
use super::structural::Schema;
use super::view::{Part, versions};

/// The texts of warnings about formats that nothing checks; formats of the old definition are not mentioned again.
#[must_use]
pub fn unrecognized_formats(new: &Value, old: Option<&Value>) -> Vec<String> {
    let known = old.map(formats_of).unwrap_or_default();
    let found = formats_of(new).into_iter().filter(|format| !known.contains(format));
    found.map(|format| format!("unrecognized format \"{format}\"")).collect()
}

fn formats_of(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let shared = Part::Schema.shared(definition);
    let schemas: Vec<&Value> = if shared.is_null() {
        versions(definition).iter().map(|version| Part::Schema.of(version)).collect()
    } else {
        vec![shared]
    };
    for schema in schemas.into_iter().filter_map(|schema| schema.get("openAPIV3Schema")) {
        collect(&Schema::read(schema), &mut found);
    }
    found
}

fn collect(schema: &Schema, found: &mut Vec<String>) {
    let format = schema.format.as_str();
    let is_known = match schema.kind.as_str() {
        "" | "string" => formats::is_known(format),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    };
    if !format.is_empty() && !is_known {
        found.push(format.to_owned());
    }
    let nested = schema.all_of.iter().chain(&schema.any_of).chain(&schema.one_of).chain(schema.not.as_deref());
    schema.parts().chain(nested).for_each(|part| collect(part, found));
}
