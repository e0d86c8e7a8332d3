//! Compiled expressions and what they are evaluated with.

use std::cell::{Cell, RefCell};

use serde_json::Value as Json;

use super::error::{CompileError, EvalError};
use super::evaluate::Evaluator;
use super::nesting::Nesting;
use super::plan::Node;
use super::types::Type;
use super::value::Value;

/// The cost that one evaluation of one expression may reach (`PerCallLimit` of kube-apiserver).
pub const EXPRESSION_COST_LIMIT: u64 = 1_000_000;

/// A compiled expression. Can be shared between threads and evaluated any number of times.
#[derive(Debug)]
pub struct Program {
    pub(super) root: Node,
    pub(super) locals: usize,
    pub(super) result: Type,
    pub(super) uses_old: bool,
}

impl Program {
    /// The static type of the expression.
    pub fn result_type(&self) -> &Type {
        &self.result
    }

    /// Whether the expression names `oldSelf`.
    pub fn uses_old(&self) -> bool {
        self.uses_old
    }

    /// Evaluates the expression, limited to [`EXPRESSION_COST_LIMIT`].
    pub fn evaluate<'a>(&'a self, activation: &Activation<'a>) -> Evaluation<'a> {
        let before = activation.variables_cost.get();
        let (result, cost) = self.run(activation);
        Evaluation { result, cost, variables_cost: activation.variables_cost.get() - before }
    }

    fn run<'a>(&'a self, activation: &Activation<'a>) -> (Result<Value<'a>, EvalError>, u64) {
        let mut evaluator = Evaluator::new(self, activation);
        let result = evaluator.eval(&self.root);
        (result, evaluator.cost)
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
        let name = name.into();
        match self.position(&name).and_then(|index| self.entries.get_mut(index)) {
            Some(entry) => entry.1 = program,
            None => self.entries.push((name, program)),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|(known, _)| known == name)
    }
}

type Memo<'a> = Vec<Option<Result<Value<'a>, EvalError>>>;

/// The names of one phase of a policy's evaluation: roots and memoised variables.
#[derive(Debug)]
pub struct Activation<'a> {
    roots: Roots<'a>,
    subjects: [Value<'a>; 2],
    variables: Option<&'a Variables>,
    memo: RefCell<Memo<'a>>,
    pub(super) variables_cost: Cell<u64>,
    pub(super) depth: Cell<usize>,
    nesting: RefCell<Nesting>,
}

impl<'a> Activation<'a> {
    /// An activation without variables.
    pub fn new(roots: Roots<'a>) -> Self {
        Self {
            roots,
            subjects: [Value::Null, Value::Null],
            variables: None,
            memo: RefCell::default(),
            variables_cost: Cell::new(0),
            depth: Cell::new(0),
            nesting: RefCell::default(),
        }
    }

    /// An activation with a policy's variables, none evaluated yet.
    pub fn with_variables(roots: Roots<'a>, variables: &'a Variables) -> Self {
        let memo = RefCell::new(vec![None; variables.entries.len()]);
        Self { variables: Some(variables), memo, ..Self::new(roots) }
    }

    /// An activation for a schema's rule: `self` and `oldSelf`.
    pub fn of_rule(this: Value<'a>, old: Value<'a>) -> Self {
        Self { subjects: [this, old], ..Self::new(Roots::default()) }
    }

    /// The value of `self` (0) or `oldSelf` (1).
    pub(super) fn subject(&self, index: usize) -> Value<'a> {
        self.subjects.get(index).cloned().unwrap_or(Value::Null)
    }

    /// The roots.
    pub fn roots(&self) -> &Roots<'a> {
        &self.roots
    }

    /// The variables, if declared.
    pub fn variables(&self) -> Option<&'a Variables> {
        self.variables
    }

    /// The value or failure of a variable, evaluated at first use.
    pub(super) fn variable(&self, name: &str) -> Option<Result<Value<'a>, EvalError>> {
        let variables = self.variables?;
        let index = variables.position(name)?;
        if let Some(known) = self.memo.borrow().get(index).and_then(Clone::clone) {
            return Some(known);
        }
        let outcome = self.compute(variables.entries.get(index)?);
        if let Some(slot) = self.memo.borrow_mut().get_mut(index) {
            *slot = Some(outcome.clone());
        }
        Some(outcome)
    }

    fn compute(&self, entry: &'a (String, Result<Program, CompileError>)) -> Result<Value<'a>, EvalError> {
        let (name, program) = entry;
        let program = match program {
            Ok(program) => program,
            Err(error) => {
                return Err(EvalError::new(format!("composited variable {name:?} fails to compile: {error}")));
            }
        };
        let (result, cost) = program.run(self);
        self.variables_cost.set(self.variables_cost.get().saturating_add(cost));
        let bounded = result.and_then(|value| match self.nesting.borrow_mut().measure(&value) {
            Some(_) => Ok(value),
            None => Err(EvalError::Depth),
        });
        bounded.map_err(|error| EvalError::of_variable(name, &error))
    }
}
