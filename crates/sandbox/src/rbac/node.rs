//! What nodes may do (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/node`): what the rules of `system:node` say, but of
//! Nodes, Leases and `CSINodes` their own only, and of Pods and what Pods refer to that of the Pods on them.
//!
//! Approximated: relations are looked for in the stored Pods at every request, so they hold at once and for as long as
//! the Pod is stored. Persistent volumes and their Secrets, volume attachments, resource claims, resource slices and
//! `PodCertificateRequests` are never allowed here, where a server looks at further relations.

use admission::KubeVersion;
use serde_json::Value;
use std::sync::Arc;

use super::{Attributes, Decision, bootstrap, pod_references, rule};
use crate::identity::node_of;
use crate::identity::value::{is_set, quoted, text};
use crate::objects::Objects;

/// The annotation of Pods that a node runs on its own (`k8s.io/api/core/v1`, `MirrorPodAnnotationKey`).
pub(crate) const MIRROR: &str = "/metadata/annotations/kubernetes.io~1config.mirror";
/// The namespace of the Leases of nodes.
pub(crate) const LEASES: &str = "kube-node-lease";
/// From when on nodes see no other Nodes and Pods (`AuthorizeNodeWithSelectors`).
const OWN_ONLY_SINCE: KubeVersion = KubeVersion::minor(32);
/// From when on nodes see the accounts of their Pods (`KubeletServiceAccountTokenForCredentialProviders`).
const ACCOUNTS_SINCE: KubeVersion = KubeVersion::minor(34);

struct Request<'a> {
    attributes: &'a Attributes<'a>,
    node: &'a str,
    objects: &'a dyn Objects,
    version: KubeVersion,
}

/// What the authorizer of nodes says; nothing of users who are none.
#[must_use]
pub fn authorize(attributes: &Attributes<'_>, objects: &dyn Objects, version: KubeVersion) -> Decision {
    match node_of(attributes.user) {
        None => Decision::default(),
        Some("") => Decision::pass(format!("unknown node for user {}", quoted(&attributes.user.username))),
        Some(node) => Request { attributes, node, objects, version }.decide(),
    }
}

