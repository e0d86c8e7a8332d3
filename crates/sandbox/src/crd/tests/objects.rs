use admission::FieldError;
use serde_json::{Value, from_str};

use crate::crd::Compiled;
use crate::failure::Failure;

fn sorted(message: &str) -> Vec<String> {
    let body = message.split_once(" is invalid: ").map_or(message, |(_, body)| body);
    let body = body.strip_prefix('[').and_then(|body| body.strip_suffix(']')).unwrap_or(body);
    let mut parts: Vec<String> = body.split(", ").map(str::to_owned).collect();
    parts.sort();
    parts
}

fn answer(kind: &str, object: &Value, errors: &[FieldError]) -> String {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Failure::invalid("ex.example.com", kind, name, errors).message
}

/// The answer to a create or an update: the message, or the object's parts.
fn respond(compiled: &Compiled, case: &Value) -> (String, Value, Vec<String>) {
    let mut object = case["object"].clone();
    let unknown = match compiled.prune(&mut object) {
        Ok(unknown) => unknown,
        Err(why) => {
            return (format!("Widget in version \"v1\" cannot be handled as a Widget: {why}"), Value::Null, vec![]);
        }
    };
    compiled.default(&mut object);
    let mut old = case.get("old").cloned();
    if let Some(old) = &mut old {
        compiled.prune(old).unwrap();
        compiled.default(old);
    }
    if let Some(fields) = object.as_object_mut().filter(|_| old.is_none()) {
        fields.remove("status");
    }
    let verdict = compiled.validate(&object, old.as_ref(), Vec::new());
    let message = if verdict.errors.is_empty() { String::new() } else { answer("Widget", &object, &verdict.errors) };
    (message, object, unknown)
}

#[test]
fn objects_are_answered_as_the_server_answers() {
    let definition: Value = from_str(include_str!("everything.json")).unwrap();
    let compiled = Compiled::new(&definition, "v1").unwrap();
    let cases: Vec<Value> = from_str(include_str!("objects.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let (message, object, unknown) = respond(&compiled, case);
        let expected = case["message"].as_str().unwrap_or_default();
        if sorted(&message) != sorted(expected) {
            wrong.push(format!("{}\n  server {expected}\n  here   {message}", case["object"]));
        }
        if let Some(result) = case["result"].as_object() {
            for (name, value) in result {
                if object.get(name) != Some(value) {
                    wrong.push(format!("{}\n  server {value}\n  here {:?}", case["object"], object.get(name)));
                }
            }
            let warned: Vec<String> =
                unknown.iter().map(|path| format!("299 - \"unknown field \\\"{path}\\\"\"")).collect();
            let expected: Vec<&str> = case["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            if warned != expected {
                wrong.push(format!("{}\n  server {expected:?}\n  here {warned:?}", case["object"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_an_update_leaves_unchanged_passes() {
    let file: Value = from_str(include_str!("ratcheting.json")).unwrap();
    let compiled = Compiled::new(&file["definition"], "v1").unwrap();
    for case in file["cases"].as_array().unwrap() {
        let (object, old) = (&case["object"], &file["old"]);
        let verdict = match case["sub"].as_str() {
            Some("/status") => compiled.validate_status(object, old, Vec::new()),
            _ => compiled.validate(object, Some(old), Vec::new()),
        };
        let message = if verdict.errors.is_empty() { String::new() } else { answer("Loose", object, &verdict.errors) };
        assert_eq!(sorted(&message), sorted(case["message"].as_str().unwrap_or_default()), "{object}");
        let mut warned: Vec<String> = verdict.warnings.iter().map(|text| format!("299 - {text:?}")).collect();
        warned.sort();
        let mut expected: Vec<&str> = case["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        expected.sort_unstable();
        assert_eq!(warned, expected, "{object}");
    }
}
