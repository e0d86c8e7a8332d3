//! A policy's variables, and what they come to for one request.

use std::mem;

use super::error::{Cause, CompileError, EvalError};
use super::evaluate::Outcome;
use super::nesting::Nesting;
use super::program::Program;

/// The compiled variables of a policy, in order of declaration.
#[derive(Debug, Default)]
pub struct Variables {
    entries: Vec<Variable>,
}

/// A variable of a policy.
#[derive(Debug)]
pub(super) struct Variable {
    pub name: String,
    pub program: Result<Program, CompileError>,
}

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable; a later one of the same name replaces an earlier one.
    pub fn push(&mut self, name: impl Into<String>, program: Result<Program, CompileError>) {
        let name = name.into();
        match self.entries.iter_mut().find(|known| known.name == name) {
            Some(known) => known.program = program,
            None => self.entries.push(Variable { name, program }),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A variable with its place.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Variable)> {
        self.entries.iter().enumerate().find(|(_, known)| known.name == name)
    }
}

/// What a variable came to.
#[derive(Debug)]
struct Answer<'a> {
    outcome: Outcome<'a>,
    /// What its own expression cost.
    cost: u64,
    /// The variables that its expression used.
    uses: Vec<usize>,
    /// Whether the current phase was charged for it.
    is_charged: bool,
}

impl Answer<'_> {
    /// What only this evaluator could not do, because it was deep in others, it may do next time.
    fn is_final(&self) -> bool {
        !matches!(&self.outcome, Err(error) if error.cause() == Cause::Evaluator)
    }
}

/// What the variables came to, kept from phase to phase: the server evaluates them in each, to the same result.
#[derive(Debug, Default)]
pub(super) struct Answers<'a> {
    known: Vec<Option<Answer<'a>>>,
    /// What the variable that is being evaluated has used so far.
    used: Vec<usize>,
    nesting: Nesting,
}

impl<'a> Answers<'a> {
    /// None yet, for so many variables.
    pub fn to(variables: usize) -> Self {
        Self { known: (0..variables).map(|_| None).collect(), ..Self::default() }
    }

    /// Begins a phase, which nothing has been charged to.
    pub fn next_phase(&mut self) {
        for answer in self.known.iter_mut().flatten() {
            answer.is_charged = false;
        }
    }

    /// What a variable came to, with what its use costs: nothing but for the first use in a phase.
    pub fn recall(&mut self, index: usize) -> Option<(Outcome<'a>, u64)> {
        if !self.used.contains(&index) {
            self.used.push(index);
        }
        let answer = self.known.get(index)?.as_ref()?;
        let outcome = answer.outcome.clone();
        if answer.is_charged {
            return Some((outcome, 0));
        }
        answer.is_final().then(|| (outcome, self.charge(index)))
    }

    /// The cost of a variable and of all that it used, as far as the phase was not charged for them before.
    fn charge(&mut self, index: usize) -> u64 {
        let mut cost: u64 = 0;
        let mut pending = vec![index];
        while let Some(index) = pending.pop() {
            if let Some(Some(answer)) = self.known.get_mut(index)
                && !mem::replace(&mut answer.is_charged, true)
            {
                cost = cost.saturating_add(answer.cost);
                pending.extend_from_slice(&answer.uses);
            }
        }
        cost
    }

    /// Begins the evaluation of a variable; gives what the one around it has used so far, for [`Self::learn`].
    pub fn begin(&mut self) -> Vec<usize> {
        mem::take(&mut self.used)
    }

    /// Keeps what a variable came to and cost.
    pub fn learn(&mut self, index: usize, outcome: Outcome<'a>, cost: u64, around: Vec<usize>) {
        let uses = mem::replace(&mut self.used, around);
        if let Some(place) = self.known.get_mut(index) {
            *place = Some(Answer { outcome, cost, uses, is_charged: true });
        }
    }

    /// The value of a variable, unless it nests too deeply to be kept.
    pub fn bounded(&mut self, result: Outcome<'a>) -> Outcome<'a> {
        let value = result?;
        self.nesting.measure(&value).map(|_| value).ok_or(EvalError::Depth)
    }
}
