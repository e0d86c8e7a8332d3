//! What functions of the language cost at run time.
//!
//! Sizes are code points, octets, elements or entries; traversing a text costs a tenth of a unit per code point,
//! rounded up; a pattern costs a quarter of a unit per code point of the pattern.

use super::error::EvalError;
use super::value::Value;

/// What naming a root or selecting from a value costs.
pub(super) const SELECT: u64 = 1;
/// What a call costs unless its function says otherwise.
pub(super) const CALL: u64 = 1;
/// What a list, map or struct literal that is not constant costs.
pub(super) const LIST: u64 = 10;
/// See [`LIST`].
pub(super) const MAP: u64 = 30;
/// See [`LIST`].
pub(super) const STRUCT: u64 = 40;

type Outcome<'a> = Result<Value<'a>, EvalError>;

fn size(arguments: &[Value<'_>], index: usize) -> u64 {
    arguments.get(index).map_or(1, Value::cost_size)
}

/// A tenth of a size, rounded up.
pub(super) const fn tenth(size: u64) -> u64 {
    size.div_ceil(10)
}

/// The cost of reading the first operand.
pub(super) fn traversal<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    tenth(size(arguments, 0))
}

/// The cost of looking through a list.
pub(super) fn membership<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    size(arguments, 1)
}

/// The cost of reading two operands as far as the shorter goes.
pub(super) fn comparison<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    tenth(size(arguments, 0).min(size(arguments, 1)))
}

/// The cost of writing both operands into a new value.
pub(super) fn concatenation<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    tenth(size(arguments, 0).saturating_add(size(arguments, 1)))
}

/// The cost of looking for a part at every place.
pub(super) fn search<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    tenth(size(arguments, 0)).saturating_mul(tenth(size(arguments, 1)))
}

/// The cost of matching a pattern.
pub(super) fn pattern<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    tenth(size(arguments, 0).saturating_add(1)).saturating_mul(size(arguments, 1).div_ceil(4))
}
