//! Objects that kubectl applied from the client before (`apimachinery/pkg/util/managedfields/internal`:
//! `lastappliedmanager.go`, `lastappliedupdater.go`).

use serde_json::{Map, Value};

use super::Manager;
use super::compare::compare;
use super::field_set::fields_of;
use super::form::Place;
use super::gotext;
use super::set::Set;
use super::validate::validate;

/// The manager whose applies look at the annotation.
pub(super) const MANAGER: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The limit of `ValidateAnnotationsSize`: all keys and values of the annotations.
const MAX_ANNOTATIONS: usize = 256 * 1024;

fn annotation(object: &Value) -> Option<&str> {
    let text = object.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str()?;
    Some(text).filter(|text| !text.is_empty())
}

/// The fields of the configuration in the annotation that the live object still has as they were applied.
pub(super) fn unchanged_fields(live: &Value, api_version: &str, place: Place<'_>) -> Option<Set> {
    let last: Value = serde_json::from_str(annotation(live)?).ok()?;
    let text = |name: &str| last.get(name).and_then(Value::as_str);
    let valid = |object: &Value| validate(object, place, false).is_empty();
    if text("apiVersion") != Some(api_version) || text("kind").is_none() || !valid(live) || !valid(&last) {
        return None;
    }
    let changes = compare(&last, live, place).ok()?;
    Some(fields_of(&last, place).difference(&changes.written()).difference(&changes.removed))
}

/// Writes the annotation anew if the object has one, so that a client-side apply can follow.
pub(super) fn keep_in_step(object: &mut Value, applied: &Value, manager: &Manager) {
    if manager.name != MANAGER || annotation(object).is_none() {
        return;
    }
    let mut applied = applied.clone();
    if let Some(annotations) = annotations(&mut applied) {
        annotations.remove(ANNOTATION);
    }
    let text = gotext::json(&applied) + "\n";
    let Some(annotations) = annotations(object) else { return };
    annotations.insert(ANNOTATION.to_owned(), Value::String(text));
    let size: usize = annotations.iter().map(|(name, text)| name.len() + text.as_str().map_or(0, str::len)).sum();
    if size > MAX_ANNOTATIONS {
        annotations.remove(ANNOTATION);
    }
}

fn annotations(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("metadata")?.get_mut("annotations")?.as_object_mut()
}
