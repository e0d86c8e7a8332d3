//! Sections 1.1 and 1.3: rules, selectors, scope.

use admission::{AdmissionRequest, Binding, Cluster, KnownObjects, NoCluster, evaluate};
use serde_json::{Value as Json, json};

use crate::fixture::{binding, in_namespace, outcome, policy, request, with};

fn rule(more: Json) -> Json {
    with(json!({"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}), more)
}

fn with_constraints(constraints: Json, request: &AdmissionRequest, cluster: &dyn Cluster) -> String {
    let policy = policy(json!({"matchConstraints": constraints}));
    outcome(&evaluate(&policy, &[Binding::denying("p")], request, cluster))
}

fn with_rule(more: Json, request: &AdmissionRequest) -> String {
    with_constraints(json!({"resourceRules": [rule(more)]}), request, &NoCluster)
}

const NO_RULE: &str = "not matched: policy ResourceRules";

/// Section 1.1, the table of resources.
#[test]
fn resources_and_subresources() {
    let node = json!({"metadata": {"name": "n"}});
    let main = request(json!({}));
    let status = request(json!({"subResource": "status"}));
    let proxy = request(json!({"subResource": "proxy", "operation": "CONNECT", "object": {}, "oldObject": null}));
    let created = request(json!({"operation": "CREATE", "oldObject": null}));
    let deleted = request(json!({"operation": "DELETE", "object": null, "oldObject": node}));
    let table = [
        ("nodes", true, false, false),
        ("nodes/status", false, true, false),
        ("nodes/*", true, true, true),
        ("*", true, false, false),
        ("*/*", true, true, true),
        ("*/status", false, true, false),
        ("pods", false, false, false),
        ("nodes/stat", false, false, false),
    ];
    for (resources, on_main, on_status, on_proxy) in table {
        let matches = |request| with_rule(json!({"resources": [resources]}), request) == "allow";
        for request in [&main, &created, &deleted] {
            assert_eq!(matches(request), on_main, "{resources} on {}", request.operation);
        }
        assert_eq!((matches(&status), matches(&proxy)), (on_status, on_proxy), "{resources}");
    }
}

/// Sections 1.1 and 1.3: the other parts of a rule.
#[test]
fn rules() {
    let node = || request(json!({}));
    let namespace = || {
        request(json!({
            "kind": {"group": "", "version": "v1", "kind": "Namespace"}, "namespace": "n",
            "resource": {"group": "", "version": "v1", "resource": "namespaces"},
        }))
    };
    let table = [
        (json!({"operations": ["UPDATE"]}), node(), true),
        (json!({"operations": ["CREATE", "DELETE", "CONNECT"]}), node(), false),
        (json!({"apiGroups": [""], "apiVersions": ["v1"]}), node(), true),
        (json!({"apiGroups": ["apps"]}), node(), false),
        (json!({"apiVersions": ["v2"]}), node(), false),
        (json!({"resourceNames": ["m", "n"]}), node(), true),
        (json!({"resourceNames": ["m"]}), node(), false),
        (json!({"resourceNames": ["n"]}), request(json!({"name": ""})), false),
        (json!({"scope": "*"}), node(), true),
        (json!({"scope": "Cluster"}), node(), true),
        (json!({"scope": "Namespaced"}), node(), false),
        (json!({"scope": "Cluster"}), in_namespace("ns", json!({})), false),
        (json!({"scope": "Namespaced"}), in_namespace("ns", json!({})), true),
        (json!({"scope": "Cluster"}), namespace(), true),
        (json!({"scope": "Namespaced"}), namespace(), false),
    ];
    for (more, request, expected) in table {
        let expected = if expected { "allow" } else { NO_RULE };
        assert_eq!(with_rule(more.clone(), &request), expected, "{more}");
    }
}

/// Section 1.3: policy and binding must both match; a binding can exclude; omitted means all.
#[test]
fn policy_and_binding_intersect() {
    let rules = |more| json!({"matchResources": {"resourceRules": [rule(more)]}});
    let table = [
        (json!({}), "allow"),
        (json!({"matchResources": {}}), "allow"),
        (rules(json!({})), "allow"),
        (rules(json!({"operations": ["DELETE"]})), "not matched: binding ResourceRules"),
        (rules(json!({"resourceNames": ["m"]})), "not matched: binding ResourceRules"),
        (rules(json!({"scope": "Namespaced"})), "not matched: binding ResourceRules"),
        (
            json!({"matchResources": {"excludeResourceRules": [rule(json!({}))]}}),
            "not matched: binding ExcludeResourceRules",
        ),
        (json!({"matchResources": {"excludeResourceRules": [rule(json!({"resourceNames": ["m"]}))]}}), "allow"),
        (
            json!({"matchResources": {"objectSelector": {"matchLabels": {"a": "z"}}}}),
            "not matched: binding ObjectSelector",
        ),
        (json!({"policyName": "another"}), "not matched: no binding"),
    ];
    let policy = policy(json!({}));
    for (spec, expected) in table {
        let report = evaluate(&policy, &[binding(spec.clone())], &request(json!({})), &NoCluster);
        assert_eq!(outcome(&report), expected, "{spec}");
    }
    assert_eq!(outcome(&evaluate(&policy, &[], &request(json!({})), &NoCluster)), "not matched: no binding");
}

/// Section 1.3: the object selector selects by the old or the new object.
#[test]
fn object_selectors() {
    let none = || json!({"object": null});
    let bare = || json!({"object": {"metadata": {}}, "oldObject": {"metadata": {}}});
    let options = json!({"operation": "CONNECT", "object": {"kind": "NodeProxyOptions"}, "oldObject": null});
    let table = [
        (json!({}), json!({}), true),
        (json!({"matchLabels": {"a": "y"}}), json!({}), true),
        (json!({"matchLabels": {"a": "x"}}), json!({}), true),
        (json!({"matchLabels": {"a": "z"}}), json!({}), false),
        (json!({"matchLabels": {"a": "x"}}), none(), true),
        (json!({"matchLabels": {"a": "y"}}), none(), false),
        (json!({"matchLabels": {"a": "y"}}), bare(), false),
        (json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}), bare(), true),
        (json!({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}), options, false),
    ];
    for (selector, more, expected) in table {
        let constraints = json!({"resourceRules": [rule(json!({}))], "objectSelector": selector});
        let expected = if expected { "allow" } else { "not matched: policy ObjectSelector" };
        assert_eq!(with_constraints(constraints, &request(more), &NoCluster), expected, "{selector}");
    }
}

/// Section 1.3: the namespace selector is ignored for objects without a namespace; elsewhere it needs the namespace.
#[test]
fn namespace_selectors() {
    let cluster = KnownObjects::new([json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": {"team": "a"}},
    })]);
    let select =
        |team: &str| json!({"resourceRules": [rule(json!({}))], "namespaceSelector": {"matchLabels": {"team": team}}});
    let namespace = |operation: &str, label: &str| {
        request(json!({
            "kind": {"group": "", "version": "v1", "kind": "Namespace"}, "namespace": "ns", "name": "ns", "operation": operation,
            "resource": {"group": "", "version": "v1", "resource": "namespaces"},
            "object": {"metadata": {"name": "ns", "labels": {"team": label}}},
        }))
    };
    let mismatch = "not matched: policy NamespaceSelector";
    let table = [
        (select("b"), request(json!({})), "allow"),
        (select("a"), in_namespace("ns", json!({})), "allow"),
        (select("b"), in_namespace("ns", json!({})), mismatch),
        (
            select("b"),
            in_namespace("other", json!({})),
            "Configuration: failed to configure policy: namespaces \"other\" not found",
        ),
        (select("b"), namespace("UPDATE", "b"), "allow"),
        (select("b"), namespace("DELETE", "b"), mismatch),
        (
            with(select("b"), json!({"resourceRules": [rule(json!({"resources": ["pods"]}))]})),
            in_namespace("other", json!({})),
            NO_RULE,
        ),
    ];
    for (constraints, request, expected) in table {
        assert_eq!(with_constraints(constraints.clone(), &request, &cluster), expected, "{constraints}");
    }
}

