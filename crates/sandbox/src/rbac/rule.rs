//! Whether a rule allows a request (`k8s.io/kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go`). Everything is compared
//! as it is written, with upper and lower case.

use serde_json::Value;

use super::Attributes;
use crate::identity::value::{list, texts};

/// Whether a rule of a role allows a request.
#[must_use]
pub fn allows(rule: &Value, attributes: &Attributes<'_>) -> bool {
    if !has_or_star(rule, "/verbs", attributes.verb) {
        return false;
    }
    match attributes.path {
        Some(path) => texts(rule, "/nonResourceURLs").any(|pattern| path_matches(pattern, path)),
        None => {
            has_or_star(rule, "/apiGroups", attributes.group)
                && texts(rule, "/resources").any(|pattern| resource_matches(pattern, attributes))
                && name_matches(rule, attributes.name)
        }
    }
}

fn has_or_star(rule: &Value, pointer: &str, wanted: &str) -> bool {
    texts(rule, pointer).any(|known| known == "*" || known == wanted)
}

/// `*` matches everything with its subresources, `*/x` the subresource x of everything; `a/*` matches nothing.
fn resource_matches(pattern: &str, attributes: &Attributes<'_>) -> bool {
    let Attributes { resource, subresource, .. } = attributes;
    if pattern == "*" {
        return true;
    }
    if subresource.is_empty() {
        return pattern == *resource;
    }
    pattern.strip_suffix(subresource).is_some_and(|rest| rest == "*/" || rest.strip_suffix('/') == Some(resource))
}

/// A rule with names allows nothing that has none.
fn name_matches(rule: &Value, name: &str) -> bool {
    list(rule, "/resourceNames").is_empty() || texts(rule, "/resourceNames").any(|known| known == name)
}

/// `*` at the end of a path matches any rest, more of them too.
pub(super) fn path_matches(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use admission::UserInfo;
    use serde_json::json;

    /// `verb group resource/subresource name`; the name may be left out.
    fn resource_allowed(rule: &Value, request: &str) -> bool {
        let mut words = request.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (verb, group, combined, name) = (word(), word(), word(), word());
        let (resource, subresource) = combined.split_once('/').unwrap_or((combined, ""));
        let user = UserInfo::default();
        let attributes = Attributes::resource(&user, verb, group.trim_matches('-'), resource);
        allows(rule, &Attributes { subresource, name, ..attributes })
    }

    #[test]
    fn resources() {
        let pods = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]});
        let named = json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a", "*"]});
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        let status = json!({"verbs": ["get"], "apiGroups": ["*"], "resources": ["*/status", "nodes/*"]});
        let logs = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]});
        let no_group = json!({"verbs": ["get"], "resources": ["pods"]});
        let blank_name = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": [""]});
        let odd_name = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": [7]});
        let cases = [
            (&pods, "get - pods", true),
            (&pods, "get - pods a", true),
            (&pods, "Get - pods", false),
            (&pods, "get - Pods", false),
            (&pods, "get apps pods", false),
            (&pods, "get - pods/status", false),
            (&pods, "get - pods/", true),
            (&pods, "delete - pods", false),
            (&pods, "* - pods", false),
            (&pods, "get - *", false),
            (&named, "get - pods a", true),
            (&named, "get - pods b", false),
            (&named, "create - pods", false),
            (&named, "list - pods", false),
            (&named, "deletecollection - pods", false),
            (&named, "list - pods a", true),
            (&named, "get - pods *", true),
            (&all, "get apps pods/status x", true),
            (&all, "impersonate - users x", true),
            (&status, "get - nodes/status", true),
            (&status, "get - nodes/proxy", false),
            (&status, "get - nodes/*", true),
            (&status, "get - nodes", false),
            (&status, "get - nodes/x/status", false),
            (&status, "get - nodes/tatus", false),
            (&logs, "get - pods/log", true),
            (&logs, "get - pods", false),
            (&logs, "get - nodes/log", false),
            (&logs, "get - spods/log", false),
            (&no_group, "get - pods", false),
            (&blank_name, "get - pods", true),
            (&blank_name, "get - pods a", false),
            (&odd_name, "get - pods", false),
        ];
        for (rule, request, expected) in cases {
            assert_eq!(resource_allowed(rule, request), expected, "{request} by {rule}");
        }
    }

    #[test]
    fn paths() {
        let user = UserInfo::default();
        let cases = [
            ("/api", "/api", true),
            ("/api", "/api/", false),
            ("/api", "/Api", false),
            ("/api/*", "/api/v1", true),
            ("/api/*", "/api/", true),
            ("/api/*", "/api", false),
            ("/api*", "/apis", true),
            ("/a**", "/ab", true),
            ("*", "/x", true),
            ("/*/x", "/a/x", false),
            ("", "/", false),
        ];
        for (pattern, path, expected) in cases {
            let rule = json!({"verbs": ["get"], "nonResourceURLs": [pattern]});
            assert_eq!(allows(&rule, &Attributes::path(&user, "get", path)), expected, "{path} by {pattern}");
        }
        let both = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        assert!(!allows(&both, &Attributes::path(&user, "get", "/metrics")));
        let urls = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
        assert!(!allows(&urls, &Attributes::resource(&user, "get", "", "pods")));
    }
}
