//! The change that a case makes to an object.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// How a stored object is changed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The kind of patch.
    #[serde(rename = "type")]
    pub patch_type: PatchType,
    /// The body.
    pub body: Value,
}

/// The kinds of patches that an API server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchType {
    /// JSON merge patch (RFC 7396).
    Merge,
    /// JSON patch (RFC 6902).
    Json,
    /// Kubernetes' strategic merge patch.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchType {
    /// The media type of the request.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Json => "application/json-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// A patch that cannot be applied here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unpatchable {
    /// Only an API server can apply it.
    #[error("only an API server can apply this patch: {0}")]
    NeedsServer(&'static str),
    /// It does not fit the object.
    #[error("the patch does not fit the object: {0}")]
    Broken(String),
}

/// Lists of text that a strategic merge patch joins instead of replacing them.
const JOINED_LISTS: [&str; 2] = ["finalizers", "podCIDRs"];

impl Patch {
    /// The object after the change.
    ///
    /// # Errors
    /// [`Unpatchable`], if the patch does not fit, or what it does depends on the server's knowledge of the kind.
    pub fn apply(&self, old: &Value) -> Result<Value, Unpatchable> {
        let mut new = old.clone();
        match self.patch_type {
            PatchType::Merge => merge(&mut new, &self.body)?,
            PatchType::Json => json(&mut new, &self.body)?,
            PatchType::Strategic => {
                merges_plainly(&self.body)?;
                merge(&mut new, &self.body)?;
            }
            PatchType::Apply => return Err(Unpatchable::NeedsServer("server-side apply depends on managed fields")),
        }
        drop_empty(&mut new);
        Ok(new)
    }
}

fn merge(object: &mut Value, body: &Value) -> Result<(), Unpatchable> {
    if !body.is_object() {
        return Err(Unpatchable::Broken("a merge patch is an object".to_owned()));
    }
    json_patch::merge(object, body);
    Ok(())
}

fn json(object: &mut Value, body: &Value) -> Result<(), Unpatchable> {
    let broken = |error: String| Unpatchable::Broken(error);
    let operations: json_patch::Patch = Deserialize::deserialize(body).map_err(|error| broken(error.to_string()))?;
    json_patch::patch(object, &operations).map_err(|error| broken(error.to_string()))
}

/// Refuses what a strategic merge patch does otherwise than a merge patch, or might. The depth of the body is bounded by
/// the parser that made it.
fn merges_plainly(body: &Value) -> Result<(), Unpatchable> {
    let Value::Object(map) = body else { return Ok(()) };
    for (key, value) in map {
        if key.starts_with('$') {
            return Err(Unpatchable::NeedsServer("a strategic merge patch with directives"));
        }
        let joined = JOINED_LISTS.contains(&key.as_str());
        let objects = value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
        if value.is_array() && (joined || objects) {
            return Err(Unpatchable::NeedsServer("a strategic merge patch of a list that is merged"));
        }
        merges_plainly(value)?;
    }
    Ok(())
}

/// Metadata that the server leaves out when it is empty.
fn drop_empty(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let empty = match metadata.get(field) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(value) => value.is_null(),
            None => false,
        };
        if empty {
            metadata.remove(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(patch_type: &str, body: Value) -> Result<Value, Unpatchable> {
        let patch: Patch = serde_json::from_value(json!({"type": patch_type, "body": body})).unwrap();
        patch.apply(
            &json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x/y"]}, "spec": {"taints": [1]}}),
        )
    }

    fn labels(result: Result<Value, Unpatchable>) -> Value {
        result.unwrap()["metadata"]["labels"].clone()
    }

    #[test]
    fn merge_and_json_patches_change_the_object() {
        assert_eq!(
            labels(apply("merge", json!({"metadata": {"labels": {"a": null, "c": "3"}}}))),
            json!({"b": "2", "c": "3"})
        );
        let body = json!([{"op": "test", "path": "/metadata/labels/a", "value": "1"}, {"op": "remove", "path": "/metadata/labels/a"}]);
        assert_eq!(labels(apply("json", body)), json!({"b": "2"}));
        assert_eq!(
            labels(apply("strategic", json!({"metadata": {"labels": {"a": "9"}}}))),
            json!({"a": "9", "b": "2"})
        );
    }

    #[test]
    fn what_becomes_empty_vanishes() {
        let emptied =
            apply("merge", json!({"metadata": {"labels": {"a": null, "b": null}, "finalizers": []}})).unwrap();
        assert_eq!(emptied["metadata"], json!({}));
        assert_eq!(
            apply("merge", json!({"metadata": {"labels": null}})).unwrap()["metadata"],
            json!({"finalizers": ["x/y"]})
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (patch_type, body) in [
            ("merge", json!([1])),
            ("strategic", json!("x")),
            ("json", json!({})),
            ("json", json!([{"op": "frob", "path": "/a"}])),
            ("json", json!([{"op": "test", "path": "/metadata/labels/a", "value": "2"}])),
            ("json", json!([{"op": "remove", "path": "/metadata/labels/z"}])),
        ] {
            assert!(matches!(apply(patch_type, body.clone()), Err(Unpatchable::Broken(_))), "{patch_type} {body}");
        }
    }

    #[test]
    fn what_depends_on_the_kind_needs_a_server() {
        for (patch_type, body) in [
            ("apply", json!({})),
            ("strategic", json!({"$patch": "replace"})),
            ("strategic", json!({"status": {"conditions": [{"type": "Ready"}]}})),
            ("strategic", json!({"metadata": {"finalizers": ["a/b"]}})),
        ] {
            assert!(matches!(apply(patch_type, body.clone()), Err(Unpatchable::NeedsServer(_))), "{patch_type} {body}");
        }
        assert!(apply("strategic", json!({"spec": {"list": ["a"]}})).is_ok());
    }
}
