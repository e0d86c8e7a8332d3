//! Namespaces (`ValidateNamespace…` of `pkg/apis/core/validation`).

use admission::FieldError;

use super::metadata;
use super::names;
use super::place::Place;

/// A new or changed Namespace; the server gives every finalizer the path of the list.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let list = object.down(&["spec", "finalizers"]);
    list.items().iter().flat_map(|item| finalizer(&item.at(list.path().clone()))).collect()
}

/// A changed Namespace.
pub(crate) fn update(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create(new)
}

/// A Namespace whose phase changed: it follows from the deletion.
pub(crate) fn status(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    let (phase, expected, when) = match new.down(&["metadata", "deletionTimestamp"]).is_set() {
        false => (new.down(&["status", "phase"]), "Active", "is empty"),
        true => (new.down(&["status", "phase"]), "Terminating", "is not empty"),
    };
    if phase.text() == expected {
        return Vec::new();
    }
    let phase = phase.at(new.down(&["status", "Phase"]).path().clone());
    vec![phase.invalid_text(format!("may only be '{expected}' if `deletionTimestamp` {when}"))]
}

/// A Namespace whose finalizers changed.
pub(crate) fn finalize(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    new.down(&["spec", "finalizers"]).items().iter().flat_map(finalizer).collect()
}

fn finalizer(place: &Place<'_>) -> Vec<FieldError> {
    let mut errors = place.checked(names::qualified);
    errors.extend(metadata::known_finalizer(place));
    errors
}
