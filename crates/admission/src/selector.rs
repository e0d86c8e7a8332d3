//! Label selectors: their meaning and the two ways in which the server finds fault with them, at creation
//! (`metav1validation.ValidateLabelSelector`) and in use (`metav1.LabelSelectorAsSelector`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde_json::Value as Json;

use crate::field_error::{FieldError, FieldPath};
use crate::names;
use crate::quote::{go_json, go_quoted};

/// A selector that is ready to use. Without requirements it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Builds the selector.
    ///
    /// # Errors
    /// The server's text for a selector that it cannot use.
    pub fn new(selector: &LabelSelector) -> Result<Self, String> {
        let labels = selector.match_labels.iter().flatten().map(|(key, value)| Requirement::equals(key, value));
        let expressions = selector.match_expressions.iter().flatten().map(Requirement::new);
        labels.chain(expressions).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object with the labels of this JSON map is selected. Null or no map counts as no labels.
    pub fn matches(&self, labels: &Json) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels.get(&requirement.key).and_then(Json::as_str)))
    }
}

impl Requirement {
    fn equals(key: &str, value: &str) -> Result<Self, String> {
        Self::checked(key, Operator::In(vec![value.to_owned()]), &[value.to_owned()], Vec::new())
    }

    fn new(expression: &LabelSelectorRequirement) -> Result<Self, String> {
        let values = expression.values.as_deref().unwrap_or_default();
        let operator = match expression.operator.as_str() {
            "In" => Operator::In(values.to_vec()),
            "NotIn" => Operator::NotIn(values.to_vec()),
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(format!("{} is not a valid label selector operator", go_quoted(other))),
        };
        let problems = operator.value_problems(values);
        Self::checked(&expression.key, operator, values, problems)
    }

    fn checked(key: &str, operator: Operator, values: &[String], value_problems: Vec<String>) -> Result<Self, String> {
        let key_problems = names::label_key(key);
        let mut problems = Vec::new();
        if !key_problems.is_empty() {
            problems.push(format!("key: Invalid value: {}: {}", go_quoted(key), key_problems.join("; ")));
        }
        problems.extend(value_problems);
        problems.extend(values.iter().enumerate().filter_map(|(index, value)| unusable_value(key, index, value)));
        match problems.as_slice() {
            [] => Ok(Self { key: key.to_owned(), operator }),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }

    fn matches(&self, value: Option<&str>) -> bool {
        match (&self.operator, value) {
            (Operator::In(values), Some(value)) => values.iter().any(|known| known == value),
            (Operator::NotIn(values), Some(value)) => !values.iter().any(|known| known == value),
            (Operator::In(_), None) | (Operator::DoesNotExist, Some(_)) | (Operator::Exists, None) => false,
            (Operator::NotIn(_) | Operator::DoesNotExist, None) | (Operator::Exists, Some(_)) => true,
        }
    }
}

impl Operator {
    fn value_problems(&self, values: &[String]) -> Vec<String> {
        let text = match self {
            Self::In(_) | Self::NotIn(_) if values.is_empty() => {
                "for 'in', 'notin' operators, values set can't be empty"
            }
            Self::Exists | Self::DoesNotExist if !values.is_empty() => {
                "values set must be empty for exists and does not exist"
            }
            _ => return Vec::new(),
        };
        vec![format!("values: Invalid value: {}: {text}", go_json(&values))]
    }
}

fn unusable_value(key: &str, index: usize, value: &str) -> Option<String> {
    let problems = names::label_value(value);
    if problems.is_empty() {
        return None;
    }
    Some(format!("values[{index}][{key}]: Invalid value: {}: {}", go_quoted(value), problems.join("; ")))
}

/// The server's checks at creation of an object that holds the selector.
pub(crate) fn validate(selector: &LabelSelector, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = validate_labels(selector.match_labels.as_ref(), &path.child("matchLabels"));
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        errors.extend(validate_requirement(expression, &path.child("matchExpressions").index(index)));
    }
    errors
}

/// The server's checks of a set of labels.
pub(crate) fn validate_labels(labels: Option<&BTreeMap<String, String>>, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.into_iter().flatten() {
        errors.extend(names::label_key(key).into_iter().map(|text| FieldError::invalid(path, key, text)));
        errors.extend(names::label_value(value).into_iter().map(|text| FieldError::invalid(path, value, text)));
    }
    errors
}

