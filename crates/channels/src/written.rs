//! Which keys of a Node somebody wrote, by what the API server notes about it.
//!
//! `metadata.managedFields` outlives the agent, so that a key that an earlier run of it published is removed by a later
//! one. Whoever changes a value takes the key over (`k8s.io/apimachinery/pkg/util/managedfields`), so that a key that
//! somebody else set since is none of ours.

use ownership::publication::Keys;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::Keep;

/// The label and annotation keys that one of the managers wrote, by the object's managed fields.
#[must_use]
pub fn written(node: &Value, managers: &BTreeSet<String>) -> Keys {
    let mut keys = Keys::default();
    let entries = node.pointer("/metadata/managedFields").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or_default();
        if managers.contains(manager) {
            keys.labels.extend(fields(entry, "/fieldsV1/f:metadata/f:labels"));
            keys.annotations.extend(fields(entry, "/fieldsV1/f:metadata/f:annotations"));
        }
    }
    keys
}

fn fields<'a>(entry: &'a Value, pointer: &str) -> impl Iterator<Item = String> + use<'a> {
    let map = entry.pointer(pointer).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(field, _)| field.strip_prefix("f:").map(str::to_owned))
}

/// Those of the keys that may be removed.
pub(crate) fn removable(keys: Keys, keep: &Keep) -> Keys {
    match keep {
        Keep::Everything => Keys::default(),
        Keep::Labels(patterns) => {
            let kept = |key: &String| patterns.iter().any(|pattern| pattern.matches(key));
            Keys { labels: keys.labels.into_iter().filter(|key| !kept(key)).collect(), ..keys }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::matcher::Pattern;
    use serde_json::json;

    fn set(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_managers_keys_count() {
        let fields = |key: &str| json!({"f:metadata": {"f:labels": {".": {}, key: {}}, "f:annotations": {"f:x": {}}}});
        let node = json!({"metadata": {"managedFields": [
            {"manager": "ours", "fieldsV1": fields("f:a.b/c")},
            {"manager": "theirs", "fieldsV1": fields("f:d")},
            {"manager": "ours", "fieldsV1": {"f:metadata": {"f:labels": {"f:e": {}}}}},
            {"manager": "ours", "fieldsV1": "hostile"},
            {"manager": 7},
        ]}});
        let keys = written(&node, &set(&["ours"]));
        assert_eq!(keys, Keys { labels: set(&["a.b/c", "e"]), annotations: set(&["x"]) });
        let all = written(&node, &set(&["ours", "theirs"]));
        assert_eq!(all.labels, set(&["a.b/c", "d", "e"]));
        assert_eq!(written(&json!({}), &set(&["ours"])), Keys::default());
    }

    #[test]
    fn what_is_kept_is_not_removed() {
        let keys = || Keys { labels: set(&["a/x", "b/x"]), annotations: set(&["a/x"]) };
        assert_eq!(removable(keys(), &Keep::default()), keys());
        assert_eq!(removable(keys(), &Keep::Everything), Keys::default());
        let some = Keep::Labels(vec![Pattern::Prefix("a/".to_owned())]);
        assert_eq!(removable(keys(), &some), Keys { labels: set(&["b/x"]), ..keys() });
    }
}
