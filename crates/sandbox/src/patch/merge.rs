//! Merge patch: RFC 7386 as the API server applies it (`gopkg.in/evanphx/json-patch.v4`).

use serde_json::{Map, Value};

use super::limits::{MAX_DEPTH, is_deeper};
use super::{Body, rejected};
use crate::failure::Failure;

/// Reads the body of a merge patch.
///
/// # Errors
/// 400 with the parser's words.
pub fn read(body: &[u8]) -> Result<Body, Failure> {
    let body = Body::parse(body).map_err(|error| undecodable(&error))?;
    check(&body.patch)?;
    Ok(body)
}

/// Applies a merge patch to an object: nulls delete, and are dropped from what is new.
///
/// # Errors
/// 400 if the patch is no object.
pub fn apply(patch: &Value, target: &Value) -> Result<Value, Failure> {
    let patch = check(patch)?;
    if patch.values().any(|field| is_deeper(field, MAX_DEPTH - 1)) || is_deeper(target, MAX_DEPTH) {
        return Err(rejected());
    }
    let mut merged = target.as_object().cloned().unwrap_or_default();
    merge(&mut merged, patch);
    Ok(Value::Object(merged))
}

fn check(patch: &Value) -> Result<&Map<String, Value>, Failure> {
    match patch {
        Value::Object(fields) => Ok(fields),
        Value::Null => Err(Failure::bad_request("Invalid JSON Patch")),
        other => Err(undecodable(&super::no_object(other))),
    }
}

fn undecodable(error: &str) -> Failure {
    Failure::bad_request(format!("error decoding patch: {error}"))
}

fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, wanted) in patch {
        match (target.get_mut(name), wanted) {
            (_, Value::Null) => {
                target.remove(name);
            }
            (Some(Value::Object(fields)), Value::Object(wanted)) => merge(fields, wanted),
            // Only here nulls within lists survive.
            (Some(field @ Value::Object(_)), wanted) => *field = wanted.clone(),
            (_, wanted) => {
                target.insert(name.clone(), without_nulls(wanted));
            }
        }
    }
}

/// The value without fields that are null. Nulls that are items of lists stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, field)| !field.is_null());
            Value::Object(fields.map(|(name, field)| (name.clone(), without_nulls(field))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merges() {
        let cases = [
            (json!({}), json!({"a": "b"}), json!({"a": "b"})),
            (json!({"a": "c"}), json!({"a": "b"}), json!({"a": "c"})),
            (json!({"b": "c"}), json!({"a": "b"}), json!({"a": "b", "b": "c"})),
            (json!({"a": null}), json!({"a": "b"}), json!({})),
            (json!({"a": null}), json!({"a": "b", "b": "c"}), json!({"b": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": ["b"]})),
            (json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "c"}}), json!({"a": {"b": "d"}})),
            (json!({"a": [1]}), json!({"a": [{"b": "c"}]}), json!({"a": [1]})),
            (json!({"a": 1}), json!({"e": null}), json!({"a": 1, "e": null})),
            (json!({"a": {"bb": {"ccc": null}}}), json!({}), json!({"a": {"bb": {}}})),
            (json!({"a": {"b": 1, "c": null}}), json!({"a": null}), json!({"a": {"b": 1}})),
            (json!({"a": [{"b": null, "c": [null]}, null]}), json!({}), json!({"a": [{"c": [null]}, null]})),
            (json!({"a": [{"b": null}]}), json!({"a": [1]}), json!({"a": [{}]})),
            (json!({"a": [{"b": null}]}), json!({"a": {"x": 1}}), json!({"a": [{"b": null}]})),
        ];
        for (patch, target, expected) in cases {
            assert_eq!(apply(&patch, &target).unwrap(), expected, "{patch} on {target}");
        }
    }

    #[test]
    fn refusals() {
        let cases: [(&[u8], &str); 5] = [
            (b"[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
            (
                b"\"\"",
                "error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}",
            ),
            (b"null", "Invalid JSON Patch"),
            (b"{", "error decoding patch: unexpected end of JSON input"),
            (
                b"{\"a\":1e999}",
                "error decoding patch: json: cannot unmarshal number 1e999 into Go value of type float64",
            ),
        ];
        for (body, expected) in cases {
            let failure = read(body).unwrap_err();
            assert_eq!((failure.code, failure.reason, failure.message.as_str()), (400, "BadRequest", expected));
        }
        assert_eq!(apply(&json!(5), &json!({})).unwrap_err().code, 400);
    }
}
