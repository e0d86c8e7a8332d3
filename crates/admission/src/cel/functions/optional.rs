//! Optional values.

use super::super::ast::operator;
use super::super::environment::KubeVersion;
use super::super::error::EvalError;
use super::super::function::Function;
use super::super::overload::Overload;
use super::super::show::show;
use super::super::types::Type;
use super::super::value::Value;
use super::collections::OPTIONAL_TYPES;
use super::{Signature, overloaded, signature, special};

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// First compatibility version whose servers carry version 2 of the optional library (cel-go 0.23).
const VERSION_2: KubeVersion = KubeVersion::minor(32);

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![of(), of_non_zero(), none(), value(), has_value(), either(), or_value()];
    all.extend([optional_select(), optional_index()]);
    all.extend(version_2());
    for function in &mut all {
        for overload in &mut function.overloads {
            overload.since = overload.since.max(OPTIONAL_TYPES);
        }
    }
    all
}

fn parameter() -> Type {
    Type::Param("V")
}

fn optional() -> Type {
    Type::optional(parameter())
}

fn one(overload: Overload) -> Function {
    overloaded(overload.name, vec![overload])
}

fn of() -> Function {
    one(Overload::global("optional.of", "optional_of", vec![parameter()], optional(), |arguments| {
        single(arguments).map(|value| Value::some(value.clone()))
    }))
}

fn of_non_zero() -> Function {
    let id = "optional_ofNonZeroValue";
    one(Overload::global("optional.ofNonZeroValue", id, vec![parameter()], optional(), |arguments| {
        single(arguments).map(|value| if is_zero(value) { Value::none() } else { Value::some(value.clone()) })
    }))
}

fn none() -> Function {
    one(Overload::global("optional.none", "optional_none", Vec::new(), optional(), |_| Ok(Value::none())))
}

fn value() -> Function {
    one(Overload::member("value", "optional_value", vec![optional()], parameter(), |arguments| match arguments {
        [Value::Optional(Some(value))] => Ok(value.as_ref().clone()),
        [Value::Optional(None)] => Err(EvalError::new("optional.none() dereference")),
        _ => Err(EvalError::no_such_overload()),
    }))
}

fn has_value() -> Function {
    one(Overload::member("hasValue", "optional_hasValue", vec![optional()], Type::Bool, |arguments| match arguments {
        [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
        _ => Err(EvalError::no_such_overload()),
    }))
}

fn member_special(name: &'static str, id: &'static str, parameters: Vec<Type>, result: Type) -> Function {
    special(name, vec![signature(id, parameters, result).member()])
}

fn either() -> Function {
    member_special("or", "optional_or_optional", vec![optional(), optional()], optional())
}

fn or_value() -> Function {
    member_special("orValue", "optional_orValue_value", vec![optional(), parameter()], parameter())
}

fn optional_select() -> Function {
    let parameters = vec![Type::Dyn, Type::String];
    special(operator::OPTIONAL_SELECT, vec![signature("select_optional_field", parameters, optional())])
}

fn optional_index() -> Function {
    let list = Type::list(parameter());
    let map = Type::map(Type::Param("K"), parameter());
    let by =
        |id: &'static str, container: Type, key: Type| -> Signature { signature(id, vec![container, key], optional()) };
    special(
        operator::OPTIONAL_INDEX,
        vec![
            by("list_optindex_optional_int", list.clone(), Type::Int),
            by("optional_list_optindex_optional_int", Type::optional(list), Type::Int),
            by("map_optindex_optional_value", map.clone(), Type::Param("K")),
            by("optional_map_optindex_optional_value", Type::optional(map), Type::Param("K")),
        ],
    )
}

fn version_2() -> Vec<Function> {
    let list = || Type::list(parameter());
    let optionals = || vec![Type::list(optional())];
    [
        Overload::member("last", "list_last", vec![list()], optional(), |arguments| {
            single(arguments)?.as_list().map(|list| end(list.len().checked_sub(1).and_then(|last| list.get(last))))
        }),
        Overload::member("first", "list_first", vec![list()], optional(), |arguments| {
            single(arguments)?.as_list().map(|list| end(list.get(0)))
        }),
        Overload::global("optional.unwrap", "optional_unwrap", optionals(), list(), unwrap_all),
        Overload::member("unwrapOpt", "optional_unwrapOpt", optionals(), list(), unwrap_all),
    ]
    .into_iter()
    .map(|overload| one(overload.since(VERSION_2)))
    .collect()
}

fn end(value: Option<Value<'_>>) -> Value<'_> {
    value.map_or_else(Value::none, Value::some)
}

fn single<'v, 'a>(arguments: &'v [Value<'a>]) -> Result<&'v Value<'a>, EvalError> {
    arguments.first().ok_or_else(EvalError::no_such_overload)
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) | Value::Optional(None) => true,
        Value::Double(number) => *number == 0.0,
        Value::Duration(span) => span.nanoseconds == 0,
        // Go's zero time is the first moment of year 1.
        Value::Timestamp(moment) => moment.is_first(),
        Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => value.cost_size() == 0,
        _ => false,
    }
}

fn unwrap_all<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    let mut values = Vec::new();
    for element in single(arguments)?.as_list()?.iter() {
        match element {
            Value::Optional(Some(value)) => values.push(value.as_ref().clone()),
            Value::Optional(None) => {}
            other => return Err(EvalError::new(format!("value {} is not optional", show(&other)))),
        }
    }
    Ok(Value::list(values))
}
