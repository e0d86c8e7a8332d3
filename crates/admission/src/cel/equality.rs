//! Equality across kinds: numbers compare by value, everything else by kind and content.
//!
//! A comparison can fail: a library's value on the left refuses whatever is not of its kind. Lists and maps take
//! a failed comparison of their elements for equality (`common/types/list.go` and `map.go` of cel-go).

use super::error::EvalError;
use super::map::Map;
use super::value::{List, Value};

/// Whether two values are known to be equal, as membership asks; the operands are not interchangeable.
pub fn equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    compare(left, right) == Ok(true)
}

/// Whether two values are equal, as `==` asks. Null is comparable with everything.
pub fn compare(left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::Opaque(_), Value::Null) => Ok(false),
        _ => compare_non_null(left, right),
    }
}

fn compare_non_null(left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvalError> {
    match (left, right) {
        (Value::Optional(Some(left)), Value::Optional(Some(right))) => compare_non_null(left, right),
        (Value::Opaque(left), Value::Opaque(right)) => left.equals(right.as_ref()),
        (Value::Opaque(_), _) => Err(EvalError::no_such_overload()),
        _ => Ok(same_content(left, right)),
    }
}

fn same_content(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) | (Value::Variables, Value::Variables) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::String(left), Value::String(right)) => left.as_str() == right.as_str(),
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
        (Value::Type(left), Value::Type(right)) => left == right,
        (Value::List(left), Value::List(right)) => lists_equal(left, right),
        (Value::Map(left), Value::Map(right)) => maps_equal(left, right),
        (Value::Optional(left), Value::Optional(right)) => left.is_none() && right.is_none(),
        _ => compare_numbers(left, right).is_some_and(std::cmp::Ordering::is_eq),
    }
}

fn lists_equal(left: &List<'_>, right: &List<'_>) -> bool {
    match (left, right) {
        (List::Keyed(keyed), right) => {
            left.len() == right.len()
                && right.iter().all(|item| keyed.find(&item).is_some_and(|known| may_equal(known, &item)))
        }
        (List::Json(left), List::Json(right)) if std::ptr::eq(*left, *right) => true,
        _ => left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| may_equal(&left, &right)),
    }
}

fn maps_equal(left: &Map<'_>, right: &Map<'_>) -> bool {
    left.len() == right.len()
        && left.iter().all(|(key, value)| right.get(&key).is_some_and(|other| may_equal(&value, &other)))
}

fn may_equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    compare(left, right) != Ok(false)
}

/// The order of two numbers of any kinds, none for other values and for NaN.
#[expect(clippy::cast_precision_loss, reason = "the loss is the server's too")]
pub fn compare_numbers(left: &Value<'_>, right: &Value<'_>) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Uint(left), Value::Uint(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::Int(left), Value::Uint(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Uint(left), Value::Int(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Value::Int(left), Value::Double(right)) => compare_as_doubles(*left as f64, *right),
        (Value::Uint(left), Value::Double(right)) => compare_as_doubles(*left as f64, *right),
        (Value::Double(left), Value::Int(right)) => compare_as_doubles(*left, *right as f64),
        (Value::Double(left), Value::Uint(right)) => compare_as_doubles(*left, *right as f64),
        _ => None,
    }
}

/// The server compares an integer with a double as doubles, so that distinct large integers can equal one double.
fn compare_as_doubles(left: f64, right: f64) -> Option<std::cmp::Ordering> {
    left.partial_cmp(&right)
}
