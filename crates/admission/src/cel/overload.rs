//! How a function is declared: its signature, since when it exists, what it does and what it costs.

use regex::Regex;

use super::environment::KubeVersion;
use super::error::EvalError;
use super::types::Type;
use super::value::Value;

/// What an overload does. The receiver of a member function is the first argument.
pub type Implementation = for<'a> fn(&[Value<'a>]) -> Result<Value<'a>, EvalError>;

/// What an overload does when its pattern is a constant that was compiled in advance.
pub type PatternImplementation = for<'a> fn(&Regex, &[Value<'a>]) -> Result<Value<'a>, EvalError>;

/// What a call costs, given its arguments and outcome. An argument that failed never gets here:
/// such a call costs what the function costs with size-1 operands (see `cost`).
pub type CostFunction = for<'a> fn(&[Value<'a>], &Result<Value<'a>, EvalError>) -> u64;

/// One overload of a function.
#[derive(Clone, Debug)]
pub struct Overload {
    /// The overload's identity on the server, such as `string_to_quantity`.
    pub id: &'static str,
    /// The function's name, with its namespace if it has one (`sets.contains`).
    pub name: &'static str,
    /// Whether it is called on its first argument (`x.f()`).
    pub member: bool,
    /// Types of the parameters, the receiver first.
    pub parameters: Vec<Type>,
    /// Type of the result.
    pub result: Type,
    /// First compatibility version that has it.
    pub since: KubeVersion,
    /// First compatibility version that has it no longer.
    pub until: Option<KubeVersion>,
    /// What it does.
    pub implementation: Implementation,
    /// The position of a pattern argument and what to do when that is a constant.
    pub pattern: Option<(usize, PatternImplementation)>,
    /// What it costs; 1 where absent.
    pub cost: Option<CostFunction>,
}

impl Overload {
    /// A function called as `name(arguments)`, present in all versions.
    pub fn global(
        name: &'static str,
        id: &'static str,
        parameters: Vec<Type>,
        result: Type,
        implementation: Implementation,
    ) -> Self {
        Self {
            id,
            name,
            member: false,
            parameters,
            result,
            since: KubeVersion::OLDEST,
            until: None,
            implementation,
            pattern: None,
            cost: None,
        }
    }

    /// A function called on its first argument, present in all versions.
    pub fn member(
        name: &'static str,
        id: &'static str,
        parameters: Vec<Type>,
        result: Type,
        implementation: Implementation,
    ) -> Self {
        Self { member: true, ..Self::global(name, id, parameters, result, implementation) }
    }

    /// Limits it to compatibility versions from this one on.
    #[must_use]
    pub fn since(self, since: KubeVersion) -> Self {
        Self { since, ..self }
    }

    /// Limits it to compatibility versions before this one.
    #[must_use]
    pub fn until(self, until: KubeVersion) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Gives it a cost other than 1.
    #[must_use]
    pub fn cost(self, cost: CostFunction) -> Self {
        Self { cost: Some(cost), ..self }
    }

    /// Gives it a second implementation for a constant pattern at this position.
    #[must_use]
    pub fn pattern(self, position: usize, implementation: PatternImplementation) -> Self {
        Self { pattern: Some((position, implementation)), ..self }
    }

    /// Whether this compatibility version has it.
    pub fn exists_in(&self, version: KubeVersion) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }
}
