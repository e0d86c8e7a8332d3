//! What is posted to be answered, not stored: access reviews, token requests, bindings of pods
//! (`pkg/apis/authorization/validation`, `pkg/apis/authentication/validation`, `ValidatePodBinding`).

use admission::{FieldError, FieldPath};
use serde_json::{Value, json};

use super::ordered::{METADATA, NON_RESOURCE, Ordered};
use super::place::Place;
use super::selector;

const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;

/// A TokenRequest (`ValidateTokenRequest`).
#[must_use]
pub fn token_request(object: &Value) -> Vec<FieldError> {
    let root = Place::root(object);
    let seconds = root.down(&["spec", "expirationSeconds"]);
    let given = seconds.number().unwrap_or_default();
    let detail = match given {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        SHORTEST..=LONGEST => return Vec::new(),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    vec![FieldError::invalid_json(seconds.path(), &given, detail)]
}

/// A Binding of a pod to a Node (`ValidatePodBinding`).
#[must_use]
pub fn binding(object: &Value) -> Vec<FieldError> {
    let target = Place::root(object).child("target");
    let (kind, name) = (target.child("kind"), target.child("name"));
    let mut errors = Vec::new();
    if !["", "Node"].contains(&kind.text()) {
        errors.push(kind.not_supported(&["Node", "<empty>"]));
    }
    if name.is_empty() {
        errors.push(name.required(""));
    }
    errors
}

/// Someone asks about someone.
pub(crate) fn subject(object: &Place<'_>) -> Vec<FieldError> {
    let mut errors = spec(object, true);
    errors.extend(no_metadata(object, &[], "must be empty"));
    errors
}

/// Someone asks about himself.
pub(crate) fn own(object: &Place<'_>) -> Vec<FieldError> {
    let mut errors = spec(object, false);
    errors.extend(no_metadata(object, &[], "must be empty"));
    errors
}

/// Someone asks about someone in one namespace.
pub(crate) fn local(object: &Place<'_>) -> Vec<FieldError> {
    let mut errors = spec(object, true);
    errors.extend(no_metadata(object, &["namespace"], "must be empty except for namespace"));
    let (attributes, other) = attributes(object);
    let (asked, own) = (attributes.child("namespace"), object.down(&["metadata", "namespace"]));
    if attributes.is_set() && asked.text() != own.text() {
        errors.push(asked.invalid_text("must match metadata.namespace"));
    }
    if other.is_set() {
        errors
            .push(Ordered::of(other.value(), NON_RESOURCE).invalid(other.path(), "disallowed on this kind of request"));
    }
    errors
}

fn attributes<'v>(object: &Place<'v>) -> (Place<'v>, Place<'v>) {
    (object.down(&["spec", "resourceAttributes"]), object.down(&["spec", "nonResourceAttributes"]))
}

fn spec(object: &Place<'_>, of_someone: bool) -> Vec<FieldError> {
    let (resource, other) = attributes(object);
    let mut errors = Vec::new();
    match (resource.is_set(), other.is_set()) {
        (true, true) => {
            let shown = Ordered::of(other.value(), NON_RESOURCE);
            errors.push(shown.invalid(other.path(), "cannot be specified in combination with resourceAttributes"));
        }
        (false, false) => errors
            .push(resource.invalid("exactly one of nonResourceAttributes or resourceAttributes must be specified")),
        _ => {}
    }
    let user = object.down(&["spec", "user"]);
    if of_someone && user.is_empty() && object.down(&["spec", "groups"]).is_empty() {
        errors.push(user.invalid_text("at least one of user or group must be specified"));
    }
    errors.extend(selectors(&resource));
    errors
}

fn selectors(resource: &Place<'_>) -> Vec<FieldError> {
    let (fields, labels) = (resource.child("fieldSelector"), resource.child("labelSelector"));
    let mut errors = one_form(&fields);
    errors.extend(fields.child("requirements").items().iter().flat_map(field_requirement));
    errors.extend(one_form(&labels));
    errors.extend(labels.child("requirements").items().iter().flat_map(|one| selector::requirement(one, true)));
    errors
}

fn field_requirement(requirement: &Place<'_>) -> Vec<FieldError> {
    let key = requirement.child("key");
    let mut errors: Vec<_> = key.is_empty().then(|| key.required("must be specified")).into_iter().collect();
    errors.extend(selector::operator(requirement, true));
    errors
}

fn one_form(selector: &Place<'_>) -> Vec<FieldError> {
    if !selector.is_set() {
        return Vec::new();
    }
    let (raw, requirements) = (selector.child("rawSelector"), selector.child("requirements"));
    match (raw.is_empty(), requirements.is_empty()) {
        (false, false) => vec![raw.invalid_text("may not specified at the same time as requirements")],
        (true, true) => vec![requirements.required(&needs_requirements(selector))],
        _ => Vec::new(),
    }
}

fn needs_requirements(selector: &Place<'_>) -> String {
    let path = FieldError::required(selector.path(), "").field().to_owned();
    format!("when {path} is specified, requirements or rawSelector is required")
}

fn no_metadata(object: &Place<'_>, allowed: &[&str], detail: &str) -> Option<FieldError> {
    let metadata = object.child("metadata");
    let ignored = |field: &str| field == "managedFields" || allowed.contains(&field);
    let mut fields = metadata.entries().filter(|(field, value)| !ignored(field) && !is_zero(value));
    fields.next()?;
    Some(Ordered::of(metadata.value(), METADATA).invalid(&FieldPath::root("metadata"), detail))
}

fn is_zero(value: &Value) -> bool {
    [json!(null), json!(""), json!({}), json!([]), json!(0)].contains(value)
}
