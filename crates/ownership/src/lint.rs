//! Warnings about a profile that is valid but risky.

use std::fmt;

use crate::matcher::{Owned, Pattern};
use crate::profile::{FieldError, Profile};
use crate::spec::{Action, OwnNode};

/// What is known of the cluster that a profile is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Whether its tokens carry the node claim. `None`: not known.
    pub issues_claims: Option<bool>,
}

/// A warning about one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which kind of risk.
    pub risk: Risk,
    /// The field, and why it is risky.
    pub field: FieldError,
    /// A key that the agent could write because of it.
    pub example: Option<String>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        match &self.example {
            Some(key) => write!(f, " (for example {key})"),
            None => Ok(()),
        }
    }
}

/// The kinds of risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// The profile claims keys that belong to Kubernetes or to a whole registry of names.
    ForeignDomain,
    /// The profile owns a key by which the control plane, or the scheduler, chooses nodes.
    Selector,
    /// Any node may write for any other.
    AnyNode,
    /// A token without a claim may write for any node.
    Unclaimed,
    /// Nothing is refused.
    Trial,
}

/// Domains of Kubernetes itself. Whoever owns keys there can impersonate its components.
const KUBERNETES: [&str; 3] = ["kubernetes.io", "k8s.io", "x-k8s.io"];

/// Keys by which control planes, schedulers and providers choose nodes.
const SELECTORS: [&str; 14] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/worker",
    "node-role.kubernetes.io/infra",
    "node-restriction.kubernetes.io/example",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "machineconfiguration.openshift.io/role",
    "scheduling.node.kubevirt.io/tsc-frequency-1",
];

/// Warns of what is risky in a profile, in the order of its fields.
#[must_use]
pub fn lint(profile: &Profile, cluster: Cluster) -> Vec<Warning> {
    let mut warnings = Vec::new();
    warnings.extend(node(profile, cluster));
    for (field, owned) in [("labels", profile.labels()), ("annotations", profile.annotations())] {
        warnings.extend(owned.matchers().iter().filter_map(|m| foreign(field, &m.pattern)));
    }
    warnings.extend(SELECTORS.iter().filter_map(|key| selector(profile.labels(), key)));
    if !profile.actions().contains(&Action::Deny) {
        warnings.push(warning(Risk::Trial, "spec.actions", "without Deny nothing is refused: a trial run", None));
    }
    warnings
}

fn warning(risk: Risk, path: &str, message: &str, example: Option<String>) -> Warning {
    Warning { risk, field: FieldError { path: path.to_owned(), message: message.to_owned() }, example }
}

fn node(profile: &Profile, cluster: Cluster) -> Option<Warning> {
    match (profile.node(), cluster.issues_claims) {
        (OwnNode::Own, _) | (OwnNode::OwnIfClaimed, Some(false)) => None,
        (OwnNode::Any, _) => {
            let message = "Any lets root on one node change the owned keys of every node; use Own";
            Some(warning(Risk::AnyNode, "spec.node", message, None))
        }
        (OwnNode::OwnIfClaimed, Some(true)) => {
            let message = "this cluster's tokens name their node: a token without a claim is one that somebody asked for; \
                use Own as soon as the agents' tokens are renewed";
            Some(warning(Risk::Unclaimed, "spec.node", message, None))
        }
        (OwnNode::OwnIfClaimed, None) => {
            let message = "OwnIfClaimed lets a token without a claim write for every node; use Own where tokens name \
                their node (Kubernetes 1.30 and later)";
            Some(warning(Risk::Unclaimed, "spec.node", message, None))
        }
    }
}

fn foreign(field: &str, pattern: &Pattern) -> Option<Warning> {
    let claimed = match pattern {
        Pattern::Domain(domain) => domain.as_str(),
        Pattern::Prefix(prefix) => prefix.trim_end_matches('/'),
        Pattern::Key(_) => return None,
    };
    let of_kubernetes = Pattern::matches;
    let belongs =
        KUBERNETES.iter().any(|domain| of_kubernetes(&Pattern::Domain((*domain).to_owned()), &format!("{claimed}/x")));
    let registry = matches!(pattern, Pattern::Domain(domain) if !domain.contains('.'));
    let message = match (belongs, registry) {
        (true, _) => format!("`{claimed}` belongs to Kubernetes, not to an agent; list the exact keys"),
        (false, true) => {
            format!("`{claimed}` is a whole top-level name with everybody's domains in it; claim your own domain")
        }
        (false, false) => return None,
    };
    Some(warning(Risk::ForeignDomain, &format!("spec.{field}"), &message, Some(pattern.example())))
}

fn selector(labels: &Owned, key: &str) -> Option<Warning> {
    let message = "the agent may set a label by which pods are placed, and so lure them to a node it holds";
    labels.owns(key).then(|| warning(Risk::Selector, "spec.labels", message, Some(key.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::AgentProfileSpec;
    use serde_json::json;

    fn risks(spec: serde_json::Value, issues_claims: Option<bool>) -> Vec<Risk> {
        let mut full = json!({"serviceAccount": {"namespace": "a", "name": "b"}});
        full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let spec: AgentProfileSpec = serde_json::from_value(full).unwrap();
        let profile = Profile::new("p", spec).unwrap();
        lint(&profile, Cluster { issues_claims }).into_iter().map(|w| w.risk).collect()
    }

    #[test]
    fn each_risk_is_named_once_and_only_where_it_is() {
        let owner = |kind: &str, text: &str| json!({"labels": [{kind: text}]});
        let table = [
            (json!({}), None, vec![]),
            (owner("domain", "example.com"), None, vec![]),
            (owner("domain", "notkubernetes.io"), None, vec![]),
            (owner("prefix", "feature.node.kubernetes.io/"), None, vec![Risk::ForeignDomain]),
            (owner("domain", "k8s.io"), None, vec![Risk::ForeignDomain]),
            (owner("key", "topology.kubernetes.io/zone"), None, vec![Risk::Selector]),
            (json!({"annotations": [{"domain": "com"}]}), None, vec![Risk::ForeignDomain]),
            (json!({"node": "Any"}), Some(false), vec![Risk::AnyNode]),
            (json!({"node": "OwnIfClaimed"}), Some(true), vec![Risk::Unclaimed]),
            (json!({"node": "OwnIfClaimed"}), None, vec![Risk::Unclaimed]),
            (json!({"node": "OwnIfClaimed"}), Some(false), vec![]),
            (json!({"actions": ["Audit"]}), None, vec![Risk::Trial]),
        ];
        for (spec, claims, expected) in table {
            assert_eq!(risks(spec.clone(), claims), expected, "{spec} {claims:?}");
        }
        let all = risks(owner("domain", "kubernetes.io"), None);
        assert_eq!(all.iter().filter(|r| **r == Risk::Selector).count(), 12);
    }

    #[test]
    fn a_warning_shows_a_key() {
        let spec = json!({"serviceAccount": {"namespace": "a", "name": "b"}, "labels": [{"domain": "kubernetes.io"}]});
        let profile = Profile::new("p", serde_json::from_value(spec).unwrap()).unwrap();
        let first = lint(&profile, Cluster::default()).remove(0).to_string();
        assert!(first.ends_with("(for example kubernetes.io/example)"), "{first}");
    }
}
