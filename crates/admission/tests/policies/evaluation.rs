//! Sections 1.4 to 1.9: match conditions, variables, budgets, messages, codes, actions.

use admission::{Finding, NoCluster, evaluate, evaluate_all, status};
use serde_json::{Value as Json, json};

use crate::fixture::{binding, judge, judge_all, line, outcome, policy, request, with};

/// Costs about 570,000, more than half of what one expression may.
const DEAR: &str = "[0,1,2,3,4].all(z, [0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, \
                    [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, a + b + c + d >= 0)))))";
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

fn denying(spec: Json) -> String {
    outcome(&judge(spec, json!({})))
}

fn conditions(expressions: &[&str]) -> Json {
    let named = expressions.iter().enumerate().map(|(n, text)| json!({"name": format!("c{n}"), "expression": text}));
    json!(named.collect::<Vec<_>>())
}

/// Section 1.4, the truth table of match conditions.
#[test]
fn match_conditions() {
    let nope = "object.nope == 1";
    let error = "Evaluation: expression 'object.nope == 1' resulted in error: no such key: nope";
    let table: [(&[&str], &str, String); 13] = [
        (&["true"], "Fail", "allow".into()),
        (&["true"], "Ignore", "allow".into()),
        (&["false"], "Fail", "not matched: condition c0".into()),
        (&["true", "false"], "Fail", "not matched: condition c1".into()),
        (&["false", nope], "Fail", "not matched: condition c0".into()),
        (&[nope, "false"], "Fail", "not matched: condition c1".into()),
        (&[nope, "false"], "Ignore", "not matched: condition c1".into()),
        (&[nope], "Fail", error.into()),
        (&[nope, "true"], "Fail", error.into()),
        (&[nope, nope], "Fail", error.into()),
        (&[nope], "Ignore", format!("admitted {error}")),
        (&[nope, "true"], "Ignore", format!("admitted {error}")),
        (
            &[nope, "object.nope2"],
            "Fail",
            "Evaluation: [expression 'object.nope == 1' resulted in error: no such key: nope, expression 'object.nope2 == 1' \
             resulted in error: no such key: nope2]"
                .into(),
        ),
    ];
    for (expressions, failure_policy, expected) in table {
        let expressions: Vec<_> = expressions.iter().map(|text| text.replace("nope2", "nope2 == 1")).collect();
        let expressions: Vec<_> = expressions.iter().map(String::as_str).collect();
        let spec = json!({"matchConditions": conditions(&expressions), "failurePolicy": failure_policy});
        assert_eq!(denying(spec), expected, "{expressions:?} {failure_policy}");
    }
}

/// Section 1.4: a budget of their own, and exhaustion wins over a false condition.
#[test]
fn match_conditions_have_their_own_budget() {
    let mut expressions = vec!["false"];
    expressions.extend([DEAR; 5]);
    let spec =
        |failure_policy: &str| json!({"matchConditions": conditions(&expressions), "failurePolicy": failure_policy});
    assert_eq!(denying(spec("Fail")), format!("Cost: {OUT_OF_BUDGET}"));
    assert_eq!(denying(spec("Ignore")), format!("admitted Cost: {OUT_OF_BUDGET}"));
}

/// Section 1.4: namespaceObject is null in match conditions.
#[test]
fn match_conditions_see_no_namespace() {
    let spec = json!({"matchConditions": conditions(&["namespaceObject == null"])});
    assert_eq!(denying(spec), "allow");
}

/// Section 1.5.
#[test]
fn variables() {
    let variables = json!([
        {"name": "e", "expression": "object.nope == 1"},
        {"name": "f", "expression": "variables.e"},
        {"name": "t", "expression": "true"},
        {"name": "t", "expression": "'later'"},
    ]);
    let failed = "composited variable \"e\" fails to evaluate: no such key: nope";
    let error =
        |expression: &str, text: &str| format!("Evaluation: expression '{expression}' resulted in error: {text}");
    let table = [
        ("true", "allow".to_owned()),
        ("variables.e", error("variables.e", failed)),
        ("variables.f", error("variables.f", &format!("composited variable \"f\" fails to evaluate: {failed}"))),
        ("has(variables.e)", error("has(variables.e)", failed)),
        ("false && variables.e", "deny 0 Invalid 422: failed expression: false && variables.e".to_owned()),
        ("variables.e && false", "deny 0 Invalid 422: failed expression: variables.e && false".to_owned()),
        ("variables.e || true", "allow".to_owned()),
        ("variables.t == 'later'", "allow".to_owned()),
    ];
    for (expression, expected) in table {
        assert_eq!(
            denying(json!({"variables": variables, "validations": [{"expression": expression}]})),
            expected,
            "{expression}"
        );
    }
}

