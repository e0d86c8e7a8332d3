//! Maps: borrowed JSON objects and computed maps.

use std::collections::HashMap;

use serde_json::{Map as JsonMap, Value as Json};

use super::equality::equal;
use super::value::{Text, Value};

/// A map, borrowed where possible.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// A JSON object.
    Json(&'a JsonMap<String, Json>),
    /// Computed entries.
    Entries(std::sync::Arc<Entries<'a>>),
}

impl<'a> Map<'a> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(entries) => entries.len(),
            Self::Entries(entries) => entries.pairs.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a text key.
    pub fn get_str(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Self::Json(entries) => entries.get(key).map(Value::from_json),
            Self::Entries(entries) => entries.get_str(key).cloned(),
        }
    }

    /// The value of a key; numbers of different kinds are the same key when they are equal.
    pub fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (_, Value::String(text)) => self.get_str(text.as_str()),
            (Self::Json(_), _) => None,
            (Self::Entries(entries), key) => entries.get(key).cloned(),
        }
    }

    /// Whether there is an entry of this key.
    pub fn contains(&self, key: &Value<'_>) -> bool {
        match (self, key) {
            (Self::Json(entries), Value::String(text)) => entries.contains_key(text.as_str()),
            (Self::Json(_), _) => false,
            (Self::Entries(entries), key) => entries.get(key).is_some(),
        }
    }

    /// The keys, in no promised order.
    pub fn keys(&self) -> Box<dyn Iterator<Item = Value<'a>> + '_> {
        match self {
            Self::Json(entries) => Box::new(entries.keys().map(|key| Value::borrowed(key))),
            Self::Entries(entries) => Box::new(entries.pairs.iter().map(|(key, _)| key.clone())),
        }
    }

    /// The entries, in no promised order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + '_> {
        match self {
            Self::Json(entries) => {
                Box::new(entries.iter().map(|(key, value)| (Value::borrowed(key), Value::from_json(value))))
            }
            Self::Entries(entries) => Box::new(entries.pairs.iter().cloned()),
        }
    }
}

/// Computed entries of a map, in order of first insertion.
#[derive(Clone, Debug, Default)]
pub struct Entries<'a> {
    pairs: Vec<(Value<'a>, Value<'a>)>,
    texts: HashMap<Box<str>, usize>,
}

impl<'a> Entries<'a> {
    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a text key.
    pub fn get_str(&self, key: &str) -> Option<&Value<'a>> {
        self.texts.get(key).and_then(|index| self.pairs.get(*index)).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        self.position(key).and_then(|index| self.pairs.get(index)).map(|(_, value)| value)
    }

    /// Sets a key's value, replacing an earlier one.
    pub fn insert(&mut self, key: Value<'a>, value: Value<'a>) {
        match self.position(&key).and_then(|index| self.pairs.get_mut(index)) {
            Some(pair) => pair.1 = value,
            None => self.push(key, value),
        }
    }

    /// Removes a key's entry, if there is one.
    pub fn remove(&mut self, key: &Value<'_>) {
        if let Some(position) = self.position(key) {
            self.pairs.remove(position);
            self.texts = text_positions(&self.pairs);
        }
    }

    /// The entries in order.
    pub fn pairs(&self) -> &[(Value<'a>, Value<'a>)] {
        &self.pairs
    }

    fn push(&mut self, key: Value<'a>, value: Value<'a>) {
        if let Value::String(text) = &key {
            self.texts.insert(Box::from(text.as_str()), self.pairs.len());
        }
        self.pairs.push((key, value));
    }

    fn position(&self, key: &Value<'_>) -> Option<usize> {
        match key {
            Value::String(text) => self.texts.get(Text::as_str(text)).copied(),
            key => self.pairs.iter().position(|(candidate, _)| equal(candidate, key)),
        }
    }
}

fn text_positions(pairs: &[(Value<'_>, Value<'_>)]) -> HashMap<Box<str>, usize> {
    pairs
        .iter()
        .enumerate()
        .filter_map(|(index, (key, _))| key.as_str().ok().map(|text| (Box::from(text), index)))
        .collect()
}

impl<'a> FromIterator<(Value<'a>, Value<'a>)> for Entries<'a> {
    fn from_iter<I: IntoIterator<Item = (Value<'a>, Value<'a>)>>(pairs: I) -> Self {
        let mut entries = Self::new();
        for (key, value) in pairs {
            entries.insert(key, value);
        }
        entries
    }
}
