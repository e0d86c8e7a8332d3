//! Conversions between types.

use super::super::cost;
use super::super::error::EvalError;
use super::super::function::Function;
use super::super::overload::{Implementation, Overload};
use super::super::time::{Duration, Timestamp};
use super::super::types::Type;
use super::super::value::Value;
use super::numbers::{display_double, parse_double};
use super::{any, overloaded, signature, singleton};

type Outcome<'a> = Result<Value<'a>, EvalError>;

pub(super) fn functions() -> Vec<Function> {
    let parameter = || vec![Type::Param("A")];
    let type_of = Type::type_of(Type::Param("A"));
    vec![
        conversion("bool", to_bool, Type::Bool, vec![Type::Bool, Type::String]),
        bytes(),
        conversion("double", to_double, Type::Double, vec![Type::Double, Type::Int, Type::String, Type::Uint]),
        conversion("duration", to_duration, Type::Duration, vec![Type::Duration, Type::Int, Type::String]),
        conversion(
            "int",
            to_int,
            Type::Int,
            vec![Type::Int, Type::Double, Type::Duration, Type::String, Type::Timestamp, Type::Uint],
        ),
        string(),
        conversion("timestamp", to_timestamp, Type::Timestamp, vec![Type::Timestamp, Type::Int, Type::String]),
        conversion("uint", to_uint, Type::Uint, vec![Type::Uint, Type::Double, Type::Int, Type::String]),
        singleton("dyn", vec![signature("to_dyn", parameter(), Type::Dyn)], identity, any),
        singleton("type", vec![signature("type", parameter(), type_of)], type_name, any),
    ]
}

/// Whether a function converts one value, so that a conversion of a constant is made in advance.
pub(in super::super) fn is_conversion(name: &str) -> bool {
    matches!(name, "bool" | "bytes" | "double" | "duration" | "int" | "string" | "timestamp" | "uint" | "dyn" | "type")
}

fn conversion(name: &'static str, implementation: Implementation, result: Type, sources: Vec<Type>) -> Function {
    let overloads = sources
        .into_iter()
        .map(|source| Overload::global(name, source_id(&source), vec![source], result.clone(), implementation))
        .collect();
    overloaded(name, overloads)
}

fn source_id(source: &Type) -> &'static str {
    match source {
        Type::Bool => "bool",
        Type::Bytes => "bytes",
        Type::Double => "double",
        Type::Duration => "duration",
        Type::Int => "int64",
        Type::Timestamp => "timestamp",
        Type::Uint => "uint64",
        _ => "string",
    }
}

fn costs_traversal(mut function: Function, source: &Type) -> Function {
    for overload in function.overloads.iter_mut().filter(|overload| overload.parameters.first() == Some(source)) {
        overload.cost = Some(cost::traversal);
    }
    function
}

fn bytes() -> Function {
    costs_traversal(conversion("bytes", to_bytes, Type::Bytes, vec![Type::Bytes, Type::String]), &Type::String)
}

fn string() -> Function {
    let sources = vec![
        Type::String,
        Type::Bool,
        Type::Bytes,
        Type::Double,
        Type::Duration,
        Type::Int,
        Type::Timestamp,
        Type::Uint,
    ];
    costs_traversal(conversion("string", to_string, Type::String, sources), &Type::Bytes)
}

fn impossible(value: &Value<'_>, to: &str) -> EvalError {
    EvalError::new(format!("type conversion error from '{}' to '{to}'", value.type_name()))
}

fn single<'v, 'a>(arguments: &'v [Value<'a>]) -> Result<&'v Value<'a>, EvalError> {
    arguments.first().ok_or_else(EvalError::no_such_overload)
}

fn identity<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    single(arguments).cloned()
}

fn type_name<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    single(arguments).map(|value| Value::Type(value.type_name().into()))
}

fn to_bool<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(impossible(value, "bool")),
        },
        _ => Err(impossible(value, "bool")),
    }
}

fn to_bytes<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    match value {
        Value::Bytes(_) => Ok(value.clone()),
        Value::String(text) => Ok(Value::Bytes(text.as_str().as_bytes().into())),
        _ => Err(impossible(value, "bytes")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the conversion is defined as the nearest double")]
fn to_double<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    let number = match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::String(text) => parse_double(text.as_str()),
        _ => None,
    };
    number.map(Value::Double).ok_or_else(|| impossible(value, "double"))
}

fn to_int<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    let overflow = || EvalError::new("integer overflow");
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(number) => i64::try_from(*number).map(Value::Int).map_err(|_| overflow()),
        Value::Double(number) => int_of_double(*number).map(Value::Int).ok_or_else(overflow),
        Value::Duration(span) => Ok(Value::Int(span.nanoseconds)),
        Value::Timestamp(moment) => Ok(Value::Int(moment.seconds)),
        Value::String(text) => text.as_str().parse().map(Value::Int).map_err(|_| impossible(value, "int")),
        _ => Err(impossible(value, "int")),
    }
}

/// The integer part of a double strictly between the ends of the range, which the server excludes.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is tested first")]
fn int_of_double(number: f64) -> Option<i64> {
    (number > i64::MIN as f64 && number < i64::MAX as f64).then_some(number as i64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is tested first"
)]
fn uint_of_double(number: f64) -> Option<u64> {
    (number >= 0.0 && number < u64::MAX as f64).then_some(number as u64)
}

fn to_uint<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    let overflow = || EvalError::new("unsigned integer overflow");
    match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(number) => u64::try_from(*number).map(Value::Uint).map_err(|_| overflow()),
        Value::Double(number) => uint_of_double(*number).map(Value::Uint).ok_or_else(overflow),
        Value::String(text) if !text.as_str().starts_with('+') => {
            text.as_str().parse().map(Value::Uint).map_err(|_| impossible(value, "uint"))
        }
        _ => Err(impossible(value, "uint")),
    }
}

fn to_string<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    let text = match value {
        Value::String(_) => return Ok(value.clone()),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => display_double(*number),
        Value::Duration(span) => span.to_string(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Bytes(octets) => std::str::from_utf8(octets)
            .map_err(|_| EvalError::new("invalid UTF-8 in bytes, cannot convert to string"))?
            .to_owned(),
        _ => return Err(impossible(value, "string")),
    };
    Ok(Value::text(text))
}

/// Integers are declared as a source, but the server cannot convert them.
fn to_duration<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    let span = match value {
        Value::Duration(span) => Some(*span),
        Value::String(text) => Duration::parse(text.as_str()),
        _ => None,
    };
    span.map(Value::Duration).ok_or_else(|| impossible(value, "google.protobuf.Duration"))
}

fn to_timestamp<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = single(arguments)?;
    match value {
        Value::Timestamp(_) => Ok(value.clone()),
        Value::Int(seconds) => {
            Timestamp::new(*seconds, 0, 0).map(Value::Timestamp).ok_or_else(|| EvalError::new("timestamp overflow"))
        }
        Value::String(text) => Timestamp::parse(text.as_str())
            .map(Value::Timestamp)
            .ok_or_else(|| impossible(value, "google.protobuf.Timestamp")),
        _ => Err(impossible(value, "google.protobuf.Timestamp")),
    }
}