/// Section 1.5: computed once a phase, and again for the messages.
#[test]
fn variables_are_computed_once_a_phase() {
    let report = judge(
        json!({
            "variables": [{"name": "v", "expression": "[1,2,3].all(x, x > 0)"}],
            "validations": [
                {"expression": "variables.v", "messageExpression": "string(variables.v)"},
                {"expression": "variables.v", "messageExpression": "string(variables.v)"},
            ],
        }),
        json!({}),
    );
    let cost = &report.costs[0];
    let paid = |costs: &[admission::ExpressionCost]| costs.iter().map(|cost| cost.variables > 0).collect::<Vec<_>>();
    assert_eq!((paid(&cost.validations), paid(&cost.messages)), (vec![true, false], vec![true, false]));
    assert_eq!(cost.total(), cost.validations.iter().chain(&cost.messages).map(|cost| cost.total()).sum::<u64>());
}

/// Section 1.6: the first deny is reported, errors under Ignore do not hide later denials.
#[test]
fn which_failure_is_reported() {
    let error = json!({"expression": "object.nope == 1"});
    let no = |message: &str| json!({"expression": "false", "message": message});
    let yes = json!({"expression": "true"});
    let text = "Evaluation: expression 'object.nope == 1' resulted in error: no such key: nope";
    let table = [
        (json!([yes, no("a"), no("b")]), "Fail", "deny 1 Invalid 422: a".to_owned()),
        (json!([error, no("a")]), "Fail", text.to_owned()),
        (json!([error, no("a")]), "Ignore", "deny 1 Invalid 422: a".to_owned()),
        (json!([error, yes]), "Ignore", format!("admitted {text}")),
        (json!([yes]), "Ignore", "allow".to_owned()),
    ];
    for (validations, failure_policy, expected) in table {
        let spec = json!({"validations": validations, "failurePolicy": failure_policy});
        assert_eq!(denying(spec.clone()), expected, "{spec}");
    }
}

/// Section 1.6: exhaustion of the budget replaces all results, and admits under Ignore.
#[test]
fn exhausted_budget() {
    let mut validations = vec![json!({"expression": "false", "reason": "Forbidden"})];
    validations.extend(vec![json!({"expression": DEAR}); 20]);
    let spec = |failure_policy: &str| json!({"validations": validations, "failurePolicy": failure_policy});
    assert_eq!(denying(spec("Fail")), format!("Cost: {OUT_OF_BUDGET}"));
    assert_eq!(denying(spec("Ignore")), format!("admitted Cost: {OUT_OF_BUDGET}"));
    assert_eq!(judge(spec("Fail"), json!({})).findings.len(), 1);
}

/// Section 3.1: an expression's own limit fails that expression only.
#[test]
fn an_expression_over_its_own_limit() {
    let too_dear = format!("[0,1].all(y, {DEAR})");
    let spec = json!({"failurePolicy": "Ignore", "validations": [{"expression": too_dear}, {"expression": "false", "message": "no"}]});
    assert_eq!(denying(spec), "deny 1 Invalid 422: no");
    let failed =
        format!("Cost: expression '{too_dear}' resulted in error: operation cancelled: actual cost limit exceeded");
    assert_eq!(denying(json!({"validations": [{"expression": too_dear}]})), failed);
    let of_variable =
        json!({"variables": [{"name": "v", "expression": too_dear}], "validations": [{"expression": "variables.v"}]});
    assert!(denying(of_variable).starts_with("Cost: expression 'variables.v' resulted in error: composited variable"));
}

/// Section 1.7.
#[test]
fn messages() {
    let long = |length: usize| format!("'{}'", "x".repeat(length));
    let kept = "x".repeat(5120);
    let table = [
        (json!({}), "failed expression: false".to_owned()),
        (json!({"message": " m "}), "m".to_owned()),
        (json!({"message": "m", "messageExpression": "'e' + 'x'"}), "ex".to_owned()),
        (json!({"message": "m", "messageExpression": "'a\\n'"}), "a".to_owned()),
        (json!({"message": "m", "messageExpression": "'a\\nb'"}), "m".to_owned()),
        (json!({"message": "m", "messageExpression": "'  '"}), "m".to_owned()),
        (json!({"message": "m", "messageExpression": "string(object.nope)"}), "m".to_owned()),
        (json!({"message": "m", "messageExpression": long(5120)}), kept),
        (json!({"message": "m", "messageExpression": long(5121)}), "m".to_owned()),
        (json!({"messageExpression": "string(object.nope)"}), "failed expression: false".to_owned()),
    ];
    for (more, expected) in table {
        let validation = with(json!({"expression": " false "}), more);
        assert_eq!(
            denying(json!({"validations": [validation]})),
            format!("deny 0 Invalid 422: {expected}"),
            "{validation}"
        );
    }
    let error = json!({"expression": "object.nope == 1", "message": "m", "messageExpression": "'e'"});
    assert_eq!(
        denying(json!({"validations": [error]})),
        "Evaluation: expression 'object.nope == 1' resulted in error: no such key: nope"
    );
}

