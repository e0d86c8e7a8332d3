//! Errors about a field of an object, in the API server's words (`k8s.io/apimachinery/pkg/util/validation/field`).

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::quote::{go_json, go_quoted, go_value};

/// Where a field is: `spec.validations[0].expression`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath(String);

impl FieldPath {
    /// A field of the object itself.
    #[must_use]
    pub fn root(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A field of the structure at this path.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::root(name) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// An item of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// An entry of the map at this path: `metadata.labels[key]`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldErrorKind {
    /// A value is missing.
    Required,
    /// A value is malformed.
    Invalid,
    /// A value is of the wrong type.
    TypeInvalid,
    /// A value is none of the known ones.
    NotSupported,
    /// What a value names is not there.
    NotFound,
    /// A value occurs twice.
    Duplicate,
    /// A value may not be given here.
    Forbidden,
    /// A value is too long.
    TooLong,
    /// A list has too many items.
    TooMany,
    /// Not the input's fault.
    Internal,
}

impl FieldErrorKind {
    /// The reason that the server gives in `details.causes`.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::NotFound => "FieldValueNotFound",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
        }
    }
}

impl fmt::Display for FieldErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::NotFound => "Not found",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        })
    }
}

/// One reason for which the API server would not accept an object.
/// Displays as the server's message: `spec.failurePolicy: Unsupported value: "x": supported values: "Fail", "Ignore"`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {}", self.body())]
pub struct FieldError {
    field: String,
    kind: FieldErrorKind,
    value: Option<String>,
    detail: String,
}

impl FieldError {
    /// The field's path.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The kind of error.
    pub fn kind(&self) -> FieldErrorKind {
        self.kind
    }

    /// The explanation without field and value.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The message without the field: what the server gives in `details.causes`.
    pub fn body(&self) -> String {
        let mut body = self.kind.to_string();
        for part in self.value.iter().chain(Some(&self.detail).filter(|detail| !detail.is_empty())) {
            body.push_str(": ");
            body.push_str(part);
        }
        body
    }

    fn new(path: &FieldPath, kind: FieldErrorKind, value: Option<String>, detail: impl Into<String>) -> Self {
        Self { field: path.0.clone(), kind, value, detail: detail.into() }
    }

    /// An error of any kind, about any value or none.
    #[must_use]
    pub fn of(path: &FieldPath, kind: FieldErrorKind, value: Option<&Value>, detail: impl Into<String>) -> Self {
        Self::new(path, kind, value.map(go_value), detail)
    }

    /// `Required value`.
    #[must_use]
    pub fn required(path: &FieldPath, detail: &str) -> Self {
        Self::new(path, FieldErrorKind::Required, None, detail)
    }

    /// `Invalid value` of a plain string.
    #[must_use]
    pub fn invalid(path: &FieldPath, value: &str, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Invalid, Some(go_quoted(value)), detail)
    }

    /// `Invalid value` of what is no plain string on the server: lists, structures and named string types.
    #[must_use]
    pub fn invalid_json(path: &FieldPath, value: &impl Serialize, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Invalid, Some(go_json(value)), detail)
    }

    /// `Unsupported value`.
    #[must_use]
    pub fn not_supported(path: &FieldPath, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| go_quoted(value)).collect();
        let detail = format!("supported values: {}", supported.join(", "));
        Self::new(path, FieldErrorKind::NotSupported, Some(go_json(&value)), detail)
    }

    /// `Duplicate value`.
    #[must_use]
    pub fn duplicate(path: &FieldPath, value: &str) -> Self {
        Self::new(path, FieldErrorKind::Duplicate, Some(go_quoted(value)), "")
    }

    /// `Forbidden`.
    #[must_use]
    pub fn forbidden(path: &FieldPath, detail: &str) -> Self {
        Self::new(path, FieldErrorKind::Forbidden, None, detail)
    }

    /// `Too long`, by bytes.
    #[must_use]
    pub fn too_long(path: &FieldPath, limit: usize) -> Self {
        Self::new(path, FieldErrorKind::TooLong, None, format!("may not be more than {limit} bytes"))
    }

    /// `Too many` items.
    #[must_use]
    pub fn too_many(path: &FieldPath, actual: usize, limit: usize) -> Self {
        let detail = format!("must have at most {limit} items");
        Self::new(path, FieldErrorKind::TooMany, Some(actual.to_string()), detail)
    }

    /// `Internal error`.
    #[must_use]
    pub fn internal(path: &FieldPath, detail: impl Into<String>) -> Self {
        Self::new(path, FieldErrorKind::Internal, None, detail)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_the_servers() {
        let path = FieldPath::root("spec").child("list").index(2).child("name");
        let of = |kind, value: Option<Value>, detail| FieldError::of(&path, kind, value.as_ref(), detail);
        let cases = [
            (FieldError::required(&path, ""), "Required value"),
            (FieldError::required(&path, "give one"), "Required value: give one"),
            (FieldError::invalid(&path, "a\"b", "bad"), r#"Invalid value: "a\"b": bad"#),
            (FieldError::invalid_json(&path, &["a", "b"], "bad"), r#"Invalid value: ["a","b"]: bad"#),
            (
                FieldError::not_supported(&path, "x", &["A", "B"]),
                r#"Unsupported value: "x": supported values: "A", "B""#,
            ),
            (FieldError::duplicate(&path, "x"), r#"Duplicate value: "x""#),
            (of(FieldErrorKind::TypeInvalid, Some(json!("a\"")), "bad"), r#"Invalid value: "a\"": bad"#),
            (of(FieldErrorKind::Invalid, Some(json!(1_500_000.5)), "bad"), "Invalid value: 1.5000005e+06: bad"),
            (
                of(FieldErrorKind::Duplicate, Some(json!({"b": [1.0, 1.5], "a": "<"})), ""),
                r#"Duplicate value: {"a":"\u003c","b":[1,1.5]}"#,
            ),
            (of(FieldErrorKind::Invalid, Some(json!(null)), "bad"), "Invalid value: null: bad"),
            (of(FieldErrorKind::Invalid, None, "bad"), "Invalid value: bad"),
            (FieldError::forbidden(&path, "no"), "Forbidden: no"),
            (FieldError::too_long(&path, 5), "Too long: may not be more than 5 bytes"),
            (FieldError::too_many(&path, 65, 64), "Too many: 65: must have at most 64 items"),
            (FieldError::internal(&path, "oh"), "Internal error: oh"),
        ];
        for (error, body) in cases {
            assert_eq!(error.to_string(), format!("spec.list[2].name: {body}"));
        }
    }
}
