//! PodDisruptionBudgets (`pkg/apis/policy/validation`).

use admission::FieldError;

use super::place::Place;
use super::workload::{at_most_all, share};
use super::{ordered, selector};

const POLICIES: [&str; 2] = ["AlwaysAllow", "IfHealthyBudget"];

/// A new PodDisruptionBudget.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let bounds = ["minAvailable", "maxUnavailable"].map(|name| spec.child(name));
    let mut errors = Vec::new();
    if bounds.iter().all(Place::is_set) {
        let both = "minAvailable and maxUnavailable cannot be both set";
        errors.push(ordered::budget(spec.value()).invalid(spec.path(), both));
    }
    for bound in bounds.iter().filter(|bound| bound.is_set()) {
        errors.extend(share(bound));
        errors.extend(at_most_all(bound));
    }
    errors.extend(selector::check(&spec.child("selector")));
    let policy = spec.child("unhealthyPodEvictionPolicy");
    if policy.is_set() && !POLICIES.contains(&policy.text()) {
        errors.push(policy.not_supported(&POLICIES));
    }
    errors
}

/// A changed PodDisruptionBudget.
pub(crate) fn update(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    create(new)
}

/// A PodDisruptionBudget whose status changed.
pub(crate) fn status(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    let status = new.child("status");
    let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    counts.into_iter().filter_map(|name| status.child(name).non_negative()).collect()
}
