//! Operators on numbers, times, texts and lists; comparison; negation.

use std::cmp::Ordering;
use std::sync::Arc;

use super::super::ast::operator;
use super::super::cost;
use super::super::environment::KubeVersion;
use super::super::equality::compare_numbers;
use super::super::error::EvalError;
use super::super::function::Function;
use super::super::time::{Duration, Timestamp};
use super::super::types::Type;
use super::super::value::{List, Value};
use super::{Signature, any, signature, singleton, special};

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// Compatibility version of comparisons between different kinds of numbers.
const CROSS_TYPE: KubeVersion = KubeVersion::minor(28);

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        addition(),
        subtraction(),
        singleton(operator::MULTIPLY, numeric(true), multiply, is_number),
        singleton(operator::DIVIDE, numeric(true), divide, is_number),
        singleton(operator::MODULO, numeric(false), modulo, is_integer),
        singleton(operator::NEGATE, negations(), negate, is_negatable),
        singleton(operator::NOT, vec![signature("logical_not", vec![Type::Bool], Type::Bool)], not, any),
    ];
    all.extend(comparisons());
    all.extend(logic());
    all
}

fn logic() -> Vec<Function> {
    let same = || vec![Type::Param("A"), Type::Param("A")];
    let bools = || vec![Type::Bool, Type::Bool];
    let choice = vec![Type::Bool, Type::Param("A"), Type::Param("A")];
    vec![
        special(operator::CONDITIONAL, vec![signature("conditional", choice, Type::Param("A"))]),
        special(operator::AND, vec![signature("logical_and", bools(), Type::Bool)]),
        special(operator::OR, vec![signature("logical_or", bools(), Type::Bool)]),
        special(operator::EQUALS, vec![signature("equals", same(), Type::Bool)]),
        special(operator::NOT_EQUALS, vec![signature("not_equals", same(), Type::Bool)]),
        special(operator::NOT_STRICTLY_FALSE, vec![signature("not_strictly_false", vec![Type::Bool], Type::Bool)]),
    ]
}

fn pair(id: &'static str, left: Type, right: Type, result: Type) -> Signature {
    signature(id, vec![left, right], result)
}

fn addition() -> Function {
    let list = || Type::list(Type::Param("A"));
    let signatures = vec![
        pair("add_bytes", Type::Bytes, Type::Bytes, Type::Bytes).cost(cost::concatenation),
        pair("add_double", Type::Double, Type::Double, Type::Double),
        pair("add_duration_duration", Type::Duration, Type::Duration, Type::Duration),
        pair("add_duration_timestamp", Type::Duration, Type::Timestamp, Type::Timestamp),
        pair("add_timestamp_duration", Type::Timestamp, Type::Duration, Type::Timestamp),
        pair("add_int64", Type::Int, Type::Int, Type::Int),
        pair("add_list", list(), list(), list()),
        pair("add_string", Type::String, Type::String, Type::String).cost(cost::concatenation),
        pair("add_uint64", Type::Uint, Type::Uint, Type::Uint),
    ];
    singleton(operator::ADD, signatures, add, is_addable)
}

fn subtraction() -> Function {
    let signatures = vec![
        pair("subtract_double", Type::Double, Type::Double, Type::Double),
        pair("subtract_duration_duration", Type::Duration, Type::Duration, Type::Duration),
        pair("subtract_int64", Type::Int, Type::Int, Type::Int),
        pair("subtract_timestamp_duration", Type::Timestamp, Type::Duration, Type::Timestamp),
        pair("subtract_timestamp_timestamp", Type::Timestamp, Type::Timestamp, Type::Duration),
        pair("subtract_uint64", Type::Uint, Type::Uint, Type::Uint),
    ];
    singleton(operator::SUBTRACT, signatures, subtract, is_subtractable)
}

fn numeric(doubles: bool) -> Vec<Signature> {
    let mut signatures = vec![pair("int64", Type::Int, Type::Int, Type::Int)];
    signatures.push(pair("uint64", Type::Uint, Type::Uint, Type::Uint));
    if doubles {
        signatures.insert(0, pair("double", Type::Double, Type::Double, Type::Double));
    }
    signatures
}

