//! What nodes may write (`k8s.io/kubernetes/plugin/pkg/admission/noderestriction`), beyond what they are authorized to.

use admission::{KubeVersion, Operation, UserInfo};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::identity::node_of;
use crate::identity::value::{is_set, list, quoted, text, texts};
use crate::objects::Objects;
use crate::rbac::node::{LEASES, MIRROR};
use crate::rbac::{Attributes, Authorize};
use crate::resource::GroupResource;

mod api_references;
mod labels;

/// From when on tokens are limited to the audiences that Pods name (`ServiceAccountNodeAudienceRestriction`).
const AUDIENCES_SINCE: KubeVersion = KubeVersion::minor(33);
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// A write that is about to be admitted.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// Who writes.
    pub user: &'a UserInfo,
    /// What is done. Nothing is restricted for `Connect`.
    pub operation: Operation,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The resource, in the plural.
    pub resource: &'a str,
    /// The subresource; empty for the object itself.
    pub subresource: &'a str,
    /// The namespace; empty for the whole cluster.
    pub namespace: &'a str,
    /// The name; at creation that of the object, empty if it is yet to be generated.
    pub name: &'a str,
    /// What would be stored, or what was sent to the subresource.
    pub new: Option<&'a Value>,
    /// What is stored.
    pub old: Option<&'a Value>,
}

struct Restriction<'a> {
    write: &'a Write<'a>,
    node: &'a str,
    objects: &'a dyn Objects,
    authorize: &'a Authorize<'a>,
    version: KubeVersion,
}

/// Refuses what a node may not write. Others than nodes are not restricted.
///
/// # Errors
/// 403 with the reason; 404 if a Pod or Node that must be there is not.
pub fn admit(
    write: &Write<'_>,
    objects: &dyn Objects,
    authorize: &Authorize<'_>,
    version: KubeVersion,
) -> Result<(), Failure> {
    if write.operation == Operation::Connect {
        return Ok(());
    }
    match node_of(write.user) {
        None => Ok(()),
        Some("") => {
            let user = quoted(&write.user.username);
            Err(write.forbidden(&format!("could not determine node from user {user}")))
        }
        Some(node) => Restriction { write, node, objects, authorize, version }.check(),
    }
}

impl Write<'_> {
    /// Before a name is generated, messages name what it is generated from (`apiserver/pkg/admission/errors.go`).
    fn forbidden(&self, why: &str) -> Failure {
        let meta = |field| self.new.map_or("", |new| text(new, field));
        let names = [self.name, meta("/metadata/name"), meta("/metadata/generateName"), "Unknown"];
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        Failure::forbidden(&GroupResource::new(self.group, self.resource), name, why)
    }

    fn proposed(&self) -> &Value {
        self.new.unwrap_or(&Value::Null)
    }

    fn stored(&self) -> &Value {
        self.old.unwrap_or(&Value::Null)
    }
}

