//! Questions about users and what they may do, answered at once (`k8s.io/kubernetes/pkg/registry/{authentication,
//! authorization}`).

use admission::{FieldError, FieldPath, UserInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::authenticator::bearer;
use super::token::Authenticated;
use super::value::{aggregated, is_set, list, text, texts, timestamp};
use super::{anonymous, node_of};
use crate::failure::Failure;
use crate::objects::Objects;
use crate::rbac::{Attributes, Authorize, resolution};

mod selectors;

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// `SubjectAccessReview`: what the user in `spec` may do.
///
/// # Errors
/// 422 as the server validates it.
pub fn subject_access(body: &Value, authorize: &Authorize<'_>) -> Result<Value, Failure> {
    let mut errors = spec_errors(body, true);
    errors.extend(metadata_error(body, &[], "must be empty"));
    invalid_if(&errors)?;
    Ok(answered(body, "SubjectAccessReview", &subject(body), authorize))
}

/// `LocalSubjectAccessReview`: what the user in `spec` may do in the namespace of the request.
///
/// # Errors
/// 422 as the server validates it, 400 if the namespaces differ.
pub fn local_subject_access(body: &Value, namespace: &str, authorize: &Authorize<'_>) -> Result<Value, Failure> {
    let mut body = body.clone();
    if !is_set(&body, "/metadata/namespace") {
        let metadata = body.as_object_mut().map(|body| body.entry("metadata").or_insert_with(|| json!({})));
        if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
    }
    let mut errors = spec_errors(&body, true);
    errors.extend(metadata_error(&body, &["namespace"], "must be empty except for namespace"));
    errors.extend(local_errors(&body));
    invalid_if(&errors)?;
    if text(&body, "/metadata/namespace") != namespace {
        let message = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
        return Err(Failure::bad_request(message));
    }
    Ok(answered(&body, "LocalSubjectAccessReview", &subject(&body), authorize))
}

/// `SelfSubjectAccessReview`: what the user who asks may do.
///
/// # Errors
/// 422 as the server validates it.
pub fn self_subject_access(body: &Value, user: &UserInfo, authorize: &Authorize<'_>) -> Result<Value, Failure> {
    let mut errors = spec_errors(body, false);
    errors.extend(metadata_error(body, &[], "must be empty"));
    invalid_if(&errors)?;
    Ok(answered(body, "SelfSubjectAccessReview", user, authorize))
}

/// `SelfSubjectRulesReview`: the rules that apply to the user who asks, in the namespace in `spec`.
///
/// # Errors
/// 400 without a namespace.
pub fn self_subject_rules(body: &Value, user: &UserInfo, objects: &dyn Objects) -> Result<Value, Failure> {
    let namespace = text(body, "/spec/namespace");
    if namespace.is_empty() {
        return Err(Failure::bad_request("no namespace on request"));
    }
    let is_node = node_of(user).is_some();
    let (rules, problems) = resolution::rules(user, namespace, objects);
    let of = |main: &'static str, keys: &'static [&'static str]| {
        let rules = rules.iter().filter(move |rule| !list(rule, &format!("/{main}")).is_empty());
        rules.map(|rule| only(rule, keys)).collect::<Value>()
    };
    let mut status = json!({
        "resourceRules": of("resources", &["verbs", "apiGroups", "resources", "resourceNames"]),
        "nonResourceRules": of("nonResourceURLs", &["verbs", "nonResourceURLs"]),
        "incomplete": is_node,
    });
    let unresolved = is_node.then(|| "node authorizer does not support user rule resolution".to_owned());
    let errors: Vec<String> = unresolved.into_iter().chain(joined(&problems)).collect();
    insert_text(&mut status, "evaluationError", &aggregated(&errors));
    Ok(object(AUTHORIZATION, "SelfSubjectRulesReview", &json!({"metadata": {}, "spec": {}}), status))
}

fn joined(problems: &[String]) -> Option<String> {
    (!problems.is_empty()).then(|| aggregated(problems))
}

fn only(rule: &Value, keys: &[&str]) -> Value {
    let given = |key: &&&str| !list(rule, &format!("/{key}")).is_empty();
    keys.iter().filter(given).map(|key| ((*key).to_owned(), rule[key].clone())).collect::<Map<_, _>>().into()
}

/// `SelfSubjectReview`: who asks.
#[must_use]
pub fn self_subject(user: &UserInfo, now: i64) -> Value {
    let body = json!({"metadata": {"creationTimestamp": timestamp(now)}});
    object(AUTHENTICATION, "SelfSubjectReview", &body, json!({"userInfo": user}))
}

/// Says who a token stands for, if it is meant for these audiences, or why it is not accepted.
pub type Examine<'f> = dyn Fn(&str, &[String]) -> Result<Authenticated, String> + 'f;

/// `TokenReview`: who the token in `spec` stands for, if it is meant for the audiences there or, without any, for
/// `own`. What is no token at all counts as no credentials: it stands for nobody known.
///
/// # Errors
/// 400 without a token.
pub fn token(body: &Value, own: &[String], examine: &Examine<'_>) -> Result<Value, Failure> {
    let token = text(body, "/spec/token");
    if token.is_empty() {
        return Err(Failure::bad_request("token is required for TokenReview in authentication"));
    }
    let asked: Vec<String> = texts(body, "/spec/audiences").map(str::to_owned).collect();
    let audiences = if asked.is_empty() { own.to_vec() } else { asked };
    let header = format!("Bearer {token}");
    let known = match bearer(&header) {
        Some(token) => examine(token, &audiences),
        None => Ok(Authenticated { user: anonymous(), audiences }),
    };
    let status = match known {
        Ok(known) => json!({"authenticated": true, "user": known.user, "audiences": known.audiences}),
        Err(error) => json!({"user": {}, "error": error}),
    };
    Ok(object(AUTHENTICATION, "TokenReview", body, status))
}

fn object(group: &str, kind: &str, body: &Value, status: Value) -> Value {
    let mut object = body.as_object().cloned().unwrap_or_default();
    object.insert("kind".to_owned(), json!(kind));
    object.insert("apiVersion".to_owned(), json!(format!("{group}/v1")));
    object.entry("metadata").or_insert_with(|| json!({}));
    object.insert("status".to_owned(), status);
    Value::Object(object)
}

fn insert_text(status: &mut Value, key: &str, text: &str) {
    if !text.is_empty() {
        status[key] = json!(text);
    }
}

fn subject(body: &Value) -> UserInfo {
    let extra = body.pointer("/spec/extra").and_then(Value::as_object).into_iter().flatten();
    UserInfo {
        username: text(body, "/spec/user").to_owned(),
        uid: text(body, "/spec/uid").to_owned(),
        groups: texts(body, "/spec/groups").map(str::to_owned).collect(),
        extra: extra.map(|(key, values)| (key.clone(), texts(values, "").map(str::to_owned).collect())).collect(),
    }
}

fn answered(body: &Value, kind: &str, user: &UserInfo, authorize: &Authorize<'_>) -> Value {
    let spec = |field: &str| text(body, &format!("/spec/resourceAttributes/{field}"));
    let required = selectors::required(body);
    let of_path = text(body, "/spec/nonResourceAttributes/verb");
    let attributes = if is_set(body, "/spec/resourceAttributes") {
        let attributes = Attributes::resource(user, spec("verb"), spec("group"), spec("resource"));
        let (subresource, namespace, name) = (spec("subresource"), spec("namespace"), spec("name"));
        Attributes { subresource, namespace, name, fields: &required.fields, ..attributes }
    } else {
        Attributes::path(user, of_path, text(body, "/spec/nonResourceAttributes/path"))
    };
    let decision = authorize(&attributes);
    let mut status = json!({"allowed": decision.allowed});
    insert_text(&mut status, "reason", &decision.reason);
    insert_text(&mut status, "evaluationError", required.problem.unwrap_or_default());
    object(AUTHORIZATION, kind, body, status)
}

/// The kind is not named in messages: the server has forgotten it by then.
fn invalid_if(errors: &[FieldError]) -> Result<(), Failure> {
    if errors.is_empty() { Ok(()) } else { Err(Failure::invalid(AUTHORIZATION, "", "", errors)) }
}

/// As the server prints the structure that it keeps these attributes in.
#[derive(Serialize)]
struct PathAttributes<'a> {
    #[serde(rename = "Path")]
    path: &'a str,
    #[serde(rename = "Verb")]
    verb: &'a str,
}