fn negations() -> Vec<Signature> {
    vec![
        signature("negate_double", vec![Type::Double], Type::Double),
        signature("negate_int64", vec![Type::Int], Type::Int),
    ]
}

/// Sources of `<`, `<=`, `>` and `>=` with what each makes of an order.
fn comparisons() -> Vec<Function> {
    [
        singleton(operator::LESS, comparison_signatures(), less, is_comparable),
        singleton(operator::LESS_EQUALS, comparison_signatures(), less_equals, is_comparable),
        singleton(operator::GREATER, comparison_signatures(), greater, is_comparable),
        singleton(operator::GREATER_EQUALS, comparison_signatures(), greater_equals, is_comparable),
    ]
    .into_iter()
    .map(limit_cross_type)
    .collect()
}

fn comparison_signatures() -> Vec<Signature> {
    vec![
        pair("bool", Type::Bool, Type::Bool, Type::Bool),
        pair("int64", Type::Int, Type::Int, Type::Bool),
        pair("int64_double", Type::Int, Type::Double, Type::Bool),
        pair("int64_uint64", Type::Int, Type::Uint, Type::Bool),
        pair("uint64", Type::Uint, Type::Uint, Type::Bool),
        pair("uint64_double", Type::Uint, Type::Double, Type::Bool),
        pair("uint64_int64", Type::Uint, Type::Int, Type::Bool),
        pair("double", Type::Double, Type::Double, Type::Bool),
        pair("double_int64", Type::Double, Type::Int, Type::Bool),
        pair("double_uint64", Type::Double, Type::Uint, Type::Bool),
        pair("string", Type::String, Type::String, Type::Bool).cost(cost::comparison),
        pair("bytes", Type::Bytes, Type::Bytes, Type::Bool).cost(cost::comparison),
        pair("timestamp", Type::Timestamp, Type::Timestamp, Type::Bool),
        pair("duration", Type::Duration, Type::Duration, Type::Bool),
    ]
}

fn limit_cross_type(mut function: Function) -> Function {
    for overload in &mut function.overloads {
        let mixed = overload.parameters.first() != overload.parameters.last();
        if mixed {
            overload.since = CROSS_TYPE;
        }
    }
    function
}

fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

fn is_integer(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_))
}

fn is_subtractable(value: &Value<'_>) -> bool {
    is_number(value) || matches!(value, Value::Duration(_) | Value::Timestamp(_))
}

fn is_addable(value: &Value<'_>) -> bool {
    is_subtractable(value) || matches!(value, Value::String(_) | Value::Bytes(_) | Value::List(_))
}

fn is_negatable(value: &Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Double(_) | Value::Duration(_) | Value::Bool(_))
}

fn is_comparable(value: &Value<'_>) -> bool {
    is_subtractable(value) || matches!(value, Value::Bool(_) | Value::Bytes(_) | Value::String(_))
}

fn int_overflow() -> EvalError {
    EvalError::new("integer overflow")
}

fn uint_overflow() -> EvalError {
    EvalError::new("unsigned integer overflow")
}

fn int<'a>(result: Option<i64>) -> Outcome<'a> {
    result.map(Value::Int).ok_or_else(int_overflow)
}

fn uint<'a>(result: Option<u64>) -> Outcome<'a> {
    result.map(Value::Uint).ok_or_else(uint_overflow)
}

fn duration<'a>(nanoseconds: Option<i64>) -> Outcome<'a> {
    nanoseconds.map(|nanoseconds| Value::Duration(Duration { nanoseconds })).ok_or_else(int_overflow)
}

fn moment<'a>(moment: Option<Timestamp>) -> Outcome<'a> {
    moment.map(Value::Timestamp).ok_or_else(|| EvalError::new("timestamp overflow"))
}

