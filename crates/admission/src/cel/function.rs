//! Functions as the checker and the evaluator find them: all overloads of one name.

use std::collections::HashMap;
use std::sync::Arc;

use super::environment::KubeVersion;
use super::overload::{Implementation, Overload};
use super::types::Type;
use super::value::Value;
use super::{functions, library};

/// A function with its overloads in order of declaration.
#[derive(Debug)]
pub(super) struct Function {
    pub name: &'static str,
    pub overloads: Vec<Overload>,
    pub binding: Binding,
}

/// How a function's implementation is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Binding {
    /// Each overload has its own, chosen by the kinds of the arguments. The flag says that a call which the
    /// checker resolved skips that test, because the implementation makes it.
    Overloads { unguarded: bool },
    /// One for all overloads, for first arguments that have the trait.
    Singleton { implementation: Implementation, first: fn(&Value<'_>) -> bool },
    /// The evaluator itself knows what to do.
    Special,
}

impl Function {
    /// Whether costs depend on the overload, which must then be known before the evaluation.
    pub fn is_standard(&self) -> bool {
        !matches!(self.binding, Binding::Overloads { .. }) || functions::is_standard(self.name)
    }
}

/// The functions of a compatibility version by name.
pub(super) type Functions = HashMap<&'static str, Arc<Function>>;

/// All functions of a compatibility version.
pub(super) fn functions(version: KubeVersion) -> Functions {
    let mut found: HashMap<&'static str, Function> = HashMap::new();
    for mut function in functions::standard() {
        function.overloads.retain(|overload| overload.exists_in(version));
        if !function.overloads.is_empty() {
            found.insert(function.name, function);
        }
    }
    for overload in library::overloads().into_iter().filter(|overload| overload.exists_in(version)) {
        add(&mut found, overload);
    }
    found.into_iter().map(|(name, function)| (name, Arc::new(function))).collect()
}

fn add(found: &mut HashMap<&'static str, Function>, overload: Overload) {
    let function = found.entry(overload.name).or_insert_with(|| Function {
        name: overload.name,
        overloads: Vec::new(),
        binding: Binding::Overloads { unguarded: false },
    });
    if function.overloads.iter().all(|present| present.id != overload.id) {
        function.overloads.push(overload);
    }
}

/// Whether a value is of a parameter's kind at run time, where elements of lists and maps are not looked at.
pub(super) fn matches_kind(parameter: &Type, value: &Value<'_>) -> bool {
    match (parameter, value) {
        (Type::Dyn | Type::Param(_) | Type::Variable(_), _) => true,
        (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Uint, Value::Uint(_))
        | (Type::Double, Value::Double(_))
        | (Type::String, Value::String(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::List(_), Value::List(_))
        | (Type::Map(..), Value::Map(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Timestamp, Value::Timestamp(_))
        | (Type::Type(_), Value::Type(_)) => true,
        (Type::Opaque(name, _), value) => *name == value.type_name(),
        _ => false,
    }
}
