//! Which old value a new value corresponds to (`apiserver/pkg/cel/common/{equality,maplist}.go`).

use serde_json::Value;

use super::structural::Schema;

/// A new value with the old value that it corresponds to, if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'v> {
    new: &'v Value,
    old: &'v Value,
    schema: &'v Schema,
}

impl<'v> Pair<'v> {
    /// A new value and its old one.
    #[must_use]
    pub fn new(new: &'v Value, old: &'v Value, schema: &'v Schema) -> Self {
        Self { new, old, schema }
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        match (self.new, self.old) {
            (Value::Array(new), Value::Array(old)) => new.len() == old.len() && self.same_items(new, old),
            (Value::Object(new), Value::Object(old)) => {
                new.len() == old.len() && new.keys().all(|key| self.key(key).is_some_and(|pair| pair.is_unchanged()))
            }
            (new, old) => new == old,
        }
    }

    /// Items that have no counterpart are compared as a whole, unless keys should have found one.
    fn same_items(&self, new: &[Value], old: &[Value]) -> bool {
        for index in 0..new.len() {
            match self.index(index) {
                Some(pair) if pair.is_unchanged() => {}
                Some(_) => return false,
                None if self.schema.is_list_of_type("map") => return false,
                None => return new == old,
            }
        }
        true
    }

    /// The field of this name, if both values have it and the schema knows it.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<Self> {
        let (new, old) = (self.new.as_object()?.get(name)?, self.old.as_object()?.get(name)?);
        Some(Self { new, old, schema: self.schema.field(name)? })
    }

    /// The item of this index, if the list's items have keys and the old list has one of the same keys.
    #[must_use]
    pub fn index(&self, index: usize) -> Option<Self> {
        let new = self.new.as_array()?.get(index)?;
        let old = counterpart(self.schema, new, self.old)?;
        Some(Self { new, old, schema: self.schema.items.as_deref()? })
    }
}

/// The item of an old list that has the keys of a new item, if the schema is of a list with keys.
#[must_use]
pub fn counterpart<'v>(schema: &Schema, new: &Value, old: &'v Value) -> Option<&'v Value> {
    if !schema.is_list_of_type("map") || schema.extensions.list_map_keys.is_empty() {
        return None;
    }
    let keys = keys_of(schema, new)?;
    old.as_array()?.iter().find(|item| keys_of(schema, item).is_some_and(|known| known == keys))
}

fn keys_of<'v>(schema: &Schema, item: &'v Value) -> Option<Vec<&'v Value>> {
    let item = item.as_object()?;
    let scalar =
        |key: &String| item.get(key).filter(|value| value.is_string() || value.is_number() || value.is_boolean());
    schema.extensions.list_map_keys.iter().map(scalar).collect()
}