impl Restriction<'_> {
    fn check(&self) -> Result<(), Failure> {
        let Write { group, resource, subresource, .. } = *self.write;
        match (group, resource, subresource) {
            ("", "pods", "") => self.pod(),
            ("", "pods", "status") => self.pod_status(),
            ("", "pods", "eviction") => self.eviction(),
            ("", "pods", other) => {
                let other = quoted(other);
                Err(self.no(&format!("unexpected pod subresource {other}, only 'status' and 'eviction' are allowed")))
            }
            ("", "nodes", _) => self.own_node(),
            ("", "persistentvolumeclaims", _) => Err(self.no("may only update PVC status")),
            ("", "serviceaccounts", "token") if self.operation() == Operation::Create => self.token(),
            ("certificates.k8s.io", "podcertificaterequests", _) => {
                Err(self.no("PodCertificateRequest feature gate is disabled"))
            }
            ("coordination.k8s.io", "leases", _) => self.lease(),
            ("storage.k8s.io", "csinodes", _) => self.named_as_node("can only access CSINode"),
            _ => Ok(()),
        }
    }

    fn operation(&self) -> Operation {
        self.write.operation
    }

    fn no(&self, why: &str) -> Failure {
        self.write.forbidden(why)
    }

    /// Refuses in the name of the node: `node "n1" …`.
    fn node_may_not(&self, what: &str) -> Failure {
        self.no(&format!("node {} {what}", quoted(self.node)))
    }

    fn require(&self, condition: bool, otherwise: &str) -> Result<(), Failure> {
        if condition { Ok(()) } else { Err(self.node_may_not(otherwise)) }
    }

    /// As the server's caches say it: the kind in lower case instead of the resource.
    fn cached(&self, kind: &str, namespace: &str, name: &str) -> Result<std::sync::Arc<Value>, Failure> {
        let missing = || Failure::not_found(&GroupResource::new("", kind), name);
        self.objects.get("", &format!("{kind}s"), namespace, name).ok_or_else(missing)
    }

    fn pod(&self) -> Result<(), Failure> {
        match self.operation() {
            Operation::Create => self.mirror_pod(),
            Operation::Delete => {
                let pod = self.cached("pod", self.write.namespace, self.write.name)?;
                self.require(self.is_here(&pod), "can only delete pods with spec.nodeName set to itself")
            }
            other => {
                let (operation, node) = (quoted(other.as_str()), quoted(self.node));
                Err(self.no(&format!(
                    "unexpected operation {operation}, node {node} can only create and delete mirror pods"
                )))
            }
        }
    }

    fn is_here(&self, pod: &Value) -> bool {
        text(pod, "/spec/nodeName") == self.node
    }

    fn mirror_pod(&self) -> Result<(), Failure> {
        let pod = self.write.proposed();
        if !is_set(pod, MIRROR) {
            let (annotation, node) = (quoted(MIRROR_ANNOTATION), quoted(self.node));
            let why = format!("pod does not have {annotation} annotation, node {node} can only create mirror pods");
            return Err(self.no(&why));
        }
        self.require(self.is_here(pod), "can only create pods with spec.nodeName set to itself")?;
        self.owned_by_node(pod)?;
        match api_references::first(pod) {
            Ok(None) => Ok(()),
            Ok(Some(what)) => Err(self.node_may_not(&format!("can not create pods that reference {what}"))),
            Err(problem) => Err(self.no(&format!("error checking mirror pod for API references: {problem}"))),
        }
    }

    fn owned_by_node(&self, pod: &Value) -> Result<(), Failure> {
        let to_itself = "can only create pods with an owner reference set to itself";
        let owner = match list(pod, "/metadata/ownerReferences") {
            [] => return Err(self.node_may_not(to_itself)),
            [owner] => owner,
            _ => return Err(self.node_may_not("can only create pods with a single owner reference set to itself")),
        };
        let flag = |pointer| owner.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let owning = (text(owner, "/apiVersion"), text(owner, "/kind"), text(owner, "/name"));
        self.require(owning == ("v1", "Node", self.node), to_itself)?;
        let controller = "can only create pods with a controller owner reference set to itself";
        self.require(flag("/controller"), controller)?;
        self.require(!flag("/blockOwnerDeletion"), "must not set blockOwnerDeletion on an owner reference")?;
        let node = self.cached("node", "", self.node)?;
        let (claimed, stored) = (text(owner, "/uid"), text(&node, "/metadata/uid"));
        if claimed == stored {
            return Ok(());
        }
        Err(self.no(&format!("node {} UID mismatch: expected {claimed} got {stored}", self.node)))
    }

    fn pod_status(&self) -> Result<(), Failure> {
        if self.operation() != Operation::Update {
            return Err(self.no(&format!("unexpected operation {}", quoted(self.operation().as_str()))));
        }
        let (old, new) = (self.write.stored(), self.write.proposed());
        let here = "can only update pod status for pods with spec.nodeName set to itself";
        self.require(self.is_here(old), here)?;
        let same = |pointer| same(old, new, pointer);
        self.require(same_labels(old, new), "cannot update labels through pod status")?;
        self.require(same("/status/resourceClaimStatuses"), "cannot update resource claim statues")?;
        let extended = "cannot update extended resource claim status";
        self.require(same("/status/extendedResourceClaimStatus"), extended)
    }

    fn eviction(&self) -> Result<(), Failure> {
        if self.operation() != Operation::Create {
            return Err(self.no(&format!("unexpected operation {}", self.operation())));
        }
        let names = [self.write.name, text(self.write.proposed(), "/metadata/name")];
        let Some(name) = names.into_iter().find(|name| !name.is_empty()) else {
            return Err(self.no("could not determine pod from request data"));
        };
        let pod = self.cached("pod", self.write.namespace, name)?;
        if self.is_here(&pod) {
            return Ok(());
        }
        Err(self.no(&format!("node {} can only evict pods with spec.nodeName set to itself", self.node)))
    }

    fn own_node(&self) -> Result<(), Failure> {
        let asked = quoted(self.write.name);
        self.require(self.write.name == self.node, &format!("is not allowed to modify node {asked}"))?;
        match self.operation() {
            Operation::Create => self.new_node(),
            Operation::Update => self.changed_node(),
            Operation::Delete | Operation::Connect => Ok(()),
        }
    }

    fn new_node(&self) -> Result<(), Failure> {
        let new = self.write.proposed();
        let source = "is not allowed to create pods with a non-nil configSource";
        self.require(!is_set(new, "/spec/configSource"), source)?;
        let forbidden = labels::forbidden(&Value::Null, new);
        let why = format!("is not allowed to set the following labels: {}", joined(&forbidden));
        self.require(forbidden.is_empty(), &why)
    }

    fn changed_node(&self) -> Result<(), Failure> {
        let (old, new) = (self.write.stored(), self.write.proposed());
        let same = |pointer| same(old, new, pointer);
        let source = "is not allowed to update configSource to a new non-nil configSource";
        self.require(!is_set(new, "/spec/configSource") || same("/spec/configSource"), source)?;
        self.require(same("/spec/taints"), "is not allowed to modify taints")?;
        self.require(same("/metadata/ownerReferences"), "is not allowed to modify ownerReferences")?;
        let forbidden = labels::forbidden(old, new);
        if forbidden.is_empty() {
            return Ok(());
        }
        Err(self.no(&format!("is not allowed to modify labels: {}", joined(&forbidden))))
    }

    fn token(&self) -> Result<(), Failure> {
        let bound = |field: &str| text(self.write.proposed(), &format!("/spec/boundObjectRef/{field}"));
        let (name, uid) = (bound("name"), bound("uid"));
        if (bound("apiVersion"), bound("kind")) != ("v1", "Pod") || name.is_empty() {
            return Err(self.no("node requested token not bound to a pod"));
        }
        if uid.is_empty() {
            return Err(self.no("node requested token with a pod binding without a uid"));
        }
        let pod = self.cached("pod", self.write.namespace, name)?;
        if uid != text(&pod, "/metadata/uid") {
            let why = format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. \
                 The object might have been deleted and then recreated"
            );
            return Err(self.no(&why));
        }
        if !self.is_here(&pod) {
            return Err(self.no("node requested token bound to a pod scheduled on a different node"));
        }
        if self.version < AUDIENCES_SINCE { Ok(()) } else { self.audience(&pod) }
    }

    fn audience(&self, pod: &Value) -> Result<(), Failure> {
        let asked: Vec<&str> = texts(self.write.proposed(), "/spec/audiences").collect();
        let audience = match asked.as_slice() {
            [] => "",
            [only] => only,
            _ => return Err(self.no("node may only request 0 or 1 audiences")),
        };
        let sources = list(pod, "/spec/volumes").iter().flat_map(|volume| list(volume, "/projected/sources"));
        let mut tokens =
            sources.filter_map(|source| source.get("serviceAccountToken")).filter(|token| !token.is_null());
        if tokens.any(|token| text(token, "/audience") == audience) || self.may_have_audience(audience) {
            return Ok(());
        }
        let (audience, user) = (quoted(audience), &self.write.user.username);
        let why = format!(
            "audience {audience} not found in pod spec volume, \
             {user} is not authorized to request tokens for this audience"
        );
        Err(self.no(&why))
    }

    fn may_have_audience(&self, audience: &str) -> bool {
        let Write { user, namespace, name, .. } = *self.write;
        let attributes = Attributes::resource(user, "request-serviceaccounts-token-audience", "", audience);
        (self.authorize)(&Attributes { namespace, name, ..attributes }).allowed
    }

    fn lease(&self) -> Result<(), Failure> {
        if self.write.namespace != LEASES {
            return Err(self.no(&format!("can only access leases in the {} system namespace", quoted(LEASES))));
        }
        self.named_as_node("can only access node lease")
    }

    fn named_as_node(&self, what: &str) -> Result<(), Failure> {
        let is_new = self.operation() == Operation::Create;
        let name = if is_new { text(self.write.proposed(), "/metadata/name") } else { self.write.name };
        if name == self.node {
            return Ok(());
        }
        Err(self.no(&format!("{what} with the same name as the requesting node")))
    }
}

fn joined(labels: &BTreeSet<String>) -> String {
    labels.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether both have the same there; nothing, null and an empty list are the same, but not an empty structure.
fn same(old: &Value, new: &Value, pointer: &str) -> bool {
    let given = |value: &&Value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty());
    old.pointer(pointer).filter(given) == new.pointer(pointer).filter(given)
}

fn same_labels(old: &Value, new: &Value) -> bool {
    let labels = |value: &Value| value.pointer("/metadata/labels").and_then(Value::as_object).cloned();
    labels(old).unwrap_or_default() == labels(new).unwrap_or_default()
}

#[cfg(test)]
mod tests;
