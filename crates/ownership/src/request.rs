//! One request, in the form that a decision needs.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::identity::{User, text};

/// Which objects a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The resource, in the plural.
    pub resource: &'a str,
    /// The namespace; empty for objects of the whole cluster.
    pub namespace: &'a str,
}

/// What a request does, with the objects that the API server shows for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation<'a> {
    /// A new object.
    Create {
        /// The object as it would be stored.
        new: Object<'a>,
    },
    /// A changed object: PUT and every PATCH.
    Update {
        /// The object as it is stored.
        old: Object<'a>,
        /// The object as it would be stored.
        new: Object<'a>,
    },
    /// A deleted object.
    Delete {
        /// The object as it is stored.
        old: Object<'a>,
    },
    /// A connection, as to `nodes/proxy`.
    Connect,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request<'a> {
    /// Who makes it.
    pub user: &'a User,
    /// Which objects it is about.
    pub target: Target<'a>,
    /// What it does.
    pub operation: Operation<'a>,
}

/// An object that no API server would show to admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedObject {
    /// It is no JSON object.
    #[error("the object is no JSON object")]
    NotAnObject,
    /// It has no metadata, or metadata that is no JSON object.
    #[error("the object's metadata is missing or no JSON object")]
    Metadata,
    /// Labels or annotations are no map of text.
    #[error("the object's labels or annotations are no map from text to text")]
    Texts,
}

/// An object of which labels and annotations are known to be maps of text, or absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object<'a> {
    raw: &'a Value,
    labels: Texts<'a>,
    annotations: Texts<'a>,
}

impl<'a> Object<'a> {
    /// Looks at an object.
    ///
    /// # Errors
    /// [`MalformedObject`], if its shape is none that an API server shows to admission.
    pub fn new(raw: &'a Value) -> Result<Self, MalformedObject> {
        let object = raw.as_object().ok_or(MalformedObject::NotAnObject)?;
        let metadata = object.get("metadata").and_then(Value::as_object).ok_or(MalformedObject::Metadata)?;
        let labels = Texts::new(metadata.get("labels"))?;
        let annotations = Texts::new(metadata.get("annotations"))?;
        Ok(Self { raw, labels, annotations })
    }

    /// The object itself.
    #[must_use]
    pub fn raw(&self) -> &'a Value {
        self.raw
    }

    /// One of its top-level fields.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a Value> {
        self.raw.get(name)
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> Texts<'a> {
        self.labels
    }

    /// Its annotations.
    #[must_use]
    pub fn annotations(&self) -> Texts<'a> {
        self.annotations
    }

    /// Its name; empty if it has none yet.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.raw.get("metadata").map_or("", |metadata| text(metadata, "name"))
    }

    /// Its UID; empty if it has none yet.
    #[must_use]
    pub fn uid(&self) -> &'a str {
        self.raw.get("metadata").map_or("", |metadata| text(metadata, "uid"))
    }
}

/// A map from text to text; an absent map is an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Texts<'a>(Option<&'a Map<String, Value>>);

impl<'a> Texts<'a> {
    /// Looks at a map.
    ///
    /// # Errors
    /// [`MalformedObject::Texts`], if the value is there and no map from text to text.
    pub fn new(value: Option<&'a Value>) -> Result<Self, MalformedObject> {
        let Some(value) = value else { return Ok(Self(None)) };
        let map = value.as_object().ok_or(MalformedObject::Texts)?;
        if map.values().all(Value::is_string) { Ok(Self(Some(map))) } else { Err(MalformedObject::Texts) }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.0?.get(key)?.as_str()
    }

    /// The keys whose presence or value differs from `old`, with the value that they have now, if they have one.
    #[must_use]
    pub fn changes_from(self, old: Self) -> Vec<(&'a str, Option<&'a str>)> {
        let set = self.beside(old).filter(|(_, now, was)| *was != Some(*now)).map(|(key, now, _)| (key, Some(now)));
        let removed = old.beside(self).filter(|(.., now)| now.is_none()).map(|(key, ..)| (key, None));
        set.chain(removed).collect()
    }

    /// The keys and values, each with the value that the key has in another map.
    fn beside(self, other: Self) -> impl Iterator<Item = (&'a str, &'a str, Option<&'a str>)> {
        let mut ahead = other.iter().peekable();
        self.iter().map(move |(key, value)| {
            // Most keys stand in both maps at the same place; only where the maps part a key is looked up.
            let there =
                ahead.next_if(|(next, _)| *next == key).map_or_else(|| other.get(key), |(_, value)| Some(value));
            (key, value, there)
        })
    }

    /// The keys and values, by key.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_found_wherever_the_maps_part() {
        let table = [
            (json!({}), json!({}), vec![]),
            (json!({"b": "1"}), json!({"b": "1"}), vec![]),
            (json!({"b": "1"}), json!({"b": "2"}), vec![("b", Some("2"))]),
            (json!({"b": "1"}), json!({"a": "0", "b": "1"}), vec![("a", Some("0"))]),
            (json!({"a": "0", "b": "1"}), json!({"b": "1"}), vec![("a", None)]),
            (json!({"a": "0", "b": "1"}), json!({"b": "1", "c": "2"}), vec![("c", Some("2")), ("a", None)]),
            (json!({"a": "0", "b": "1"}), json!({"b": "2"}), vec![("b", Some("2")), ("a", None)]),
        ];
        for (old, new, expected) in table {
            let [before, after] = [&old, &new].map(|map| Texts::new(Some(map)).expect("is a map of text"));
            assert_eq!(after.changes_from(before), expected, "{old} {new}");
        }
    }
}
