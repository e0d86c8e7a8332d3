//! Whether an applied object fits its type (`structured-merge-diff/typed/validate.go`).

use serde_json::{Map, Value};
use std::collections::BTreeSet;

use super::form::{Form, ListForm, Place, Scalar};
use super::gotext;
use super::path::Element;

/// What is wrong with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Errors(Vec<(String, String)>);

impl Errors {
    pub(super) fn one(message: impl Into<String>) -> Self {
        Self(vec![(String::new(), message.into())])
    }

    /// The error of an item that cannot be found by its keys.
    pub(super) fn element(index: usize, message: &str) -> Self {
        Self::one(format!("element {index}: {message}"))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The same errors, one step further from the root.
    pub(super) fn below(mut self, element: &Element) -> Self {
        self.0.iter_mut().for_each(|(path, _)| *path = format!("{element}{path}"));
        self
    }
}

impl std::fmt::Display for Errors {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |(path, message): &(String, String)| match path.as_str() {
            "" => message.clone(),
            path => format!("{path}: {message}"),
        };
        match self.0.as_slice() {
            [only] => out.write_str(&text(only)),
            many => {
                out.write_str("errors:")?;
                many.iter().try_for_each(|error| write!(out, "\n  {}", text(error)))
            }
        }
    }
}

/// What is wrong with a value; `duplicates` allows them in lists whose items are found by value or key.
pub(super) fn validate(value: &Value, place: Place<'_>, duplicates: bool) -> Errors {
    match (place.form(Some(value)), value) {
        _ if place.is_too_deep() => Errors::default(),
        (_, Value::Null) => Errors::default(),
        (Form::Scalar(kind), value) => scalar(kind, value),
        (Form::Map { .. }, Value::Object(entries)) => validate_entries(entries, place, duplicates),
        (Form::Map { .. }, other) => Errors::one(format!("expected map, got &{{{}}}", gotext::plain(other))),
        (Form::List(list), Value::Array(items)) => validate_items(list, items, place, duplicates),
        (Form::List(_), other) => Errors::one(format!("expected list, got &{{{}}}", gotext::plain(other))),
    }
}

fn scalar(kind: Scalar, value: &Value) -> Errors {
    let wrong = match (kind, value) {
        (Scalar::Numeric, Value::Number(_)) | (Scalar::Text, Value::String(_)) | (Scalar::Boolean, Value::Bool(_)) => {
            return Errors::default();
        }
        (Scalar::Any, Value::Number(_) | Value::String(_) | Value::Bool(_)) => return Errors::default(),
        (Scalar::Numeric, other) => format!("expected numeric (int or float), got {}", gotext::go_type(other)),
        (Scalar::Text, other) => {
            format!("expected string, got &value.valueUnstructured{{Value:{}}}", gotext::syntax(other))
        }
        (Scalar::Boolean, other) => format!("expected boolean, got &{{{}}}", gotext::plain(other)),
        (Scalar::Any, other) => format!("expected any scalar, got &{{{}}}", gotext::plain(other)),
    };
    Errors::one(wrong)
}

fn validate_entries(entries: &Map<String, Value>, place: Place<'_>, duplicates: bool) -> Errors {
    let mut errors = Errors::default();
    for (name, value) in entries {
        if !place.allows(name) {
            errors.extend(Errors::one("field not declared in schema").below(&Element::field(name)));
            return errors;
        }
        let below = validate(value, place.entry(name), duplicates);
        if !below.is_empty() {
            errors.extend(below.below(&Element::field(name)));
        }
    }
    errors
}

fn validate_items(list: ListForm<'_>, items: &[Value], place: Place<'_>, duplicates: bool) -> Errors {
    let mut errors = Errors::default();
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let element = match list {
            ListForm::Atomic => Element::Index(i64::try_from(index).unwrap_or(i64::MAX)),
            list => match place.element(list, item) {
                Ok(element) => element,
                Err(message) => {
                    errors.extend(Errors::element(index, &message));
                    return errors;
                }
            },
        };
        let below = validate(item, place.item(), duplicates);
        let repeated = !duplicates && seen.contains(&element);
        if repeated {
            errors.extend(Errors::one(format!("duplicate entries for key {element}")));
        }
        if !below.is_empty() {
            errors.extend(below.below(&element));
        }
        seen.insert(element);
    }
    errors
}
