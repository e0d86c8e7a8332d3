//! Objects for tests.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::text;
use crate::objects::Objects;

/// Stored objects by group, resource, namespace and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored(BTreeMap<[String; 4], Arc<Value>>);

impl Stored {
    /// With one more object, stored by its own name and namespace.
    pub(crate) fn with(mut self, group: &str, resource: &str, object: Value) -> Self {
        let names = ["/metadata/namespace", "/metadata/name"].map(|pointer| text(&object, pointer).to_owned());
        let [namespace, name] = names;
        self.0.insert([group.to_owned(), resource.to_owned(), namespace, name], Arc::new(object));
        self
    }

    /// With one more object of the core group; its uid is `<name>-uid`.
    pub(crate) fn with_core(self, resource: &str, namespace: &str, name: &str, more: Value) -> Self {
        let mut object = json!({"metadata": {"name": name, "namespace": namespace, "uid": format!("{name}-uid")}});
        merge(&mut object, more);
        self.with("", resource, object)
    }

    /// Without an object of the core group.
    pub(crate) fn without(mut self, resource: &str, namespace: &str, name: &str) -> Self {
        self.0.remove(&["", resource, namespace, name].map(str::to_owned));
        self
    }
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

impl Objects for Stored {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(&[group, resource, namespace, name].map(str::to_owned)).cloned()
    }

    fn list(&self, group: &str, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let wanted = |key: &[String; 4]| {
            key[0] == group && key[1] == resource && namespace.is_none_or(|namespace| key[2] == namespace)
        };
        self.0.iter().filter(|(key, _)| wanted(key)).map(|(_, object)| object.clone()).collect()
    }
}
