//! What becomes of objects; the server's own answers to changes are in the tests of `validation`.

use super::*;
use crate::resource::Subresource;
use serde_json::json;
use std::sync::Arc;

fn resource(group: &str, plural: &str, namespaced: bool) -> Resource {
    Resource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        plural: plural.to_owned(),
        namespaced,
        ..Resource::default()
    }
}

fn custom(with_status: bool) -> Resource {
    let status = Subresource { name: "status".to_owned(), kind: None, verbs: Vec::new() };
    let subresources = if with_status { vec![status] } else { Vec::new() };
    Resource { definition: Some(Arc::new(json!({}))), subresources, ..resource("a.io", "things", true) }
}

#[test]
fn new_objects() {
    let cases = [
        (
            resource("", "nodes", false),
            json!({"metadata": {"namespace": "x"}, "spec": {"configSource": {}}, "status": {"a": 1}}),
            json!({"metadata": {}, "spec": {}, "status": {"a": 1}}),
        ),
        (
            resource("", "namespaces", false),
            json!({"metadata": {"name": "n"}, "status": {"phase": "x"}}),
            json!({"metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}},
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        ),
        (
            resource("", "namespaces", false),
            json!({"metadata": {}, "spec": {"finalizers": ["a.io/b"]}}),
            json!({"metadata": {}, "spec": {"finalizers": ["a.io/b", "kubernetes"]}, "status": {"phase": "Active"}}),
        ),
        (
            resource("", "pods", true),
            json!({"metadata": {"generation": 7}, "spec": {}, "status": {"phase": "Running"}}),
            json!({"metadata": {"generation": 1}, "spec": {}, "status": {"phase": "Pending", "qosClass": "BestEffort"}}),
        ),
        (
            resource("", "serviceaccounts", true),
            json!({"metadata": {}, "secrets": [{"name": "a", "kind": "b"}, {"kind": "c"}]}),
            json!({"metadata": {}, "secrets": [{"name": "a"}, {}]}),
        ),
        (
            resource("coordination.k8s.io", "leases", true),
            json!({"metadata": {}, "spec": {"strategy": "x", "holderIdentity": "y"}}),
            json!({"metadata": {}, "spec": {"holderIdentity": "y"}}),
        ),
        (
            resource("apps", "daemonsets", true),
            json!({"metadata": {}, "status": {"a": 1}}),
            json!({"metadata": {"generation": 1, "annotations": {"deprecated.daemonset.template.generation": "1"}}}),
        ),
        (
            custom(true),
            json!({"metadata": {}, "spec": 1, "status": 2}),
            json!({"metadata": {"generation": 1}, "spec": 1}),
        ),
        (custom(false), json!({"metadata": {}, "status": 2}), json!({"metadata": {"generation": 1}, "status": 2})),
    ];
    for (resource, mut object, expected) in cases {
        prepare_create(&resource, &mut object);
        assert_eq!(object, expected, "{}", resource.plural);
    }
}

#[test]
fn changed_custom_resources() {
    let old =
        json!({"metadata": {"name": "a", "generation": 3, "labels": {"a": "b"}, "uid": "u"}, "spec": 1, "status": 2});
    let changed =
        json!({"metadata": {"name": "a", "labels": {"a": "c"}, "managedFields": [1]}, "spec": 4, "status": 5});
    let cases = [
        (
            custom(true),
            "",
            json!({"metadata": {"name": "a", "generation": 4, "labels": {"a": "c"}, "managedFields": [1], "uid": "u"},
            "spec": 4, "status": 2}),
        ),
        (
            custom(false),
            "",
            json!({"metadata": {"name": "a", "generation": 4, "labels": {"a": "c"}, "managedFields": [1], "uid": "u"},
            "spec": 4, "status": 5}),
        ),
        (
            custom(true),
            "status",
            json!({"metadata": {"name": "a", "generation": 3, "labels": {"a": "b"}, "managedFields": [1], "uid": "u"},
            "spec": 1, "status": 5}),
        ),
    ];
    for (resource, subresource, expected) in cases {
        let mut new = changed.clone();
        prepare_update(&resource, subresource, &mut new, &old);
        assert_eq!(new, expected, "{subresource}");
    }
}

#[test]
fn generations_of_custom_resources() {
    let old = json!({"metadata": {"generation": 3}, "spec": {"i": 2}, "status": 1});
    let cases = [
        (json!({"metadata": {"generation": 9, "labels": {"a": "b"}}, "spec": {"i": 2}, "status": 1}), 3),
        (json!({"metadata": {}, "spec": {"i": 2.0}, "status": 1}), 4),
        (json!({"metadata": {}, "spec": {"i": 2}, "status": 2}), 3),
        (json!({"metadata": {}, "spec": {"i": 2}, "other": 2}), 4),
    ];
    for (mut new, generation) in cases {
        prepare_update(&custom(true), "", &mut new, &old);
        assert_eq!(new["metadata"]["generation"], generation, "{new}");
    }
}

#[test]
fn what_requests_a_kind_allows() {
    let cases = [
        (resource("", "nodes", false), true, false),
        (resource("coordination.k8s.io", "leases", true), false, true),
        (resource("rbac.authorization.k8s.io", "roles", true), true, true),
        (resource("admissionregistration.k8s.io", "validatingadmissionpolicies", false), false, false),
        (custom(true), false, false),
    ];
    for (resource, unconditional, upserted) in cases {
        assert_eq!(updates_unconditionally(&resource), unconditional, "{}", resource.plural);
        assert_eq!(creates_on_put(&resource), upserted, "{}", resource.plural);
    }
}

#[test]
fn fields_that_requests_do_not_own() {
    let cases: [(Resource, &str, &[&str]); 6] = [
        (resource("", "nodes", false), "", &["status"]),
        (resource("", "nodes", false), "status", &["spec"]),
        (resource("", "configmaps", true), "", &[]),
        (resource("apps", "deployments", true), "status", &["spec", "metadata.labels"]),
        (custom(true), "status", &["metadata", "spec"]),
        (custom(false), "", &[]),
    ];
    for (resource, subresource, expected) in cases {
        assert_eq!(reset(&resource, subresource), expected, "{} {subresource}", resource.plural);
    }
}

#[test]
fn what_is_empty_counts_as_absent() {
    let cases = [
        (json!({"a": []}), json!({}), true),
        (json!({"a": {"b": null}}), json!({"a": {}}), true),
        (json!({"a": 0}), json!({}), false),
        (json!({"emptyDir": {}}), json!({}), false),
        (json!([1, 2]), json!([2, 1]), false),
    ];
    for (one, other, equal) in cases {
        assert_eq!(same(Some(&one), Some(&other)), equal, "{one} {other}");
    }
}
