//! Label selectors inside objects (`metav1validation.ValidateLabelSelector`, `metav1.LabelSelectorAsSelector`).

use admission::FieldError;
use admission::selector::Selector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::names;
use super::place::Place;

/// What is wrong with a selector.
pub(crate) fn check(place: &Place<'_>) -> Vec<FieldError> {
    let labels = place.child("matchLabels");
    let mut errors = names::labels(labels.value(), labels.path());
    errors.extend(place.child("matchExpressions").items().iter().flat_map(|one| requirement(one, false)));
    errors
}

/// What is wrong with a requirement; access reviews let unknown operators pass.
pub(crate) fn requirement(place: &Place<'_>, any_operator: bool) -> Vec<FieldError> {
    let mut errors: Vec<_> = operator(place, any_operator).into_iter().collect();
    errors.extend(place.child("key").checked(names::qualified));
    errors.extend(place.child("values").items().iter().flat_map(|value| value.checked(names::label_value)));
    errors
}

/// Whether the operator has the values that it needs.
pub(crate) fn operator(place: &Place<'_>, any_operator: bool) -> Option<FieldError> {
    let (operator, values) = (place.child("operator"), place.child("values"));
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            Some(values.required("must be specified when `operator` is 'In' or 'NotIn'"))
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            Some(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => None,
        _ if any_operator => None,
        _ => Some(operator.invalid_text("not a valid selector operator")),
    }
}

/// The selector, if it can be used. An absent one selects nothing.
pub(crate) fn read(value: &Value) -> Option<Option<Selector>> {
    if value.is_null() {
        return Some(None);
    }
    let selector: LabelSelector = serde_json::from_value(value.clone()).ok()?;
    Selector::new(&selector).ok().map(Some)
}
