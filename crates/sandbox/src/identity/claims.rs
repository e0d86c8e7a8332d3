//! What a service-account token says, and whether it still holds (`k8s.io/kubernetes/pkg/serviceaccount/claims.go`).

use admission::{KubeVersion, UserInfo};
use chrono::DateTime;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;

use super::value::text;
use super::{CREDENTIAL_ID, NODE_NAME, NODE_UID, POD_NAME, POD_UID, service_account};
use crate::objects::Objects;

/// What clocks may differ by, in seconds (`go-jose/jwt`, `DefaultLeeway`).
const LEEWAY: i64 = 60;

/// From when on tokens have an identifier and Pod-bound ones name the Node, and Node-bound ones are accepted
/// (`k8s.io/kubernetes/pkg/features`).
pub const NODE_INFO_SINCE: KubeVersion = KubeVersion::minor(30);
/// From when on tokens can be bound to a Node.
pub const NODE_BINDING_SINCE: KubeVersion = KubeVersion::minor(31);

/// The claims of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The user name.
    pub sub: String,
    /// Who it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// Its identifier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// What it is bound to.
    #[serde(rename = "kubernetes.io")]
    pub bound: Bound,
}

/// What a token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The namespace of the account, the Pod and the Secret.
    pub namespace: String,
    /// The account.
    pub serviceaccount: Reference,
    /// The Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// The Node; beside a Pod, the Node that the Pod was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    /// When the server begins to count uses, if the token lasts longer than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

/// An object by name and uid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The uid; empty for a Node that did not exist.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl Reference {
    /// A stored object.
    #[must_use]
    pub fn to(object: &Value) -> Self {
        Self { name: text(object, "/metadata/name").to_owned(), uid: text(object, "/metadata/uid").to_owned() }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Audience::deserialize(input).map(|audience| match audience {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}

impl Claims {
    /// Whether the token holds now: its time, and that everything it is bound to is there still.
    ///
    /// # Errors
    /// The server's text if it does not.
    pub fn check(&self, objects: &dyn Objects, version: KubeVersion, now: i64) -> Result<(), String> {
        self.check_time(now)?;
        let Bound { namespace, serviceaccount, pod, secret, node, .. } = &self.bound;
        let earliest = now.saturating_sub(LEEWAY);
        let check = |kind: &Kind, reference: &Reference| kind.check(objects, namespace, reference, earliest);
        check(&ACCOUNT, serviceaccount)?;
        secret.as_ref().map_or(Ok(()), |secret| check(&SECRET, secret))?;
        pod.as_ref().map_or(Ok(()), |pod| check(&POD, pod))?;
        match node {
            Some(node) if pod.is_none() => {
                check_node_binding(version)?;
                NODE.check(objects, "", node, earliest)
            }
            _ => Ok(()),
        }
    }

    fn check_time(&self, now: i64) -> Result<(), String> {
        if now.saturating_add(LEEWAY) < self.nbf {
            return Err("service account token is not valid yet".to_owned());
        }
        if now.saturating_sub(LEEWAY) > self.exp {
            return Err("service account token has expired".to_owned());
        }
        if now.saturating_add(LEEWAY) < self.iat {
            return Err("service account token is issued in the future".to_owned());
        }
        Ok(())
    }

    /// The user that the token stands for, as a release presents it.
    #[must_use]
    pub fn user(&self, version: KubeVersion) -> UserInfo {
        let Bound { namespace, serviceaccount, pod, node, .. } = &self.bound;
        let mut user = UserInfo {
            username: service_account::username(namespace, &serviceaccount.name),
            uid: serviceaccount.uid.clone(),
            groups: service_account::groups(namespace),
            ..UserInfo::default()
        };
        let mut add = |key: &str, value: &str| user.extra.insert(key.to_owned(), vec![value.to_owned()]);
        if let Some(pod) = pod.as_ref().filter(|pod| !pod.name.is_empty() && !pod.uid.is_empty()) {
            add(POD_NAME, &pod.name);
            add(POD_UID, &pod.uid);
        }
        if version < NODE_INFO_SINCE {
            return user;
        }
        if !self.jti.is_empty() {
            add(CREDENTIAL_ID, &format!("JTI={}", self.jti));
        }
        if let Some(node) = node.as_ref().filter(|node| !node.name.is_empty()) {
            add(NODE_NAME, &node.name);
            if !node.uid.is_empty() {
                add(NODE_UID, &node.uid);
            }
        }
        user
    }
}

fn check_node_binding(version: KubeVersion) -> Result<(), String> {
    if version >= NODE_INFO_SINCE {
        return Ok(());
    }
    let gate = "ServiceAccountTokenNodeBindingValidation";
    Err(format!("token is bound to a Node object but the {gate} feature gate is disabled"))
}

/// Something that a token is bound to.
struct Kind {
    resource: &'static str,
    /// As the texts about uids name it, and the claim with it.
    described: (&'static str, &'static str),
}

const ACCOUNT: Kind = Kind { resource: "serviceaccounts", described: ("service account", "") };
const SECRET: Kind = Kind { resource: "secrets", described: ("secret", "service account secret ref ") };
const POD: Kind = Kind { resource: "pods", described: ("pod", "service account pod ref ") };
const NODE: Kind = Kind { resource: "nodes", described: ("node", "service account node ref ") };

impl Kind {
    fn check(
        &self,
        objects: &dyn Objects,
        namespace: &str,
        reference: &Reference,
        earliest: i64,
    ) -> Result<(), String> {
        let object = objects.get("", self.resource, namespace, &reference.name);
        let object = object.ok_or_else(|| self.missing(&reference.name))?;
        let uid = text(&object, "/metadata/uid");
        if uid.is_empty() || uid != reference.uid {
            return Err(self.replaced(uid, &reference.uid));
        }
        if is_deleted(&object, earliest) { Err(self.deleted(namespace, &reference.name)) } else { Ok(()) }
    }

    fn is_account(&self) -> bool {
        self.described.1.is_empty()
    }

    fn missing(&self, name: &str) -> String {
        if self.is_account() { format!("serviceaccounts \"{name}\" not found") } else { invalidated() }
    }

    fn replaced(&self, stored: &str, claimed: &str) -> String {
        let (kind, claim) = self.described;
        format!("{kind} UID ({stored}) does not match {claim}claim ({claimed})")
    }

    fn deleted(&self, namespace: &str, name: &str) -> String {
        if self.is_account() { format!("service account {namespace}/{name} has been deleted") } else { invalidated() }
    }
}

fn invalidated() -> String {
    "service account token has been invalidated".to_owned()
}

/// Whether an object was to be gone before a point in time. A time that cannot be read counts as long past.
fn is_deleted(object: &Arc<Value>, earliest: i64) -> bool {
    let Some(deleted) = object.pointer("/metadata/deletionTimestamp").filter(|at| !at.is_null()) else { return false };
    let at = deleted.as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    at.is_none_or(|at| at.timestamp() < earliest)
}
