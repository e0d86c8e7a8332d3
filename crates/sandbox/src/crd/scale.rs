//! The numbers that the `scale` subresource shows
//! (`apiextensions-apiserver/pkg/registry/customresource/validator.go`).

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::{Value, json};

/// Where an object keeps what `scale` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// `specReplicasPath`.
    pub spec_replicas: String,
    /// `statusReplicasPath`.
    pub status_replicas: String,
    /// `labelSelectorPath`.
    pub label_selector: Option<String>,
}

impl Scale {
    /// Reads `subresources.scale` of a version.
    #[must_use]
    pub fn read(json: &Value) -> Option<Self> {
        let fields = json.as_object()?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            spec_replicas: text("specReplicasPath").unwrap_or_default(),
            status_replicas: text("statusReplicasPath").unwrap_or_default(),
            label_selector: text("labelSelectorPath"),
        })
    }

    /// What is wrong with the desired number.
    #[must_use]
    pub fn spec_errors(&self, object: &Value) -> Option<FieldError> {
        replicas_error(object, &self.spec_replicas)
    }

    /// What is wrong with the actual number and the selector.
    #[must_use]
    pub fn status_errors(&self, object: &Value) -> Vec<FieldError> {
        let selector = self.label_selector.iter().filter_map(|path| selector_error(object, path));
        replicas_error(object, &self.status_replicas).into_iter().chain(selector).collect()
    }
}

fn replicas_error(object: &Value, path: &str) -> Option<FieldError> {
    let number = match nested(object, path).map(|found| found.map(|value| (value, value.as_i64()))) {
        Ok(None) => return None,
        Ok(Some((_, Some(number)))) => number,
        Ok(Some((value, None))) => return Some(invalid(path, &json!(0), mistyped(value, path, "int64"))),
        Err(why) => return Some(invalid(path, &json!(0), why)),
    };
    if number < 0 {
        return Some(invalid(path, &json!(number), String::from("should be a non-negative integer")));
    }
    let most = i64::from(i32::MAX);
    (number > most).then(|| invalid(path, &json!(number), format!("should be less than or equal to {most}")))
}

fn selector_error(object: &Value, path: &str) -> Option<FieldError> {
    match nested(object, path) {
        Ok(None | Some(Value::String(_))) => None,
        Ok(Some(value)) => Some(invalid(path, &json!(""), mistyped(value, path, "string"))),
        Err(why) => Some(invalid(path, &json!(""), why)),
    }
}

fn invalid(path: &str, value: &Value, detail: String) -> FieldError {
    FieldError::of(&FieldPath::root(path), FieldErrorKind::Invalid, Some(value), detail)
}

fn mistyped(value: &Value, path: &str, expected: &str) -> String {
    let place = path.strip_prefix('.').unwrap_or(path);
    format!(".{place} accessor error: {} is of the type {}, expected {expected}", printed(value), go_type(value))
}

/// What is at a path of plain steps.
fn nested<'v>(object: &'v Value, path: &str) -> Result<Option<&'v Value>, String> {
    let mut value = object;
    let mut walked = String::new();
    for step in path.strip_prefix('.').unwrap_or(path).split('.') {
        walked = format!("{walked}.{step}");
        match value {
            Value::Null => return Ok(None),
            Value::Object(fields) => match fields.get(step) {
                Some(below) => value = below,
                None => return Ok(None),
            },
            other => return Err(mistyped(other, &walked, "map[string]interface{}")),
        }
    }
    Ok(Some(value))
}

/// A value as the server's `%v` prints it.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::from("<nil>"),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(printed).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let parts: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{}", printed(value))).collect();
            format!("map[{}]", parts.join(" "))
        }
        plain => admission::quote::go_value(plain),
    }
}

/// The type that the server's decoder gives a value.
pub(super) fn go_type(json: &Value) -> &'static str {
    match json {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.as_i64().is_some() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
