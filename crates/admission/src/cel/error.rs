//! What can go wrong: compilation and evaluation, in the server's words.

use std::borrow::Cow;

use thiserror::Error;

/// The text of a failure, boxed: the outcome of an evaluation is then no larger than a value.
type Message = Box<Cow<'static, str>>;

/// An evaluation that failed. Its text is what the API server reports.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvalError {
    /// An ordinary failure, which `&&`, `||` and the macros built on them can absorb.
    #[error("{0}")]
    Failed(Message),
    /// An authorization check, which only a cluster could answer. Absorbed like an ordinary failure.
    #[error("{0}")]
    Unanswered(Message),
    /// A variable failed within the evaluation that used it.
    #[error("{0}")]
    Variable(Box<VariableFailure>),
    /// The expression's own cost limit was exceeded; nothing absorbs this.
    #[error("operation cancelled: actual cost limit exceeded")]
    CostLimit,
    /// A value that the server's own language cannot use as a key; the server gives the evaluation up.
    #[error("internal error: runtime error: hash of unhashable type types.Bytes")]
    Unhashable,
    /// The evaluation nests deeper than this evaluator's stack allows; nothing absorbs this.
    #[error("operation cancelled: evaluation nests too deeply")]
    Depth,
}

impl EvalError {
    /// An ordinary failure with this text.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(Box::new(text.into()))
    }

    /// What only a cluster could answer.
    pub(super) fn unanswered(text: &'static str) -> Self {
        Self::Unanswered(Box::new(Cow::Borrowed(text)))
    }

    /// The text for operands of the wrong types.
    pub fn no_such_overload() -> Self {
        Self::new("no such overload")
    }

    /// The text for a map entry that is not there; the key is already rendered.
    pub fn no_such_key(key: impl std::fmt::Display) -> Self {
        Self::new(format!("no such key: {key}"))
    }

    /// The failure of a variable, for those who use it.
    pub(super) fn of_variable(name: &str, error: &Self) -> Self {
        let text = format!("composited variable {name:?} fails to evaluate: {error}");
        Self::Variable(Box::new(VariableFailure { text, cause: error.cause() }))
    }

    /// What the failure comes down to.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Failed(_) | Self::Unhashable => Cause::Expression,
            Self::CostLimit => Cause::Cost,
            Self::Unanswered(_) | Self::Depth => Cause::Evaluator,
            Self::Variable(failure) => failure.cause,
        }
    }

    /// Whether a logical operator may absorb the failure.
    pub fn is_absorbable(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Unanswered(_) | Self::Variable(_))
    }
}

/// The failure of a variable, as those who use it see it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text}")]
pub struct VariableFailure {
    /// The whole text.
    pub text: String,
    /// What the failure comes down to, through all variables in between.
    pub cause: Cause,
}

/// What a failed evaluation comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The expression, which fails on the server too.
    Expression,
    /// The cost limit.
    Cost,
    /// What this evaluator cannot do and a server could.
    Evaluator,
}

/// One finding of the parser or the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Line, from 1.
    pub line: usize,
    /// Column in code points, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why an expression is not accepted. Displays as the server's text, with source lines and markers.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CompileError {
    /// Syntax or type errors: the rendered text and its parts.
    #[error("{text}")]
    Findings {
        /// The whole text, each finding with its source line and a marker.
        text: String,
        /// The findings in order.
        findings: Vec<Finding>,
    },
    /// The expression is well-typed but has not the type that its place demands.
    #[error("must evaluate to {expected} but got {got}")]
    ResultType {
        /// The demanded types, as the server lists them.
        expected: String,
        /// The type found.
        got: String,
    },
    /// The checked expression could not be turned into a program (such as a constant conversion that fails).
    #[error("{0}")]
    Program(String),
}

impl CompileError {
    /// The findings, if the failure is of that kind.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Findings { findings, .. } => findings,
            _ => &[],
        }
    }
}
