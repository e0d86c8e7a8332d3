//! Policies and bindings, ready to be evaluated.

mod annotations;
mod binding;
mod compile;
mod evaluate;
mod judge;
mod message;
mod metadata;
mod namespace;
mod params;
mod phase;
mod rules;
mod validate;

pub use binding::Binding;
pub use compile::Policy;
pub use evaluate::{evaluate, evaluate_all};

/// Cost that the validations of a policy and their messages may reach together, for one binding and parameter
/// object, and its audit annotations again (`RuntimeCELCostBudget` of kube-apiserver).
pub const EVALUATION_BUDGET: u64 = 10_000_000;

/// Cost that the match conditions of a policy may reach together (`RuntimeCELCostBudgetMatchConditions`).
pub const MATCH_CONDITIONS_BUDGET: u64 = 2_500_000;

/// What happens when a policy cannot be evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The request is refused.
    #[default]
    Fail,
    /// The request gets through as far as the failure is concerned.
    Ignore,
}
