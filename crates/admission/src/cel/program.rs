//! Compiled expressions and what they are evaluated with.

use serde_json::Value as Json;

use super::error::{CompileError, EvalError};
use super::types::Type;
use super::value::Value;

/// The cost that one evaluation of one expression may reach (`PerCallLimit` of kube-apiserver).
pub const EXPRESSION_COST_LIMIT: u64 = 1_000_000;

/// A compiled expression. Can be shared between threads and evaluated any number of times.
#[derive(Debug)]
pub struct Program {
    result: Type,
}

impl Program {
    /// The static type of the expression.
    pub fn result_type(&self) -> &Type {
        &self.result
    }

    /// Evaluates the expression, limited to [`EXPRESSION_COST_LIMIT`].
    pub fn evaluate<'a>(&'a self, _activation: &Activation<'a>) -> Evaluation<'a> {
        Evaluation { result: Err(EvalError::new("not yet")), cost: 0, variables_cost: 0 }
    }
}

/// The outcome of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation<'a> {
    /// The value, or why there is none.
    pub result: Result<Value<'a>, EvalError>,
    /// What the expression itself cost.
    pub cost: u64,
    /// What the variables cost that this evaluation was the first to use.
    pub variables_cost: u64,
}

/// What the root names stand for. Absent objects are null.
#[derive(Clone, Copy, Debug, Default)]
pub struct Roots<'a> {
    /// `object`.
    pub object: Option<&'a Json>,
    /// `oldObject`.
    pub old_object: Option<&'a Json>,
    /// `params`.
    pub params: Option<&'a Json>,
    /// `request`.
    pub request: Option<&'a Json>,
    /// `namespaceObject`.
    pub namespace_object: Option<&'a Json>,
}

/// The compiled variables of a policy, in order of declaration.
#[derive(Debug, Default)]
pub struct Variables {
    entries: Vec<(String, Result<Program, CompileError>)>,
}

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable; a later one of the same name replaces an earlier one.
    pub fn push(&mut self, name: impl Into<String>, program: Result<Program, CompileError>) {
        self.entries.push((name.into(), program));
    }
}

/// The names of one phase of a policy's evaluation: roots and memoised variables.
#[derive(Debug)]
pub struct Activation<'a> {
    roots: Roots<'a>,
    variables: Option<&'a Variables>,
}

impl<'a> Activation<'a> {
    /// An activation without variables.
    pub fn new(roots: Roots<'a>) -> Self {
        Self { roots, variables: None }
    }

    /// An activation with a policy's variables, none evaluated yet.
    pub fn with_variables(roots: Roots<'a>, variables: &'a Variables) -> Self {
        Self { roots, variables: Some(variables) }
    }

    /// The roots.
    pub fn roots(&self) -> &Roots<'a> {
        &self.roots
    }

    /// The variables, if declared.
    pub fn variables(&self) -> Option<&'a Variables> {
        self.variables
    }
}
