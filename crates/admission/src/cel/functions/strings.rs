//! The language's own functions on text.

use regex::Regex;

use super::super::cost;
use super::super::error::EvalError;
use super::super::function::{Binding, Function};
use super::super::library::re2;
use super::super::types::Type;
use super::super::value::Value;
use super::{signature, singleton};
use crate::cel::overload::{Implementation, Overload};

type Outcome<'a> = Result<Value<'a>, EvalError>;

pub(super) fn functions() -> Vec<Function> {
    vec![
        simple("contains", "contains_string", contains, cost::search),
        simple("startsWith", "starts_with_string", starts_with, cost::traversal),
        simple("endsWith", "ends_with_string", ends_with, cost::traversal),
        matching(),
    ]
}

fn simple(
    name: &'static str,
    id: &'static str,
    implementation: Implementation,
    cost: super::super::overload::CostFunction,
) -> Function {
    let overload = Overload::member(name, id, vec![Type::String, Type::String], Type::Bool, implementation).cost(cost);
    Function { name, overloads: vec![overload], binding: Binding::Overloads { unguarded: true } }
}

fn matching() -> Function {
    let texts = || vec![Type::String, Type::String];
    let mut function = singleton(
        "matches",
        vec![
            signature("matches", texts(), Type::Bool),
            signature("matches_string", texts(), Type::Bool).member().cost(cost::pattern),
        ],
        matches,
        |value| matches!(value, Value::String(_)),
    );
    for overload in &mut function.overloads {
        overload.pattern = Some((1, matches_compiled));
    }
    function
}

fn texts<'v>(arguments: &'v [Value<'_>]) -> Result<(&'v str, &'v str), EvalError> {
    match arguments {
        [Value::String(text), Value::String(other)] => Ok((text.as_str(), other.as_str())),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn contains<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    texts(arguments).map(|(text, part)| Value::Bool(text.contains(part)))
}

fn starts_with<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    texts(arguments).map(|(text, part)| Value::Bool(text.starts_with(part)))
}

fn ends_with<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    texts(arguments).map(|(text, part)| Value::Bool(text.ends_with(part)))
}

fn matches<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let (text, pattern) = texts(arguments)?;
    let pattern = re2::compile(pattern).map_err(EvalError::new)?;
    Ok(Value::Bool(pattern.is_match(text)))
}

fn matches_compiled<'a>(pattern: &Regex, arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [Value::String(text), ..] => Ok(Value::Bool(pattern.is_match(text.as_str()))),
        _ => Err(EvalError::no_such_overload()),
    }
}
