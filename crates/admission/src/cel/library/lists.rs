//! Kubernetes' list library: sums, extremes and positions.

use std::cmp::Ordering;

use super::cost;
use super::order::{compare, is_ordered};
use super::{argument, no_such_call};
use crate::cel::equality::equal;
use crate::cel::error::EvalError;
use crate::cel::overload::{Implementation, Overload};
use crate::cel::time::Duration;
use crate::cel::types::Type;
use crate::cel::value::Value;

/// The overloads of the library, in the order in which the server declares them.
pub(super) fn overloads() -> Vec<Overload> {
    let all = SORTED.iter().map(sorted).chain(SUMS.iter().map(sum_of)).chain(EXTREMES.iter().map(extreme));
    all.chain(positions()).map(|overload| overload.cost(cost::walk)).collect()
}

const SORTED: [(&str, Type); 8] = [
    ("list_int_is_sorted_bool", Type::Int),
    ("list_uint_is_sorted_bool", Type::Uint),
    ("list_double_is_sorted_bool", Type::Double),
    ("list_bool_is_sorted_bool", Type::Bool),
    ("list_duration_is_sorted_bool", Type::Duration),
    ("list_timestamp_is_sorted_bool", Type::Timestamp),
    ("list_string_is_sorted_bool", Type::String),
    ("list_bytes_is_sorted_bool", Type::Bytes),
];

const SUMS: [(&str, Type, Implementation); 4] = [
    ("list_int_sum_int", Type::Int, |arguments| sum(arguments, Value::Int(0))),
    ("list_uint_sum_uint", Type::Uint, |arguments| sum(arguments, Value::Uint(0))),
    ("list_double_sum_double", Type::Double, |arguments| sum(arguments, Value::Double(0.0))),
    ("list_duration_sum_duration", Type::Duration, |arguments| {
        sum(arguments, Value::Duration(Duration { nanoseconds: 0 }))
    }),
];

const EXTREMES: [(&str, &str, Type); 16] = [
    ("max", "list_int_max_int", Type::Int),
    ("max", "list_uint_max_uint", Type::Uint),
    ("max", "list_double_max_double", Type::Double),
    ("max", "list_bool_max_bool", Type::Bool),
    ("max", "list_duration_max_duration", Type::Duration),
    ("max", "list_timestamp_max_timestamp", Type::Timestamp),
    ("max", "list_string_max_string", Type::String),
    ("max", "list_bytes_max_bytes", Type::Bytes),
    ("min", "list_int_min_int", Type::Int),
    ("min", "list_uint_min_uint", Type::Uint),
    ("min", "list_double_min_double", Type::Double),
    ("min", "list_bool_min_bool", Type::Bool),
    ("min", "list_duration_min_duration", Type::Duration),
    ("min", "list_timestamp_min_timestamp", Type::Timestamp),
    ("min", "list_string_min_string", Type::String),
    ("min", "list_bytes_min_bytes", Type::Bytes),
];

fn sorted((id, element): &(&'static str, Type)) -> Overload {
    Overload::member("isSorted", id, vec![Type::list(element.clone())], Type::Bool, is_sorted)
}

fn sum_of((id, element, implementation): &(&'static str, Type, Implementation)) -> Overload {
    Overload::member("sum", id, vec![Type::list(element.clone())], element.clone(), *implementation)
}

fn extreme((name, id, element): &(&'static str, &'static str, Type)) -> Overload {
    let implementation: Implementation = if *name == "max" { maximum } else { minimum };
    Overload::member(name, id, vec![Type::list(element.clone())], element.clone(), implementation)
}

fn positions() -> [Overload; 2] {
    let operands = || vec![Type::list(Type::Param("A")), Type::Param("A")];
    [
        Overload::member("indexOf", "list_a_index_of_int", operands(), Type::Int, index_of),
        Overload::member("lastIndexOf", "list_a_last_index_of_int", operands(), Type::Int, last_index_of),
    ]
}

/// The elements, if the first one is of a kind that the function takes: that decides which overload is called.
fn elements<'a>(
    arguments: &[Value<'a>],
    name: &str,
    accepts: fn(&Value<'_>) -> bool,
) -> Result<Vec<Value<'a>>, EvalError> {
    let list = argument(arguments, 0)?.as_list()?;
    if list.get(0).is_some_and(|first| !accepts(&first)) {
        return Err(no_such_call(name, arguments));
    }
    Ok(list.iter().collect())
}

fn is_sorted<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let elements = elements(arguments, "isSorted", is_ordered)?;
    for pair in elements.windows(2) {
        let [left, right] = pair else { continue };
        if !is_ordered(right) {
            return Err(EvalError::no_such_overload());
        }
        if compare(left, right) == Some(Ordering::Greater) {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn minimum<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    best(arguments, "min", Ordering::Greater)
}

fn maximum<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    best(arguments, "max", Ordering::Less)
}

/// The element that stays when each that compares so with its successor is dropped.
fn best<'a>(arguments: &[Value<'a>], name: &str, worse: Ordering) -> Result<Value<'a>, EvalError> {
    let elements = elements(arguments, name, is_ordered)?;
    if elements.iter().any(|element| !is_ordered(element)) {
        return Err(EvalError::no_such_overload());
    }
    let best = elements.into_iter().reduce(|best, next| if compare(&best, &next) == Some(worse) { next } else { best });
    best.ok_or_else(|| EvalError::new(format!("{name} called on empty list")))
}

fn is_summable(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_))
}

