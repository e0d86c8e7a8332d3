//! How the server says that a value is not of its field's type.

use std::fmt;

/// A value that its field cannot hold, in the words of Go's `encoding/json` (`UnmarshalTypeError`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistyped {
    owner: String,
    path: Vec<String>,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// What was found, and the type that was wanted.
    Type(String, String),
    /// Another complaint; it names no place.
    Text(String),
}

impl Mistyped {
    /// A value of another type than that of its place.
    pub(super) fn new(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { owner: String::new(), path: Vec::new(), reason: Reason::Type(found.into(), wanted.into()) }
    }

    /// A complaint in words of its own.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { owner: String::new(), path: Vec::new(), reason: Reason::Text(text.into()) }
    }

    /// The same, found in a field of a structure: `path` leads to it from the root.
    pub(super) fn within(mut self, owner: &str, path: &[String]) -> Self {
        if !path.is_empty() {
            owner.clone_into(&mut self.owner);
            self.path.splice(0..0, path.iter().cloned());
        }
        self
    }
}

impl fmt::Display for Mistyped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Text(text) => out.write_str(text),
            Reason::Type(found, wanted) if self.path.is_empty() => {
                write!(out, "json: cannot unmarshal {found} into Go value of type {wanted}")
            }
            Reason::Type(found, wanted) => {
                let (owner, path) = (&self.owner, self.path.join("."));
                write!(out, "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")
            }
        }
    }
}
