//! Who makes a request, and what its token says about the node it came from (KEP-4193).

use serde_json::Value;
use std::collections::BTreeMap;

/// Extra key with the name of the node, stamped into tokens that are bound to a pod or a node.
pub const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Extra key with the UID of the node.
pub const NODE_UID: &str = "authentication.kubernetes.io/node-uid";
/// Extra key with the name of the pod, stamped into tokens that are bound to a pod.
pub const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
/// Extra key with the UID of the pod.
pub const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// An authenticated user, as the API server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user name.
    pub username: String,
    /// Extra information, by key.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What a token says about its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeClaim<'a> {
    /// The key is not there.
    Absent,
    /// The key is there, but it does not name one node on behalf of one pod: it is empty, doubled, or the token is
    /// bound to a Node alone, which anybody who may mint tokens for the account can ask for.
    Void,
    /// The token is bound to a pod on this node.
    Node {
        /// The node's name.
        name: &'a str,
        /// The node's UID, where the token has exactly one.
        uid: Option<&'a str>,
    },
}

impl User {
    /// What the token says about its node.
    #[must_use]
    pub fn node_claim(&self) -> NodeClaim<'_> {
        if !self.extra.contains_key(NODE_NAME) {
            return NodeClaim::Absent;
        }
        match (self.single(NODE_NAME), self.single(POD_NAME), self.single(POD_UID)) {
            (Some(name), Some(_), Some(_)) if !name.is_empty() => NodeClaim::Node { name, uid: self.single(NODE_UID) },
            _ => NodeClaim::Void,
        }
    }

    fn single(&self, key: &str) -> Option<&str> {
        match self.extra.get(key)?.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }
}

impl NodeClaim<'_> {
    /// Whether the claim names `object`'s node: by name and, if asked, by UID.
    pub(crate) fn names(&self, name: &str, uid: Option<&str>) -> bool {
        match self {
            Self::Node { name: claimed, uid: claimed_uid } => {
                *claimed == name && uid.is_none_or(|uid| !uid.is_empty() && *claimed_uid == Some(uid))
            }
            Self::Absent | Self::Void => false,
        }
    }
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_claim_of_a_pod_names_a_node() {
        let here = NodeClaim::Node { name: "n", uid: None };
        // The node names in the token, whether it is bound to a pod, and what follows.
        let table: [(&[&str], bool, NodeClaim<'_>); 6] = [
            (&[], false, NodeClaim::Void),
            (&["n"], false, NodeClaim::Void),
            (&[], true, NodeClaim::Void),
            (&[""], true, NodeClaim::Void),
            (&["n", "n"], true, NodeClaim::Void),
            (&["n"], true, here),
        ];
        for (names, bound, expected) in table {
            let mut user = User { username: "u".to_owned(), ..User::default() };
            assert_eq!(user.node_claim(), NodeClaim::Absent);
            user.extra.insert(NODE_NAME.to_owned(), names.iter().map(ToString::to_string).collect());
            for key in [POD_NAME, POD_UID].into_iter().filter(|_| bound) {
                user.extra.insert(key.to_owned(), vec!["x".to_owned()]);
            }
            assert_eq!(user.node_claim(), expected, "{names:?} {bound}");
        }
    }
}
