//! The names of the guards, their rules and their messages: the contract between the rule, the rendered policies,
//! and whoever reads a refusal.

use std::collections::BTreeSet;
use std::fmt;

use crate::profile::Profile;

/// The longest message that the API server takes from a `messageExpression`, in bytes
/// (`k8s.io/apiserver/pkg/apis/cel`, `MaxEvaluatedMessageExpressionSizeBytes`).
pub const MAX_MESSAGE: usize = 5120;

/// The namespace of the heartbeat Leases. Nothing else lives there.
pub const HEARTBEATS: &str = "nodebound-heartbeats";
/// The label by which Node Feature Discovery finds the Node of a NodeFeature.
pub const NFD_NODE_NAME: &str = "nfd.node.kubernetes.io/node-name";

/// What is guarded: one policy with its binding each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guard {
    /// Nodes and their subresources.
    Nodes,
    /// The profile's other resources.
    Resources,
    /// ShadowNodes.
    ShadowNodes,
    /// Heartbeat Leases.
    Leases,
    /// NodeFeatures.
    NodeFeatures,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 5] = [Self::Nodes, Self::Resources, Self::ShadowNodes, Self::Leases, Self::NodeFeatures];

    /// The name of the policy and of its binding.
    #[must_use]
    pub fn policy_name(self, profile: &str) -> String {
        let suffix = match self {
            Self::Nodes => "",
            Self::Resources => "-resources",
            Self::ShadowNodes => "-shadownodes",
            Self::Leases => "-leases",
            Self::NodeFeatures => "-nodefeatures",
        };
        format!("nodebound-{profile}{suffix}")
    }

    /// The rules, in the order in which they are judged. The first that fails is the message.
    #[must_use]
    pub fn rules(self) -> &'static [Rule] {
        match self {
            Self::Nodes | Self::ShadowNodes => &[
                Rule::Operation,
                Rule::OwnNode,
                Rule::Spec,
                Rule::Status,
                Rule::Metadata,
                Rule::Labels,
                Rule::Annotations,
                Rule::Values,
                Rule::Limits,
            ],
            Self::Resources => &[Rule::OwnNode, Rule::NodeField, Rule::Introduce, Rule::Fields],
            Self::Leases => &[Rule::Operation, Rule::OwnNode, Rule::Spec, Rule::Metadata],
            Self::NodeFeatures => &[Rule::OwnNode, Rule::Spec, Rule::Metadata, Rule::Labels, Rule::Values],
        }
    }

    /// What a refusal by `rule` says, before the keys.
    #[must_use]
    pub fn text(self, rule: Rule) -> &'static str {
        match (self, rule) {
            (Self::ShadowNodes, Rule::Operation) => "this agent may only update shadow nodes",
            (Self::Leases, Rule::Operation) => "this agent may only update its lease",
            (Self::Leases, Rule::Spec) => "only renewTime and holderIdentity may change",
            (Self::Leases, Rule::Metadata) => "metadata may not change",
            (Self::NodeFeatures, Rule::Spec) => "features may not be published",
            (Self::NodeFeatures, Rule::Metadata) => "only in the agent's own namespace",
            (_, Rule::Operation) => "this agent may only update nodes",
            (_, Rule::OwnNode) => "the request does not come from this node",
            (_, Rule::Spec) => "spec may not change",
            (_, Rule::Status) => "status may not change",
            (_, Rule::Metadata) => "only labels and annotations may change",
            (_, Rule::Labels | Rule::Annotations) => "not owned by this agent",
            (_, Rule::Values) => "value not allowed",
            (_, Rule::Limits) => "too many owned keys removed or too much owned metadata",
            (_, Rule::NodeField) => "may only name this node or one named before",
            (_, Rule::Introduce) => "may not be set by this agent",
            (_, Rule::Fields) => "only these fields may change",
        }
    }
}

