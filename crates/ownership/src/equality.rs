//! Equality of JSON values as the API server's expressions see it: deep, lists in order, and numbers by value across
//! integer and floating point.

use serde_json::{Map, Number, Value};

/// Whether two values are equal.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => equal_numbers(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => equal_maps(a, b),
        _ => a == b,
    }
}

fn equal_maps(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
}

/// Two fields that may both be missing.
pub(crate) fn equal_fields(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => equal(a, b),
        _ => false,
    }
}

fn equal_numbers(a: &Number, b: &Number) -> bool {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_equal_by_value_and_nothing_else_is_coerced() {
        let table = [
            (json!(1), json!(1.0), true),
            (json!({"a": [1, {"b": 2}]}), json!({"a": [1.0, {"b": 2.0}]}), true),
            (json!(i64::MAX), json!(i64::MAX - 1), false),
            (json!(u64::MAX), json!(u64::MAX), true),
            (json!(1), json!("1"), false),
            (json!(0), json!(null), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!({"a": null}), json!({}), false),
            (json!({}), json!([]), false),
        ];
        for (a, b, expected) in table {
            assert_eq!(equal(&a, &b), expected, "{a} {b}");
            assert_eq!(equal(&b, &a), expected, "{b} {a}");
        }
    }
}