/// Section 1.7: messages of passing validations are evaluated too, from the rest of the budget.
#[test]
fn messages_can_exhaust_the_budget() {
    let message = format!("string({DEAR})");
    let validations = vec![json!({"expression": "true", "messageExpression": message}); 20];
    assert_eq!(
        denying(json!({"validations": validations})),
        format!("Cost: failed messageExpression: {OUT_OF_BUDGET}")
    );
    let too_dear = format!("string([0,1].all(y, {DEAR}))");
    let dropped = json!({"expression": "false", "message": "m", "messageExpression": too_dear});
    assert_eq!(denying(json!({"validations": [dropped]})), "deny 0 Invalid 422: m");
}

/// Section 1.8.
#[test]
fn reasons_and_codes() {
    let table = [
        (json!({}), "Invalid", 422),
        (json!({"reason": "Invalid"}), "Invalid", 422),
        (json!({"reason": "Forbidden"}), "Forbidden", 403),
        (json!({"reason": "RequestEntityTooLarge"}), "RequestEntityTooLarge", 413),
    ];
    for (more, reason, code) in table {
        let report = judge(json!({"validations": [with(json!({"expression": "false"}), more)]}), json!({}));
        let status = status(&report.verdict, &request(json!({}))).unwrap();
        assert_eq!((&status["reason"], &status["code"]), (&json!(reason), &json!(code)));
    }
    let report = judge(json!({"validations": [{"expression": "object.nope == 1", "reason": "Forbidden"}]}), json!({}));
    let status = status(&report.verdict, &request(json!({}))).unwrap();
    assert_eq!((&status["reason"], &status["code"]), (&json!("Invalid"), &json!(422)));
}

/// Section 1.8: the whole answer.
#[test]
fn status_objects() {
    let spec = json!({"validations": [{"expression": "false", "message": "label a changed", "reason": "Forbidden"}]});
    let verdict = judge(spec.clone(), json!({})).verdict;
    let text = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: label a changed";
    assert_eq!(
        status(&verdict, &request(json!({}))).unwrap(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("nodes \"n\" is forbidden: {text}"), "reason": "Forbidden",
            "details": {"name": "n", "kind": "nodes", "causes": [{"message": text}]}, "code": 403,
        })
    );
    let names = [
        (json!({"name": "", "object": {"metadata": {"name": "o"}}}), "nodes \"o\" is"),
        (json!({"name": "", "object": {"metadata": {"generateName": "g-"}}}), "nodes \"g-\" is"),
        (json!({"name": "", "object": null}), "nodes \"Unknown\" is"),
        (json!({"requestResource": {"group": "x.io", "version": "v1", "resource": "nodes"}}), "nodes.x.io \"n\" is"),
    ];
    for (more, start) in names {
        let status = status(&verdict, &request(more)).unwrap();
        assert!(status["message"].as_str().unwrap().starts_with(start), "{status}");
    }
    assert_eq!(status(&judge(json!({}), json!({})).verdict, &request(json!({}))), None);
}

/// Section 1.9: what the actions make of a failure.
#[test]
fn actions() {
    let no = json!([{"expression": "false", "message": "v0"}, {"expression": "object.nope == 1"}]);
    let warning = |text: &str| format!("Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': {text}");
    let error = "expression 'object.nope == 1' resulted in error: no such key: nope";
    let warn = judge(json!({"validations": no}), json!({"validationActions": ["Warn"]}));
    assert_eq!(outcome(&warn), format!("admitted Evaluation: {error}"));
    assert_eq!(warn.warnings, [warning("v0"), warning(error)]);
    assert_eq!(warn.findings.len(), 2);
    assert!(!warn.findings.iter().any(Finding::refuses));

    let ignored = judge(json!({"validations": no, "failurePolicy": "Ignore"}), json!({"validationActions": ["Warn"]}));
    assert_eq!(ignored.warnings, [warning("v0")]);

    let audit = judge(json!({"validations": no}), json!({"validationActions": ["Deny", "Audit"]}));
    assert_eq!(outcome(&audit), "deny 0 Invalid 422: v0");
    assert_eq!(
        audit.audit_annotations["validation.policy.admission.k8s.io/validation_failure"],
        r#"[{"message":"v0","policy":"p","binding":"b","expressionIndex":0,"validationActions":["Deny","Audit"]}]"#
    );
    let only_audit = judge(json!({"validations": [{"expression": "false"}]}), json!({"validationActions": ["Audit"]}));
    assert_eq!((outcome(&only_audit), only_audit.warnings.len()), ("allow".to_owned(), 0));
}

