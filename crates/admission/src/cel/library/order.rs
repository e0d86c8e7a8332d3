//! The order of values, and a sort that stands comparisons which contradict each other.

use std::cmp::Ordering;

use crate::cel::equality::compare_numbers;
use crate::cel::value::Value;

/// Whether values of this kind have an order.
pub(super) fn is_ordered(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Double(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Duration(_)
            | Value::Timestamp(_)
    )
}

/// The order of two values; none for NaN, and for kinds that do not compare.
pub(super) fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.as_str().cmp(right.as_str())),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        _ => compare_numbers(left, right),
    }
}

/// Up to so many elements the server sorts by insertion.
const INSERTION_LIMIT: usize = 12;

/// The indexes of the keys in ascending order of the keys.
///
/// NaN compares with nothing, so that orders may contradict each other; few elements then end up where the
/// server's insertion sort leaves them. Equal keys keep their order, which the server promises to nobody:
/// it does the same up to 12 elements, and may swap them in longer lists.
pub(super) fn sorted_indexes(keys: &[Value<'_>]) -> Vec<usize> {
    let is_less = |left: &usize, right: &usize| match (keys.get(*left), keys.get(*right)) {
        (Some(left), Some(right)) => compare(left, right) == Some(Ordering::Less),
        _ => false,
    };
    let indexes: Vec<usize> = (0..keys.len()).collect();
    if keys.len() <= INSERTION_LIMIT { insertion_sorted(indexes, is_less) } else { merge_sorted(indexes, is_less) }
}

fn insertion_sorted(indexes: Vec<usize>, is_less: impl Fn(&usize, &usize) -> bool) -> Vec<usize> {
    let mut sorted: Vec<usize> = Vec::with_capacity(indexes.len());
    for index in indexes {
        let smaller = sorted.iter().rposition(|placed| !is_less(&index, placed));
        sorted.insert(smaller.map_or(0, |position| position + 1), index);
    }
    sorted
}

fn merge_sorted(indexes: Vec<usize>, is_less: impl Fn(&usize, &usize) -> bool) -> Vec<usize> {
    let mut runs: Vec<Vec<usize>> = indexes.into_iter().map(|index| vec![index]).collect();
    while runs.len() > 1 {
        let mut pairs = runs.into_iter();
        let mut merged = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(left, right, &is_less),
                None => left,
            });
        }
        runs = merged;
    }
    runs.pop().unwrap_or_default()
}

fn merge(left: Vec<usize>, right: Vec<usize>, is_less: &impl Fn(&usize, &usize) -> bool) -> Vec<usize> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let next = if is_less(second, first) { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(values: &[f64]) -> Vec<Value<'static>> {
        values.iter().map(|value| Value::Double(*value)).collect()
    }

    #[test]
    fn nan_stays_where_insertion_leaves_it() {
        assert_eq!(sorted_indexes(&doubles(&[2.0, f64::NAN, 1.0])), [0, 1, 2]);
        assert_eq!(sorted_indexes(&doubles(&[3.0, 2.0, f64::NAN, 1.0])), [1, 0, 2, 3]);
    }

    #[test]
    fn equal_keys_keep_their_order() {
        let short: Vec<Value<'_>> = [2, 1, 2, 1].map(Value::Int).into();
        assert_eq!(sorted_indexes(&short), [1, 3, 0, 2]);
        let long: Vec<Value<'_>> = (0..100).map(|number| Value::Int(number % 2)).collect();
        let expected: Vec<usize> = (0..100).step_by(2).chain((1..100).step_by(2)).collect();
        assert_eq!(sorted_indexes(&long), expected);
    }

    #[test]
    fn long_lists_with_nan_do_not_panic() {
        let values: Vec<f64> = (0..1_000).map(|n| if n % 7 == 0 { f64::NAN } else { f64::from(n * 31 % 97) }).collect();
        let mut indexes = sorted_indexes(&doubles(&values));
        indexes.sort_unstable();
        assert_eq!(indexes, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn kinds_compare_among_themselves_only() {
        assert_eq!(compare(&Value::Int(1), &Value::Double(1.5)), Some(Ordering::Less));
        assert_eq!(compare(&Value::Bool(false), &Value::Bool(true)), Some(Ordering::Less));
        assert_eq!(compare(&Value::Int(1), &Value::borrowed("1")), None);
        assert!(!is_ordered(&Value::Null));
    }
}
