//! The agents' pods as signs of life.

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use std::collections::HashMap;

use crate::liveness::{Name, Sign};

/// What is kept of an agent's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentPod {
    pub node: Name,
    /// The UID of the DaemonSet that controls it.
    set: Box<str>,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    Leaving,
    Unready,
    Ready,
}

impl AgentPod {
    /// The pod, if it is one of the agent's account that has a node and was made by a DaemonSet. Others say nothing of
    /// an agent: anybody may start one by hand.
    pub fn of(pod: &Pod, account: &str) -> Option<Self> {
        let PodSpec { service_account_name, node_name, .. } = pod.spec.as_ref()?;
        let node = node_name.as_deref().filter(|_| service_account_name.as_deref() == Some(account))?;
        let owners = pod.metadata.owner_references.iter().flatten();
        let set = owners.into_iter().find(|owner| owner.controller == Some(true) && owner.kind == "DaemonSet")?;
        let ended = pod.metadata.deletion_timestamp.is_some();
        let ready = pod.status.as_ref().is_some_and(is_ready);
        let is = match (ended, ready) {
            (true, _) => Is::Leaving,
            (false, true) => Is::Ready,
            (false, false) => Is::Unready,
        };
        Some(Self { node: node.into(), set: set.uid.as_str().into(), is })
    }
}

fn is_ready(status: &PodStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Pods by node. During an update there are two.
#[derive(Debug, Default)]
pub(crate) struct ByNode {
    nodes: HashMap<Name, HashMap<Name, (Box<str>, Is)>>,
}

impl ByNode {
    pub fn set(&mut self, pod: &Name, AgentPod { node, set, is }: &AgentPod) {
        self.nodes.entry(node.clone()).or_default().insert(pod.clone(), (set.clone(), *is));
    }

    /// The nodes that have one.
    pub fn nodes(&self) -> impl Iterator<Item = &Name> {
        self.nodes.keys()
    }

    pub fn remove(&mut self, pod: &str, node: &str) {
        if let Some(pods) = self.nodes.get_mut(node) {
            pods.remove(pod);
            if pods.is_empty() {
                self.nodes.remove(node);
            }
        }
    }

    /// The best that there is on a node. One whose DaemonSet does not stand is not ready: nobody will restart it.
    pub fn sign(&self, node: &str, stands: impl Fn(&str) -> bool) -> Sign<'static> {
        let is = |(set, is): &(Box<str>, Is)| if stands(set) { *is } else { (*is).min(Is::Unready) };
        match self.nodes.get(node).and_then(|pods| pods.values().map(is).max()) {
            None => Sign::None,
            Some(Is::Leaving) => Sign::Leaving,
            Some(Is::Unready) => Sign::Unready,
            Some(Is::Ready) => Sign::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(account: &str, metadata: Value, status: &str) -> Option<AgentPod> {
        let conditions = json!([{"type": "Ready", "status": status}]);
        let owner = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "d", "controller": true});
        let mut pod = json!({"metadata": metadata, "status": {"conditions": conditions},
            "spec": {"serviceAccountName": account, "nodeName": "n", "containers": []}});
        pod["metadata"]["ownerReferences"] = json!([owner]);
        AgentPod::of(&serde_json::from_value(pod).unwrap(), "agent")
    }

    #[test]
    fn a_pod_that_no_daemon_set_made_says_nothing() {
        let spec = json!({"serviceAccountName": "agent", "nodeName": "n", "containers": []});
        let pod = json!({"metadata": {}, "spec": spec});
        assert_eq!(AgentPod::of(&serde_json::from_value(pod).unwrap(), "agent"), None);
    }

    #[test]
    fn the_best_pod_of_the_account_speaks_for_the_node() {
        assert_eq!(pod("other", json!({}), "True"), None);
        let ending = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        let (old, new) = (Name::from("old"), Name::from("new"));
        let mut pods = ByNode::default();
        let stands = |_: &str| true;
        assert_eq!(pods.sign("n", stands), Sign::None);
        let steps = [
            (&old, json!({}), "True", Sign::Ready),
            (&old, ending, "True", Sign::Leaving),
            (&new, json!({}), "False", Sign::Unready),
            (&new, json!({}), "True", Sign::Ready),
        ];
        for (name, metadata, status, sign) in steps {
            pods.set(name, &pod("agent", metadata, status).unwrap());
            assert_eq!(pods.sign("n", stands), sign);
        }
        assert_eq!(pods.sign("n", |_| false), Sign::Unready, "its DaemonSet is gone");
        pods.remove("old", "n");
        pods.remove("new", "n");
        assert_eq!((pods.sign("n", stands), pods.nodes.len()), (Sign::None, 0));
    }
}
