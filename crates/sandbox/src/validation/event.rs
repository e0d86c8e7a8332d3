//! Events of both groups (`pkg/apis/core/validation/events.go`). The newer group's fields have other names; messages
//! use the older ones.

use admission::{FieldError, FieldPath};
use serde_json::Value;

use super::names;
use super::ordered::{Ordered, REFERENCE, SOURCE};
use super::place::Place;

const SHORT: usize = 128;
const NOTE: usize = 1024;

/// What a field is called in the two groups.
struct Field {
    /// In `v1`, and in nearly all messages.
    core: &'static str,
    /// In `events.k8s.io/v1`.
    newer: &'static str,
}

const INVOLVED: Field = Field { core: "involvedObject", newer: "regarding" };
const MESSAGE: Field = Field { core: "message", newer: "note" };
const FIRST: Field = Field { core: "firstTimestamp", newer: "deprecatedFirstTimestamp" };
const LAST: Field = Field { core: "lastTimestamp", newer: "deprecatedLastTimestamp" };
const COUNT: Field = Field { core: "count", newer: "deprecatedCount" };
const ORIGIN: Field = Field { core: "source", newer: "deprecatedSource" };
const CONTROLLER: Field = Field { core: "reportingComponent", newer: "reportingController" };

impl Field {
    /// The newer group's field under the older one's path.
    fn of<'v>(&self, event: &Place<'v>) -> Place<'v> {
        event.child(self.newer).at(FieldPath::root(self.core))
    }
}

/// A new Event of the core group.
pub(crate) fn create_core(event: &Place<'_>) -> Vec<FieldError> {
    let parts = Parts {
        involved: event.child(INVOLVED.core),
        controller: event.child(CONTROLLER.core),
        message: event.child(MESSAGE.core),
        event,
    };
    legacy(&parts)
}

/// A changed Event of the core group.
pub(crate) fn update_core(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create_core(new)
}

/// A new Event of `events.k8s.io`.
pub(crate) fn create(event: &Place<'_>) -> Vec<FieldError> {
    let mut errors = legacy_of_newer(event);
    errors.extend(series(event));
    let time = event.child("eventTime");
    if !time.is_set() {
        errors.push(time.required(""));
    }
    let kind = event.child("type");
    if !["Normal", "Warning"].contains(&kind.text()) {
        errors.push(FieldError::invalid(kind.path(), "", format!("has invalid value: {}", kind.text())));
    }
    let old = [FIRST, LAST, COUNT, ORIGIN].iter().map(|field| field.of(event)).filter(|field| !is_unset(field));
    errors.extend(old.map(|field| FieldError::invalid(field.path(), "", "needs to be unset")).collect::<Vec<_>>());
    errors
}

fn is_unset(place: &Place<'_>) -> bool {
    match place.value() {
        Value::Object(fields) => fields.values().all(|value| value.as_str().is_none_or(str::is_empty)),
        _ => place.is_empty(),
    }
}

/// A changed Event of `events.k8s.io`: only the series goes on.
pub(crate) fn update(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = legacy_of_newer(new);
    if new.child("series").value() != old.child("series").value() {
        errors.extend(series(new));
    }
    errors.extend(fixed_structure(&INVOLVED.of(new), &INVOLVED.of(old), REFERENCE));
    errors.extend(fixed(&new.child("reason"), &old.child("reason")));
    errors.extend(fixed(&MESSAGE.of(new), &MESSAGE.of(old)));
    errors.extend(fixed_structure(&ORIGIN.of(new), &ORIGIN.of(old), SOURCE));
    errors.extend([FIRST, LAST, COUNT].iter().filter_map(|field| fixed(&field.of(new), &field.of(old))));
    errors.extend(["type", "eventTime", "action"].iter().filter_map(|name| fixed(&new.child(name), &old.child(name))));
    errors.extend(fixed_structure(&new.child("related"), &old.child("related"), REFERENCE));
    let reporting = ["reportingController", "reportingInstance"];
    errors.extend(reporting.iter().filter_map(|name| fixed(&new.child(name), &old.child(name))));
    errors
}

fn fixed(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    new.immutable(old)
}

fn fixed_structure(new: &Place<'_>, old: &Place<'_>, shown: &[super::ordered::Shown]) -> Option<FieldError> {
    let same = new.value() == old.value() || (new.is_empty() && old.is_empty());
    (!same).then(|| Ordered::of(new.value(), shown).invalid(new.path(), "field is immutable"))
}

fn series(event: &Place<'_>) -> Vec<FieldError> {
    let series = event.child("series");
    let mut errors = Vec::new();
    if !series.is_set() {
        return errors;
    }
    if series.child("count").number().unwrap_or_default() < 2 {
        errors.push(FieldError::invalid(&FieldPath::root("series.count"), "", "should be at least 2"));
    }
    if !series.child("lastObservedTime").is_set() {
        errors.push(FieldError::required(&FieldPath::root("series.lastObservedTime"), ""));
    }
    errors
}

/// What both groups check.
struct Parts<'e, 'v> {
    event: &'e Place<'v>,
    involved: Place<'v>,
    controller: Place<'v>,
    message: Place<'v>,
}

fn legacy_of_newer(event: &Place<'_>) -> Vec<FieldError> {
    legacy(&Parts {
        involved: INVOLVED.of(event),
        controller: event.child(CONTROLLER.newer),
        message: MESSAGE.of(event),
        event,
    })
}

fn legacy(parts: &Parts<'_, '_>) -> Vec<FieldError> {
    let (own, involved) = (parts.event.down(&["metadata", "namespace"]), parts.involved.child("namespace"));
    let timed = parts.event.child("eventTime").is_set();
    let fits = match (timed, involved.is_empty()) {
        (false, true) => ["", "default"].contains(&own.text()),
        (false, false) => own.text() == involved.text(),
        (true, true) => ["default", "kube-system"].contains(&own.text()),
        (true, false) => true,
    };
    let mut errors = Vec::new();
    if !fits {
        errors.push(involved.invalid_text("does not match event.namespace"));
    }
    if timed {
        errors.extend(reported(parts));
    }
    errors.extend(own.at(FieldPath::root("namespace")).checked(names::subdomain));
    errors
}

fn reported(parts: &Parts<'_, '_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = required(&parts.controller).into_iter().collect();
    errors.extend(parts.controller.checked(names::qualified));
    for field in ["reportingInstance", "action", "reason"].map(|name| parts.event.child(name)) {
        errors.extend(required(&field));
        errors.extend(short(&field, SHORT));
    }
    errors.extend(short(&parts.message, NOTE));
    errors
}

fn required(place: &Place<'_>) -> Option<FieldError> {
    place.is_empty().then(|| place.required(""))
}

fn short(place: &Place<'_>, limit: usize) -> Option<FieldError> {
    let long = place.text().len() > limit;
    long.then(|| FieldError::invalid(place.path(), "", format!("can have at most {limit} characters")))
}
