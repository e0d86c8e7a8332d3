//! The answer that a client gets when a policy refuses its request: a `Status` of `meta/v1`.

use serde_json::{Map, Value as Json, json};

use crate::quote::go_quoted;
use crate::request::AdmissionRequest;
use crate::verdict::{Reason, Verdict};

/// The body of the refusal, whose `code` is the HTTP code; none if the verdict lets the request through.
pub fn status(verdict: &Verdict, request: &AdmissionRequest) -> Option<Json> {
    let (text, reason) = refusal(verdict)?;
    let name = object_name(request);
    Some(json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{} {} is forbidden: {text}", qualified_resource(request), go_quoted(name)),
        "reason": reason.as_str(),
        "details": details(request, name, &text),
        "code": reason.code(),
    }))
}

/// What the server says about the refusal, without naming the object; none if the request gets through.
pub fn refusal_text(verdict: &Verdict) -> Option<String> {
    refusal(verdict).map(|(text, _)| text)
}

fn refusal(verdict: &Verdict) -> Option<(String, Reason)> {
    match verdict {
        Verdict::Deny(denial) => Some((text(&denial.policy, Some(&denial.binding), &denial.message), denial.reason)),
        Verdict::Error(error) if !error.admitted => {
            Some((text(&error.policy, error.binding.as_deref(), &error.message), Reason::Invalid))
        }
        _ => None,
    }
}

fn text(policy: &str, binding: Option<&str>, message: &str) -> String {
    match binding {
        Some(binding) => {
            format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}' denied request: {message}")
        }
        None => format!("ValidatingAdmissionPolicy '{policy}' denied request: {message}"),
    }
}

fn qualified_resource(request: &AdmissionRequest) -> String {
    let resource = request.requested_resource();
    if resource.group.is_empty() {
        return resource.resource.clone();
    }
    format!("{}.{}", resource.resource, resource.group)
}

/// The request's name, else the object's or what its name is generated from, else a word for "none".
fn object_name(request: &AdmissionRequest) -> &str {
    let metadata = request.object.as_deref().and_then(|object| object.get("metadata"));
    let of_object = |field| metadata.and_then(|metadata| metadata.get(field)).and_then(Json::as_str);
    let names = [Some(request.name.as_str()), of_object("name"), of_object("generateName")];
    names.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or("Unknown")
}

fn details(request: &AdmissionRequest, name: &str, text: &str) -> Map<String, Json> {
    let resource = request.requested_resource();
    let mut details = Map::new();
    details.insert("name".to_owned(), name.into());
    if !resource.group.is_empty() {
        details.insert("group".to_owned(), resource.group.as_str().into());
    }
    details.insert("kind".to_owned(), resource.resource.as_str().into());
    details.insert("causes".to_owned(), json!([{"message": text}]));
    details
}
