//! What an API server answered, and who refused if it did.

use ownership::guard::{Message, Rule};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::layer::{Layer, Refusal};

/// The answer to one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// The body; null if it was no JSON.
    pub body: Value,
    /// The texts of the `Warning` headers.
    pub warnings: Vec<String>,
}

impl Answer {
    /// Whether the request was done, or would have been.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The message of a Status.
    #[must_use]
    pub fn message(&self) -> &str {
        self.text("/message")
    }

    /// The reason of a Status.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("/reason")
    }

    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Who refused; `None` if nobody did, or the server itself is in trouble (429, 5xx), which decides nothing.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if !(400..500).contains(&self.code) || matches!(self.code, 408 | 429) {
            return self.refused_while_connecting();
        }
        Some(self.by_policy().or_else(|| self.by_webhook()).unwrap_or_else(|| self.plain(self.other_layer())))
    }

    /// A webhook that cannot be asked refuses with 500, because it must be asked.
    fn refused_while_connecting(&self) -> Option<Refusal> {
        (self.code == 500).then(|| self.by_webhook()).flatten()
    }

    fn plain(&self, layer: Layer) -> Refusal {
        let message = self.message().to_owned();
        Refusal { layer, policy: None, binding: None, rule: None, keys: BTreeSet::new(), message }
    }

    fn by_policy(&self) -> Option<Refusal> {
        let (policy, binding, message) = denied(self.message())?;
        let ours = Message::parse(message).filter(|ours| names_guard(policy, &ours.profile));
        let layer = match &ours {
            _ if self.code == 422 && is_error(message) => Layer::EvaluationError,
            Some(_) => Layer::Guard,
            None => Layer::Policy,
        };
        let (rule, keys): (Option<Rule>, _) = ours.map(|ours| (ours.rule, ours.keys)).unzip();
        let keys = keys.unwrap_or_default();
        let (policy, binding) = (Some(policy.to_owned()), binding.map(str::to_owned));
        Some(Refusal { layer, policy, binding, rule, keys, message: message.to_owned() })
    }

    /// A webhook that decided, or that could not be asked.
    fn by_webhook(&self) -> Option<Refusal> {
        let message = self.message();
        let named = |mark: &str| Some(message.split_once(mark)?.1.split_once('"')?.0.to_owned());
        let (layer, name) = match (named("failed calling webhook \""), named("admission webhook \"")) {
            (Some(name), _) => (Layer::EvaluationError, name),
            (None, Some(name)) if !message.contains("does not support dry run") => (Layer::Webhook, name),
            _ => return None,
        };
        Some(Refusal { policy: Some(name), ..self.plain(layer) })
    }

    fn other_layer(&self) -> Layer {
        let message = self.message();
        match (self.code, self.reason()) {
            (401, _) => Layer::Authentication,
            (404 | 405 | 406 | 415, _) => Layer::NotServed,
            (403, _) if is_rbac(message) => Layer::Rbac,
            (403, _) if is_node_restriction(message) => Layer::NodeRestriction,
            _ => Layer::Validation,
        }
    }
}

/// `User "x" cannot patch resource "nodes" in API group "" at the cluster scope`; and the words for impersonation.
fn is_rbac(message: &str) -> bool {
    message.contains("User \"") && message.contains("\" cannot ")
}

/// NodeRestriction speaks of `node "x"` or of the node of a label.
fn is_node_restriction(message: &str) -> bool {
    message.contains("is not allowed to modify") || message.contains("can only") && message.contains("node \"")
}

/// What the API server says, always with 422, where an expression or the surroundings of a policy failed.
const ERRORS: [&str; 7] = [
    " resulted in error: ",
    "failed to configure ",
    "compilation error: ",
    "compilation failed: ",
    "cost limit exceeded",
    "running out of cost budget",
    "variable expression evaluation",
];

fn is_error(message: &str) -> bool {
    ERRORS.iter().any(|text| message.contains(text))
}

/// A guard of the profile has its name, with a suffix for what is not a Node.
fn names_guard(policy: &str, profile: &str) -> bool {
    policy
        .strip_prefix("nodebound-")
        .and_then(|rest| rest.strip_prefix(profile))
        .is_some_and(|suffix| ["", "-resources", "-shadownodes", "-leases", "-nodefeatures"].contains(&suffix))
}

/// The parts of `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: message`.
fn denied(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (_, rest) = text.split_once(" is forbidden: ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once('\'')?;
    let (between, message) = rest.split_once(" denied request: ")?;
    let binding = between.strip_prefix(" with binding '").and_then(|text| text.strip_suffix('\''));
    Some((policy, binding, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(code: u16, reason: &str, message: &str) -> Answer {
        Answer { code, body: json!({"kind": "Status", "reason": reason, "message": message}), warnings: Vec::new() }
    }

    #[test]
    fn refusals_are_told_apart() {
        let vap = |policy: &str, message: &str| {
            format!(
                "nodes \"n\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {message}"
            )
        };
        let ours = vap("nodebound-kubevirt", "nodebound/kubevirt: labels: not owned by this agent: a, b");
        let claimed = vap("somebody-else", "nodebound/kubevirt: spec: spec may not change");
        let cel = vap("nodebound-kubevirt", "expression 'x' resulted in error: no such key: labels");
        let config =
            "nodes \"n\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: x";
        let rbac = "nodes \"n\" is forbidden: User \"u\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope";
        let table = [
            (answer(403, "Forbidden", &ours), Some((Layer::Guard, "labels", 2))),
            (answer(403, "Forbidden", &claimed), Some((Layer::Policy, "", 0))),
            (answer(422, "Invalid", &cel), Some((Layer::EvaluationError, "", 0))),
            (answer(422, "Invalid", &vap("p", "no such place")), Some((Layer::Policy, "", 0))),
            (answer(422, "Invalid", config), Some((Layer::EvaluationError, "", 0))),
            (answer(403, "Forbidden", rbac), Some((Layer::Rbac, "", 0))),
            (
                answer(403, "Forbidden", "nodes \"n\" is forbidden: node \"m\" is not allowed to modify node \"n\""),
                Some((Layer::NodeRestriction, "", 0)),
            ),
            (
                answer(400, "BadRequest", "admission webhook \"w.x\" denied the request: no"),
                Some((Layer::Webhook, "", 0)),
            ),
            (
                answer(500, "InternalError", "Internal error occurred: failed calling webhook \"w.x\": refused"),
                Some((Layer::EvaluationError, "", 0)),
            ),
            (
                answer(400, "BadRequest", "admission webhook \"w.x\" does not support dry run"),
                Some((Layer::Validation, "", 0)),
            ),
            (answer(401, "Unauthorized", "Unauthorized"), Some((Layer::Authentication, "", 0))),
            (
                answer(422, "Invalid", "Node \"n\" is invalid: metadata.labels: Invalid value"),
                Some((Layer::Validation, "", 0)),
            ),
            (answer(409, "Conflict", "the object has been modified"), Some((Layer::Validation, "", 0))),
            (answer(404, "NotFound", "nodes \"n\" not found"), Some((Layer::NotServed, "", 0))),
            (answer(429, "TooManyRequests", ""), None),
            (answer(500, "InternalError", "etcd"), None),
            (answer(200, "", ""), None),
            (answer(0, "", ""), None),
        ];
        for (answer, expected) in table {
            let found = answer.refusal();
            let found =
                found.as_ref().map(|found| (found.layer, found.rule.map_or("", Rule::as_str), found.keys.len()));
            assert_eq!(found, expected, "{answer:?}");
        }
    }
}
