//! What must come of a case.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What must come of a case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// The request is judged, and admitted.
    Allow,
    /// Nothing judges the request.
    NotMatched,
    /// The request is refused, by whom and why.
    Deny(Denied),
    /// The request cannot be judged, and is refused for it.
    Error(Failed),
}

/// A refusal. What is not given is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denied {
    /// Who refuses.
    #[serde(default)]
    pub layer: Layer,
    /// The policy that refuses.
    pub policy: Option<String>,
    /// The rule of a guard of ours.
    pub rule: Option<String>,
    /// The keys that the message of a guard of ours lists.
    pub keys: Option<BTreeSet<String>>,
    /// The whole message.
    pub message: Option<String>,
    /// No other policy refuses.
    #[serde(default)]
    pub alone: bool,
}

/// An error of a policy. What is not given is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The policy that fails.
    pub policy: Option<String>,
    /// A part of the message.
    pub message: Option<String>,
    /// No other policy refuses.
    #[serde(default)]
    pub alone: bool,
}

/// Who in an API server refuses a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Layer {
    /// A guard rendered from a profile.
    #[default]
    Guard,
    /// Any other admission policy.
    Policy,
    /// Authorization.
    Rbac,
    /// The admission plugin that limits kubelets.
    NodeRestriction,
    /// The API server's own validation.
    Validation,
}

impl Layer {
    /// As a suite spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Policy => "policy",
            Self::Rbac => "rbac",
            Self::NodeRestriction => "nodeRestriction",
            Self::Validation => "validation",
        }
    }

    /// Whether an admission policy is enough to see it.
    #[must_use]
    pub fn is_admission_policy(self) -> bool {
        matches!(self, Self::Guard | Self::Policy)
    }
}
