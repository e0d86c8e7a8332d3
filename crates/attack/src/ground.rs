//! What an attack is made on: the agent's account, its own node, another one, and what else there is to attack.

use api::cases::{Identity, ResourceName};
use ownership::Profile;
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use serde_json::Value;
use std::collections::BTreeMap;

/// The group that probes are in, so that a policy can refuse all of them that would write.
pub const PROBE_GROUP: &str = "nodebound:probe";
/// The extra key that marks a probe.
pub const PROBE_MARK: &str = "nodebound.io/probe";

/// The pod of an agent, as its token names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The node that it runs on.
    pub node: String,
}

/// What an attack is made on. Objects are as the API server has them.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Who the agent is, and what it owns.
    pub profile: Profile,
    /// The pod as which the attack is made.
    pub pod: AgentPod,
    /// The Node of that pod.
    pub own: Value,
    /// Any other Node; none in a cluster of one.
    pub other: Option<Value>,
    /// Another pod of the agent, on another node.
    pub victim: Option<Value>,
    /// A Node without labels and annotations that exists for nothing else.
    pub scratch: Option<Value>,
    /// Objects of the profile's other resources.
    pub objects: Vec<Held>,
    /// The policies and bindings whose removal would lift the guard, by their names.
    pub policies: Vec<Value>,
}

/// An object of one of the profile's resources.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which of the profile's resources.
    pub resource: ResourceName,
    /// Whether it belongs to the node that the attack is made from.
    pub is_own: bool,
    /// The object.
    pub object: Value,
}

/// As whom a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// The agent, by a token that is bound to its pod.
    Agent,
    /// The agent, by a token that is bound to nothing.
    Unbound,
    /// The agent, by a token that is bound to its Node, but to no pod.
    NodeBound,
    /// The agent with a claim that names another node.
    Elsewhere,
    /// The agent with a claim that names its own and another node.
    Doubled,
    /// The agent with a claim of empty text.
    Empty,
    /// The agent, as if it ran on the scratch Node.
    Scratch,
}

impl Speaker {
    /// Whether there are tokens of this kind; the others can only be impersonated.
    #[must_use]
    pub fn has_token(self) -> bool {
        matches!(self, Self::Agent | Self::Unbound | Self::NodeBound)
    }

    /// For people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Agent => "the agent",
            Self::Unbound => "the agent's account, by a token bound to nothing",
            Self::NodeBound => "the agent's account, by a token bound to a Node alone",
            Self::Elsewhere => "the agent's account with the claim of another node",
            Self::Doubled => "the agent's account with two node claims",
            Self::Empty => "the agent's account with an empty node claim",
            Self::Scratch => "the agent on the scratch Node",
        }
    }
}

impl Ground {
    /// The user that an API server sees for a speaker, marked as a probe.
    #[must_use]
    pub fn identity(&self, speaker: Speaker) -> Identity {
        let account = self.profile.service_account();
        let groups = [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", account.namespace),
            "system:authenticated".to_owned(),
            PROBE_GROUP.to_owned(),
        ];
        let mut extra = self.claims(speaker);
        extra.insert(PROBE_MARK.to_owned(), vec!["true".to_owned()]);
        Identity { username: self.profile.username().to_owned(), groups: groups.to_vec(), extra }
    }

    fn claims(&self, speaker: Speaker) -> BTreeMap<String, Vec<String>> {
        let (own, other) = (self.pod.node.clone(), self.other_name().to_owned());
        let nodes = match speaker {
            Speaker::Unbound => return BTreeMap::new(),
            Speaker::Agent | Speaker::NodeBound => vec![own],
            Speaker::Elsewhere => vec![other],
            Speaker::Doubled => vec![own, other],
            Speaker::Empty => vec![String::new()],
            Speaker::Scratch => vec![name(self.scratch.as_ref().unwrap_or(&Value::Null)).to_owned()],
        };
        let mut extra = BTreeMap::from([(NODE_NAME.to_owned(), nodes)]);
        if speaker == Speaker::Agent {
            extra.insert(NODE_UID.to_owned(), vec![uid(&self.own).to_owned()]);
        }
        if speaker != Speaker::NodeBound {
            extra.insert(POD_NAME.to_owned(), vec![self.pod.name.clone()]);
            extra.insert(POD_UID.to_owned(), vec![self.pod.uid.clone()]);
        }
        extra
    }

    /// The name of another node; one that does not exist in a cluster of one.
    #[must_use]
    pub fn other_name(&self) -> &str {
        self.other.as_ref().map_or("nodebound-another-node", name)
    }
}

/// The name of an object.
#[must_use]
pub fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// The UID of an object.
#[must_use]
pub fn uid(object: &Value) -> &str {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}
