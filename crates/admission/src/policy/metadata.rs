//! The checks of an object's metadata at creation, as far as they can fail for a policy or binding
//! (`ValidateObjectMeta`). Owner references, finalizers and managed fields are not looked at.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::field_error::{FieldError, FieldPath};
use crate::{names, selector};

const MAX_ANNOTATIONS: usize = 256 * 1024;

pub(super) fn validate(metadata: &ObjectMeta) -> Vec<FieldError> {
    let path = FieldPath::root("metadata");
    let mut errors = name(metadata.name.as_deref().unwrap_or_default(), &path.child("name"));
    if metadata.namespace.as_deref().is_some_and(|namespace| !namespace.is_empty()) {
        errors.push(FieldError::forbidden(&path.child("namespace"), "not allowed on this type"));
    }
    errors.extend(selector::validate_labels(metadata.labels.as_ref(), &path.child("labels")));
    errors.extend(metadata.annotations.iter().flat_map(|items| annotations(items, &path.child("annotations"))));
    errors
}

fn name(name: &str, path: &FieldPath) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(path, "name or generateName is required")];
    }
    names::subdomain(name).into_iter().map(|problem| FieldError::invalid(path, name, problem)).collect()
}

fn annotations(annotations: &BTreeMap<String, String>, path: &FieldPath) -> Vec<FieldError> {
    let problems = |key: &String| names::label_key(&key.to_lowercase());
    let invalid = |key| problems(key).into_iter().map(move |problem| FieldError::invalid(path, key, problem));
    let mut errors: Vec<_> = annotations.keys().flat_map(invalid).collect();
    let size = annotations.iter().fold(0_usize, |size, (key, value)| size.saturating_add(key.len() + value.len()));
    if size > MAX_ANNOTATIONS {
        errors.push(FieldError::too_long(path, MAX_ANNOTATIONS));
    }
    errors
}
