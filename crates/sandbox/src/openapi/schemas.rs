//! `components.schemas`: the types that a document needs, and those that these need.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::type_name;
use crate::resource::Resource;
use crate::schema::{Field, List, ListMerge, PatchStrategy, Schema, Shape, Struct, Types};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Types without a name may stand in each other this deep.
const MAX_DEPTH: usize = 32;

/// The schemas of one document, in the making.
pub(super) struct Schemas<'r> {
    sources: Vec<&'r Types>,
    kinds: BTreeMap<String, Value>,
    made: BTreeMap<String, Value>,
    waiting: Vec<String>,
}

/// A type of the API machinery: `ObjectMeta`.
pub(super) fn meta(kind: &str) -> String {
    format!("{META}.{kind}")
}

/// How other parts of a document refer to a type.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `x-kubernetes-group-version-kind` of an operation.
pub(super) fn group_version_kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

impl<'r> Schemas<'r> {
    pub fn new(resources: &'r [Arc<Resource>]) -> Self {
        let mut sources: Vec<&Types> = Vec::new();
        let mut kinds = BTreeMap::new();
        for resource in resources {
            if !sources.iter().any(|known| std::ptr::eq(*known, &*resource.types)) {
                sources.push(&resource.types);
            }
            if !resource.is_custom() {
                kinds.extend(kinds_of(resource));
            }
        }
        for kind in ["DeleteOptions", "Status"] {
            kinds.insert(meta(kind), group_version_kind("", "v1", kind));
        }
        Self { sources, kinds, made: BTreeMap::new(), waiting: Vec::new() }
    }

    /// Refers to a type, which is then part of the document.
    pub fn refer(&mut self, name: &str) -> Value {
        if !self.made.contains_key(name) {
            self.made.insert(name.to_owned(), Value::Null);
            self.waiting.push(name.to_owned());
        }
        reference(name)
    }

    /// Adds a type that is described elsewhere.
    pub fn add(&mut self, name: &str, schema: Value) {
        self.made.insert(name.to_owned(), schema);
    }

    pub fn finish(mut self) -> Value {
        while let Some(name) = self.waiting.pop() {
            let mut schema = self.make(&name);
            if let Some(kind) = self.kinds.get(&name) {
                schema["x-kubernetes-group-version-kind"] = json!([kind]);
            }
            self.made.insert(name, schema);
        }
        Value::Object(self.made.into_iter().collect())
    }

    /// A type of the sources; one that is not there is an object of which nothing is known.
    fn make(&mut self, name: &str) -> Value {
        let found = self.sources.iter().find_map(|types| types.named(name).map(|id| types.at(id)));
        match found {
            Some(schema) => described(self.body(schema, MAX_DEPTH), &schema.ty().description),
            None => json!({"type": "object"}),
        }
    }

    fn body(&mut self, schema: Schema<'r>, depth: usize) -> Value {
        match schema.shape() {
            Shape::Any => any(schema),
            Shape::Boolean => json!({"type": "boolean"}),
            Shape::Integer(format) => json!({"type": "integer", "format": format}),
            Shape::Number => json!({"type": "number", "format": "double"}),
            Shape::Text(format) => text(format),
            Shape::IntOrString => {
                json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
            }
            Shape::List(list) => self.list(schema, list, depth),
            Shape::Map { value, atomic } => {
                let mut map = json!({"type": "object", "additionalProperties": self.part(schema.at(*value), depth)});
                mark_atomic(&mut map, *atomic);
                map
            }
            Shape::Struct(shape) => self.structure(schema, shape, depth),
        }
    }

    /// A type inside another: by its name if it has one.
    fn part(&mut self, schema: Schema<'r>, depth: usize) -> Value {
        match (&schema.ty().name, depth.checked_sub(1)) {
            (Some(name), _) => self.refer(name),
            (None, Some(depth)) => self.body(schema, depth),
            (None, None) => json!({}),
        }
    }

