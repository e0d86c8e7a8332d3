//! Label selectors, as Kubernetes matches them (`metav1.LabelSelector`).

use ownership::key::{self, KeyError};
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

use crate::fault::quoted;

/// Labels of a Node.
pub type Labels = BTreeMap<String, String>;

/// Which labels an object must have. An empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Requirement {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

/// Why a selector selects nothing at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectorError {
    /// A key that no label can have.
    #[error("{0} is no label key: {1}")]
    Key(String, KeyError),
    /// A value that no label can have.
    #[error("{0} is no label value: {1}")]
    Value(String, KeyError),
    /// Neither `In` nor `NotIn`, `Exists`, `DoesNotExist`.
    #[error("{0} is no operator of a label selector")]
    Operator(String),
    /// `In` or `NotIn` without values, or `Exists` or `DoesNotExist` with some.
    #[error("the operator {0} has values where it may not, or none where it must")]
    Values(String),
}

impl Selector {
    /// Whether an object with these labels is selected.
    ///
    /// # Errors
    /// The selector is not one that Kubernetes would accept.
    pub fn matches(&self, labels: &Labels) -> Result<bool, SelectorError> {
        let mut all = true;
        for (key, value) in &self.match_labels {
            valid(key, std::slice::from_ref(value))?;
            all &= labels.get(key) == Some(value);
        }
        for requirement in &self.match_expressions {
            all &= requirement.holds(labels)?;
        }
        Ok(all)
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> Result<bool, SelectorError> {
        let Self { key, operator, values } = self;
        valid(key, values)?;
        let value = labels.get(key);
        let listed = value.is_some_and(|value| values.contains(value));
        match (operator.as_str(), values.is_empty()) {
            ("In", false) => Ok(listed),
            ("NotIn", false) => Ok(!listed),
            ("Exists", true) => Ok(value.is_some()),
            ("DoesNotExist", true) => Ok(value.is_none()),
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => Err(SelectorError::Values(operator.clone())),
            _ => Err(SelectorError::Operator(quoted(operator))),
        }
    }
}

fn valid(key: &str, values: &[String]) -> Result<(), SelectorError> {
    key::label_key(key).map_err(|error| SelectorError::Key(quoted(key), error))?;
    let check = |value: &String| key::label_value(value).map_err(|error| SelectorError::Value(quoted(value), error));
    values.iter().try_for_each(check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn selector(value: Value) -> Selector {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_requirement_must_hold() {
        let labels: Labels = [("zone".to_owned(), "a".to_owned()), ("ksm".to_owned(), String::new())].into();
        let one = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let table = [
            (json!({}), true),
            (json!({"matchLabels": {"zone": "a"}}), true),
            (json!({"matchLabels": {"zone": "a", "ksm": "true"}}), false),
            (json!({"matchLabels": {"absent": ""}}), false),
            (one("zone", "In", &["a", "b"]), true),
            (one("zone", "In", &["b"]), false),
            (one("absent", "In", &["a"]), false),
            (one("zone", "NotIn", &["a"]), false),
            (one("absent", "NotIn", &["a"]), true),
            (one("ksm", "Exists", &[]), true),
            (one("absent", "Exists", &[]), false),
            (one("ksm", "DoesNotExist", &[]), false),
            (one("absent", "DoesNotExist", &[]), true),
            (
                json!({"matchLabels": {"zone": "a"}, "matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}),
                false,
            ),
        ];
        for (value, expected) in table {
            assert_eq!(selector(value.clone()).matches(&labels), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_kubernetes_would_refuse_is_an_error_whatever_the_labels_are() {
        let table = [
            (json!({"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}), "operator"),
            (json!({"matchExpressions": [{"key": "a", "operator": "In"}]}), "values"),
            (json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}), "values"),
            (json!({"matchExpressions": [{"key": "a b", "operator": "Exists"}]}), "label key"),
            (json!({"matchLabels": {"absent": "x", "a": "b c"}}), "label value"),
        ];
        for (value, named) in table {
            let error = selector(value.clone()).matches(&Labels::new()).expect_err("is refused").to_string();
            assert!(error.contains(named), "{value}: {error}");
        }
    }
}
