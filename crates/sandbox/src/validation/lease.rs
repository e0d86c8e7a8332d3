//! Leases (`pkg/apis/coordination/validation`).

use admission::FieldError;

use super::names;
use super::place::Place;

/// A new Lease.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let (duration, transitions) = (spec.child("leaseDurationSeconds"), spec.child("leaseTransitions"));
    let mut errors = Vec::new();
    if duration.number().is_some_and(|seconds| seconds <= 0) {
        errors.push(duration.invalid("must be greater than 0"));
    }
    errors.extend(transitions.non_negative());
    errors.extend(strategy(&spec.child("strategy")));
    let preferred = spec.child("preferredHolder");
    if !preferred.is_empty() && spec.child("strategy").is_empty() {
        errors.push(preferred.forbidden("may only be specified if `strategy` is defined"));
    }
    errors
}

/// A changed Lease.
pub(crate) fn update(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create(new)
}

fn strategy(place: &Place<'_>) -> Vec<FieldError> {
    if !place.is_set() || place.text() == "OldestEmulationVersion" {
        return Vec::new();
    }
    // The server's own path: the field's name twice.
    let place = place.at(place.path().child("strategy"));
    if place.text().contains('/') {
        place.checked(names::qualified)
    } else {
        vec![place.not_supported(&["OldestEmulationVersion"])]
    }
}
