use admission::{FieldError, FieldErrorKind};
use serde_json::{Value, from_str, json};

use crate::crd;
use crate::failure::Failure;

fn answer(definition: &Value, errors: &[FieldError]) -> String {
    let name = definition.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let failure = Failure::invalid("apiextensions.k8s.io", "CustomResourceDefinition", name, errors);
    if errors.is_empty() { String::new() } else { failure.message }
}

/// The errors about the name's shape are found elsewhere.
fn without_name_shape(message: &str) -> String {
    const SHAPE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                         and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
                         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), ";
    let Some((before, rest)) = message.split_once("[metadata.name: Invalid value: ") else { return message.to_owned() };
    match rest.split_once(SHAPE) {
        Some((_, rest)) => format!("{before}{}", rest.strip_suffix(']').unwrap_or(rest)),
        None => message.to_owned(),
    }
}

#[test]
fn definitions_are_answered_as_the_server_answers() {
    let cases: Vec<Value> = from_str(include_str!("definitions.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut definition = case["definition"].clone();
        crd::default_definition(&mut definition);
        crd::prepare_create(&mut definition);
        let message = answer(&definition, &crd::validate_definition(&definition, None));
        let expected = without_name_shape(case["message"].as_str().unwrap_or_default());
        if message != expected {
            wrong.push(format!("{}\n  server {expected}\n  here   {message}", case["definition"]["spec"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn updates_are_answered_as_the_server_answers() {
    let cases: Vec<Value> = from_str(include_str!("updates.json")).unwrap();
    let old: Value = from_str(include_str!("updated.json")).unwrap();
    for case in &cases {
        let mut new = case["object"].clone();
        crd::default_definition(&mut new);
        crd::prepare_update(&mut new, &old);
        let message = answer(&new, &crd::validate_definition(&new, Some(&old)));
        assert_eq!(message, case["message"].as_str().unwrap_or_default(), "{}", case["object"]["spec"]);
    }
}

#[test]
fn names_are_accepted_unless_they_are_taken() {
    let file: Value = from_str(include_str!("conflicts.json")).unwrap();
    let mut known = vec![file["first"].clone()];
    for case in file["cases"].as_array().unwrap() {
        let mut definition = case["definition"].clone();
        crd::default_definition(&mut definition);
        crd::prepare_create(&mut definition);
        let now = case["status"]["conditions"][0]["lastTransitionTime"].as_str().unwrap();
        let others: Vec<&Value> = known.iter().collect();
        definition["status"] = crd::accept_names(&definition, &others, now).unwrap();
        assert_eq!(definition["status"], case["status"], "{}", case["definition"]["spec"]["names"]);
        assert_eq!(crd::accept_names(&definition, &others, "later"), None);
        known.push(definition);
    }
}

#[test]
fn accepted_names_establish() {
    let mut definition: Value = from_str(include_str!("everything.json")).unwrap();
    crd::default_definition(&mut definition);
    crd::prepare_create(&mut definition);
    let status = crd::accept_names(&definition, &[], "2026-01-01T00:00:00Z").unwrap();
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let established = condition("Established", "InitialNamesAccepted", "the initial names have been accepted");
    let accepted = condition("NamesAccepted", "NoConflicts", "no conflicts found");
    assert_eq!(status["conditions"], json!([accepted, established]));
    assert_eq!(status["storedVersions"], json!(["v1"]));
    assert_eq!(status["acceptedNames"]["listKind"], "WidgetList");
    assert_eq!(crd::unrecognized_formats(&definition, None), ["unrecognized format \"zebra\""]);
    assert_eq!(crd::unrecognized_formats(&definition, Some(&definition)), Vec::<String>::new());
}

#[test]
fn kinds_of_errors_are_told() {
    let errors = crd::validate_definition(&json!({}), None);
    assert!(errors.iter().any(|error| error.kind() == FieldErrorKind::Required && error.field() == "spec.group"));
}
