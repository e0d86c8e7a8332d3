//! Selectors in access reviews (`k8s.io/kubernetes/pkg/apis/authorization/validation`,
//! `k8s.io/kubernetes/pkg/registry/authorization/util`).

use admission::{FieldError, FieldPath};
use serde_json::Value;

use crate::identity::value::{list, text};

const ATTRIBUTES: &str = "/spec/resourceAttributes";

/// What a field selector requires.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Required {
    /// The fields that must have a value.
    pub(super) fields: Vec<(String, String)>,
    /// What the server says of a selector that it does not understand, or not all of.
    pub(super) problem: Option<&'static str>,
}

const IGNORED: &str = "spec.resourceAttributes.fieldSelector ignored due to parse error";
const PARTIALLY_IGNORED: &str = "spec.resourceAttributes.fieldSelector partially ignored due to parse error";

/// What the field selector of a review requires. A text that is not understood requires nothing; of requirements, those
/// that are understood count.
pub(super) fn required(body: &Value) -> Required {
    let selector = format!("{ATTRIBUTES}/fieldSelector");
    let requirements = list(body, &format!("{selector}/requirements"));
    if requirements.is_empty() {
        let terms = text(body, &format!("{selector}/rawSelector")).split(',').filter(|term| !term.is_empty());
        let terms: Option<Vec<Term>> = terms.map(raw_term).collect();
        return terms.map_or(Required { fields: Vec::new(), problem: Some(IGNORED) }, |terms| of_terms(terms, None));
    }
    let terms: Vec<Term> = requirements.iter().filter_map(term).collect();
    let problem = if terms.is_empty() { IGNORED } else { PARTIALLY_IGNORED };
    let some_missing = terms.len() < requirements.len();
    of_terms(terms, some_missing.then_some(problem))
}

/// The field with the value that it must have; `None` if it must have another.
type Term = Option<(String, String)>;

fn of_terms(terms: Vec<Term>, problem: Option<&'static str>) -> Required {
    Required { fields: terms.into_iter().flatten().collect(), problem }
}

fn term(requirement: &Value) -> Option<Term> {
    let [only] = list(requirement, "/values") else { return None };
    let pair = (text(requirement, "/key").to_owned(), only.as_str().unwrap_or_default().to_owned());
    match text(requirement, "/operator") {
        "In" => Some(Some(pair)),
        "NotIn" => Some(None),
        _ => None,
    }
}

/// `field=value`, `field==value` or `field!=value` (`k8s.io/apimachinery/pkg/fields`). Escapes are not understood.
fn raw_term(term: &str) -> Option<Term> {
    let (field, value) = term.split_once('=')?;
    let differs = field.ends_with('!');
    let value = value.strip_prefix('=').filter(|_| !differs).unwrap_or(value);
    let plain = !term.contains('\\') && !value.contains('=');
    plain.then(|| (!differs).then(|| (field.to_owned(), value.to_owned())))
}

/// What is wrong with the selectors.
pub(super) fn errors(body: &Value) -> Vec<FieldError> {
    let attributes = FieldPath::root("spec.resourceAttributes");
    let of = |name: &str| {
        let selector = body.pointer(&format!("{ATTRIBUTES}/{name}")).filter(|selector| !selector.is_null());
        selector.map(|selector| {
            selector_errors(selector, &attributes.child(name), &format!("spec.resourceAttributes.{name}"))
        })
    };
    of("fieldSelector").into_iter().chain(of("labelSelector")).flatten().collect()
}

fn selector_errors(selector: &Value, path: &FieldPath, shown: &str) -> Vec<FieldError> {
    let (raw, requirements) = (text(selector, "/rawSelector"), list(selector, "/requirements"));
    let mut errors = Vec::new();
    if !raw.is_empty() && !requirements.is_empty() {
        let detail = "may not specified at the same time as requirements";
        errors.push(FieldError::invalid(&path.child("rawSelector"), raw, detail));
    }
    if raw.is_empty() && requirements.is_empty() {
        let detail = format!("when {shown} is specified, requirements or rawSelector is required");
        errors.push(FieldError::required(&path.child("requirements"), &detail));
    }
    let items = requirements.iter().enumerate();
    errors.extend(items.flat_map(|(index, item)| requirement_errors(item, &path.child("requirements").index(index))));
    errors
}

/// Operators that are not known are left to releases that know them.
fn requirement_errors(requirement: &Value, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (operator, has_values) = (text(requirement, "/operator"), !list(requirement, "/values").is_empty());
    if text(requirement, "/key").is_empty() {
        errors.push(FieldError::required(&path.child("key"), "must be specified"));
    }
    match operator {
        "In" | "NotIn" if !has_values => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(&path.child("values"), detail));
        }
        "Exists" | "DoesNotExist" if has_values => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(&path.child("values"), detail));
        }
        _ => {}
    }
    errors
}
