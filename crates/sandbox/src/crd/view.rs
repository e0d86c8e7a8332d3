//! A definition as the server holds it: what all versions share is kept once
//! (`apiextensions-apiserver/pkg/apis/apiextensions/v1/conversion.go`).

use serde_json::Value;

static NULL: Value = Value::Null;

/// The versions of a definition.
pub fn versions(definition: &Value) -> &[Value] {
    definition.pointer("/spec/versions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A version by its name.
pub fn version<'v>(definition: &'v Value, name: &str) -> Option<&'v Value> {
    versions(definition).iter().find(|version| version["name"] == name)
}

/// A text of an object; empty if there is none.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a flag is set.
pub fn flag(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&Value::Bool(true))
}

/// A part of the versions that they may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `schema`.
    Schema,
    /// `subresources`.
    Subresources,
    /// `additionalPrinterColumns`.
    Columns,
    /// `selectableFields`.
    Selectable,
}

impl Part {
    /// The field's name in a version.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Subresources => "subresources",
            Self::Columns => "additionalPrinterColumns",
            Self::Selectable => "selectableFields",
        }
    }

    /// The part of one version; null if there is none.
    pub fn of(self, version: &Value) -> &Value {
        match version.get(self.name()) {
            Some(Value::Array(items)) if items.is_empty() => &NULL,
            other => other.unwrap_or(&NULL),
        }
    }

    /// Whether all versions have the same.
    pub fn is_shared(self, definition: &Value) -> bool {
        let all = versions(definition);
        all.iter().all(|version| all.first().is_some_and(|first| self.of(version) == self.of(first)))
    }

    /// What all versions have; null if they differ.
    pub fn shared(self, definition: &Value) -> &Value {
        let first = versions(definition).first().filter(|_| self.is_shared(definition));
        first.map_or(&NULL, |version| self.of(version))
    }

    /// What one version has of its own; null if all have the same.
    pub fn own<'v>(self, definition: &Value, version: &'v Value) -> &'v Value {
        if self.is_shared(definition) { &NULL } else { self.of(version) }
    }
}

/// A condition of a definition's status.
pub fn condition<'v>(definition: &'v Value, kind: &str) -> Option<&'v Value> {
    let conditions = definition.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)
}
