//! Paths into objects, and their order (`structured-merge-diff/fieldpath`: `element.go`, `path.go`; `value.Compare`).

use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::gotext;

/// One step of a path. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Element {
    /// A field of a structure or an entry of a map.
    Field(Arc<str>),
    /// The item of a list whose key fields have these values; sorted by name.
    Key(Arc<[(String, Value)]>),
    /// The item of a set that equals this value.
    Value(Arc<Value>),
    /// The item at a place of a list.
    Index(i64),
}

impl Element {
    /// A field or an entry of a map.
    #[must_use]
    pub fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// An item of a list by the values of its key fields.
    #[must_use]
    pub fn key(mut fields: Vec<(String, Value)>) -> Self {
        fields.sort_by(|left, right| left.0.cmp(&right.0));
        Self::Key(fields.into())
    }

    /// An item of a set.
    #[must_use]
    pub fn value(value: Value) -> Self {
        Self::Value(Arc::new(value))
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.cmp(right),
            (Self::Key(left), Self::Key(right)) => compare_keys(left, right),
            (Self::Value(left), Self::Value(right)) => compare_values(left, right),
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Element {}

impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(out, ".{name}"),
            Self::Key(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{name}={}", gotext::in_path(value)));
                write!(out, "[{}]", fields.collect::<Vec<_>>().join(","))
            }
            Self::Value(value) => write!(out, "[={}]", gotext::in_path(value)),
            Self::Index(index) => write!(out, "[{index}]"),
        }
    }
}

fn compare_keys(left: &[(String, Value)], right: &[(String, Value)]) -> Ordering {
    let each = left.iter().zip(right).map(|(l, r)| l.0.cmp(&r.0).then_with(|| compare_values(&l.1, &r.1)));
    each.fold(Ordering::Equal, Ordering::then).then(left.len().cmp(&right.len()))
}

/// The order of values: numbers, texts, booleans, lists, maps, null; whole numbers and floats compare by size.
#[must_use]
pub fn compare_values(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => compare_lists(left, right),
        (Value::Object(left), Value::Object(right)) => compare_maps(left, right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// Exact also where a float cannot hold the whole number, so that the order is total.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the loss is corrected by the exact comparison"
)]
fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    // Adding zero turns the negative zero into the other one.
    let float = |number: &Number| number.as_f64().unwrap_or(0.0) + 0.0;
    match (gotext::whole(left), gotext::whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (None, None) => float(left).total_cmp(&float(right)),
        (Some(left), None) => {
            let right = float(right);
            (left as f64).partial_cmp(&right).unwrap_or(Ordering::Equal).then(i128::from(left).cmp(&(right as i128)))
        }
        (None, Some(_)) => compare_numbers(right, left).reverse(),
    }
}

fn compare_lists(left: &[Value], right: &[Value]) -> Ordering {
    let each = left.iter().zip(right).map(|(left, right)| compare_values(left, right));
    each.fold(Ordering::Equal, Ordering::then).then(left.len().cmp(&right.len()))
}

fn compare_maps(left: &Map<String, Value>, right: &Map<String, Value>) -> Ordering {
    let each = left.iter().zip(right).map(|(l, r)| l.0.cmp(r.0).then_with(|| compare_values(l.1, r.1)));
    each.fold(Ordering::Equal, Ordering::then).then(left.len().cmp(&right.len()))
}

/// Whether two values are the same for server-side apply: `1` and `1.0` are (`value.Equals`).
#[must_use]
pub fn same(left: &Value, right: &Value) -> bool {
    left == right || compare_values(left, right) == Ordering::Equal
}

/// Where something is in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Element>);

impl Path {
    /// A path of fields: `metadata`, `labels`.
    #[must_use]
    pub fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Element::field(name)).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| write!(out, "{element}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_are_ordered_by_kind_then_content() {
        let ordered = [
            Element::field("a"),
            Element::field("b"),
            Element::key(vec![("name".into(), json!("a"))]),
            Element::key(vec![("port".into(), json!(80))]),
            Element::key(vec![("port".into(), json!(80)), ("protocol".into(), json!("TCP"))]),
            Element::key(vec![("port".into(), json!(443)), ("protocol".into(), json!("TCP"))]),
            Element::value(json!(-1.5)),
            Element::value(json!(9)),
            Element::value(json!(10)),
            Element::value(json!("a")),
            Element::value(json!(false)),
            Element::value(json!([1])),
            Element::value(json!({"a": 1})),
            Element::value(json!(null)),
            Element::Index(0),
        ];
        for (left, pair) in ordered.iter().enumerate() {
            for (right, other) in ordered.iter().enumerate() {
                assert_eq!(pair.cmp(other), left.cmp(&right), "{pair} {other}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_by_size() {
        assert!(same(&json!({"a": [80]}), &json!({"a": [80.0]})));
        assert!(!same(&json!(80), &json!("80")));
        assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992.0)));
        assert_eq!(compare_values(&json!(u64::MAX), &json!(i64::MAX)), Ordering::Greater);
        assert!(same(&json!(0.0), &json!(-0.0)));
    }

    #[test]
    fn paths_are_shown_as_messages_have_them() {
        let key = Element::key(vec![("protocol".into(), json!("TCP")), ("containerPort".into(), json!(80.0))]);
        let path = Path(vec![Element::field("ports"), key, Element::value(json!("a\"b")), Element::Index(2)]);
        assert_eq!(path.to_string(), r#".ports[containerPort=80,protocol="TCP"][="a\"b"][2]"#);
    }
}
