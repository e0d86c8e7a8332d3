//! DaemonSets, Deployments and ControllerRevisions (`pkg/apis/apps/validation`).

use admission::FieldError;
use admission::{FieldErrorKind, FieldPath};
use serde_json::Value;

use super::metadata;
use super::names;
use super::ordered::{self, Ordered};
use super::place::Place;
use super::pod;
use super::selector;

/// A new ControllerRevision.
pub(crate) fn create_revision(object: &Place<'_>) -> Vec<FieldError> {
    let data = object.child("data");
    let mut errors: Vec<_> = object.child("revision").non_negative().into_iter().collect();
    match data.value() {
        Value::Object(_) => {}
        Value::Null => errors.push(data.required("data is mandatory")),
        _ => errors.push(data.required("data must be a valid JSON object")),
    }
    errors
}

/// A changed ControllerRevision.
pub(crate) fn update_revision(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = new.child("revision").non_negative().into_iter().collect();
    errors.extend(new.child("data").immutable(&old.child("data")));
    errors
}

/// A new DaemonSet.
pub(crate) fn create_daemon_set(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let (chosen, template) = (spec.child("selector"), spec.child("template"));
    let mut errors = selector::check(&chosen);
    if selector::read(chosen.value()).is_some_and(|chosen| !selects(chosen.as_ref(), &template)) {
        errors.push(not_selected(&template));
    }
    errors.extend(empty_selector(&chosen, "daemonset"));
    errors.extend(pod_template(&template, "DaemonSet"));
    errors.extend(spec.child("minReadySeconds").non_negative());
    errors.extend(daemon_set_strategy(&spec.child("updateStrategy")));
    errors.extend(spec.child("revisionHistoryLimit").non_negative());
    errors
}

/// A changed DaemonSet.
pub(crate) fn update_daemon_set(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = same_selector(new, old).into_iter().collect();
    errors.extend(create_daemon_set(new));
    errors
}

/// A new Deployment.
pub(crate) fn create_deployment(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let mut errors: Vec<_> = spec.child("replicas").non_negative().into_iter().collect();
    errors.extend(deployment_selector(&spec));
    errors.extend(deployment_strategy(&spec.child("strategy")));
    errors.extend(spec.child("minReadySeconds").non_negative());
    errors.extend(spec.child("revisionHistoryLimit").non_negative());
    errors.extend(progress_deadline(&spec));
    errors
}

/// A changed Deployment.
pub(crate) fn update_deployment(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = create_deployment(new);
    errors.extend(same_selector(new, old));
    errors
}

fn deployment_selector(spec: &Place<'_>) -> Vec<FieldError> {
    let (chosen, template) = (spec.child("selector"), spec.child("template"));
    let mut errors = Vec::new();
    if chosen.is_set() {
        errors.extend(selector::check(&chosen));
        errors.extend(empty_selector(&chosen, "deployment"));
    } else {
        errors.push(chosen.required(""));
    }
    let Some(usable) = selector::read(chosen.value()) else {
        errors.push(ordered::selector(chosen.value()).invalid(chosen.path(), "invalid label selector"));
        return errors;
    };
    if !selects(usable.as_ref(), &template) {
        errors.push(not_selected(&template));
    }
    errors.extend(pod_template(&template, "ReplicaSet"));
    errors
}

fn progress_deadline(spec: &Place<'_>) -> Vec<FieldError> {
    let (deadline, ready) = (spec.child("progressDeadlineSeconds"), spec.child("minReadySeconds"));
    let mut errors: Vec<_> = deadline.non_negative().into_iter().collect();
    if deadline.number().is_some_and(|seconds| seconds <= ready.number().unwrap_or_default()) {
        errors.push(deadline.invalid("must be greater than minReadySeconds"));
    }
    errors
}

fn selects(selector: Option<&admission::selector::Selector>, template: &Place<'_>) -> bool {
    selector.is_some_and(|selector| selector.matches(template.down(&["metadata", "labels"]).value()))
}

fn not_selected(template: &Place<'_>) -> FieldError {
    template.down(&["metadata", "labels"]).invalid("`selector` does not match template `labels`")
}

fn empty_selector(chosen: &Place<'_>, kind: &str) -> Option<FieldError> {
    let empty = chosen.is_set() && ["matchLabels", "matchExpressions"].iter().all(|part| chosen.child(part).is_empty());
    let detail = format!("empty selector is invalid for {kind}");
    empty.then(|| ordered::selector(chosen.value()).invalid(chosen.path(), &detail))
}

fn same_selector(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    let (new, old) = (new.down(&["spec", "selector"]), old.down(&["spec", "selector"]));
    (new.value() != old.value()).then(|| ordered::selector(new.value()).invalid(new.path(), "field is immutable"))
}

/// A template of pods that always run (`ValidatePodTemplateSpec` and what its users add).
fn pod_template(template: &Place<'_>, user: &str) -> Vec<FieldError> {
    let (inner, spec) = (template.child("metadata"), template.child("spec"));
    let mut errors = names::labels(inner.child("labels").value(), template.child("labels").path());
    errors.extend(metadata::annotations(&inner.child("annotations").at(template.child("annotations").path().clone())));
    errors.extend(pod::spec(&spec, pod::Of::Template));
    if !spec.child("ephemeralContainers").is_empty() {
        errors.push(spec.child("ephemeralContainers").forbidden("ephemeral containers not allowed in pod template"));
    }
    let (restart, deadline) = (spec.child("restartPolicy"), spec.child("activeDeadlineSeconds"));
    if restart.text() != "Always" {
        errors.push(restart.not_supported(&["Always"]));
    }
    if deadline.is_set() {
        errors.push(deadline.forbidden(&format!("activeDeadlineSeconds in {user} is not Supported")));
    }
    errors
}

