//! No policy, binding or request makes the evaluator panic.

use admission::{Binding, KubeVersion, NoCluster, Policy, evaluate, status};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::fixture::{policy_json, request, with};

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[ -~]{0,8}".prop_map(Json::from),
        prop_oneof!["name", "metadata", "labels", "[*]", "nodes", "Fail", "In", "\\PC{0,5}"].prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let field = prop_oneof!["name", "metadata", "labels", "spec", "kind", "[a-z]{0,3}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::vec((field, inner), 0..4).prop_map(|pairs| Json::Object(Map::from_iter(pairs))),
        ]
    })
}

fn any_expression() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "(object|oldObject|request|variables|params|namespaceObject)",
        "(\\.|\\.\\?|==|&&|\\|\\||\\[|\\]|\\(|\\)|\\{|\\}|,|:|\\?|!|-|in)",
        "(metadata|labels|all|exists|map|filter|has|size|dyn|string|x|k|v)",
        "('a'|\"\\\\\"|[0-9]{1,20}|1\\.5e|true|null|\\PC)",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn any_policy_is_judged_or_refused(
        rules in any_json(), selector in any_json(), name in any_json(), failure in any_json(),
        expression in any_expression(), variable in any_expression(), object in any_json(), old in any_json(),
    ) {
        let spec = json!({
            "failurePolicy": failure, "matchConditions": [{"name": name, "expression": "object != oldObject"}],
            "variables": [{"name": "v", "expression": variable}],
            "validations": [{"expression": expression, "messageExpression": expression}],
            "auditAnnotations": [{"key": "k", "valueExpression": variable}],
            "matchConstraints": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}, rules], "objectSelector": selector},
        });
        let Ok(policy) = serde_json::from_value(policy_json(spec)) else { return Ok(()); };
        let errors = Policy::compile(&policy, KubeVersion::minor(36)).err().unwrap_or_default();
        prop_assert!(errors.iter().all(|error| !error.to_string().is_empty()));
        let stored = Policy::stored(&policy, KubeVersion::minor(36));
        let request = request(json!({"object": object, "oldObject": old}));
        let report = evaluate(&stored, &[Binding::denying("p")], &request, &NoCluster);
        prop_assert_eq!(status(&report.verdict, &request).is_none(), report.verdict.admits());
    }

    #[test]
    fn any_json_as_a_policy_or_binding(metadata in any_json(), spec in any_json(), more in any_json()) {
        let object = json!({"metadata": metadata, "spec": spec});
        let object = if more.is_object() { with(object, more) } else { object };
        if let Ok(policy) = serde_json::from_value(object.clone()) {
            prop_assert!(Policy::compile(&policy, KubeVersion::minor(30)).is_err());
        }
        if let Ok(binding) = serde_json::from_value(object) {
            prop_assert!(Binding::check(&binding).is_err());
        }
    }
}
