//! The custom resources that the suites are about, with schemas that accept anything.

use serde_json::{Value, json};

/// The CustomResourceDefinitions, of which some have a status subresource as the real ones do.
#[must_use]
pub fn crds() -> Vec<Value> {
    [
        ("nodebound.io", "v1alpha1", "ShadowNode", "shadownodes", "Cluster", false),
        ("nfd.k8s-sigs.io", "v1alpha1", "NodeFeature", "nodefeatures", "Namespaced", false),
        ("kubevirt.io", "v1", "VirtualMachineInstance", "virtualmachineinstances", "Namespaced", false),
        (
            "backup.kubevirt.io",
            "v1alpha1",
            "VirtualMachineBackupTracker",
            "virtualmachinebackuptrackers",
            "Namespaced",
            true,
        ),
    ]
    .map(|(group, version, kind, plural, scope, status)| {
        let subresources = if status { json!({"status": {}}) } else { json!({}) };
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": scope, "names": {"kind": kind, "plural": plural},
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": subresources,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        })
    })
    .to_vec()
}