/// Section 1.1: policies, bindings and reviews are exempt.
#[test]
fn exempt_resources() {
    let table = [
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", true),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", true),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies", true),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", true),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations", false),
        ("authentication.k8s.io", "tokenreviews", true),
        ("authentication.k8s.io", "selfsubjectreviews", true),
        ("authorization.k8s.io", "subjectaccessreviews", true),
        ("authorization.k8s.io", "selfsubjectrulesreviews", true),
        ("", "tokenreviews", false),
    ];
    for (group, resource, exempt) in table {
        let request = request(json!({"resource": {"group": group, "version": "v1", "resource": resource}}));
        let expected = if exempt { "not matched: exempt" } else { "allow" };
        assert_eq!(with_rule(json!({}), &request), expected, "{group}/{resource}");
    }
}

/// `Equivalent` also matches the resource that the object is given in; `Exact` only the one asked for.
#[test]
fn equivalent_resources() {
    let converted = json!({
        "requestKind": {"group": "old", "version": "v1", "kind": "Node"},
        "requestResource": {"group": "old", "version": "v1", "resource": "nodes"},
    });
    let table = [
        (
            json!({}),
            json!(["old"]),
            "Configuration: failed to configure binding: failed to convert object version: old/v1, Kind=Node is asked for, the request brings /v1, Kind=Node",
        ),
        (json!({}), json!([""]), "allow"),
        (json!({"matchPolicy": "Exact"}), json!([""]), NO_RULE),
        (json!({"matchPolicy": "Equivalent"}), json!(["another"]), NO_RULE),
    ];
    for (constraints, groups, expected) in table {
        let constraints = with(constraints, json!({"resourceRules": [rule(json!({"apiGroups": groups}))]}));
        assert_eq!(
            with_constraints(constraints.clone(), &request(converted.clone()), &NoCluster),
            expected,
            "{constraints}"
        );
    }
}
