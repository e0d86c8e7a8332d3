//! Whether some rules allow all that others do (`k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go`,
//! `k8s.io/kubernetes/pkg/registry/rbac/validation/policy_compact.go`).

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::rule::path_matches;
use crate::identity::value::{list, quoted_list, texts};

/// The part of a rule that names no more than one thing of each sort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target<'v> {
    Resource { group: &'v str, resource: &'v str, name: Option<&'v str> },
    Path(&'v str),
}

/// What of `wanted` is not covered by `held`, one line for each target, as the server describes it; empty if all is.
/// A single rule must cover a part: two that do so together do not count.
#[must_use]
pub fn missing(held: &[Value], wanted: &[Value]) -> Vec<String> {
    let mut missing: BTreeMap<Target<'_>, Vec<&str>> = BTreeMap::new();
    for rule in wanted {
        for target in targets(rule) {
            let verbs = texts(rule, "/verbs").filter(|verb| !held.iter().any(|owner| covers(owner, &target, verb)));
            let verbs: Vec<&str> = verbs.collect();
            if !verbs.is_empty() {
                missing.entry(target).or_default().extend(verbs);
            }
        }
    }
    let lines: BTreeSet<String> = missing.iter().flat_map(|(target, verbs)| describe(target, verbs)).collect();
    lines.into_iter().collect()
}

fn targets(rule: &Value) -> Vec<Target<'_>> {
    let mut targets: Vec<Target<'_>> = Vec::new();
    let names: Vec<Option<&str>> = match list(rule, "/resourceNames") {
        [] => vec![None],
        _ => texts(rule, "/resourceNames").map(Some).collect(),
    };
    for group in texts(rule, "/apiGroups") {
        for resource in texts(rule, "/resources") {
            targets.extend(names.iter().map(|name| Target::Resource { group, resource, name: *name }));
        }
    }
    targets.extend(texts(rule, "/nonResourceURLs").map(Target::Path));
    targets
}

fn covers(owner: &Value, target: &Target<'_>, verb: &str) -> bool {
    let has = |pointer: &str, wanted: &str| texts(owner, pointer).any(|known| known == "*" || known == wanted);
    if !has("/verbs", verb) {
        return false;
    }
    match target {
        Target::Path(path) => covers_path(owner, path),
        Target::Resource { group, resource, name } => {
            has("/apiGroups", group) && covers_resource(owner, resource) && covers_name(owner, *name)
        }
    }
}

/// A rule with names for its resources covers no path.
fn covers_path(owner: &Value, path: &str) -> bool {
    list(owner, "/resourceNames").is_empty()
        && texts(owner, "/nonResourceURLs").any(|pattern| path_matches(pattern, path))
}

fn covers_resource(owner: &Value, resource: &str) -> bool {
    let everywhere = resource.split_once('/').map(|(_, subresource)| format!("*/{subresource}"));
    let known = |known: &str| known == "*" || known == resource || everywhere.as_deref() == Some(known);
    texts(owner, "/resources").any(known)
}

fn covers_name(owner: &Value, name: Option<&str>) -> bool {
    list(owner, "/resourceNames").is_empty()
        || name.is_some_and(|name| texts(owner, "/resourceNames").any(|known| known == name))
}

/// Verbs of one resource are put together; a path has a line for each verb.
fn describe(target: &Target<'_>, verbs: &[&str]) -> Vec<String> {
    match target {
        Target::Path(path) => verbs
            .iter()
            .map(|verb| format!("{{NonResourceURLs:{}, Verbs:{}}}", quoted_list(&[path]), quoted_list(&[verb])))
            .collect(),
        Target::Resource { group, resource, name } => {
            let names = name.map(|name| format!(", ResourceNames:{}", quoted_list(&[name]))).unwrap_or_default();
            let (group, resource) = (quoted_list(&[group]), quoted_list(&[resource]));
            let verbs = quoted_list(verbs);
            vec![format!("{{APIGroups:{group}, Resources:{resource}{names}, Verbs:{verbs}}}")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(verbs: &[&str], group: &str, resource: &str, names: &[&str]) -> Value {
        json!({"verbs": verbs, "apiGroups": [group], "resources": [resource], "resourceNames": names})
    }

    #[test]
    fn parts_are_covered() {
        let path = |verb: &str, path: &str| json!({"verbs": [verb], "nonResourceURLs": [path]});
        let cases = [
            (resource(&["*"], "*", "*", &[]), resource(&["get"], "a", "b", &["c"]), true),
            (resource(&["*"], "*", "*", &["c"]), resource(&["get"], "a", "b", &["c"]), true),
            (resource(&["*"], "*", "*", &["c"]), resource(&["get"], "a", "b", &[]), false),
            (resource(&["*"], "*", "*", &["*"]), resource(&["get"], "a", "b", &["c"]), false),
            (resource(&["get"], "a", "b", &[]), resource(&["*"], "a", "b", &[]), false),
            (resource(&["get"], "a", "b", &[]), resource(&["get"], "*", "b", &[]), false),
            (resource(&["get"], "a", "b", &[]), resource(&["get"], "a", "*", &[]), false),
            (resource(&["get"], "a", "b", &[]), resource(&["get"], "a", "b/c", &[]), false),
            (resource(&["get"], "a", "*/c", &[]), resource(&["get"], "a", "b/c", &[]), true),
            (resource(&["get"], "a", "*/c", &[]), resource(&["get"], "a", "b/c/c", &[]), false),
            (resource(&["get"], "a", "b/*", &[]), resource(&["get"], "a", "b/c", &[]), false),
            (path("get", "/a/*"), path("get", "/a/b"), true),
            (path("get", "/a/*"), path("get", "/a/*"), true),
            (path("get", "/a/*"), path("get", "/a"), false),
            (path("get", "/a/*"), path("get", "/*"), false),
            (path("get", "/a/*"), path("post", "/a/b"), false),
            (path("*", "*"), path("post", "/a/b"), true),
            (path("*", "*"), resource(&["get"], "a", "b", &[]), false),
            (resource(&["*"], "*", "*", &[]), path("get", "/a"), false),
        ];
        for (held, wanted, covered) in cases {
            let missing = missing(std::slice::from_ref(&held), std::slice::from_ref(&wanted));
            assert_eq!(missing.is_empty(), covered, "{wanted} by {held}: {missing:?}");
        }
    }

    #[test]
    fn two_rules_do_not_cover_together() {
        let held = [resource(&["get"], "a", "b", &["c"]), resource(&["get"], "a", "b", &["d"])];
        assert_eq!(missing(&held, &[resource(&["get"], "a", "b", &["c", "d"])]), Vec::<String>::new());
        assert_eq!(missing(&held, &[resource(&["get"], "a", "b", &[])]).len(), 1);
    }
}
