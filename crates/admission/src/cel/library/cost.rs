//! What calls of library functions cost at run time, with the server's own rounding.
//!
//! The formulas are those of `library/cost.go` in `k8s.io/apiserver` and of the extension
//! libraries of cel-go; they work on IEEE doubles there, so they do here.

use crate::cel::error::EvalError;
use crate::cel::value::Value;

/// Share of a text's length that one pass over it costs.
const TRAVERSAL: f64 = 0.1;
/// Share of a pattern's length that one pass over a text costs.
const PATTERN: f64 = 0.25;
/// Cost of making a list.
const LIST_CREATION: u64 = 10;

/// A call's outcome, as cost functions get it.
pub(super) type Outcome<'a> = Result<Value<'a>, EvalError>;

/// One pass over so many characters.
pub(super) fn traversal(size: u64) -> u64 {
    ceil(to_double(size) * TRAVERSAL)
}

/// Two passes over so many characters.
pub(super) fn double_traversal(size: u64) -> u64 {
    ceil(to_double(size) * 2.0 * TRAVERSAL)
}

/// A pattern of so many characters applied to so many characters.
pub(super) fn pattern(text: u64, pattern: u64) -> u64 {
    let passes = ceil((1.0 + to_double(text)) * TRAVERSAL);
    passes.saturating_mul(ceil(to_double(pattern) * PATTERN))
}

/// A call that makes a list after looking at so many elements with this weight each.
pub(super) fn list_making(weight: f64, size: u64) -> u64 {
    floor(to_double(size) * weight).saturating_add(1 + LIST_CREATION)
}

/// A call that compares so many pairs of elements.
pub(super) fn comparisons(weight: f64, left: u64, right: u64) -> u64 {
    floor(to_double(left.wrapping_mul(right)) * weight).saturating_add(1)
}

/// The size of an argument, 1 where it is missing.
pub(super) fn size_of(arguments: &[Value<'_>], index: usize) -> u64 {
    arguments.get(index).map_or(1, Value::cost_size)
}

/// One pass over the first argument.
pub(super) fn first_argument<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    traversal(size_of(arguments, 0))
}

/// Two passes over the first argument.
pub(super) fn first_argument_twice<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    double_traversal(size_of(arguments, 0))
}

/// Two passes over the result.
pub(super) fn result_twice<'a>(_: &[Value<'a>], outcome: &Outcome<'a>) -> u64 {
    double_traversal(outcome.as_ref().map_or(1, Value::cost_size))
}

/// The pattern in the second argument applied to the first.
pub(super) fn pattern_call<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    pattern(size_of(arguments, 0), size_of(arguments, 1))
}

/// A walk through everything in the first argument.
pub(super) fn walk<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    arguments.first().map_or(0, |value| walk_value(value, MAX_WALK_DEPTH))
}

/// Values nest no deeper than the objects of a request and the expression itself; the bound only keeps the stack safe.
const MAX_WALK_DEPTH: usize = 1_000;

fn walk_value(value: &Value<'_>, depth: usize) -> u64 {
    let Some(below) = depth.checked_sub(1) else { return u64::MAX };
    match value {
        Value::String(text) => floor(to_double(length(text.as_str().len())) * TRAVERSAL),
        Value::Bytes(octets) => floor(to_double(length(octets.len())) * TRAVERSAL),
        Value::List(list) => list.iter().fold(0, |sum, item| sum.saturating_add(walk_value(&item, below))),
        Value::Map(map) => map.iter().fold(0, |sum, (key, item)| {
            sum.saturating_add(walk_value(&key, below)).saturating_add(walk_value(&item, below))
        }),
        _ => 1,
    }
}

fn length(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "the server computes costs in doubles")]
fn to_double(size: u64) -> f64 {
    size as f64
}

fn ceil(cost: f64) -> u64 {
    floor(cost.ceil())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; costs are not negative")]
fn floor(cost: f64) -> u64 {
    cost as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traversal_rounds_up() {
        let cases = [(0, 0), (1, 1), (10, 1), (11, 2), (99, 10), (100, 10)];
        for (size, expected) in cases {
            assert_eq!(traversal(size), expected, "{size}");
        }
    }

    #[test]
    fn patterns_cost_text_times_pattern() {
        let cases = [(0, 0, 0), (3, 1, 1), (4, 6, 2), (9, 30, 8), (10, 30, 16)];
        for (text, size, expected) in cases {
            assert_eq!(pattern(text, size), expected, "{text} {size}");
        }
    }

    #[test]
    fn a_walk_counts_octets_of_text_and_one_for_each_scalar() {
        let list = Value::list(vec![Value::Int(1), Value::borrowed("é".repeat(10).leak()), Value::Null]);
        assert_eq!(walk(&[list], &Ok(Value::Null)), 4);
    }

    #[test]
    fn costs_saturate() {
        assert_eq!(pattern(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(list_making(2.0, u64::MAX), u64::MAX);
    }
}
