//! Compiled expressions and what they are evaluated with.

use std::cell::{Cell, RefCell};

use serde_json::Value as Json;

use super::error::EvalError;
use super::evaluate::{Evaluator, Outcome};
use super::plan::Node;
use super::types::Type;
use super::value::Value;
use super::variables::{Answers, Variable, Variables};

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

/// The names of a policy's evaluation, phase after phase: roots and memoised variables.
#[derive(Debug)]
pub struct Activation<'a> {
    roots: Roots<'a>,
    subjects: [Value<'a>; 2],
    variables: Option<&'a Variables>,
    answers: RefCell<Answers<'a>>,
    variables_cost: Cell<u64>,
    pub(super) depth: Cell<usize>,
}

impl<'a> Activation<'a> {
    /// An activation without variables.
    pub fn new(roots: Roots<'a>) -> Self {
        Self {
            roots,
            subjects: [Value::Null, Value::Null],
            variables: None,
            answers: RefCell::default(),
            variables_cost: Cell::new(0),
            depth: Cell::new(0),
        }
    }

    /// An activation with a policy's variables, none evaluated yet.
    pub fn with_variables(roots: Roots<'a>, variables: &'a Variables) -> Self {
        let answers = RefCell::new(Answers::to(variables.len()));
        Self { variables: Some(variables), answers, ..Self::new(roots) }
    }

    /// An activation for a schema's rule: `self` and `oldSelf`.
    pub fn of_rule(this: Value<'a>, old: Value<'a>) -> Self {
        Self { subjects: [this, old], ..Self::new(Roots::default()) }
    }

    /// Begins a phase: the first use of each variable costs anew, though what it comes to is known.
    pub fn next_phase(&mut self) {
        self.answers.get_mut().next_phase();
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
    pub(super) fn variable(&self, name: &str) -> Option<Outcome<'a>> {
        let (index, variable) = self.variables?.find(name)?;
        if let Some((outcome, cost)) = self.answers.borrow_mut().recall(index) {
            self.charge_variables(cost);
            return Some(outcome);
        }
        Some(self.compute(index, variable))
    }

    fn compute(&self, index: usize, variable: &'a Variable) -> Outcome<'a> {
        let around = self.answers.borrow_mut().begin();
        let (outcome, cost) = self.run(variable);
        self.charge_variables(cost);
        self.answers.borrow_mut().learn(index, outcome.clone(), cost, around);
        outcome
    }

    fn run(&self, variable: &'a Variable) -> (Outcome<'a>, u64) {
        let Variable { name, program } = variable;
        match program {
            Ok(program) => {
                let (result, cost) = program.run(self);
                let bounded = self.answers.borrow_mut().bounded(result);
                (bounded.map_err(|error| EvalError::of_variable(name, &error)), cost)
            }
            Err(error) => (Err(EvalError::new(format!("composited variable {name:?} fails to compile: {error}"))), 0),
        }
    }

    fn charge_variables(&self, cost: u64) {
        self.variables_cost.set(self.variables_cost.get().saturating_add(cost));
    }
}