fn validate_requirement(requirement: &LabelSelectorRequirement, path: &FieldPath) -> Vec<FieldError> {
    let values = requirement.values.as_deref().unwrap_or_default();
    let mut errors: Vec<_> = validate_operator(requirement, values, path).into_iter().collect();
    let key = path.child("key");
    errors.extend(
        names::label_key(&requirement.key).into_iter().map(|text| FieldError::invalid(&key, &requirement.key, text)),
    );
    for (index, value) in values.iter().enumerate() {
        let path = path.child("values").index(index);
        errors.extend(names::label_value(value).into_iter().map(|text| FieldError::invalid(&path, value, text)));
    }
    errors
}

fn validate_operator(
    requirement: &LabelSelectorRequirement,
    values: &[String],
    path: &FieldPath,
) -> Option<FieldError> {
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            Some(FieldError::required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'"))
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            Some(FieldError::forbidden(&path.child("values"), detail))
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => None,
        other => Some(FieldError::invalid_json(&path.child("operator"), &other, "not a valid selector operator")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(selector: Json) -> LabelSelector {
        serde_json::from_value(selector).unwrap()
    }

    fn expression(operator: &str, values: &[&str]) -> Json {
        json!({"matchExpressions": [{"key": "k", "operator": operator, "values": values}]})
    }

    #[test]
    fn operators() {
        let cases = [
            (json!({}), json!({"k": "v"}), true),
            (json!({}), Json::Null, true),
            (json!({"matchLabels": {"k": "v"}}), json!({"k": "v"}), true),
            (json!({"matchLabels": {"k": "v"}}), json!({"k": "w"}), false),
            (json!({"matchLabels": {"k": "v"}}), Json::Null, false),
            (json!({"matchLabels": {"k": "v", "l": "w"}}), json!({"k": "v"}), false),
            (expression("In", &["v", "w"]), json!({"k": "w"}), true),
            (expression("In", &["v"]), json!({"k": "w"}), false),
            (expression("In", &["v"]), json!({}), false),
            (expression("NotIn", &["v"]), json!({"k": "w"}), true),
            (expression("NotIn", &["v"]), json!({"k": "v"}), false),
            (expression("NotIn", &["v"]), json!({}), true),
            (expression("Exists", &[]), json!({"k": ""}), true),
            (expression("Exists", &[]), json!({}), false),
            (expression("DoesNotExist", &[]), json!({"k": ""}), false),
            (expression("DoesNotExist", &[]), json!({}), true),
        ];
        for (selector, labels, expected) in cases {
            let built = Selector::new(&parse(selector.clone())).unwrap();
            assert_eq!(built.matches(&labels), expected, "{selector} on {labels}");
        }
    }

    #[test]
    fn unusable_selectors() {
        let cases = [
            (expression("Frob", &[]), "\"Frob\" is not a valid label selector operator"),
            (
                expression("In", &[]),
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
            ),
            (
                expression("Exists", &["a"]),
                "values: Invalid value: [\"a\"]: values set must be empty for exists and does not exist",
            ),
        ];
        for (selector, expected) in cases {
            assert_eq!(Selector::new(&parse(selector)).unwrap_err(), expected);
        }
        let error = Selector::new(&parse(json!({"matchLabels": {"a b": "v"}}))).unwrap_err();
        assert!(error.starts_with("key: Invalid value: \"a b\": name part must consist of"), "{error}");
    }

    #[test]
    fn creation_errors() {
        let cases = [
            (
                expression("In", &[]),
                "s.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ),
            (
                expression("Exists", &["a"]),
                "s.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            (
                expression("Frob", &[]),
                "s.matchExpressions[0].operator: Invalid value: \"Frob\": not a valid selector operator",
            ),
        ];
        for (selector, expected) in cases {
            let errors = validate(&parse(selector), &FieldPath::root("s"));
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
        let errors = validate(&parse(json!({"matchLabels": {"a b": "c d"}})), &FieldPath::root("s"));
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().all(|error| error.field() == "s.matchLabels"));
    }
}
