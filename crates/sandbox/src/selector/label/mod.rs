//! Label selectors as text (`k8s.io/apimachinery/pkg/labels`): `a=b,c in (d,e),!f,g>5`.

mod lexer;
mod parser;

use admission::selector::Selector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde_json::{Map, Value};

/// A label selector. Without requirements it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    /// In order, each once.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// `=`, `==` and `in`.
    In,
    /// `!=` and `notin`.
    NotIn,
    Exists,
    DoesNotExist,
    Greater,
    Less,
}

impl LabelSelector {
    /// Parses a selector.
    ///
    /// # Errors
    /// The server's words for what is wrong.
    pub fn parse(selector: &str) -> Result<Self, String> {
        parser::parse(selector).map(Self)
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|requirement| requirement.matches(value(&requirement.key)))
    }
}

impl Requirement {
    fn new(key: String, operator: Operator, values: Vec<String>) -> Result<Self, String> {
        let mut problems: Vec<String> = Vec::new();
        if matches!(operator, Operator::Greater | Operator::Less) {
            problems.extend(values.iter().enumerate().filter_map(|(index, value)| no_integer(index, value)));
        }
        problems.extend(values.iter().enumerate().filter_map(|(index, value)| unusable_value(&key, index, value)));
        match problems.as_slice() {
            [] => Ok(Self { key, operator, values }),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        }
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|known| known == value);
        match (self.operator, value) {
            (Operator::In, value) => value.is_some_and(listed),
            (Operator::NotIn, value) => !value.is_some_and(listed),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::Greater, value) => self.compare(value).is_some_and(|(value, limit)| value > limit),
            (Operator::Less, value) => self.compare(value).is_some_and(|(value, limit)| value < limit),
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        Some((value?.parse().ok()?, self.values.first()?.parse().ok()?))
    }
}

fn no_integer(index: usize, value: &str) -> Option<String> {
    let text = "for 'Gt', 'Lt' operators, the value must be an integer";
    value.parse::<i64>().is_err().then(|| {
        let path = admission::FieldPath::root("values").index(index);
        admission::FieldError::invalid(&path, value, text).to_string()
    })
}

/// What is wrong with a value, as the server's check of a requirement has it.
fn unusable_value(key: &str, index: usize, value: &str) -> Option<String> {
    let problem = problem("In", key, Some(vec![value.to_owned()]))?;
    problem.strip_prefix("values[0]").map(|rest| format!("values[{index}]{rest}"))
}

/// What is wrong with a key. The parser knows no path to it.
fn unusable_key(key: &str) -> Option<String> {
    let problem = problem("Exists", key, None)?;
    problem.strip_prefix("key").map(|rest| format!("<nil>{rest}"))
}

/// What the other form of selectors, whose grammar of keys and values is the same, says of a requirement.
fn problem(operator: &str, key: &str, values: Option<Vec<String>>) -> Option<String> {
    let requirement = meta::LabelSelectorRequirement { key: key.to_owned(), operator: operator.to_owned(), values };
    Selector::new(&meta::LabelSelector { match_expressions: Some(vec![requirement]), match_labels: None }).err()
}

#[cfg(test)]
mod tests;
