//! Objects as tables (`meta.k8s.io/v1` Table) and as their metadata alone (PartialObjectMetadata), which is how kubectl
//! and metadata clients ask for them (`k8s.io/apiserver/pkg/endpoints/handlers/response.go`).

mod age;
mod columns;
mod custom;
mod jsonpath;
mod pod;
mod read;
mod rows;
mod selector;
mod service;

use serde_json::{Map, Value, json};

use self::columns::Kind;
use crate::resource::Resource;

/// What a row carries besides its cells (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The object's metadata.
    #[default]
    Metadata,
    /// The object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; nothing if it is no value of it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// The column definitions of a resource's tables.
#[must_use]
pub fn columns(resource: &Resource) -> Value {
    Layout::of(resource, &Value::Null).definitions()
}

/// An object, or a list, as a table. `now` is in seconds since 1970.
#[must_use]
pub fn render(resource: &Resource, list_or_object: &Value, now: i64, include: IncludeObject) -> Value {
    let layout = Layout::of(resource, list_or_object);
    let objects: Vec<&Value> = match list_or_object.get("items").and_then(Value::as_array) {
        Some(items) if is_list(resource, list_or_object) => items.iter().collect(),
        _ => vec![list_or_object],
    };
    let rows: Vec<Value> = objects.into_iter().map(|object| layout.row(resource, object, now, include)).collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_metadata(list_or_object),
        "columnDefinitions": layout.definitions(), "rows": rows})
}

/// An object's metadata alone.
#[must_use]
pub fn partial(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_else(|| json!({}));
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
}

/// The metadata of a list's objects.
#[must_use]
pub fn partial_list(list: &Value) -> Value {
    let items: Vec<Value> = list["items"].as_array().into_iter().flatten().map(partial).collect();
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": list_metadata(list),
        "items": items})
}

fn is_list(resource: &Resource, value: &Value) -> bool {
    value["kind"].as_str().is_none_or(|kind| kind == resource.list_kind || kind == "List")
}

fn list_metadata(list_or_object: &Value) -> Value {
    let own = &list_or_object["metadata"];
    let fields = ["resourceVersion", "continue", "remainingItemCount"];
    let kept = fields.into_iter().filter_map(|field| Some((field.to_owned(), own.get(field)?.clone())));
    Value::Object(kept.collect::<Map<_, _>>())
}

/// How the objects of a resource are laid out.
enum Layout<'r> {
    Builtin(&'static Kind),
    Custom(Vec<custom::Column<'r>>),
}

impl<'r> Layout<'r> {
    fn of(resource: &'r Resource, object: &Value) -> Self {
        let scale = object["kind"] == json!("Scale") && resource.kind != "Scale";
        if scale {
            return Self::Builtin(columns::of("autoscaling", "Scale"));
        }
        match &resource.definition {
            Some(definition) => Self::Custom(custom::columns(definition, &resource.version)),
            None => Self::Builtin(columns::of(&resource.group, &resource.kind)),
        }
    }

    fn definitions(&self) -> Value {
        match self {
            Self::Builtin(kind) => kind.definitions(),
            Self::Custom(columns) => custom::definitions(columns),
        }
    }

    fn row(&self, resource: &Resource, object: &Value, now: i64, include: IncludeObject) -> Value {
        let cells = match self {
            Self::Builtin(kind) => (kind.cells)(object, now),
            Self::Custom(columns) => custom::cells(columns, object, now),
        };
        let mut row = json!({"cells": cells, "object": included(resource, object, include)});
        if let (Self::Builtin(_), "Pod") = (self, resource.kind.as_str())
            && let Some(conditions) = pod::conditions(object)
        {
            row["conditions"] = conditions;
        }
        row
    }
}

fn included(resource: &Resource, object: &Value, include: IncludeObject) -> Value {
    match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Metadata => partial(object),
        IncludeObject::Object => named(resource, object),
    }
}

/// The object with its kind, which the items of a list lack.
fn named(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.entry("kind").or_insert_with(|| json!(resource.kind));
        fields.entry("apiVersion").or_insert_with(|| json!(resource.api_version()));
    }
    object
}

#[cfg(test)]
mod tests;
