//! The cluster object `ShadowNode`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, Metadata, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the agent of a Node wants on it, as the labels and annotations of an object with the Node's name. A controller
/// makes it, the agent patches it, and it goes with its Node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Wire", into = "Wire")]
pub struct ShadowNode {
    /// The object's metadata: its name is the Node's, its labels and annotations are the publication.
    pub metadata: ObjectMeta,
    /// Nothing so far. Kept as it is, whoever wrote it.
    pub spec: Option<Value>,
    /// Nothing so far. Kept as it is, whoever wrote it.
    pub status: Option<Value>,
}

impl Resource for ShadowNode {
    const API_VERSION: &'static str = "nodebound.io/v1alpha1";
    const GROUP: &'static str = "nodebound.io";
    const KIND: &'static str = "ShadowNode";
    const VERSION: &'static str = "v1alpha1";
    const URL_PATH_SEGMENT: &'static str = "shadownodes";
    type Scope = ClusterResourceScope;
}

impl Metadata for ShadowNode {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The object as it is on the wire. Servers leave the kind of an object in a list away.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: ObjectMeta,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
}

impl From<Wire> for ShadowNode {
    fn from(Wire { api_version: _, kind: _, metadata, spec, status }: Wire) -> Self {
        Self { metadata, spec, status }
    }
}

impl From<ShadowNode> for Wire {
    fn from(ShadowNode { metadata, spec, status }: ShadowNode) -> Self {
        let (api_version, kind) = (ShadowNode::API_VERSION.to_owned(), ShadowNode::KIND.to_owned());
        Self { api_version, kind, metadata, spec, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_later_version_writes_is_kept() {
        let wire = json!({"apiVersion": "nodebound.io/v1alpha1", "kind": "ShadowNode",
            "metadata": {"name": "n", "labels": {"kubevirt.io/x": "1"}}, "spec": {"later": [1]}});
        let object: ShadowNode = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(object.metadata.name.as_deref(), Some("n"));
        assert_eq!(serde_json::to_value(object).unwrap(), wire);
    }
}