/// Section 1.6: a binding that denies beside one that warns.
#[test]
fn several_bindings() {
    let policy = policy(json!({"validations": [{"expression": "false", "message": "m"}]}));
    let warn = serde_json::from_value(
        json!({"metadata": {"name": "w"}, "spec": {"policyName": "p", "validationActions": ["Warn"]}}),
    );
    let bindings = [admission::Binding::check(&warn.unwrap()).unwrap(), binding(json!({}))];
    let report = evaluate(&policy, &bindings, &request(json!({})), &NoCluster);
    assert_eq!(outcome(&report), "deny 0 Invalid 422: m");
    assert_eq!((report.warnings.len(), report.costs.len()), (1, 2));
}

/// Section 1.9: audit annotations.
#[test]
fn audit_annotations() {
    let annotations = |list: Json, failure_policy: &str| {
        judge(
            json!({"auditAnnotations": list, "failurePolicy": failure_policy}),
            json!({"validationActions": ["Warn"]}),
        )
    };
    let list = json!([
        {"key": "k", "valueExpression": "' ' + object.metadata.name + ' '"},
        {"key": "blank", "valueExpression": "' '"},
        {"key": "none", "valueExpression": "null"},
        {"key": "long", "valueExpression": "[1,2,3,4,5].map(x, [1,2,3,4,5,6,7,8,9,0].map(y, '0123456789'.replace('0', '0123456789012345678901234567890123456789')).join('')).map(x, x + x + x + x + x).join('')"},
    ]);
    let report = annotations(list, "Fail");
    assert_eq!(report.audit_annotations["p/k"], "n");
    assert_eq!(report.audit_annotations["p/long"].len(), 10 * 1024);
    assert_eq!(report.audit_annotations.len(), 2);

    let failing = json!([{"key": "k", "valueExpression": "string(object.nope)"}]);
    let text = "Evaluation: expression 'string(object.nope)' resulted in error: no such key: nope";
    assert_eq!(outcome(&annotations(failing.clone(), "Fail")), text);
    assert_eq!(outcome(&annotations(failing, "Ignore")), format!("admitted {text}"));
    let only = json!({"validations": [], "auditAnnotations": [{"key": "k", "valueExpression": "'v'"}]});
    assert_eq!(denying(only), "allow");
}

/// Section 1.9: audit annotations have a budget of their own, and exhausting it replaces all results.
#[test]
fn audit_annotations_can_exhaust_their_budget() {
    let dear = format!("string({DEAR})");
    let list: Vec<_> = (0..20).map(|n| json!({"key": format!("k{n}"), "valueExpression": dear})).collect();
    assert_eq!(denying(json!({"auditAnnotations": list.as_slice()})), format!("Cost: {OUT_OF_BUDGET}"));
    let no = json!([{"expression": DEAR}, {"expression": "false", "message": "no"}]);
    assert_eq!(denying(json!({"validations": no, "auditAnnotations": &list[..17]})), "deny 1 Invalid 422: no");
}

/// Section 1.6: of several policies the first that refuses is reported, and the others stay visible.
#[test]
fn several_policies() {
    let no = |message: &str| json!({"validations": [{"expression": "false", "message": message}]});
    let error = json!({"failurePolicy": "Ignore", "validations": [{"expression": "object.nope == 1"}]});
    let report = judge_all(&[("a", json!({})), ("b", error), ("c", no("c")), ("d", no("d"))]);
    assert_eq!(line(report.verdict().unwrap()), "deny 0 Invalid 422: c");
    assert_eq!(report.deciding().unwrap().policy, "c");
    assert!(!report.admits());
    let lines: Vec<_> = report.policies.iter().map(outcome).collect();
    assert_eq!(lines[0], "allow");
    assert!(lines[1].starts_with("admitted Evaluation"));
    assert_eq!(lines[3], "deny 0 Invalid 422: d");
}