fn zero_like<'a>(value: &Value<'_>) -> Option<Value<'a>> {
    match value {
        Value::Int(_) => Some(Value::Int(0)),
        Value::Uint(_) => Some(Value::Uint(0)),
        Value::Double(_) => Some(Value::Double(0.0)),
        Value::Duration(_) => Some(Value::Duration(Duration { nanoseconds: 0 })),
        _ => None,
    }
}

/// The sum; where the static type is unknown, the first element decides about the kind.
fn sum<'a>(arguments: &[Value<'a>], zero: Value<'a>) -> Result<Value<'a>, EvalError> {
    let elements = elements(arguments, "sum", is_summable)?;
    let zero = elements.first().and_then(zero_like).unwrap_or(zero);
    elements.iter().try_fold(zero, add)
}

fn add<'a>(sum: Value<'a>, next: &Value<'a>) -> Result<Value<'a>, EvalError> {
    let (sum, overflow) = match (sum, next) {
        (Value::Int(sum), Value::Int(next)) => (sum.checked_add(*next).map(Value::Int), "integer overflow"),
        (Value::Uint(sum), Value::Uint(next)) => (sum.checked_add(*next).map(Value::Uint), "unsigned integer overflow"),
        (Value::Double(sum), Value::Double(next)) => (Some(Value::Double(sum + next)), ""),
        (Value::Duration(sum), Value::Duration(next)) => {
            let nanoseconds = sum.nanoseconds.checked_add(next.nanoseconds);
            (nanoseconds.map(|nanoseconds| Value::Duration(Duration { nanoseconds })), "duration overflow")
        }
        _ => return Err(EvalError::no_such_overload()),
    };
    sum.ok_or_else(|| EvalError::new(overflow))
}

fn position(index: Option<usize>) -> Value<'static> {
    Value::Int(index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1))
}

fn index_of<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (list, item) = (argument(arguments, 0)?.as_list()?, argument(arguments, 1)?);
    Ok(position(list.iter().position(|element| equal(&element, item))))
}

fn last_index_of<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (list, item) = (argument(arguments, 0)?.as_list()?, argument(arguments, 1)?);
    let found = (0..list.len()).rev().find(|index| list.get(*index).is_some_and(|element| equal(&element, item)));
    Ok(position(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(numbers: &[i64]) -> Vec<Value<'static>> {
        numbers.iter().map(|number| Value::Int(*number)).collect()
    }

    fn shown(function: Implementation, elements: Vec<Value<'static>>) -> String {
        shown_with(function, vec![Value::list(elements)])
    }

    fn shown_with(function: Implementation, arguments: Vec<Value<'static>>) -> String {
        let result = function(&arguments);
        result.map_or_else(|error| format!("error: {error}"), |value| crate::cel::show::show(&value))
    }

    #[test]
    fn lists_are_tested_for_order() {
        assert_eq!(shown(is_sorted, integers(&[1, 2, 2])), "true");
        assert_eq!(shown(is_sorted, integers(&[2, 1])), "false");
        assert_eq!(shown(is_sorted, Vec::new()), "true");
        let doubles = [1.0, f64::NAN, 0.0].map(Value::Double).into();
        assert_eq!(shown(is_sorted, doubles), "true");
        assert_eq!(shown(is_sorted, vec![Value::Null]), "error: no such overload: isSorted(list)");
        assert_eq!(shown(is_sorted, vec![Value::Int(1), Value::Null]), "error: no such overload");
    }

    #[test]
    fn extremes_are_found() {
        assert_eq!(shown(minimum, integers(&[3, 1, 2])), "1");
        assert_eq!(shown(maximum, integers(&[3, 1, 2])), "3");
        assert_eq!(shown(minimum, Vec::new()), "error: min called on empty list");
        assert_eq!(shown(maximum, Vec::new()), "error: max called on empty list");
        assert_eq!(shown(minimum, [f64::NAN, 1.0].map(Value::Double).into()), "NaN");
        assert_eq!(shown(minimum, vec![Value::list(Vec::new())]), "error: no such overload: min(list)");
    }

    #[test]
    fn sums_do_not_overflow_silently() {
        let [integer, .., double, _] = SUMS.map(|(_, _, implementation)| implementation);
        assert_eq!(shown(integer, integers(&[1, 2])), "3");
        assert_eq!(shown(integer, integers(&[i64::MAX, 1])), "error: integer overflow");
        assert_eq!(shown(integer, [u64::MAX, 1].map(Value::Uint).into()), "error: unsigned integer overflow");
        let spans = [i64::MIN, -1].map(|nanoseconds| Value::Duration(Duration { nanoseconds })).into();
        assert_eq!(shown(integer, spans), "error: duration overflow");
        assert_eq!(shown(integer, vec![Value::borrowed("a")]), "error: no such overload: sum(list)");
        assert_eq!(shown(integer, vec![Value::Int(1), Value::Uint(1)]), "error: no such overload");
        assert_eq!(shown(integer, Vec::new()), "0");
        assert!(matches!(double(&[Value::list(Vec::new())]), Ok(Value::Double(0.0))));
    }

    #[test]
    fn positions_compare_across_numbers() {
        let list = Value::list(vec![Value::Int(1), Value::Double(2.0), Value::Uint(2)]);
        assert_eq!(shown_with(index_of, vec![list.clone(), Value::Int(2)]), "1");
        assert_eq!(shown_with(last_index_of, vec![list.clone(), Value::Int(2)]), "2");
        assert_eq!(shown_with(index_of, vec![list.clone(), Value::borrowed("x")]), "-1");
        assert_eq!(shown_with(last_index_of, vec![list, Value::borrowed("x")]), "-1");
    }
}
