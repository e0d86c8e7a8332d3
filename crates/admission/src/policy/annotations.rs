//! Audit annotations: those that a policy computes, and those that record its failures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::binding::Binding;
use crate::quote::go_json;

/// The key under which the failures of bindings with the action Audit are recorded.
const FAILURE_KEY: &str = "validation.policy.admission.k8s.io/validation_failure";
/// Longest value of a computed annotation in bytes.
const MAX_VALUE: usize = 10 * 1024;

/// Gathers the annotations of one policy over its bindings and parameters.
#[derive(Debug, Default)]
pub(super) struct Collector {
    computed: BTreeMap<String, Vec<String>>,
    published: BTreeMap<String, String>,
}

impl Collector {
    /// Adds a computed value; different values of one key are joined in the end.
    pub(super) fn add(&mut self, key: &str, value: &str) {
        let value = truncated(value);
        let values = self.computed.entry(key.to_owned()).or_default();
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }

    /// Sets an annotation, which cannot be overwritten.
    pub(super) fn set(&mut self, key: &str, value: String) {
        self.published.entry(key.to_owned()).or_insert(value);
    }

    pub(super) fn publish(mut self, policy: &str) -> BTreeMap<String, String> {
        for (key, values) in std::mem::take(&mut self.computed) {
            self.set(&format!("{policy}/{key}"), values.join(", "));
        }
        self.published
    }
}

/// The server cuts at the byte; a character that would be cut in half is left out here.
fn truncated(value: &str) -> &str {
    value.get(..value.floor_char_boundary(MAX_VALUE)).unwrap_or(value)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    message: &'a str,
    policy: &'a str,
    binding: &'a str,
    expression_index: usize,
    validation_actions: Vec<&'static str>,
}

/// Key and value of the annotation that records a failure.
pub(super) fn failure_annotation(binding: &Binding, index: usize, message: &str) -> (&'static str, String) {
    let failure = Failure {
        message,
        policy: &binding.policy,
        binding: &binding.name,
        expression_index: index,
        validation_actions: binding.actions.iter().map(|action| action.as_str()).collect(),
    };
    (FAILURE_KEY, go_json(&[failure]))
}
