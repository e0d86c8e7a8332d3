//! What policies say about a request.

use std::collections::BTreeMap;
use std::fmt;

use crate::matching::Step;

/// The outcome of one policy, with all its bindings, for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The policy was evaluated and refuses nothing.
    Allow,
    /// A validation is false and a binding denies.
    Deny(Denial),
    /// Something could not be evaluated; whether the request gets through nevertheless is [`PolicyError::admitted`].
    Error(PolicyError),
    /// The policy does not concern the request.
    NotMatched(Mismatch),
}

impl Verdict {
    /// Whether the request gets through as far as this policy is concerned.
    pub fn admits(&self) -> bool {
        match self {
            Self::Allow | Self::NotMatched(_) => true,
            Self::Deny(_) => false,
            Self::Error(error) => error.admitted,
        }
    }
}

/// A validation that is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The policy.
    pub policy: String,
    /// The binding.
    pub binding: String,
    /// Which of `spec.validations`, from 0.
    pub validation: usize,
    /// Its expression.
    pub expression: String,
    /// The message, chosen from `messageExpression`, `message` and the expression.
    pub message: String,
    /// The reason, which decides the code.
    pub reason: Reason,
    /// What the binding does about it.
    pub actions: Vec<Action>,
}

impl Denial {
    /// The HTTP code of the refusal.
    pub fn code(&self) -> u16 {
        self.reason.code()
    }

    /// Whether the request is refused because of it, rather than warned of or recorded.
    pub fn refuses(&self) -> bool {
        self.actions.contains(&Action::Deny)
    }
}

/// Something that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The policy.
    pub policy: String,
    /// The binding, unless the policy itself is at fault.
    pub binding: Option<String>,
    /// Which of `spec.validations` is at fault, if one is.
    pub validation: Option<usize>,
    /// The class of error.
    pub kind: ErrorKind,
    /// The server's text.
    pub message: String,
    /// Whether the request gets through: under `failurePolicy: Ignore`, or where the binding only warns or audits.
    pub admitted: bool,
}

/// Classes of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An expression failed on this request.
    Evaluation,
    /// An expression, or all of them together, cost more than the server allows.
    Cost,
    /// Parameters, selectors, namespaces: the policy and its surroundings do not fit together.
    Configuration,
    /// An expression does not compile.
    Compile,
    /// Not an error of the server's, but a limit of this evaluator, such as an authorization check. Not admitted
    /// under `failurePolicy: Ignore` either, because a server could come to a refusal.
    Unsupported,
}

/// Why a policy does not concern a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Policies do not concern policies, nor reviews of authentication and authorization.
    ExemptResource,
    /// No binding names the policy.
    NoBinding,
    /// The policy's `matchConstraints`.
    Policy(Step),
    /// The `matchResources` of a binding.
    Binding {
        /// The binding.
        binding: String,
        /// The step.
        step: Step,
    },
    /// There are no parameters, and the binding allows that.
    NoParams {
        /// The binding.
        binding: String,
    },
    /// A match condition is false.
    MatchCondition {
        /// The binding.
        binding: String,
        /// The condition.
        name: String,
    },
}

/// What a binding does about a failed validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Refuses the request.
    Deny,
    /// Adds a warning to the response.
    Warn,
    /// Records an audit annotation.
    Audit,
}

impl Action {
    /// The name as it is in a binding.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Deny, Self::Warn, Self::Audit].into_iter().find(|action| action.as_str() == name)
    }
}

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reason {
    /// 422; also what the server answers for every error.
    #[default]
    Invalid,
    /// 403.
    Forbidden,
    /// 413.
    RequestEntityTooLarge,
    /// 401. The server has the mapping but accepts no policy with this reason.
    Unauthorized,
}

impl Reason {
    /// The name as it is in policies and in a `Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Forbidden => "Forbidden",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::Unauthorized => "Unauthorized",
        }
    }

    /// The HTTP code.
    pub fn code(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Forbidden => 403,
            Self::RequestEntityTooLarge => 413,
            Self::Unauthorized => 401,
        }
    }

    pub(crate) fn parse(name: &str) -> Self {
        let known = [Self::Forbidden, Self::RequestEntityTooLarge, Self::Unauthorized];
        known.into_iter().find(|reason| reason.as_str() == name).unwrap_or_default()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One thing that a policy found wrong, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A validation is false.
    Denial(Denial),
    /// Something could not be evaluated.
    Error(PolicyError),
}

impl Finding {
    /// Whether the request is refused because of it.
    pub fn refuses(&self) -> bool {
        match self {
            Self::Denial(denial) => denial.refuses(),
            Self::Error(error) => !error.admitted,
        }
    }
}

/// What the expressions of one policy cost for one binding and one parameter object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The binding.
    pub binding: String,
    /// The match conditions, in order; budget 2,500,000.
    pub match_conditions: Vec<ExpressionCost>,
    /// The validations, in order; budget 10,000,000 together with their messages.
    pub validations: Vec<ExpressionCost>,
    /// The message expressions by validation, zero where there is none.
    pub messages: Vec<ExpressionCost>,
    /// The audit annotations, in order; budget 10,000,000.
    pub audit_annotations: Vec<ExpressionCost>,
}

/// What one expression cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpressionCost {
    /// The expression itself; at most 1,000,000.
    pub own: u64,
    /// The variables that it was the first of its phase to use.
    pub variables: u64,
}

impl ExpressionCost {
    /// Both together.
    pub fn total(self) -> u64 {
        self.own.saturating_add(self.variables)
    }
}

impl Cost {
    /// Everything together.
    pub fn total(&self) -> u64 {
        let phases = [&self.match_conditions, &self.validations, &self.messages, &self.audit_annotations];
        phases.into_iter().flatten().fold(0, |sum, cost| sum.saturating_add(cost.total()))
    }
}

/// All that one policy says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReport {
    /// The policy.
    pub policy: String,
    /// The outcome.
    pub verdict: Verdict,
    /// Everything found wrong, refusing or not, in the server's order.
    pub findings: Vec<Finding>,
    /// What it cost, one entry for each binding and parameter object that was evaluated.
    pub costs: Vec<Cost>,
    /// The texts of warnings, before the limits that apply to a response as a whole.
    pub warnings: Vec<String>,
    /// Audit annotations by key.
    pub audit_annotations: BTreeMap<String, String>,
}

/// What all policies say about a request, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One report for each policy.
    pub policies: Vec<PolicyReport>,
    /// The warnings of the response: each once, cut as the server cuts them.
    pub warnings: Vec<String>,
    /// Audit annotations by key.
    pub audit_annotations: BTreeMap<String, String>,
}

impl Report {
    /// The policy that decides: the first that refuses, else the first with an error, else the first that was
    /// evaluated, else the first. A server has no fixed order of policies.
    pub fn deciding(&self) -> Option<&PolicyReport> {
        let find = |wanted: fn(&Verdict) -> bool| self.policies.iter().find(|report| wanted(&report.verdict));
        find(|verdict| !verdict.admits())
            .or_else(|| find(|verdict| matches!(verdict, Verdict::Error(_))))
            .or_else(|| find(|verdict| matches!(verdict, Verdict::Allow)))
            .or_else(|| self.policies.first())
    }

    /// The overall outcome; none without policies.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.deciding().map(|report| &report.verdict)
    }

    /// Whether the request gets through.
    pub fn admits(&self) -> bool {
        self.policies.iter().all(|report| report.verdict.admits())
    }
}