fn daemon_set_strategy(strategy: &Place<'_>) -> Vec<FieldError> {
    let rolling = strategy.child("rollingUpdate");
    match strategy.child("type").text() {
        "OnDelete" => Vec::new(),
        "RollingUpdate" if !rolling.is_set() => vec![rolling.required("")],
        "RollingUpdate" => rolling_daemon_set(&rolling),
        _ => vec![unknown_strategy(strategy, &["RollingUpdate", "OnDelete"])],
    }
}

fn rolling_daemon_set(rolling: &Place<'_>) -> Vec<FieldError> {
    let (unavailable, surge) = (rolling.child("maxUnavailable"), rolling.child("maxSurge"));
    let mut errors = share(&unavailable);
    errors.extend(share(&surge));
    errors.extend(at_most_all(&unavailable));
    errors.extend(at_most_all(&surge));
    match (amount(&unavailable) != 0, amount(&surge) != 0) {
        (true, true) => errors.push(surge.invalid("may not be set when maxUnavailable is non-zero")),
        (false, false) => errors.push(unavailable.required("cannot be 0 when maxSurge is 0")),
        _ => {}
    }
    errors
}

fn deployment_strategy(strategy: &Place<'_>) -> Vec<FieldError> {
    let rolling = strategy.child("rollingUpdate");
    match strategy.child("type").text() {
        "Recreate" if rolling.is_set() => {
            vec![rolling.forbidden("may not be specified when strategy `type` is 'Recreate'")]
        }
        "Recreate" => Vec::new(),
        "RollingUpdate" if !rolling.is_set() => vec![rolling.required("this should be defaulted and never be nil")],
        "RollingUpdate" => rolling_deployment(&rolling),
        _ => vec![unknown_strategy(strategy, &["Recreate", "RollingUpdate"])],
    }
}

fn rolling_deployment(rolling: &Place<'_>) -> Vec<FieldError> {
    let (unavailable, surge) = (rolling.child("maxUnavailable"), rolling.child("maxSurge"));
    let mut errors = share(&unavailable);
    errors.extend(share(&surge));
    if amount(&unavailable) == 0 && amount(&surge) == 0 {
        errors.push(unavailable.invalid("may not be 0 when `maxSurge` is 0"));
    }
    errors.extend(at_most_all(&unavailable));
    errors
}

fn unknown_strategy(strategy: &Place<'_>, known: &[&str]) -> FieldError {
    let known: Vec<_> = known.iter().map(|name| format!("{name:?}")).collect();
    let shown = ordered::update_strategy(strategy.value());
    let detail = format!("supported values: {}", known.join(", "));
    Ordered::error(&shown, strategy.path(), FieldErrorKind::NotSupported, detail)
}

/// A number that is not negative, or a share (`ValidatePositiveIntOrPercent`).
pub(super) fn share(place: &Place<'_>) -> Vec<FieldError> {
    match place.value() {
        Value::String(_) => place.checked(names::percent),
        _ => place.non_negative().into_iter().collect(),
    }
}

pub(super) fn at_most_all(place: &Place<'_>) -> Option<FieldError> {
    let too_much = percentage(place).is_some_and(|percent| percent > 100);
    too_much.then(|| place.invalid_text("must not be greater than 100%"))
}

fn percentage(place: &Place<'_>) -> Option<u64> {
    let digits = place.text().strip_suffix('%')?;
    names::percent(place.text()).is_empty().then(|| digits.parse().unwrap_or(u64::MAX))
}

fn amount(place: &Place<'_>) -> u64 {
    let number = || place.number().or_else(|| place.text().parse().ok()).unwrap_or_default().unsigned_abs();
    percentage(place).unwrap_or_else(number)
}

/// Counters of a DaemonSet's status.
pub(crate) const DAEMON_SET_COUNTERS: [&str; 9] = [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
];
const DEPLOYMENT_COUNTERS: [&str; 8] = [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
];

/// A DaemonSet whose status changed.
pub(crate) fn daemon_set_status(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    counters(new, old, &DAEMON_SET_COUNTERS, |_| Vec::new())
}

/// A Deployment whose status changed.
pub(crate) fn deployment_status(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    counters(new, old, &DEPLOYMENT_COUNTERS, replicas)
}

fn counters(
    new: &Place<'_>,
    old: &Place<'_>,
    names: &[&str],
    more: fn(&Place<'_>) -> Vec<FieldError>,
) -> Vec<FieldError> {
    let status = new.child("status");
    let mut errors: Vec<_> = names.iter().filter_map(|name| status.child(name).non_negative()).collect();
    errors.extend(more(&status));
    let (now, before) = (status.child("collisionCount"), old.down(&["status", "collisionCount"]));
    let shown = now.number().unwrap_or_default();
    if before.number().is_some_and(|before| shown < before) {
        errors.push(FieldError::invalid_json(now.path(), &shown, "cannot be decremented"));
    }
    errors
}

fn replicas(status: &Place<'_>) -> Vec<FieldError> {
    let count = |name: &str| status.child(name).number().unwrap_or_default();
    let greater = |name: &str, limit: &str, text: &str| {
        let path: FieldPath = status.path().child(name);
        (count(name) > count(limit)).then(|| FieldError::invalid_json(&path, &count(name), text))
    };
    let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"].into_iter();
    let mut errors: Vec<_> =
        parts.filter_map(|name| greater(name, "replicas", "cannot be greater than status.replicas")).collect();
    errors.extend(greater("availableReplicas", "readyReplicas", "cannot be greater than readyReplicas"));
    errors
}
