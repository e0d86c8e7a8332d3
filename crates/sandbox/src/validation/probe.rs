//! Probes and hooks of containers (`validateProbe`, `validateLifecycle` of `pkg/apis/core/validation`).

use admission::FieldError;

use super::place::Place;
use super::service::port_or_name;

/// What a handler may be.
const HANDLERS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// All probes of a container.
pub(crate) fn all(container: &Place<'_>) -> Vec<FieldError> {
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].into_iter();
    probes
        .map(|name| (name, container.child(name)))
        .filter(|(_, probe)| probe.is_set())
        .flat_map(|(name, one)| probe(name, &one))
        .collect()
}

/// What runs after a container's start and before its end.
pub(crate) fn lifecycle(place: &Place<'_>) -> Vec<FieldError> {
    let hooks = ["postStart", "preStop"].into_iter().map(|hook| place.child(hook)).filter(Place::is_set);
    hooks.flat_map(|hook| handler(&hook)).collect()
}

fn probe(name: &str, probe: &Place<'_>) -> Vec<FieldError> {
    let mut errors = handler(probe);
    let numbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    errors.extend(numbers.iter().filter_map(|field| probe.child(field).non_negative()));
    let (grace, successes) = (probe.child("terminationGracePeriodSeconds"), probe.child("successThreshold"));
    if grace.number().is_some_and(|seconds| seconds <= 0) {
        errors.push(grace.invalid("must be greater than 0"));
    }
    if name == "readinessProbe" && grace.is_set() {
        errors.push(grace.invalid("must not be set for readinessProbes"));
    }
    if name != "readinessProbe" && successes.number() != Some(1) {
        let shown = successes.number().unwrap_or_default();
        errors.push(FieldError::invalid_json(successes.path(), &shown, "must be 1"));
    }
    errors
}

fn handler(place: &Place<'_>) -> Vec<FieldError> {
    let mut set = HANDLERS.into_iter().map(|kind| (kind, place.child(kind))).filter(|(_, one)| one.is_set());
    let Some((kind, first)) = set.next() else {
        return vec![place.required("must specify a handler type")];
    };
    let mut errors = action(kind, &first);
    errors.extend(set.map(|(_, one)| one.forbidden("may not specify more than 1 handler type")));
    errors
}

fn action(kind: &str, place: &Place<'_>) -> Vec<FieldError> {
    match kind {
        "exec" => required(&place.child("command")).into_iter().collect(),
        "httpGet" => http(place),
        "tcpSocket" | "grpc" => port_or_name(&place.child("port")),
        _ => Vec::new(),
    }
}

fn http(place: &Place<'_>) -> Vec<FieldError> {
    let scheme = place.child("scheme");
    let mut errors: Vec<_> = required(&place.child("path")).into_iter().collect();
    errors.extend(port_or_name(&place.child("port")));
    if !["HTTP", "HTTPS"].contains(&scheme.text()) {
        errors.push(scheme.not_supported(&["HTTP", "HTTPS"]));
    }
    errors
}

fn required(place: &Place<'_>) -> Option<FieldError> {
    place.is_empty().then(|| place.required(""))
}