/// One rule of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The operation is one that an agent performs.
    Operation,
    /// The request comes from the node that it changes.
    OwnNode,
    /// The spec is unchanged.
    Spec,
    /// The status is unchanged.
    Status,
    /// All other metadata is unchanged.
    Metadata,
    /// Foreign labels are unchanged.
    Labels,
    /// Foreign annotations are unchanged.
    Annotations,
    /// Owned keys that were added or changed have an allowed value.
    Values,
    /// The write stays within the bounds.
    Limits,
    /// A field that names a node names this one, or one that was named before.
    NodeField,
    /// A field that was empty stays empty.
    Introduce,
    /// Only the listed fields changed.
    Fields,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 12] = [
        Self::Operation,
        Self::OwnNode,
        Self::Spec,
        Self::Status,
        Self::Metadata,
        Self::Labels,
        Self::Annotations,
        Self::Values,
        Self::Limits,
        Self::NodeField,
        Self::Introduce,
        Self::Fields,
    ];

    /// As messages and reports spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::OwnNode => "own-node",
            Self::Spec => "spec",
            Self::Status => "status",
            Self::Metadata => "metadata",
            Self::Labels => "labels",
            Self::Annotations => "annotations",
            Self::Values => "values",
            Self::Limits => "limits",
            Self::NodeField => "node-field",
            Self::Introduce => "introduce",
            Self::Fields => "fields",
        }
    }

    /// The rule of that spelling.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }

    /// Whether the message of this rule lists keys.
    #[must_use]
    pub fn lists_keys(self) -> bool {
        matches!(
            self,
            Self::Labels | Self::Annotations | Self::Values | Self::NodeField | Self::Introduce | Self::Fields
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: which guard, which rule, which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The guard that refused.
    pub guard: Guard,
    /// Its first rule that failed.
    pub rule: Rule,
    /// The offending keys, where the rule is about keys.
    pub keys: BTreeSet<String>,
}

impl Denial {
    /// The message, as the guard of `profile` gives it: `nodebound/<profile>: <rule>: <text>`.
    #[must_use]
    pub fn message(&self, profile: &Profile) -> String {
        let bare = bare_message(profile.name(), self.guard, self.rule);
        if self.keys.is_empty() {
            return bare;
        }
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let full = format!("{bare}: {}", keys.join(", "));
        if full.len() > MAX_MESSAGE || full.contains('\n') { bare } else { full }
    }
}

/// The message without keys.
#[must_use]
pub fn bare_message(profile: &str, guard: Guard, rule: Rule) -> String {
    format!("nodebound/{profile}: {rule}: {}", guard.text(rule))
}

/// A message of one of our guards, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The profile.
    pub profile: String,
    /// The rule.
    pub rule: Rule,
    /// The keys that it lists.
    pub keys: BTreeSet<String>,
}

impl Message {
    /// Takes a message apart. `None` if it is not of our grammar.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (profile, rest) = text.strip_prefix("nodebound/")?.split_once(": ")?;
        let (rule, rest) = rest.split_once(": ")?;
        let rule = Rule::named(rule)?;
        let keys = match rest.split_once(": ") {
            Some((_, keys)) if rule.lists_keys() => keys.split(", ").map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        };
        Some(Self { profile: profile.to_owned(), rule, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_have_names_and_rules_of_their_own() {
        let table = [
            (Guard::Nodes, "nodebound-p", "operation own-node spec status metadata labels annotations values limits"),
            (Guard::Resources, "nodebound-p-resources", "own-node node-field introduce fields"),
            (
                Guard::ShadowNodes,
                "nodebound-p-shadownodes",
                "operation own-node spec status metadata labels annotations values limits",
            ),
            (Guard::Leases, "nodebound-p-leases", "operation own-node spec metadata"),
            (Guard::NodeFeatures, "nodebound-p-nodefeatures", "own-node spec metadata labels values"),
        ];
        for (guard, name, rules) in table {
            let own: Vec<&str> = guard.rules().iter().map(|rule| rule.as_str()).collect();
            assert_eq!((guard.policy_name("p").as_str(), own.join(" ").as_str()), (name, rules));
        }
    }

    #[test]
    fn messages_are_taken_apart_as_they_are_put_together() {
        for (text, rule, keys) in [
            ("nodebound/p: labels: not owned by this agent: a, b", Rule::Labels, &["a", "b"][..]),
            ("nodebound/p: labels: not owned by this agent", Rule::Labels, &[]),
            ("nodebound/p: spec: spec may not change", Rule::Spec, &[]),
            ("nodebound/p: own-node: a: b", Rule::OwnNode, &[]),
        ] {
            let keys = keys.iter().map(ToString::to_string).collect();
            assert_eq!(Message::parse(text), Some(Message { profile: "p".to_owned(), rule, keys }), "{text}");
        }
        for foreign in ["", "nodebound/p", "nodebound/p: nope: x", "other/p: spec: x", "nodebound/p: spec"] {
            assert_eq!(Message::parse(foreign), None, "{foreign}");
        }
    }
}
