//! A value together with where it is in its object, which is how most rules look at fields.

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::Value;

static NOTHING: Value = Value::Null;

/// A value and its path. What is absent is `null`.
#[derive(Clone, Debug)]
pub(crate) struct Place<'v> {
    value: &'v Value,
    path: FieldPath,
}

impl<'v> Place<'v> {
    /// The object itself.
    pub(crate) fn root(value: &'v Value) -> Self {
        Self::new(value, FieldPath::default())
    }

    /// A value at a path of the caller's choice.
    pub(crate) fn new(value: &'v Value, path: FieldPath) -> Self {
        Self { value, path }
    }

    /// A field.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self::new(self.get(name), self.path.child(name))
    }

    /// A field of a field.
    pub(crate) fn down(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |place, name| place.child(name))
    }

    /// The entry of a map under a key, with the path of a map's entry.
    pub(crate) fn key(&self, key: &str) -> Self {
        Self::new(self.get(key), self.path.key(key))
    }

    /// The same value under another path.
    pub(crate) fn at(&self, path: FieldPath) -> Self {
        Self::new(self.value, path)
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Vec<Self> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, item)| Self::new(item, self.path.index(index))).collect()
    }

    /// The entries of a map, under the map's own path.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'v str, &'v Value)> + use<'v> {
        self.value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    fn get(&self, name: &str) -> &'v Value {
        self.value.get(name).unwrap_or(&NOTHING)
    }

    pub(crate) fn value(&self) -> &'v Value {
        self.value
    }

    pub(crate) fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Text; empty if there is none.
    pub(crate) fn text(&self) -> &'v str {
        self.value.as_str().unwrap_or_default()
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> Vec<&'v str> {
        self.value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A whole number, if there is one.
    pub(crate) fn number(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(crate) fn flag(&self) -> bool {
        self.value.as_bool().unwrap_or_default()
    }

    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether the server's type would hold its zero value: no items, no entries, no text, nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::Number(number) => number.as_i64() == Some(0),
            Value::Bool(flag) => !flag,
        }
    }

    /// `Required value`.
    pub(crate) fn required(&self, detail: &str) -> FieldError {
        FieldError::required(&self.path, detail)
    }

    /// `Invalid value`; text that is absent shows as empty text.
    pub(crate) fn invalid(&self, detail: impl Into<String>) -> FieldError {
        FieldError::of(&self.path, FieldErrorKind::Invalid, Some(self.value), detail)
    }

    /// `Invalid value` of text, also of absent text.
    pub(crate) fn invalid_text(&self, detail: impl Into<String>) -> FieldError {
        FieldError::invalid(&self.path, self.text(), detail)
    }

    /// `Forbidden`.
    pub(crate) fn forbidden(&self, detail: &str) -> FieldError {
        FieldError::forbidden(&self.path, detail)
    }

    /// `Duplicate value` of text.
    pub(crate) fn duplicate(&self) -> FieldError {
        FieldError::duplicate(&self.path, self.text())
    }

    /// `Unsupported value` of text.
    pub(crate) fn not_supported(&self, supported: &[&str]) -> FieldError {
        FieldError::not_supported(&self.path, self.text(), supported)
    }

    /// One `Invalid value` for each problem that a grammar finds with text.
    pub(crate) fn checked(&self, grammar: impl Fn(&str) -> Vec<String>) -> Vec<FieldError> {
        grammar(self.text()).into_iter().map(|problem| self.invalid_text(problem)).collect()
    }

    /// Text of a known set, or `Required value` if it is empty.
    pub(crate) fn one_of(&self, supported: &[&str]) -> Option<FieldError> {
        match self.text() {
            "" => Some(self.required("")),
            text if supported.contains(&text) => None,
            _ => Some(self.not_supported(supported)),
        }
    }

    /// A number, if there is one, that must not be negative (`ValidateNonnegativeField`).
    pub(crate) fn non_negative(&self) -> Option<FieldError> {
        let negative = self.number().is_some_and(|number| number < 0);
        negative.then(|| self.invalid("must be greater than or equal to 0"))
    }

    /// A number, if there is one, within bounds (`InclusiveRangeError`).
    pub(crate) fn within(&self, low: i64, high: i64) -> Option<FieldError> {
        let outside = self.number().is_some_and(|number| !(low..=high).contains(&number));
        outside.then(|| self.invalid(format!("must be between {low} and {high}, inclusive")))
    }

    /// The same value as before (`ValidateImmutableField`); empty and absent are the same.
    pub(crate) fn immutable(&self, old: &Self) -> Option<FieldError> {
        let same = self.value == old.value || (self.is_empty() && old.is_empty());
        (!same).then(|| self.invalid("field is immutable"))
    }
}
