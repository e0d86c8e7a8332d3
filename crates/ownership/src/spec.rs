//! The profile as it is written: the `spec` of an `AgentProfile`, in a file or in the cluster.
//!
//! These types only record. [`crate::Profile`] is the checked form, and the only one that decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who an agent is, which Node keys it owns, and which other objects it may touch on its own node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentProfileSpec {
    /// The service account under which the agent runs on every node.
    pub service_account: ServiceAccount,
    /// Whether a write must come from the node that it changes.
    #[serde(default)]
    pub node: OwnNode,
    /// Also compare the token's node UID with the object's.
    #[serde(default, rename = "checkNodeUID")]
    pub check_node_uid: bool,
    /// The labels that the agent owns.
    #[serde(default)]
    pub labels: Vec<KeyClaim>,
    /// The annotations that the agent owns.
    #[serde(default)]
    pub annotations: Vec<KeyClaim>,
    /// Bounds against accidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Other objects that the agent may write, each only where it belongs to its own node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceClaim>,
    /// How a publication reaches the Node.
    #[serde(default)]
    pub channel: Channel,
    /// What happens where the guard cannot be had.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// What the guard does with a write that breaks a rule.
    #[serde(default = "default_actions")]
    pub actions: Vec<Action>,
    /// How the node is judged alive. Absent: it is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// The way out when the guard is in the way: until then it only records. It ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// A time in which the guard refuses nothing, and somebody's word why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Its end, as in RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
}

fn default_actions() -> Vec<Action> {
    vec![Action::Deny, Action::Audit]
}

/// A service account by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// The user name under which the API server knows the account.
    #[must_use]
    pub fn username(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// Whether a write must come from the node that it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OwnNode {
    /// The token must name the node; a token without a claim is refused.
    #[default]
    Own,
    /// As `Own` where the token names a node; for clusters that issue no such claim.
    OwnIfClaimed,
    /// Not checked.
    Any,
}

/// One claim of ownership: exactly one of `key`, `prefix` and `domain`, with at most one of `values` and `format`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyClaim {
    /// One exact key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Every key under one exact prefix, which ends in `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Every key whose prefix is this DNS name or a subdomain of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The values that such a key may have. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The form that such a value must have. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// `true` or `false`.
    Boolean,
    /// A decimal integer without sign, of at most 19 digits.
    Decimal,
    /// An RFC 3339 timestamp.
    Timestamp,
}

impl Format {
    /// The regular expression of the form. The rendered policy uses the same text.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Boolean => "^(true|false)$",
            Self::Decimal => "^[0-9]{1,19}$",
            Self::Timestamp => {
                r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
            }
        }
    }
}

/// Bounds on one write. They stop accidents, not a patient attacker, who splits the write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// At most so many owned keys may vanish in one write, labels and annotations together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_keys: Option<u32>,
    /// A write may not raise the number of owned keys above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_keys: Option<u32>,
    /// A write may not raise the bytes of owned keys and their values above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_bytes: Option<u32>,
}

/// Objects of one other resource that the agent may write where they belong to its own node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceClaim {
    /// The API group; empty for the core group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The resource, in the plural. Its subresources are guarded with it.
    pub resource: String,
    /// The operations that are judged.
    #[serde(default = "default_operations")]
    pub operations: Vec<ResourceOperation>,
    /// Fields of which one must name the agent's node before the change (on CREATE, after it).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node: Vec<String>,
    /// Further fields that name a node and prove nothing: they too may change only to what one of the node fields, or one
    /// of these, held before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_references: Vec<String>,
    /// Fields that stay empty if they were empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_not_introduce: Vec<String>,
    /// The only fields that an update may change. Empty: all. The way to guard an object that names no node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_change: Vec<String>,
}

fn default_operations() -> Vec<ResourceOperation> {
    vec![ResourceOperation::Update]
}

/// An operation of a [`ResourceClaim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceOperation {
    /// POST, and an apply of an object that is not there.
    Create,
    /// PUT and every PATCH.
    Update,
    /// DELETE, and each object of a deletecollection.
    Delete,
}

impl ResourceOperation {
    /// As the API server spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// How a publication reaches the Node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Channel {
    /// The agent patches the Node.
    #[default]
    Direct,
    /// The agent patches an object of the same name, which a controller copies.
    ShadowNode,
    /// A controller asks the agent.
    Pull,
    /// The agent writes an object that Node Feature Discovery copies.
    NodeFeature,
}

/// What happens where the guard cannot be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// Nothing that needs the missing guard is rolled out.
    #[default]
    Strict,
    /// It is rolled out, with a warning.
    Permissive,
}

/// What the guard does with a write that breaks a rule (the binding's `validationActions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Refuse it.
    Deny,
    /// Admit it with a warning to the client.
    Warn,
    /// Note it in the API server's audit log.
    Audit,
}

impl Action {
    /// As the API server spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }
}

/// How a node is judged alive, and how it is marked when it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Liveness {
    /// Where the sign of life is seen.
    pub source: LivenessSource,
    /// The label that marks a node whose agent is silent.
    pub mark: Mark,
    /// How long an agent may be silent, as a whole number with `s`, `m` or `h`.
    #[serde(default = "default_timeout")]
    pub timeout: String,
}

fn default_timeout() -> String {
    "5m".to_owned()
}

/// Where the sign of life is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LivenessSource {
    /// A Lease named like the Node.
    Lease,
    /// An annotation of the Node.
    Annotation,
    /// Readiness of the agent's pod and DaemonSet.
    PodReadiness,
}

/// A label with the value that marks a silent node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The label's key. The profile must own it.
    pub label: String,
    /// Its value on a silent node.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_api_servers() {
        let operations = [ResourceOperation::Create, ResourceOperation::Update, ResourceOperation::Delete];
        assert_eq!(operations.map(ResourceOperation::as_str), ["CREATE", "UPDATE", "DELETE"]);
        assert_eq!([Action::Deny, Action::Warn, Action::Audit].map(Action::as_str), ["Deny", "Warn", "Audit"]);
    }
}
