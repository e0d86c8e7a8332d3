//! The language's own functions.

mod arithmetic;
mod collections;
mod conversions;
mod moments;
mod numbers;
mod optional;
mod strings;

pub(super) use arithmetic::append;
pub(super) use collections::insert_into;
pub(super) use conversions::is_conversion;
pub(crate) use numbers::display_double;

use super::function::{Binding, Function};
use super::overload::{CostFunction, Implementation, Overload};
use super::types::Type;
use super::value::Value;

/// All standard functions with all their overloads.
pub(super) fn standard() -> Vec<Function> {
    let mut all = arithmetic::functions();
    all.extend(collections::functions());
    all.extend(conversions::functions());
    all.extend(moments::functions());
    all.extend(optional::functions());
    all.extend(strings::functions());
    all
}

/// Whether a function belongs to the language, whose costs go by overload and not by name.
pub(super) fn is_standard(name: &str) -> bool {
    standard_names().contains(&name)
}

fn standard_names() -> &'static [&'static str] {
    static NAMES: std::sync::LazyLock<Vec<&'static str>> =
        std::sync::LazyLock::new(|| standard().iter().map(|function| function.name).collect());
    &NAMES
}

/// A signature of a function whose implementation is elsewhere.
struct Signature {
    id: &'static str,
    parameters: Vec<Type>,
    result: Type,
    member: bool,
    cost: Option<CostFunction>,
}

fn signature(id: &'static str, parameters: Vec<Type>, result: Type) -> Signature {
    Signature { id, parameters, result, member: false, cost: None }
}

impl Signature {
    fn member(self) -> Self {
        Self { member: true, ..self }
    }

    fn cost(self, cost: CostFunction) -> Self {
        Self { cost: Some(cost), ..self }
    }

    fn overload(self, name: &'static str, implementation: Implementation) -> Overload {
        let make = if self.member { Overload::member } else { Overload::global };
        Overload { cost: self.cost, ..make(name, self.id, self.parameters, self.result, implementation) }
    }
}

/// A function with one implementation for all its overloads.
fn singleton(
    name: &'static str,
    signatures: Vec<Signature>,
    implementation: Implementation,
    first: fn(&Value<'_>) -> bool,
) -> Function {
    let overloads = signatures.into_iter().map(|signature| signature.overload(name, implementation)).collect();
    Function { name, overloads, binding: Binding::Singleton { implementation, first } }
}

/// A function that the evaluator itself knows.
fn special(name: &'static str, signatures: Vec<Signature>) -> Function {
    let overloads = signatures.into_iter().map(|signature| signature.overload(name, unreachable_overload)).collect();
    Function { name, overloads, binding: Binding::Special }
}

/// A function each of whose overloads has its own implementation.
fn overloaded(name: &'static str, overloads: Vec<Overload>) -> Function {
    Function { name, overloads, binding: Binding::Overloads { unguarded: false } }
}

fn unreachable_overload<'a>(_: &[Value<'a>]) -> Result<Value<'a>, super::error::EvalError> {
    Err(super::error::EvalError::no_such_overload())
}

fn any(_: &Value<'_>) -> bool {
    true
}
