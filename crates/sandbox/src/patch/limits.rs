//! How much a patch may ask for.

use serde_json::Value;

/// Operations in one JSON patch (`k8s.io/apiserver/pkg/endpoints/handlers/patch.go`).
pub const MAX_OPERATIONS: usize = 10_000;

/// Bytes that the `copy` operations of one JSON patch may add up to (`JSONPatchMaxCopyBytes` of the API server).
pub const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;

/// Levels of lists and maps in the body of a patch. The API server's parser stops at 10,000, which no type comes near.
pub const MAX_BODY_DEPTH: usize = 128;

/// Levels of lists and maps in a patched object. Readers that stop at 128 levels can still read it in a list or an event.
pub const MAX_DEPTH: usize = 120;

/// Whether a value has more levels of lists and maps than a limit.
#[must_use]
pub fn is_deeper(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|item| is_deeper(item, limit - 1)),
        Value::Object(fields) => limit == 0 || fields.values().any(|field| is_deeper(field, limit - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_levels() {
        for (value, depth) in [(json!(1), 0), (json!([]), 1), (json!({"a": [1, {}]}), 3)] {
            assert!(!is_deeper(&value, depth), "{value}");
            assert!(depth == 0 || is_deeper(&value, depth - 1), "{value}");
        }
    }
}