    fn list(&mut self, schema: Schema<'r>, list: &List, depth: usize) -> Value {
        let mut described = json!({"type": "array", "items": self.part(schema.at(list.item), depth)});
        let kind = match &list.merge {
            ListMerge::Atomic => "atomic",
            ListMerge::Set => "set",
            ListMerge::Map(keys) => {
                described["x-kubernetes-list-map-keys"] = json!(keys);
                "map"
            }
        };
        described["x-kubernetes-list-type"] = json!(kind);
        mark_strategy(&mut described, &list.strategy);
        described
    }

    fn structure(&mut self, schema: Schema<'r>, shape: &'r Struct, depth: usize) -> Value {
        let fields = shape.fields.iter();
        let properties: Map<String, Value> =
            fields.clone().map(|(name, field)| (name.clone(), self.field(schema.at(field.ty), field, depth))).collect();
        let required: Vec<&String> = fields.filter(|(_, field)| field.required).map(|(name, _)| name).collect();
        let mut structure = json!({"type": "object"});
        if !properties.is_empty() {
            structure["properties"] = Value::Object(properties);
        }
        if !required.is_empty() {
            structure["required"] = json!(required);
        }
        if shape.preserve_unknown {
            structure["x-kubernetes-preserve-unknown-fields"] = json!(true);
        }
        mark_atomic(&mut structure, shape.atomic);
        structure
    }

    /// A reference can have nothing beside it, so it goes into `allOf`.
    fn field(&mut self, schema: Schema<'r>, field: &Field, depth: usize) -> Value {
        let part = self.part(schema, depth);
        let mut described = if part.get("$ref").is_some() { json!({"allOf": [part]}) } else { part };
        if !field.description.is_empty() {
            described["description"] = json!(field.description);
        }
        if let Some(default) = field.default.clone().or_else(|| zero(schema, field)) {
            described["default"] = default;
        }
        mark_strategy(&mut described, &field.strategy);
        described
    }
}

/// What a field that is always there begins as. Moments and quantities begin as nothing.
fn zero(schema: Schema<'_>, field: &Field) -> Option<Value> {
    match schema.shape() {
        _ if field.nullable => None,
        Shape::Struct(_) => Some(json!({})),
        _ if field.omit_zero => None,
        Shape::Boolean => Some(json!(false)),
        Shape::Integer(_) | Shape::Number => Some(json!(0)),
        Shape::Text("") => Some(json!("")),
        _ => None,
    }
}

/// The kinds that a resource exchanges, by the names of their types.
fn kinds_of(resource: &Resource) -> Vec<(String, Value)> {
    let entry = |group: &str, version: &str, kind: &str| {
        (type_name(group, version, kind), group_version_kind(group, version, kind))
    };
    let own = [&resource.kind, &resource.list_kind].map(|kind| entry(&resource.group, &resource.version, kind));
    let subresources = resource.subresources.iter().filter_map(|sub| sub.kind.as_ref());
    own.into_iter().chain(subresources.map(|(group, version, kind)| entry(group, version, kind))).collect()
}

fn described(mut schema: Value, description: &str) -> Value {
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
    schema
}

/// Some types of any content are objects all the same.
fn any(schema: Schema<'_>) -> Value {
    let name = schema.ty().name.as_deref().unwrap_or_default();
    let is_object = name.ends_with(".RawExtension") || name.ends_with(".FieldsV1");
    if is_object { json!({"type": "object"}) } else { json!({}) }
}

fn text(format: &str) -> Value {
    match format {
        "" => json!({"type": "string"}),
        "quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        "micro-time" => json!({"type": "string", "format": "date-time"}),
        format => json!({"type": "string", "format": format}),
    }
}

fn mark_atomic(schema: &mut Value, atomic: bool) {
    if atomic {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
}

fn mark_strategy(schema: &mut Value, strategy: &PatchStrategy) {
    let words = [(strategy.merge, "merge"), (strategy.replace, "replace"), (strategy.retain_keys, "retainKeys")];
    let words: Vec<&str> = words.into_iter().filter_map(|(present, word)| present.then_some(word)).collect();
    if !words.is_empty() {
        schema["x-kubernetes-patch-strategy"] = json!(words.join(","));
    }
    if let Some(key) = &strategy.merge_key {
        schema["x-kubernetes-patch-merge-key"] = json!(key);
    }
}
