//! On which Nodes a pod may run: affinity to Nodes and spread over them (`validateAffinity`,
//! `validateTopologySpreadConstraints` of `pkg/apis/core/validation`). Affinity to other pods is not judged.

use admission::FieldError;

use super::names;
use super::place::Place;

/// Which Nodes a pod wants.
pub(crate) fn affinity(place: &Place<'_>) -> Vec<FieldError> {
    let nodes = place.child("nodeAffinity");
    let required = nodes.child("requiredDuringSchedulingIgnoredDuringExecution");
    let mut errors = if required.is_set() { node_selector(&required) } else { Vec::new() };
    for preferred in nodes.child("preferredDuringSchedulingIgnoredDuringExecution").items() {
        let weight = preferred.child("weight");
        if !(1..=100).contains(&weight.number().unwrap_or_default()) {
            let shown = weight.number().unwrap_or_default();
            errors.push(FieldError::invalid_json(weight.path(), &shown, "must be in the range 1-100"));
        }
        errors.extend(term(&preferred.child("preference")));
    }
    errors
}

fn node_selector(selector: &Place<'_>) -> Vec<FieldError> {
    let terms = selector.child("nodeSelectorTerms");
    if terms.is_empty() {
        return vec![terms.required("must have at least one node selector term")];
    }
    terms.items().iter().flat_map(term).collect()
}

fn term(term: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = term.child("matchExpressions").items().iter().flat_map(label).collect();
    errors.extend(term.child("matchFields").items().iter().flat_map(field));
    errors
}

/// `ValidateNodeSelectorRequirement`.
fn label(requirement: &Place<'_>) -> Vec<FieldError> {
    let (operator, values) = (requirement.child("operator"), requirement.child("values"));
    let count = values.items().len();
    let problem = match operator.text() {
        "In" | "NotIn" if count == 0 => Some(values.required("must be specified when `operator` is 'In' or 'NotIn'")),
        "Exists" | "DoesNotExist" if count > 0 => {
            Some(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
        "Gt" | "Lt" if count != 1 => {
            Some(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => None,
        _ => Some(operator.invalid_text("not a valid selector operator")),
    };
    problem.into_iter().chain(requirement.child("key").checked(names::qualified)).collect()
}

/// `ValidateNodeFieldSelectorRequirement`.
fn field(requirement: &Place<'_>) -> Vec<FieldError> {
    let (key, operator, values) =
        (requirement.child("key"), requirement.child("operator"), requirement.child("values"));
    let mut errors = Vec::new();
    match operator.text() {
        "In" | "NotIn" if values.items().len() != 1 => errors
            .push(values.required("must be only one value when `operator` is 'In' or 'NotIn' for node field selector")),
        "In" | "NotIn" => {}
        _ => errors.push(operator.invalid_text("not a valid selector operator")),
    }
    if key.text() != "metadata.name" {
        errors.push(key.invalid_text("not a valid field selector key"));
        return errors;
    }
    errors.extend(values.items().iter().flat_map(|value| value.checked(names::subdomain)));
    errors
}

/// How evenly pods are spread.
pub(crate) fn spread(list: &Place<'_>) -> Vec<FieldError> {
    list.items().iter().flat_map(constraint).collect()
}

fn constraint(place: &Place<'_>) -> Vec<FieldError> {
    let (skew, key, action) = (place.child("maxSkew"), place.child("topologyKey"), place.child("whenUnsatisfiable"));
    let mut errors = Vec::new();
    if skew.number().unwrap_or_default() <= 0 {
        let shown = skew.number().unwrap_or_default();
        errors.push(FieldError::invalid_json(skew.path(), &shown, "must be greater than zero"));
    }
    if key.is_empty() {
        errors.push(key.required("can not be empty"));
    } else {
        errors.extend(key.checked(names::qualified));
    }
    if !["DoNotSchedule", "ScheduleAnyway"].contains(&action.text()) {
        errors.push(action.not_supported(&["DoNotSchedule", "ScheduleAnyway"]));
    }
    errors
}