impl Request<'_> {
    fn decide(&self) -> Decision {
        if self.attributes.path.is_some() {
            return self.by_rules();
        }
        match (self.attributes.group, self.attributes.resource) {
            ("", "secrets" | "configmaps") => self.related_read(),
            ("", "persistentvolumeclaims") if self.attributes.subresource == "status" => self.claim_status(),
            ("", "persistentvolumeclaims" | "persistentvolumes") | ("resource.k8s.io", "resourceclaims") => {
                self.related_get()
            }
            ("storage.k8s.io", "volumeattachments") => self.related_get(),
            ("", "serviceaccounts") => self.account(),
            ("coordination.k8s.io", "leases") => self.lease(),
            ("storage.k8s.io", "csinodes") => self.csi_node(),
            ("resource.k8s.io", "resourceslices") => self.unrelated(),
            ("certificates.k8s.io", "podcertificaterequests") => Decision::default(),
            ("", "nodes") if self.version >= OWN_ONLY_SINCE => self.own_node(),
            ("", "pods") if self.version >= OWN_ONLY_SINCE => self.own_pod(),
            _ => self.by_rules(),
        }
    }

    fn by_rules(&self) -> Decision {
        let rules = bootstrap::node_rules(self.version);
        allowed_if(rules.iter().any(|rule| rule::allows(rule, self.attributes)), "")
    }

    fn related_read(&self) -> Decision {
        let Attributes { verb, subresource, namespace, .. } = *self.attributes;
        if !["get", "list", "watch"].contains(&verb) {
            return Decision::pass("can only read resources of this type");
        }
        if !subresource.is_empty() {
            return Decision::pass("cannot read subresource");
        }
        if namespace.is_empty() {
            return Decision::pass("can only read namespaced object of this type");
        }
        self.related()
    }

    fn related_get(&self) -> Decision {
        if self.attributes.verb != "get" {
            return Decision::pass("can only get individual resources of this type");
        }
        if !self.attributes.subresource.is_empty() {
            return Decision::pass("cannot get subresource");
        }
        self.related()
    }

    fn claim_status(&self) -> Decision {
        if !["update", "patch"].contains(&self.attributes.verb) {
            return Decision::pass("can only get/update/patch this type");
        }
        self.related()
    }

    fn account(&self) -> Decision {
        let Attributes { verb, subresource, name, .. } = *self.attributes;
        if verb == "get" && subresource.is_empty() {
            let known = self.version >= ACCOUNTS_SINCE;
            return if known { self.related_read() } else { Decision::pass("not allowed to get service accounts") };
        }
        if verb != "create" || name.is_empty() {
            return Decision::pass("can only create tokens for individual service accounts");
        }
        if subresource != "token" {
            return Decision::pass("can only create token subresource of serviceaccount");
        }
        self.related()
    }

    fn lease(&self) -> Decision {
        let Attributes { verb, namespace, name, .. } = *self.attributes;
        if !is_single(verb) {
            return Decision::pass("can only get, create, update, patch, or delete a node lease");
        }
        if namespace != LEASES {
            return Decision::pass(format!("can only access leases in the {} system namespace", quoted(LEASES)));
        }
        // The name is not known at creation; the admission of nodes' requests looks at it.
        let own = verb == "create" || name == self.node;
        allowed_if(own, "can only access node lease with the same name as the requesting node")
    }

    fn csi_node(&self) -> Decision {
        let Attributes { verb, subresource, name, .. } = *self.attributes;
        if !is_single(verb) {
            return Decision::pass("can only get, create, update, patch, or delete a CSINode");
        }
        if !subresource.is_empty() {
            return Decision::pass("cannot authorize CSINode subresources");
        }
        let own = verb == "create" || name == self.node;
        allowed_if(own, "can only access CSINode with the same name as the requesting node")
    }

    fn own_node(&self) -> Decision {
        let Attributes { verb, subresource, name, .. } = *self.attributes;
        match (subresource, verb) {
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Decision::allow(""),
            ("", "get" | "list" | "watch") if name == self.node => Decision::allow(""),
            ("", "get" | "list" | "watch") if name.is_empty() => {
                Decision::pass(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch") => {
                Decision::pass(format!("node '{}' cannot read '{name}', only its own Node object", self.node))
            }
            _ => Decision::default(),
        }
    }

    fn own_pod(&self) -> Decision {
        let Attributes { verb, subresource, name, fields, .. } = *self.attributes;
        let on_node = || fields.iter().any(|(field, value)| field == "spec.nodeName" && value == self.node);
        match (subresource, verb) {
            ("", "get") => self.related(),
            ("", "list" | "watch") if on_node() => Decision::allow(""),
            ("", "list" | "watch") if !name.is_empty() => self.related(),
            ("", "list" | "watch") => Decision::pass("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Decision::allow(""),
            _ => Decision::default(),
        }
    }

    fn related(&self) -> Decision {
        if self.attributes.name.is_empty() {
            return Decision::pass("No Object name found");
        }
        let pods = self.objects.list("", "pods", Some(self.attributes.namespace));
        let here = |pod: &&Arc<Value>| text(pod, "/spec/nodeName") == self.node;
        let namespaced = !self.attributes.namespace.is_empty();
        if namespaced && pods.iter().filter(here).any(|pod| self.is_related(pod)) {
            return Decision::allow("");
        }
        self.unrelated()
    }

    fn unrelated(&self) -> Decision {
        Decision::pass(format!("no relationship found between node '{}' and this object", self.node))
    }

    /// A Pod that the node itself has made up relates it to nothing else.
    fn is_related(&self, pod: &Value) -> bool {
        let Attributes { group, resource, name, .. } = *self.attributes;
        if (group, resource) == ("", "pods") {
            return text(pod, "/metadata/name") == name;
        }
        !is_set(pod, MIRROR)
            && match (group, resource) {
                ("", "serviceaccounts") => text(pod, "/spec/serviceAccountName") == name,
                ("", "secrets") => pod_references::secrets(pod).contains(&name),
                ("", "configmaps") => pod_references::config_maps(pod).contains(&name),
                ("", "persistentvolumeclaims") => pod_references::claims(pod).iter().any(|claim| claim == name),
                _ => false,
            }
    }
}

fn is_single(verb: &str) -> bool {
    ["get", "create", "update", "patch", "delete"].contains(&verb)
}

fn allowed_if(condition: bool, otherwise: &str) -> Decision {
    if condition { Decision::allow("") } else { Decision::pass(otherwise) }
}
