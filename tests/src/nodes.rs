//! Nodes of any size, and the requests that the cost of a guard is measured by.

use admission::AdmissionRequest;
use admission::request::{GroupVersionKind, GroupVersionResource, Operation, UserInfo};
use ownership::Profile;
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A Node with so many labels, six of seven of them KubeVirt's, with keys of 38 to 46 bytes as they are on real Nodes.
#[must_use]
pub fn node(labels: usize) -> Value {
    let label = |index: usize| match index % 7 {
        0 => (format!("failure-domain.example.com/rack-row-{index:08}"), json!("value")),
        _ => (format!("cpu-feature.node.kubevirt.io/feature-{index:06}"), json!("true")),
    };
    let labels: Map<String, Value> = (0..labels).map(label).collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "n1", "uid": "u1", "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": labels,
            "annotations": {"kubevirt.io/heartbeat": "2026-01-01T00:00:00Z", "node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {"capacity": {"cpu": "8"}},
    })
}

/// An update of a Node by the agent of a profile, from its own node.
#[must_use]
pub fn update(profile: &Profile, old: Value, new: Value) -> AdmissionRequest {
    let claims = [(NODE_NAME, "n1"), (NODE_UID, "u1"), (POD_NAME, "p"), (POD_UID, "q")];
    let extra = claims.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
    let [version, nodes] = ["v1", "nodes"].map(str::to_owned);
    AdmissionRequest {
        uid: String::new(),
        kind: GroupVersionKind { group: String::new(), version: version.clone(), kind: "Node".to_owned() },
        resource: GroupVersionResource { group: String::new(), version, resource: nodes },
        sub_resource: String::new(),
        request_kind: None,
        request_resource: None,
        request_sub_resource: None,
        name: "n1".to_owned(),
        namespace: String::new(),
        operation: Operation::Update,
        user_info: UserInfo { username: profile.username().to_owned(), extra, ..UserInfo::default() },
        object: Some(Arc::new(new)),
        old_object: Some(Arc::new(old)),
        dry_run: false,
        options: None,
    }
}

/// A node with one owned label changed.
#[must_use]
pub fn relabelled(node: &Value) -> Value {
    let mut node = node.clone();
    node["metadata"]["labels"]["kubevirt.io/schedulable"] = json!("false");
    node
}

/// A node with one owned annotation changed.
#[must_use]
pub fn reannotated(node: &Value) -> Value {
    let mut node = node.clone();
    node["metadata"]["annotations"]["kubevirt.io/heartbeat"] = json!("2026-01-01T00:01:00Z");
    node
}

/// A node that has lost its labels.
#[must_use]
pub fn bare(node: &Value) -> Value {
    let mut node = node.clone();
    node["metadata"]["labels"] = json!({});
    node
}

/// A node with its owned labels alone.
#[must_use]
pub fn owned_only(node: &Value) -> Value {
    let mut node = node.clone();
    if let Some(labels) = node["metadata"]["labels"].as_object_mut() {
        labels.retain(|key, _| key.contains("kubevirt.io/"));
    }
    node
}
