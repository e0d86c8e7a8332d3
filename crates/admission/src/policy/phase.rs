//! Evaluating the expressions of one phase one after another, out of one budget.

use super::compile::{Expression, compile_error_text};
use crate::cel::{Activation, Cause, EvalError, Value};
use crate::verdict::{ErrorKind, ExpressionCost};

/// The cost that is left. Running out ends a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(u64);

/// The budget does not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfBudget;

impl OutOfBudget {
    pub(super) const TEXT: &str =
        "validation failed due to running out of cost budget, no further validation rules will be run";
}

/// Why an expression has no value, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpressionError {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

/// The outcome of one expression.
pub(super) type Outcome<'a> = Result<Value<'a>, ExpressionError>;

impl Budget {
    pub(super) fn new(cost: u64) -> Self {
        Self(cost)
    }

    fn spend(&mut self, cost: u64) -> Result<(), OutOfBudget> {
        self.0 = self.0.checked_sub(cost).ok_or(OutOfBudget)?;
        Ok(())
    }
}

/// Evaluates one expression and notes its cost.
pub(super) fn evaluate<'a>(
    expression: &'a Expression,
    activation: &Activation<'a>,
    budget: &mut Budget,
    costs: &mut Vec<ExpressionCost>,
) -> Result<Outcome<'a>, OutOfBudget> {
    let program = match &expression.program {
        Ok(program) => program,
        Err(error) => {
            costs.push(ExpressionCost::default());
            let message = format!("compilation error: {}", compile_error_text(error));
            return Ok(Err(ExpressionError { kind: ErrorKind::Compile, message }));
        }
    };
    let evaluation = program.evaluate(activation);
    costs.push(ExpressionCost { own: evaluation.cost, variables: evaluation.variables_cost });
    budget.spend(evaluation.variables_cost)?;
    budget.spend(evaluation.cost)?;
    Ok(evaluation.result.map_err(|error| ExpressionError::new(&expression.source, &error)))
}

impl ExpressionError {
    fn new(source: &str, error: &EvalError) -> Self {
        let message = format!("expression '{source}' resulted in error: {error}");
        Self { kind: kind(error), message }
    }
}

fn kind(error: &EvalError) -> ErrorKind {
    match error.cause() {
        Cause::Cost => ErrorKind::Cost,
        Cause::Evaluator => ErrorKind::Unsupported,
        Cause::Expression => ErrorKind::Evaluation,
    }
}
