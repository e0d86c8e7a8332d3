//! What a server objects to when a policy or binding is created: sections 1.1, 1.4, 1.5, 1.7, 1.8, 1.9, 1.11.

use serde_json::{Value as Json, json};

use crate::fixture::{binding_json, binding_objections, objections, policy_json, with};

fn rule(more: Json) -> Json {
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]});
    policy_json(json!({"matchConstraints": {"resourceRules": [with(rule, more)]}}))
}

fn validation(more: Json) -> Json {
    policy_json(json!({"validations": [with(json!({"expression": "true"}), more)]}))
}

fn check(table: &[(Json, &[&str])]) {
    for (policy, expected) in table {
        assert_eq!(objections(policy.clone()), *expected, "{policy}");
    }
}

/// Section 1.1: rules.
#[test]
fn rules() {
    let path = "spec.matchConstraints.resourceRules";
    let at = |rest: &str| format!("{path}[0].{rest}");
    let table: &[(Json, &[String])] = &[
        (rule(json!({})), &[]),
        (rule(json!({"resources": ["nodes", "*"]})), &[]),
        (
            rule(json!({"resources": ["*", "nodes"]})),
            &[at(
                r#"resources: Invalid value: ["*","nodes"]: if '*' is present, must not specify other resources without subresources"#,
            )],
        ),
        (rule(json!({"resources": ["*", "nodes/status"]})), &[]),
        (
            rule(json!({"resources": ["nodes/*", "nodes/status"]})),
            &[at(
                r#"resources[1]: Invalid value: "nodes/status": if 'nodes/*' is present, must not specify nodes/status"#,
            )],
        ),
        (
            rule(json!({"resources": ["*/status", "nodes/status"]})),
            &[at(
                r#"resources[1]: Invalid value: "nodes/status": if '*/status' is present, must not specify nodes/status"#,
            )],
        ),
        (
            rule(json!({"resources": ["*/*", "nodes"]})),
            &[at(
                r#"resources: Invalid value: ["*/*","nodes"]: if '*/*' is present, must not specify other resources"#,
            )],
        ),
        (rule(json!({"resources": [""]})), &[at("resources[0]: Required value")]),
        (rule(json!({"resources": []})), &[at("resources: Required value")]),
        (
            rule(json!({"operations": ["*", "UPDATE"]})),
            &[at(r#"operations: Invalid value: ["*","UPDATE"]: if '*' is present, must not specify other operations"#)],
        ),
        (
            rule(json!({"operations": ["PATCH"]})),
            &[at(
                r#"operations[0]: Unsupported value: "PATCH": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE""#,
            )],
        ),
        (rule(json!({"operations": []})), &[at("operations: Required value")]),
        (
            rule(json!({"apiGroups": ["*", "apps"]})),
            &[at(r#"apiGroups: Invalid value: ["*","apps"]: if '*' is present, must not specify other API groups"#)],
        ),
        (
            rule(json!({"apiVersions": ["*", "v1"]})),
            &[at(r#"apiVersions: Invalid value: ["*","v1"]: if '*' is present, must not specify other API versions"#)],
        ),
        (rule(json!({"apiVersions": [""]})), &[at("apiVersions[0]: Required value")]),
        (
            rule(json!({"apiGroups": null, "apiVersions": null})),
            &[at("apiGroups: Required value"), at("apiVersions: Required value")],
        ),
        (
            rule(json!({"scope": "All"})),
            &[at(r#"scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced""#)],
        ),
        (
            rule(json!({"resourceNames": ["a", "a", "b/c"]})),
            &[
                at(r#"resourceNames[1]: Duplicate value: "a""#),
                at(r#"resourceNames[2]: Invalid value: "b/c": may not contain '/'"#),
            ],
        ),
        (policy_json(json!({"matchConstraints": {"resourceRules": []}})), &[format!("{path}: Required value")]),
        (policy_json(json!({"matchConstraints": null})), &["spec.matchConstraints: Required value".to_owned()]),
    ];
    for (policy, expected) in table {
        assert_eq!(objections(policy.clone()), *expected, "{policy}");
    }
}

#[test]
fn match_resources() {
    let constraints = |more: Json| {
        let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["nodes"]}]);
        policy_json(json!({"matchConstraints": with(json!({"resourceRules": rules}), more)}))
    };
    check(&[
        (
            constraints(json!({"matchPolicy": "Fuzzy"})),
            &[
                r#"spec.matchConstraints.matchPolicy: Unsupported value: "Fuzzy": supported values: "Equivalent", "Exact""#,
            ],
        ),
        (
            constraints(json!({"objectSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}})),
            &[
                "spec.matchConstraints.objectSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ],
        ),
        (
            constraints(json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}})),
            &[
                r#"spec.matchConstraints.namespaceSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator"#,
            ],
        ),
    ]);
}

#[test]
fn policy_fields() {
    let metadata = |metadata: Json| with(policy_json(json!({})), json!({"metadata": metadata}));
    check(&[
        (policy_json(json!({})), &[]),
        (metadata(json!({})), &["metadata.name: Required value: name or generateName is required"]),
        (
            metadata(json!({"name": "p", "namespace": "n"})),
            &["metadata.namespace: Forbidden: not allowed on this type"],
        ),
        (
            policy_json(json!({"failurePolicy": "Skip"})),
            &[r#"spec.failurePolicy: Unsupported value: "Skip": supported values: "Fail", "Ignore""#],
        ),
        (
            policy_json(json!({"validations": []})),
            &[
                "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
                "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
            ],
        ),
        (policy_json(json!({"validations": [], "auditAnnotations": [{"key": "k", "valueExpression": "'v'"}]})), &[]),
        (
            policy_json(json!({"paramKind": {}})),
            &["spec.paramKind.apiVersion: Required value", "spec.paramKind.kind: Required value"],
        ),
        (
            policy_json(json!({"paramKind": {"apiVersion": "a/b/c", "kind": "K"}})),
            &[r#"spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c"#],
        ),
    ]);
}

/// Section 1.4: match conditions.
#[test]
fn match_conditions() {
    let condition =
        |more: Json| policy_json(json!({"matchConditions": [with(json!({"name": "c", "expression": "true"}), more)]}));
    let many: Vec<_> = (0..65).map(|n| json!({"name": format!("c{n}"), "expression": "true"})).collect();
    check(&[
        (condition(json!({})), &[]),
        (condition(json!({"name": ""})), &["spec.matchConditions[0].name: Required value"]),
        (condition(json!({"expression": " "})), &["spec.matchConditions[0].expression: Required value"]),
        (
            condition(json!({"expression": "dyn(true)"})),
            &[r#"spec.matchConditions[0].expression: Invalid value: "dyn(true)": must evaluate to bool but got dyn"#],
        ),
        (
            policy_json(
                json!({"matchConditions": [{"name": "c", "expression": "true"}, {"name": "c", "expression": "true"}]}),
            ),
            &[r#"spec.matchConditions[1].name: Duplicate value: "c""#],
        ),
        (
            policy_json(json!({"matchConditions": many})),
            &["spec.matchConditions: Too many: 65: must have at most 64 items"],
        ),
    ]);
    let names = objections(condition(json!({"name": "a b"})));
    assert!(
        matches!(names.as_slice(), [one] if one.starts_with(r#"spec.matchConditions[0].name: Invalid value: "a b": name part must consist of"#))
    );
    let undeclared = |expression: &str| {
        let spec = json!({"variables": [{"name": "v", "expression": "true"}], "matchConditions": [{"name": "c", "expression": expression}]});
        objections(policy_json(spec)).concat()
    };
    assert!(undeclared("variables.v").contains("undeclared reference to 'variables'"));
    assert!(undeclared("params.v").contains("undeclared reference to 'params'"));
}

/// Section 1.5: variables.
#[test]
fn variables() {
    let variables = |list: Json, expression: &str| {
        policy_json(json!({"variables": list, "validations": [{"expression": expression}]}))
    };
    check(&[
        (
            variables(
                json!([{"name": "e", "expression": "1"}, {"name": "f", "expression": "variables.e + 1"}]),
                "variables.f == 2",
            ),
            &[],
        ),
        (
            variables(
                json!([{"name": "e", "expression": "1"}, {"name": "e", "expression": "'a'"}]),
                "variables.e == 'a'",
            ),
            &[],
        ),
        (
            variables(json!([{"name": "1e", "expression": "1"}]), "true"),
            &[r#"spec.variables[0].name: Invalid value: "1e": must be a valid CEL identifier"#],
        ),
        (
            variables(json!([{"name": "in", "expression": "1"}]), "true"),
            &[r#"spec.variables[0].name: Invalid value: "in": must be a valid CEL identifier"#],
        ),
        (
            variables(json!([{"name": "", "expression": ""}]), "true"),
            &[
                "spec.variables[0].name: Required value: name is not specified",
                "spec.variables[0].expression: Required value: expression is not specified",
            ],
        ),
    ]);
    let table = [
        (
            json!([{"name": "f", "expression": "variables.e"}, {"name": "e", "expression": "1"}]),
            "true",
            "spec.variables[0].expression: Invalid value",
            "undefined field 'e'",
        ),
        (
            json!([{"name": "e", "expression": "variables.e"}]),
            "true",
            "spec.variables[0].expression: Invalid value",
            "undefined field 'e'",
        ),
        (
            json!([{"name": "f", "expression": "1"}]),
            "variables.f == 'a'",
            "spec.validations[0].expression: Invalid value",
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            json!([]),
            "variables.f == 'a'",
            "spec.validations[0].expression: Invalid value",
            "undeclared reference to 'variables'",
        ),
    ];
    for (list, expression, start, part) in table {
        let found = objections(variables(list, expression));
        assert!(matches!(found.as_slice(), [one] if one.starts_with(start) && one.contains(part)), "{found:?}");
    }
}

/// Sections 1.7, 1.8 and 1.11: expressions, messages, reasons.
#[test]
fn validations() {
    check(&[
        (
            validation(json!({"expression": ""})),
            &["spec.validations[0].expression: Required value: expression is not specified"],
        ),
        (
            validation(json!({"expression": "1"})),
            &[r#"spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int"#],
        ),
        (
            validation(json!({"message": " "})),
            &[r#"spec.validations[0].message: Invalid value: " ": must be non-empty if specified"#],
        ),
        (
            validation(json!({"message": "a\nb"})),
            &[r#"spec.validations[0].message: Invalid value: "a\nb": must not contain line breaks"#],
        ),
        (validation(json!({"message": "a\n"})), &[]),
        (
            validation(json!({"messageExpression": " "})),
            &[r#"spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified"#],
        ),
        (
            validation(json!({"messageExpression": "object.metadata.name"})),
            &[
                r#"spec.validations[0].messageExpression: Invalid value: "object.metadata.name": must evaluate to string but got dyn"#,
            ],
        ),
        (validation(json!({"messageExpression": "string(object.metadata.name)"})), &[]),
        (
            validation(json!({"reason": "Unauthorized"})),
            &[
                r#"spec.validations[0].reason: Unsupported value: "Unauthorized": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge""#,
            ],
        ),
        (validation(json!({"reason": "Forbidden"})), &[]),
    ]);
    let found = objections(validation(json!({"expression": "1 + "})));
    let start = "spec.validations[0].expression: Invalid value: \"1 + \": compilation failed: ERROR: <input>:1:5: Syntax error:";
    assert!(matches!(found.as_slice(), [one] if one.starts_with(start)), "{found:?}");
    let authorizer =
        objections(validation(json!({"messageExpression": "string(authorizer.group('').check('get').allowed())"})));
    assert!(
        matches!(authorizer.as_slice(), [one] if one.contains("undeclared reference to 'authorizer'")),
        "{authorizer:?}"
    );
}

/// Section 1.9: audit annotations.
#[test]
fn audit_annotations() {
    let annotations = |list: Json| policy_json(json!({"auditAnnotations": list}));
    let one = |key: &str, expression: &str| annotations(json!([{"key": key, "valueExpression": expression}]));
    let long = format!("'{}'", "x".repeat(5 * 1024));
    check(&[
        (one("k", "'v'"), &[]),
        (one("k", "null"), &[]),
        (one("k", ""), &["spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified"]),
        (
            one("k", &long),
            &["spec.auditAnnotations[0].valueExpression: Required value: must not exceed 5120 bytes in length"],
        ),
        (
            one("k", "1"),
            &[
                r#"spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int"#,
            ],
        ),
        (
            annotations(json!([{"key": "k", "valueExpression": "'v'"}, {"key": "k", "valueExpression": "'v'"}])),
            &[r#"spec.auditAnnotations[1].key: Duplicate value: "k""#],
        ),
    ]);
    let many: Vec<_> = (0..21).map(|n| json!({"key": format!("k{n}"), "valueExpression": "'v'"})).collect();
    let found = objections(annotations(json!(many)));
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with(r#"spec.auditAnnotations: Invalid value: [{"Key":"k0","ValueExpression":"'v'"}"#)
        && one.ends_with("must not have more than 20 auditAnnotations")),
        "{found:?}"
    );
    assert!(objections(one("a/b", "'v'")).concat().contains("\"p/a/b\": a valid label key must consist of"));
}

/// Sections 1.9 and 1.10: bindings.
#[test]
fn bindings() {
    let both = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
    let mixed = format!(r#"spec.validationActions: Invalid value: ["Deny","Warn"]: {both}"#);
    let actions = |actions: Json| binding_json(json!({"validationActions": actions}));
    let param_ref = |param_ref: Json| binding_json(json!({"paramRef": param_ref}));
    let table: [(Json, &[&str]); 13] = [
        (actions(json!(["Deny"])), &[]),
        (actions(json!(["Warn", "Audit"])), &[]),
        (actions(json!(["Deny", "Audit"])), &[]),
        (actions(json!(["Deny", "Warn"])), &[&mixed]),
        (actions(json!([])), &["spec.validationActions: Required value: at least one validation action is required"]),
        (actions(json!(["Audit", "Audit"])), &[r#"spec.validationActions[1]: Duplicate value: "Audit""#]),
        (
            actions(json!(["Block"])),
            &[r#"spec.validationActions[0]: Unsupported value: "Block": supported values: "Audit", "Deny", "Warn""#],
        ),
        (binding_json(json!({"policyName": ""})), &["spec.policyName: Required value"]),
        (param_ref(json!({"name": "x", "parameterNotFoundAction": "Deny"})), &[]),
        (param_ref(json!({"name": "x"})), &["spec.paramRef.parameterNotFoundAction: Required value"]),
        (
            param_ref(json!({"parameterNotFoundAction": "Allow"})),
            &["spec.paramRef: Required value: one of name or selector must be specified"],
        ),
        (
            param_ref(json!({"name": "x", "selector": {}, "parameterNotFoundAction": "Skip"})),
            &[
                "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
                "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
                r#"spec.paramRef.parameterNotFoundAction: Unsupported value: "Skip": supported values: "Deny", "Allow""#,
            ],
        ),
        (binding_json(json!({"matchResources": {"resourceRules": []}})), &[]),
    ];
    for (binding, expected) in table {
        assert_eq!(binding_objections(binding.clone()), expected, "{binding}");
    }
}
