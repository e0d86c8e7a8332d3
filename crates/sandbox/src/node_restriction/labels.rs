//! Which labels a node may not set on itself (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).

use serde_json::Value;
use std::collections::BTreeSet;

const RESTRICTED: &str = "node-restriction.kubernetes.io";
const OF_KUBERNETES: [&str; 2] = ["kubernetes.io", "k8s.io"];
const OF_KUBELETS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const ALLOWED: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

/// The labels that differ between two Nodes and that a node may not change.
pub(super) fn forbidden(old: &Value, new: &Value) -> BTreeSet<String> {
    let labels =
        |node: &Value| node.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (labels(old), labels(new));
    let differs = |key: &&String| old.get(*key) != new.get(*key);
    old.keys().chain(new.keys()).filter(differs).filter(|key| is_forbidden(key)).cloned().collect()
}

fn is_forbidden(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let is_of = |domain: &str| prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let allowed = ALLOWED.contains(&key) || OF_KUBELETS.into_iter().any(is_of);
    is_of(RESTRICTED) || OF_KUBERNETES.into_iter().any(is_of) && !allowed
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    #[test]
    fn labels_of_kubernetes_are_forbidden_but_for_some() {
        let cases = [
            ("a", false),
            ("example.com/a", false),
            ("kubernetes.io.example.com/a", false),
            ("xkubernetes.io/a", false),
            ("kubernetes.io", false),
            ("kubernetes.io/a", true),
            ("x.kubernetes.io/a", true),
            ("k8s.io/a", true),
            ("x.k8s.io/a", true),
            ("kubernetes.io/hostname", false),
            ("kubernetes.io/os", false),
            ("node.kubernetes.io/a", false),
            ("x.node.kubernetes.io/a", false),
            ("xnode.kubernetes.io/a", true),
            ("kubelet.kubernetes.io/a", false),
            ("node-role.kubernetes.io/control-plane", true),
            ("node-restriction.kubernetes.io/a", true),
            ("x.node-restriction.kubernetes.io/a", true),
            ("node-restriction.kubernetes.io.node.kubernetes.io/a", false),
        ];
        for (key, expected) in cases {
            assert_eq!(is_forbidden(key), expected, "{key}");
        }
    }
}