fn spec_errors(body: &Value, names_user: bool) -> Vec<FieldError> {
    let spec = FieldPath::root("spec");
    let (resource, path) = (is_set(body, "/spec/resourceAttributes"), is_set(body, "/spec/nonResourceAttributes"));
    let mut errors = Vec::new();
    if resource && path {
        let of = |field: &str| text(body, &format!("/spec/nonResourceAttributes/{field}"));
        let given = PathAttributes { path: of("path"), verb: of("verb") };
        let detail = "cannot be specified in combination with resourceAttributes";
        errors.push(FieldError::invalid_json(&spec.child("nonResourceAttributes"), &given, detail));
    }
    if !resource && !path {
        let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid_json(&spec.child("resourceAttributes"), &Value::Null, detail));
    }
    if names_user && text(body, "/spec/user").is_empty() && list(body, "/spec/groups").is_empty() {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid(&spec.child("user"), "", detail));
    }
    errors.extend(selectors::errors(body));
    errors
}

fn metadata_error(body: &Value, allowed: &[&str], detail: &str) -> Option<FieldError> {
    let metadata = body.get("metadata")?;
    let given = |(key, value): &(&String, &Value)| {
        *key != "managedFields" && !allowed.contains(&key.as_str()) && !value.is_null() && value.as_str() != Some("")
    };
    let found = metadata.as_object().is_some_and(|metadata| metadata.iter().any(|entry| given(&entry)));
    found.then(|| FieldError::invalid_json(&FieldPath::root("metadata"), metadata, detail))
}

fn local_errors(body: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let asked = text(body, "/spec/resourceAttributes/namespace");
    if is_set(body, "/spec/resourceAttributes") && asked != text(body, "/metadata/namespace") {
        let path = FieldPath::root("spec.resourceAttributes.namespace");
        errors.push(FieldError::invalid(&path, asked, "must match metadata.namespace"));
    }
    if is_set(body, "/spec/nonResourceAttributes") {
        let of = |field: &str| text(body, &format!("/spec/nonResourceAttributes/{field}"));
        let given = PathAttributes { path: of("path"), verb: of("verb") };
        let path = FieldPath::root("spec.nonResourceAttributes");
        errors.push(FieldError::invalid_json(&path, &given, "disallowed on this kind of request"));
    }
    errors
}

#[cfg(test)]
mod tests;
