//! What an object loses before it is looked at: unknown fields, and nulls where they mean nothing
//! (`apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting/prunenulls.go}`).

use serde_json::{Map, Value};

use super::structural::Schema;

/// The fields of every object, which no schema needs to mention.
pub(super) const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes what the schema does not know from an object, and returns the paths of it, sorted.
pub fn unknown_fields(object: &mut Value, schema: &Schema) -> Vec<String> {
    let mut pruner = Pruner { path: String::new(), unknown: Vec::new() };
    pruner.value(object, Some(schema), true);
    pruner.unknown.sort();
    pruner.unknown
}

/// Removes what the schema does not know from a value that is no object with `metadata` of its own, unless the schema
/// says so.
pub fn unknown_parts(value: &mut Value, schema: &Schema) {
    Pruner { path: String::new(), unknown: Vec::new() }.value(value, Some(schema), schema.extensions.embedded);
}

struct Pruner {
    path: String,
    unknown: Vec<String>,
}

impl Pruner {
    /// Prunes a value; `embedded` says that it is an object with fields that every object has.
    fn value(&mut self, value: &mut Value, schema: Option<&Schema>, embedded: bool) {
        let keeps = schema.is_some_and(Schema::preserves_unknown);
        match (value, schema) {
            (Value::Object(fields), None) => self.all(fields),
            (Value::Object(fields), Some(schema)) => self.fields(fields, schema, embedded, keeps),
            (Value::Array(items), Some(schema)) if keeps => self.kept_items(items, schema),
            (Value::Array(items), schema) => {
                let schema = schema.and_then(|schema| schema.items.as_deref());
                self.items(items, |pruner, item| pruner.value(item, schema, is_embedded(schema)));
            }
            _ => {}
        }
    }

    fn all(&mut self, fields: &mut Map<String, Value>) {
        for name in fields.keys() {
            self.unknown.push(self.below(name));
        }
        fields.clear();
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, schema: &Schema, embedded: bool, keeps: bool) {
        let at_root = self.path.is_empty();
        let mut gone = Vec::new();
        for (name, value) in fields.iter_mut() {
            let is_meta = META.contains(&name.as_str());
            if embedded && is_meta {
                continue;
            }
            let listed = schema.properties.get(name);
            if listed.is_some() || schema.additional.is_said() {
                let below = listed.or_else(|| schema.additional.schema());
                self.within(name, |pruner| pruner.value(value, below, is_embedded(below)));
            } else if !keeps {
                gone.push((name.clone(), is_meta && at_root));
            }
        }
        for (name, silent) in gone {
            fields.remove(&name);
            self.unknown.extend((!silent).then(|| self.below(&name)));
        }
    }

    /// Within a list whose unknown parts are kept, only parts with schemas of their own are pruned.
    fn kept_items(&mut self, items: &mut [Value], schema: &Schema) {
        let Some(schema) = schema.items.as_deref() else { return };
        self.items(items, |pruner, item| match item {
            Value::Object(fields) => pruner.fields(fields, schema, schema.extensions.embedded, true),
            Value::Array(inner) => pruner.kept_items(inner, schema),
            _ => {}
        });
    }

    fn items(&mut self, items: &mut [Value], mut prune: impl FnMut(&mut Self, &mut Value)) {
        let length = self.path.len();
        for (index, item) in items.iter_mut().enumerate() {
            self.path.push_str(&format!("[{index}]"));
            prune(self, item);
            self.path.truncate(length);
        }
    }

    fn within(&mut self, name: &str, prune: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path = self.below(name);
        prune(self);
        self.path.truncate(length);
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn is_embedded(schema: Option<&Schema>) -> bool {
    schema.is_some_and(|schema| schema.extensions.embedded)
}

/// Removes nulls of fields that may not be null and have no default.
pub fn nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let schema = schema.and_then(|schema| schema.field(name));
                let gone = value.is_null() && schema.is_some_and(|schema| !schema.nullable && schema.default.is_none());
                if !gone {
                    nulls(value, schema);
                }
                !gone
            });
        }
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| nulls(item, schema));
        }
        _ => {}
    }
}
