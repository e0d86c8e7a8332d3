use serde_json::{Value, from_str, json};

use crate::crd;
use crate::failure::Failure;

fn definition(item: &Value, case: &Value) -> Value {
    let mut item = item.clone();
    item["x-kubernetes-validations"] = json!([{"rule": case["rule"]}]);
    let spec = if case["map"] == true {
        json!({"type": "object", "maxProperties": case["items"], "additionalProperties": item})
    } else {
        json!({"type": "array", "maxItems": case["items"], "items": item})
    };
    json!({"metadata": {"name": "costs.c.example.com"}, "spec": {
        "group": "c.example.com", "scope": "Namespaced", "names": {"plural": "costs", "kind": "Cost"},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}})
}

#[test]
fn rules_are_estimated_as_the_server_estimates() {
    let file: Value = from_str(include_str!("costs.json")).unwrap();
    let mut wrong = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let mut definition = definition(&file["item"], case);
        crd::default_definition(&mut definition);
        crd::prepare_create(&mut definition);
        let errors = crd::validate_definition(&definition, None);
        let kind = "CustomResourceDefinition";
        let message = Failure::invalid("apiextensions.k8s.io", kind, "costs.c.example.com", &errors).message;
        if case["message"] != message {
            wrong.push(format!("{}\n  server {}\n  here   {message}", case["rule"], case["message"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