fn add<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(left), Value::Int(right)] => int(left.checked_add(*right)),
        [Value::Uint(left), Value::Uint(right)] => uint(left.checked_add(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left + right)),
        [Value::String(left), Value::String(right)] => Ok(Value::text([left.as_str(), right.as_str()].concat())),
        [Value::Bytes(left), Value::Bytes(right)] => Ok(Value::Bytes([&left[..], &right[..]].concat().into())),
        [Value::List(List::Keyed(left)), Value::List(right)] => {
            Ok(Value::List(List::Keyed(Arc::new(left.merged(right)))))
        }
        [Value::List(left), Value::List(right)] => Ok(Value::list(left.iter().chain(right.iter()).collect())),
        [Value::Duration(left), Value::Duration(right)] => duration(left.nanoseconds.checked_add(right.nanoseconds)),
        [Value::Timestamp(start), Value::Duration(span)] | [Value::Duration(span), Value::Timestamp(start)] => {
            moment(start.plus(i128::from(span.nanoseconds)))
        }
        _ => Err(EvalError::no_such_overload()),
    }
}

/// Appends to a list in place where nobody else holds it.
pub(in super::super) fn append<'a>(list: Value<'a>, more: Vec<Value<'a>>) -> Outcome<'a> {
    match list {
        Value::List(List::Items(mut items)) => {
            match Arc::get_mut(&mut items) {
                Some(items) => items.extend(more),
                None => items = Arc::new(items.iter().cloned().chain(more).collect()),
            }
            Ok(Value::List(List::Items(items)))
        }
        other => add(&[other, Value::list(more)]),
    }
}

fn subtract<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(left), Value::Int(right)] => int(left.checked_sub(*right)),
        [Value::Uint(left), Value::Uint(right)] => uint(left.checked_sub(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left - right)),
        [Value::Duration(left), Value::Duration(right)] => duration(left.nanoseconds.checked_sub(right.nanoseconds)),
        [Value::Timestamp(start), Value::Duration(span)] => moment(start.plus(-i128::from(span.nanoseconds))),
        [Value::Timestamp(left), Value::Timestamp(right)] => {
            duration(i64::try_from(left.since_epoch() - right.since_epoch()).ok())
        }
        _ => Err(EvalError::no_such_overload()),
    }
}

fn multiply<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(left), Value::Int(right)] => int(left.checked_mul(*right)),
        [Value::Uint(left), Value::Uint(right)] => uint(left.checked_mul(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left * right)),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn divide<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(EvalError::new("division by zero")),
        [Value::Int(left), Value::Int(right)] => int(left.checked_div(*right)),
        [Value::Uint(left), Value::Uint(right)] => uint(left.checked_div(*right)),
        [Value::Double(left), Value::Double(right)] => Ok(Value::Double(left / right)),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn modulo<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(EvalError::new("modulus by zero")),
        [Value::Int(left), Value::Int(right)] => int(left.checked_rem(*right)),
        [Value::Uint(left), Value::Uint(right)] => uint(left.checked_rem(*right)),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn negate<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Int(value)] => int(value.checked_neg()),
        [Value::Double(value)] => Ok(Value::Double(-value)),
        [Value::Duration(value)] => duration(value.nanoseconds.checked_neg()),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn not<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::Bool(value)] => Ok(Value::Bool(!value)),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn order(arguments: &[Value<'_>]) -> Result<Ordering, EvalError> {
    match arguments {
        [Value::Bool(left), Value::Bool(right)] => Ok(left.cmp(right)),
        [Value::String(left), Value::String(right)] => Ok(left.as_str().cmp(right.as_str())),
        [Value::Bytes(left), Value::Bytes(right)] => Ok(left.cmp(right)),
        [Value::Duration(left), Value::Duration(right)] => Ok(left.cmp(right)),
        [Value::Timestamp(left), Value::Timestamp(right)] => Ok(left.cmp(right)),
        [left, right] if is_number(left) && is_number(right) => {
            compare_numbers(left, right).ok_or_else(|| EvalError::new("NaN values cannot be ordered"))
        }
        _ => Err(EvalError::no_such_overload()),
    }
}

fn less<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    order(arguments).map(|order| Value::Bool(order.is_lt()))
}

fn less_equals<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    order(arguments).map(|order| Value::Bool(order.is_le()))
}

fn greater<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    order(arguments).map(|order| Value::Bool(order.is_gt()))
}

fn greater_equals<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    order(arguments).map(|order| Value::Bool(order.is_ge()))
}
