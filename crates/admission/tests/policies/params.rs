//! Section 1.10: parameters and the namespace.

use admission::{AdmissionRequest, KnownObjects, evaluate};
use serde_json::{Value as Json, json};

use crate::fixture::{binding, in_namespace, outcome, policy, request};

const BINDING: &str = "Configuration: failed to configure binding: ";

fn cluster() -> KnownObjects {
    let map = |name: &str, max: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"max": max},
            "metadata": {"name": name, "namespace": "ns", "labels": {"set": "s", "name": name}},
        })
    };
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "ns", "labels": {"a": "b"}, "managedFields": []}, "spec": {"finalizers": ["kubernetes"]},
    });
    let rule =
        json!({"apiVersion": "x.io/v1", "kind": "Rule", "metadata": {"name": "r", "labels": {"set": "s"}}, "max": "9"});
    KnownObjects::new([map("one", "1"), map("two", "2"), namespace, rule])
}

fn judge(kind: Json, expression: &str, param_ref: Json, failure_policy: &str, request: &AdmissionRequest) -> String {
    let rules = json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]);
    let policy = policy(json!({
        "matchConstraints": {"resourceRules": rules}, "paramKind": kind, "failurePolicy": failure_policy,
        "validations": [{"expression": expression, "messageExpression": "'max ' + string(params.data.max)"}],
    }));
    let spec = if param_ref.is_null() { json!({}) } else { json!({"paramRef": param_ref}) };
    outcome(&evaluate(&policy, &[binding(spec)], request, &cluster()))
}

#[test]
fn parameters() {
    let map = || json!({"apiVersion": "v1", "kind": "ConfigMap"});
    let rule = || json!({"apiVersion": "x.io/v1", "kind": "Rule"});
    let named = |name: &str, action: &str| json!({"name": name, "namespace": "ns", "parameterNotFoundAction": action});
    let local = |name: &str| json!({"name": name, "parameterNotFoundAction": "Deny"});
    let all = |name: Option<&str>| {
        let labels = name.map_or(json!({"set": "s"}), |name| json!({"name": name}));
        json!({"selector": {"matchLabels": labels}, "namespace": "ns", "parameterNotFoundAction": "Deny"})
    };
    let missing = format!("{BINDING}no params found for policy binding with `Deny` parameterNotFoundAction");
    let is_two = "params.data.max == '2'";
    let typed = "params.kind == 'ConfigMap' && params.apiVersion == 'v1'";
    let table = [
        (map(), is_two, named("two", "Deny"), "Fail", "allow".to_owned()),
        (map(), is_two, named("one", "Deny"), "Fail", "deny 0 Invalid 422: max 1".to_owned()),
        (map(), is_two, named("three", "Deny"), "Fail", missing.clone()),
        (map(), is_two, named("three", "Deny"), "Ignore", format!("admitted {missing}")),
        (map(), is_two, named("three", "Allow"), "Fail", "not matched: no params".to_owned()),
        (map(), "params == null", Json::Null, "Fail", "allow".to_owned()),
        (map(), is_two, local("two"), "Fail", format!("{BINDING}cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")),
        (map(), is_two, all(None), "Fail", "deny 0 Invalid 422: max 1".to_owned()),
        (map(), is_two, all(Some("two")), "Fail", "allow".to_owned()),
        (map(), is_two, all(Some("three")), "Fail", missing),
        (map(), typed, named("two", "Deny"), "Fail", "allow".to_owned()),
        (rule(), "params.max == '9'", local("r"), "Fail", "allow".to_owned()),
        (rule(), "params.max == '9'", named("r", "Deny"), "Fail", format!("{BINDING}paramRef.namespace must not be provided for a cluster-scoped `paramKind`")),
        (
            json!({"apiVersion": "nope.io/v1", "kind": "Foo"}), "true", Json::Null, "Fail",
            "Configuration: failed to configure policy: failed to find resource referenced by paramKind: 'nope.io/v1, Kind=Foo'".to_owned(),
        ),
    ];
    for (kind, expression, param_ref, failure_policy, expected) in table {
        let found = judge(kind, expression, param_ref.clone(), failure_policy, &request(json!({})));
        assert_eq!(found, expected, "{expression} {param_ref} {failure_policy}");
    }
    let in_ns = in_namespace("ns", json!({}));
    assert_eq!(judge(map(), is_two, local("two"), "Fail", &in_ns), "allow");
}

/// One evaluation for each parameter object; configuration errors refuse whatever the actions are.
#[test]
fn several_parameters_and_actions() {
    let spec = json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "validations": [{"expression": "params.data.max == '0'"}]});
    let selected = json!({"namespace": "ns", "selector": {}, "parameterNotFoundAction": "Deny"});
    let report =
        evaluate(&policy(spec.clone()), &[binding(json!({"paramRef": selected}))], &request(json!({})), &cluster());
    assert_eq!((report.costs.len(), report.findings.len()), (2, 2));

    let none = json!({"namespace": "ns", "name": "three", "parameterNotFoundAction": "Deny"});
    let warn = binding(json!({"paramRef": none, "validationActions": ["Warn"]}));
    let report = evaluate(&policy(spec), &[warn], &request(json!({})), &cluster());
    assert!(outcome(&report).starts_with(BINDING), "{}", outcome(&report));
}

#[test]
fn namespace_objects() {
    let rules = json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]);
    let table = [
        ("namespaceObject == null", request(json!({})), "allow"),
        ("namespaceObject.metadata.labels['a'] == 'b'", in_namespace("ns", json!({})), "allow"),
        ("has(namespaceObject.spec) && has(namespaceObject.status)", in_namespace("ns", json!({})), "allow"),
        (
            "namespaceObject == null",
            in_namespace("other", json!({})),
            "Configuration: failed to configure binding: namespaces \"other\" not found",
        ),
        ("object != null", in_namespace("other", json!({})), "allow"),
    ];
    for (expression, request, expected) in table {
        let policy =
            policy(json!({"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]}));
        assert_eq!(outcome(&evaluate(&policy, &[binding(json!({}))], &request, &cluster())), expected, "{expression}");
    }
}
