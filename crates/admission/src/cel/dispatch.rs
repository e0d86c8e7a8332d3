//! Finds and calls a function's implementation.

use super::error::EvalError;
use super::function::{Binding, Function, matches_kind};
use super::overload::Overload;
use super::plan::Call;
use super::value::Value;

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// Calls the implementation that the arguments demand.
pub(super) fn invoke<'a>(call: &Call, arguments: &[Value<'a>]) -> Outcome<'a> {
    if let Some((pattern, implementation)) = &call.pattern {
        return implementation(pattern, arguments);
    }
    match call.function.binding {
        Binding::Special => Err(EvalError::no_such_overload()),
        Binding::Singleton { implementation, first } => match arguments.first() {
            Some(value) if !first(value) => Err(not_supported(call.function.name, value)),
            _ => implementation(arguments),
        },
        Binding::Overloads { unguarded } => match resolved(call) {
            Some(overload) if unguarded || fits(overload, arguments) => (overload.implementation)(arguments),
            Some(_) => Err(no_overload(&call.function, arguments)),
            None => dispatch(&call.function, arguments),
        },
    }
}

fn resolved(call: &Call) -> Option<&Overload> {
    match (call.overload, call.function.overloads.as_slice()) {
        (None, [only]) => Some(only),
        (index, overloads) => index.and_then(|index| overloads.get(index)),
    }
}

fn dispatch<'a>(function: &Function, arguments: &[Value<'a>]) -> Outcome<'a> {
    match function.overloads.iter().find(|overload| fits(overload, arguments)) {
        Some(overload) => (overload.implementation)(arguments),
        None => Err(no_overload(function, arguments)),
    }
}

fn fits(overload: &Overload, arguments: &[Value<'_>]) -> bool {
    overload.parameters.len() == arguments.len()
        && overload.parameters.iter().zip(arguments).all(|(parameter, value)| matches_kind(parameter, value))
}

fn no_overload(function: &Function, arguments: &[Value<'_>]) -> EvalError {
    let kinds: Vec<&str> = arguments.iter().map(Value::type_name).collect();
    EvalError::new(format!("no such overload: {}({})", function.name, kinds.join(", ")))
}

/// Values that have methods of their own are asked first, and answer without the function's name.
fn not_supported(name: &str, value: &Value<'_>) -> EvalError {
    match value {
        Value::String(_) | Value::Duration(_) | Value::Timestamp(_) => EvalError::no_such_overload(),
        _ => EvalError::new(format!("no such overload: {name}")),
    }
}
