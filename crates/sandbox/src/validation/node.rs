//! Nodes (`ValidateNode`, `ValidateNodeUpdate` of `pkg/apis/core/validation`).

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::Value;
use std::collections::BTreeSet;

use super::addresses;
use super::names;
use super::ordered::{ADDRESS, Ordered, TAINT};
use super::place::Place;
use super::resources;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// A new Node.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let (spec, status) = (object.child("spec"), object.child("status"));
    let mut errors = taints(&spec);
    errors.extend(amounts(&status));
    errors.extend(swap(&status.down(&["nodeInfo", "swap"])));
    errors.extend(features(&status.child("declaredFeatures")));
    errors.extend(networks(&spec.child("podCIDRs")));
    errors
}

/// A changed Node.
pub(crate) fn update(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = create(new);
    errors.extend(status(new, old));
    errors
}

/// A Node whose status changed.
pub(crate) fn status(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let (spec, old) = (new.child("spec"), old.child("spec"));
    let mut errors = amounts(&new.child("status"));
    errors.extend(features(&new.down(&["status", "declaredFeatures"])));
    errors.extend(same_address_twice(&new.down(&["status", "addresses"])));
    errors.extend(set_once(&spec, &old));
    errors.extend(taints(&spec));
    if spec.child("externalID").text() != old.child("externalID").text() {
        errors.push(spec.child("externalID").forbidden("may not be updated"));
    }
    errors
}

/// The server gives taints a path in the metadata.
fn taints(spec: &Place<'_>) -> Vec<FieldError> {
    let taints = spec.child("taints").at(FieldPath::root("metadata").child("taints")).items();
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for taint in &taints {
        errors.extend(self::taint(taint));
        if !seen.insert((taint.child("key").text(), taint.child("effect").text())) {
            let shown = Ordered::of(taint.value(), TAINT);
            let detail = "taints must be unique by key and effect pair";
            errors.push(shown.error(taint.path(), FieldErrorKind::Duplicate, detail));
        }
    }
    errors
}

fn taint(taint: &Place<'_>) -> Vec<FieldError> {
    let value = taint.child("value");
    let mut errors = taint.child("key").checked(names::qualified);
    let problems = names::label_value(value.text());
    if !problems.is_empty() {
        errors.push(value.invalid_text(problems.join(";")));
    }
    errors.extend(taint.child("effect").one_of(&EFFECTS));
    errors
}

/// What taints and tolerations do.
pub(crate) fn effect(place: &Place<'_>) -> Option<FieldError> {
    place.one_of(&EFFECTS)
}

fn amounts(status: &Place<'_>) -> Vec<FieldError> {
    let lists = ["capacity", "allocatable"].into_iter().map(|list| status.child(list));
    lists
        .flat_map(|list| {
            list.entries().flat_map(|(name, _)| resources::amount(name, &list.child(name))).collect::<Vec<_>>()
        })
        .collect()
}

fn swap(swap: &Place<'_>) -> Option<FieldError> {
    let capacity = swap.child("capacity").at(FieldPath::root("metadata").child("nodeSwapStatus").child("capacity"));
    let unusable = capacity.number().is_some_and(|capacity| capacity <= 0);
    unusable.then(|| capacity.invalid("must be greater than zero"))
}

fn features(list: &Place<'_>) -> Vec<FieldError> {
    let features = list.items();
    let mut errors = Vec::new();
    for (index, feature) in features.iter().enumerate() {
        errors.extend(feature_name(feature.text()).map(|problem| feature.invalid_text(problem)));
        let Some(next) = features.get(index + 1) else { continue };
        match feature.text().cmp(next.text()) {
            std::cmp::Ordering::Equal => errors.push(next.duplicate()),
            std::cmp::Ordering::Greater => errors.push(next.invalid_text("list must be sorted alphabetically")),
            std::cmp::Ordering::Less => {}
        }
    }
    errors
}

fn feature_name(name: &str) -> Option<String> {
    if name.len() > 253 {
        return Some(format!("invalid feature name {name:?}: must be no more than 253 characters"));
    }
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if name.starts_with(|c: char| c.is_ascii_uppercase()) && name.split('/').all(part) {
        return None;
    }
    let rule = "must start with an UpperCamelCase segment, with subsequent segments separated by '/' \
                (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
    Some(format!("invalid feature name {name:?}: {rule}"))
}

fn networks(list: &Place<'_>) -> Vec<FieldError> {
    let texts = list.texts();
    let mut errors: Vec<_> = list.items().iter().filter_map(addresses::network).collect();
    if texts.len() < 2 {
        return errors;
    }
    let both = addresses::dual_stack(&texts);
    if let Err(error) = &both {
        let detail = format!("invalid PodCIDRs. failed to check with dual stack with error:{error}");
        errors.push(FieldError::internal(list.path(), detail));
    }
    if both != Ok(true) || texts.len() > 2 {
        errors.push(list.invalid("may specify no more than one CIDR for each IP family"));
    }
    errors
}

fn same_address_twice(list: &Place<'_>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let repeated =
        list.items().into_iter().filter(|item| !seen.insert((item.child("type").text(), item.child("address").text())));
    repeated.map(|item| Ordered::of(item.value(), ADDRESS).error(item.path(), FieldErrorKind::Duplicate, "")).collect()
}

fn set_once(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (now, before) = (new.child("podCIDRs"), old.child("podCIDRs").texts());
    if !before.is_empty() && now.texts() != before {
        errors.push(now.forbidden("node updates may not change podCIDR except from \"\" to valid"));
    }
    let (now, before) = (new.child("providerID"), old.child("providerID").text());
    if !before.is_empty() && now.text() != before {
        errors.push(now.forbidden("node updates may not change providerID except from \"\" to valid"));
    }
    let source = new.child("configSource");
    if source.is_set() && source.child("configMap").value() == &Value::Null {
        errors.push(source.invalid("exactly one reference subfield must be non-nil"));
    }
    errors
}
