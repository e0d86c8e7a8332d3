//! Who refuses a request: the layers of an API server, in the order in which they are asked.

use ownership::guard::Rule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A layer of an API server that can refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Nobody that it knows (401).
    Authentication,
    /// No role grants the verb.
    Rbac,
    /// The request does not fit the object, its version or its kind.
    Validation,
    /// The admission plugin that holds kubelets to their node.
    NodeRestriction,
    /// A policy of this project.
    Guard,
    /// Any other ValidatingAdmissionPolicy.
    Policy,
    /// An admission webhook.
    Webhook,
    /// An expression of a policy failed, or cost too much. Nobody decided anything.
    EvaluationError,
    /// The path is not served.
    NotServed,
}

impl Layer {
    /// As reports spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Rbac => "RBAC",
            Self::Validation => "validation",
            Self::NodeRestriction => "NodeRestriction",
            Self::Guard => "guard",
            Self::Policy => "policy",
            Self::Webhook => "webhook",
            Self::EvaluationError => "evaluation error",
            Self::NotServed => "not served",
        }
    }
}

/// A refusal, read from the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Who refused.
    pub layer: Layer,
    /// The policy or webhook, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The binding of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The rule of the guard.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub rule: Option<Rule>,
    /// The keys that the guard names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
    /// What the policy, the webhook or the server said.
    pub message: String,
}

#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
fn as_text<S: serde::Serializer>(rule: &Option<Rule>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&rule.map(Rule::as_str))
}

impl Refusal {
    /// In a few words: `guard nodebound-kubevirt (own-node)`.
    #[must_use]
    pub fn brief(&self) -> String {
        let layer = self.layer.as_str();
        match (&self.policy, self.rule) {
            (Some(policy), Some(rule)) => format!("{layer} {policy} ({rule})"),
            (Some(policy), None) => format!("{layer} {policy}"),
            (None, _) => layer.to_owned(),
        }
    }
}