/// Section 1.9: each warning once.
#[test]
fn warnings_are_single() {
    let policy = policy(
        json!({"validations": [{"expression": "false", "message": "m"}, {"expression": "1 > 2", "message": "m"}]}),
    );
    let bindings = [binding(json!({"validationActions": ["Warn"]}))];
    let report = evaluate_all([&policy], &bindings, &request(json!({})), &NoCluster);
    assert_eq!((report.policies[0].warnings.len(), report.warnings.len()), (2, 1));
    assert!(report.admits());
}

/// An authorization check is an error, also where errors are ignored, but a binding that only warns cannot refuse.
#[test]
fn authorization_checks_are_never_a_pass() {
    let check = "authorizer.group('').resource('nodes').check('get').allowed()";
    for failure_policy in ["Fail", "Ignore"] {
        let validation = json!({"failurePolicy": failure_policy, "validations": [{"expression": check}]});
        let condition =
            json!({"failurePolicy": failure_policy, "matchConditions": conditions(&["object.nope == 1", check])});
        for spec in [validation, condition] {
            assert!(denying(spec.clone()).starts_with("Unsupported: "), "{spec}: {}", denying(spec.clone()));
            assert!(
                outcome(&judge(spec, json!({"validationActions": ["Warn"]}))).starts_with("admitted Unsupported: ")
            );
        }
    }
    assert_eq!(denying(json!({"validations": [{"expression": format!("{check} || true")}]})), "allow");
}

/// Section 1.11: what no longer compiles is an error of each request.
#[test]
fn stored_policies() {
    let stored = |failure_policy: &str| {
        let spec = json!({"failurePolicy": failure_policy, "validations": [{"expression": "nope == 1"}]});
        let json = crate::fixture::policy_json(spec);
        admission::Policy::stored(&serde_json::from_value(json).unwrap(), admission::KubeVersion::minor(36))
    };
    for (failure_policy, start) in [("Fail", "Compile: "), ("Ignore", "admitted Compile: ")] {
        let report = evaluate(&stored(failure_policy), &[binding(json!({}))], &request(json!({})), &NoCluster);
        let start =
            format!("{start}compilation error: compilation failed: ERROR: <input>:1:1: undeclared reference to 'nope'");
        assert!(outcome(&report).starts_with(&start), "{}", outcome(&report));
    }
}

/// Section 2.2: what expressions see of the request.
#[test]
fn the_request_in_expressions() {
    let claims = json!({"username": "me", "extra": {"k": ["v"]}});
    let table = [
        ("!has(request.subResource) && !has(request.namespace) && !has(request.userInfo.extra)", json!({}), "allow"),
        ("has(request.userInfo.uid)", json!({}), "deny"),
        ("request.name == 'n' && request.operation == 'UPDATE' && !request.dryRun", json!({}), "allow"),
        (
            "request.subResource == 'status' && request.requestSubResource == 'status'",
            json!({"subResource": "status"}),
            "allow",
        ),
        ("request.kind.kind == 'Node' && request.resource.resource == 'nodes'", json!({}), "allow"),
        (
            "'k' in request.userInfo.extra",
            json!({}),
            "Evaluation: expression ''k' in request.userInfo.extra' resulted in error: no such key: extra",
        ),
        ("request.userInfo.extra['k'][0] == 'v'", json!({"userInfo": claims}), "allow"),
        (
            "request.name.startsWith('n')",
            json!({"name": ""}),
            "Evaluation: expression 'request.name.startsWith('n')' resulted in error: no such key: name",
        ),
        ("request.options.kind == 'UpdateOptions'", json!({}), "allow"),
        (
            "dyn(request).map(k, k).sort().join(',') == 'dryRun,kind,name,object,oldObject,operation,options,\
             requestKind,requestResource,resource,uid,userInfo'",
            json!({}),
            "allow",
        ),
        (
            "dyn(request).map(k, k).sort().join(',') == 'dryRun,kind,name,object,oldObject,operation,options,\
             requestKind,requestResource,requestSubResource,resource,subResource,uid,userInfo'",
            json!({"subResource": "status"}),
            "allow",
        ),
        ("object == null && oldObject != null", json!({"operation": "DELETE", "object": null}), "allow"),
    ];
    for (expression, more, start) in table {
        let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*/*"]}]);
        let spec = json!({"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]});
        let report = evaluate(&policy(spec), &[binding(json!({}))], &request(more), &NoCluster);
        assert!(outcome(&report).starts_with(start), "{expression}: {}", outcome(&report));
    }
}
