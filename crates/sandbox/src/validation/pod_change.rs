//! Changed pods (`ValidatePodUpdate`, `ValidatePodStatusUpdate` of `pkg/apis/core/validation`).

use admission::FieldError;
use serde_json::Value;
use std::collections::BTreeSet;

use super::addresses;
use super::names;
use super::place::Place;
use super::pod;

const CHANGEABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                          `spec.tolerations` (only additions to existing tolerations),\
                          `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const MIRROR: &str = "kubernetes.io/config.mirror";
const LARGEST: i64 = i32::MAX as i64;

/// A changed pod.
pub(crate) fn update(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = pod::checked(new);
    errors.extend(mirror(new, old));
    let (new, old) = (new.child("spec"), old.child("spec"));
    for list in ["containers", "initContainers"] {
        let (now, before) = (new.child(list), old.child(list));
        if now.items().len() != before.items().len() {
            errors.push(now.forbidden("pod updates may not add or remove containers"));
            return errors;
        }
        errors.extend(images(&now));
    }
    match deadline(&new, &old) {
        Err(error) => {
            errors.push(error);
            return errors;
        }
        Ok(error) => errors.extend(error),
    }
    errors.extend(tolerations(&new, &old));
    errors.extend(gates(&new, &old));
    errors.extend(other_fields(&new, &old));
    errors
}

fn images(list: &Place<'_>) -> Vec<FieldError> {
    let image = |one: &Place<'_>| one.child("image").is_empty().then(|| one.child("image").required(""));
    list.items().iter().flat_map(|one| image(one).into_iter().chain(pod::padded_image(one))).collect()
}

fn mirror(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    let of = |object: &Place<'_>| object.down(&["metadata", "annotations"]).key(MIRROR).value().clone();
    let place = new.down(&["metadata", "annotations"]).key(MIRROR);
    match (of(new), of(old)) {
        (now, before) if now == before => None,
        (_, Value::Null) => Some(place.forbidden("may not add mirror pod annotation")),
        _ => Some(place.forbidden("may not remove or update mirror pod annotation")),
    }
}

/// The deadline may come nearer. An error on the left ends the judgement.
fn deadline(new: &Place<'_>, old: &Place<'_>) -> Result<Option<FieldError>, FieldError> {
    let place = new.child("activeDeadlineSeconds");
    match (place.number(), old.child("activeDeadlineSeconds").number()) {
        (Some(now), _) if !(0..=LARGEST).contains(&now) => {
            Err(place.invalid(format!("must be between 0 and {LARGEST}, inclusive")))
        }
        (Some(now), Some(before)) if before < now => Err(place.invalid("must be less than or equal to previous value")),
        (None, Some(_)) => Ok(Some(place.invalid("must not update from a positive integer to nil value"))),
        _ => Ok(None),
    }
}

fn tolerations(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let place = new.child("tolerations");
    let without_time =
        |one: &Place<'_>| ["key", "operator", "value", "effect"].map(|field| one.child(field).text().to_owned());
    let now: BTreeSet<_> = place.items().iter().map(without_time).collect();
    if old.child("tolerations").items().iter().any(|one| !now.contains(&without_time(one))) {
        return vec![place.forbidden("existing toleration can not be modified except its tolerationSeconds")];
    }
    pod::tolerations(&place)
}

fn gates(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let name = |gate: &Place<'_>| gate.child("name").text().to_owned();
    let before: BTreeSet<_> = old.child("schedulingGates").items().iter().map(name).collect();
    let gates = new.child("schedulingGates").items();
    let added = gates.iter().map(|gate| gate.child("name")).filter(|name| !before.contains(name.text()));
    let detail = |name: &str| format!("only deletion is allowed, but found new scheduling gate '{name}'");
    added.map(|name| name.forbidden(&detail(name.text()))).collect()
}

fn other_fields(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    let gated = !old.child("schedulingGates").is_empty();
    let grace = |spec: &Place<'_>| spec.child("terminationGracePeriodSeconds").number();
    let shorter = grace(old).is_some_and(|seconds| seconds < 0) && grace(new) == Some(1);
    let fixed = |spec: &Place<'_>| fixed_part(spec.value(), gated, shorter);
    let detail = || format!("pod updates may not change fields other than {CHANGEABLE}\n");
    (fixed(new) != fixed(old)).then(|| new.forbidden(&detail()))
}

/// What must stay of a specification. The scheduling of gated pods may be narrowed; that is not judged further.
fn fixed_part(spec: &Value, gated: bool, any_grace: bool) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            remove(container, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        remove(&mut spec, field);
    }
    if any_grace {
        remove(&mut spec, "terminationGracePeriodSeconds");
    }
    if gated {
        remove(&mut spec, "nodeSelector");
        remove(&mut spec, "affinity");
    }
    without_empty(&spec)
}

fn remove(value: &mut Value, field: &str) {
    if let Some(fields) = value.as_object_mut() {
        fields.remove(field);
    }
}

/// The fields that are neither absent nor empty.
fn without_empty(value: &Value) -> Value {
    let Some(fields) = value.as_object() else {
        return value.clone();
    };
    let kept = fields.iter().filter(|(_, value)| !Place::root(value).is_empty());
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A pod whose status changed.
pub(crate) fn status(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = mirror(new, old).into_iter().collect();
    let (status, before) = (new.child("status"), old.child("status"));
    errors.extend(conditions(&status.child("conditions")));
    let nominated = status.child("nominatedNodeName");
    if !nominated.is_empty() && nominated.text() != before.child("nominatedNodeName").text() {
        errors.extend(nominated.checked(names::subdomain));
    }
    errors.extend(not_negative(&status.child("observedGeneration")));
    let quality = status.child("qosClass");
    if quality.text() != before.child("qosClass").text() {
        errors.push(quality.invalid_text("field is immutable"));
    }
    let ips = status.child("podIPs").items();
    errors.extend(ips.iter().filter_map(|ip| addresses::address(&ip.child("ip").at(ip.path().clone()))));
    errors
}

fn conditions(list: &Place<'_>) -> Vec<FieldError> {
    let one = |condition: Place<'_>| {
        let kind = condition.child("type").at(condition.path().child("Type"));
        let generation = not_negative(&condition.child("observedGeneration"));
        kind.checked(names::qualified).into_iter().chain(generation).collect::<Vec<_>>()
    };
    list.items().into_iter().flat_map(one).collect()
}

fn not_negative(place: &Place<'_>) -> Option<FieldError> {
    let negative = place.number().is_some_and(|number| number < 0);
    negative.then(|| place.invalid("must be a non-negative integer"))
}
