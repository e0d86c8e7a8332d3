//! Sizes, membership, indexing and insertion.

use std::sync::Arc;

use super::super::ast::operator;
use super::super::cost;
use super::super::environment::KubeVersion;
use super::super::equality::equal;
use super::super::error::EvalError;
use super::super::function::Function;
use super::super::map::{Entries, Map};
use super::super::overload::Overload;
use super::super::show::show;
use super::super::types::Type;
use super::super::value::Value;
use super::{any, overloaded, signature, singleton, special};

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// Compatibility version of optional types.
pub(super) const OPTIONAL_TYPES: KubeVersion = KubeVersion::minor(28);
/// Compatibility version of comprehensions over two variables.
const TWO_VARIABLES: KubeVersion = KubeVersion::minor(32);

fn list() -> Type {
    Type::list(Type::Param("A"))
}

fn map() -> Type {
    Type::map(Type::Param("A"), Type::Param("B"))
}

pub(super) fn functions() -> Vec<Function> {
    vec![size_function(), membership(), index(), insertion()]
}

fn size_function() -> Function {
    let kinds = [("bytes", Type::Bytes), ("list", list()), ("map", map()), ("string", Type::String)];
    let signatures = kinds
        .into_iter()
        .flat_map(|(id, kind)| {
            [signature(id, vec![kind.clone()], Type::Int), signature(id, vec![kind], Type::Int).member()]
        })
        .collect();
    singleton("size", signatures, size, has_size)
}

fn membership() -> Function {
    let signatures = vec![
        signature("in_list", vec![Type::Param("A"), list()], Type::Bool).cost(cost::membership),
        signature("in_map", vec![Type::Param("A"), map()], Type::Bool),
    ];
    singleton(operator::IN, signatures, contains, any)
}

fn index() -> Function {
    let optional = |kind| Type::optional(kind);
    let mut function = special(
        operator::INDEX,
        vec![
            signature("index_list", vec![list(), Type::Int], Type::Param("A")),
            signature("index_map", vec![map(), Type::Param("A")], Type::Param("B")),
            signature("optional_list_index_int", vec![optional(list()), Type::Int], optional(Type::Param("A"))),
            signature("optional_map_index_value", vec![optional(map()), Type::Param("A")], optional(Type::Param("B"))),
        ],
    );
    for overload in function.overloads.iter_mut().filter(|overload| overload.id.starts_with("optional")) {
        overload.since = OPTIONAL_TYPES;
    }
    function
}

fn insertion() -> Function {
    let one = vec![map(), Type::Param("A"), Type::Param("B")];
    overloaded(
        operator::MAP_INSERT,
        vec![
            Overload::global(operator::MAP_INSERT, "@mapInsert_map_key_value", one, map(), insert).since(TWO_VARIABLES),
            Overload::global(operator::MAP_INSERT, "@mapInsert_map_map", vec![map(), map()], map(), insert)
                .since(TWO_VARIABLES),
        ],
    )
}

fn has_size(value: &Value<'_>) -> bool {
    matches!(value, Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::String(_) | Value::Variables)
}

fn size<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [value] if has_size(value) => Ok(Value::Int(i64::try_from(value.cost_size()).unwrap_or(i64::MAX))),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn contains<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [element, Value::List(list)] => Ok(Value::Bool(list.iter().any(|candidate| equal(element, &candidate)))),
        [key, Value::Map(map)] => Ok(Value::Bool(map.contains(key))),
        _ => Err(EvalError::no_such_overload()),
    }
}

fn insert<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    match arguments {
        [map, key, value] => insert_into(map.clone(), vec![(key.clone(), value.clone())]),
        [map, Value::Map(more)] => insert_into(map.clone(), more.iter().collect()),
        _ => Err(EvalError::no_such_overload()),
    }
}

/// Adds entries to a map, in place where nobody else holds it; a key that is already there is an error.
pub(in super::super) fn insert_into<'a>(map: Value<'a>, more: Vec<(Value<'a>, Value<'a>)>) -> Outcome<'a> {
    let Value::Map(map) = map else { return Err(EvalError::no_such_overload()) };
    let mut entries = match map {
        Map::Entries(entries) => Arc::try_unwrap(entries).unwrap_or_else(|shared| (*shared).clone()),
        Map::Json(_) => map.iter().collect::<Entries<'a>>(),
    };
    for (key, value) in more {
        if entries.get(&key).is_some() {
            return Err(EvalError::new(format!("insert failed: key {} already exists", show(&key))));
        }
        entries.insert(key, value);
    }
    Ok(Value::map(entries))
}
