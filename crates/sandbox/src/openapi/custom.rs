//! The types of custom resources, from their definitions
//! (`apiextensions-apiserver/pkg/controller/openapi/builder/builder.go`).

use serde_json::{Map, Value, json};

use super::schemas::{Schemas, group_version_kind, meta};
use crate::resource::Resource;

/// Schemas may stand in each other this deep.
const MAX_DEPTH: usize = 64;

const API_VERSION: &str = "The group and version of the object's kind.";
const KIND: &str = "The kind of the object.";
const METADATA: &str = "The metadata of the object.";

/// The name of a custom kind's type: the group backwards, version and kind.
pub(super) fn type_name(resource: &Resource, kind: &str) -> String {
    let group: Vec<&str> = resource.group.rsplit('.').collect();
    format!("{}.{}.{kind}", group.join("."), resource.version)
}

/// Adds the kind and its list.
pub(super) fn add(resource: &Resource, schemas: &mut Schemas<'_>) {
    let metadata = schemas.refer(&meta("ObjectMeta"));
    let mut schema = declared(resource).and_then(|version| version.pointer("/schema/openAPIV3Schema")).cloned();
    let mut schema = schema.take().filter(Value::is_object).unwrap_or_else(|| json!({"type": "object"}));
    complete(&mut schema, &metadata, MAX_DEPTH);
    identify(&mut schema, &metadata);
    mark(resource, &resource.kind, &mut schema);
    schemas.add(&type_name(resource, &resource.kind), schema);
    let list = list(resource, schemas);
    schemas.add(&type_name(resource, &resource.list_kind), list);
}

fn declared(resource: &Resource) -> Option<&Value> {
    let versions = resource.definition.as_deref()?.pointer("/spec/versions")?.as_array()?;
    versions.iter().find(|version| version["name"] == json!(resource.version))
}

/// Gives an object `apiVersion`, `kind` and `metadata`.
fn identify(schema: &mut Value, metadata: &Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let properties = fields.entry("properties").or_insert_with(|| json!({}));
    properties["apiVersion"] = json!({"type": "string", "description": API_VERSION});
    properties["kind"] = json!({"type": "string", "description": KIND});
    properties["metadata"] = json!({"description": METADATA, "allOf": [metadata]});
}

/// Completes what is inside a schema: objects have metadata, text or whole numbers say what they may be.
fn complete(schema: &mut Value, metadata: &Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for part in parts(schema) {
        complete(part, metadata, depth);
        if part["x-kubernetes-embedded-resource"] == json!(true) {
            identify(part, metadata);
            part["required"] = required(part);
        }
        if part["x-kubernetes-int-or-string"] == json!(true) && part.get("anyOf").is_none() {
            part["anyOf"] = json!([{"type": "integer"}, {"type": "string"}]);
        }
    }
}

/// An object inside an object has to say what it is.
fn required(schema: &Value) -> Value {
    let declared = schema["required"].as_array().into_iter().flatten();
    let own = [json!("kind"), json!("apiVersion")];
    declared.filter(|field| !own.contains(field)).chain(&own).cloned().collect()
}

fn parts(schema: &mut Value) -> Vec<&mut Value> {
    let Some(fields) = schema.as_object_mut() else { return Vec::new() };
    let mut parts = Vec::new();
    for (name, part) in fields {
        match (name.as_str(), part) {
            ("properties", Value::Object(properties)) => parts.extend(properties.values_mut()),
            ("items" | "additionalProperties", part) if part.is_object() => parts.push(part),
            _ => {}
        }
    }
    parts
}

fn mark(resource: &Resource, kind: &str, schema: &mut Value) {
    schema["x-kubernetes-group-version-kind"] = json!([group_version_kind(&resource.group, &resource.version, kind)]);
    let fields: Vec<Value> = resource.selectable_fields.iter().map(|path| json!({"fieldPath": path})).collect();
    if !fields.is_empty() {
        schema["x-kubernetes-selectable-fields"] = Value::Array(fields);
    }
}

fn list(resource: &Resource, schemas: &mut Schemas<'_>) -> Value {
    let metadata = schemas.refer(&meta("ListMeta"));
    let item = schemas.refer(&type_name(resource, &resource.kind));
    let mut list = Value::Object(Map::new());
    identify(&mut list, &metadata);
    list["type"] = json!("object");
    list["description"] = json!(format!("{} is a list of {}", resource.list_kind, resource.kind));
    list["required"] = json!(["items"]);
    list["properties"]["items"] = json!({"type": "array", "items": item, "description": "The objects."});
    mark(resource, &resource.list_kind, &mut list);
    list
}
