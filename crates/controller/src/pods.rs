//! The agents' pods as signs of life.

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use std::collections::HashMap;

use crate::liveness::{Name, Sign};

/// What is kept of an agent's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentPod {
    pub node: Name,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    Leaving,
    Unready,
    Ready,
}

impl AgentPod {
    /// The pod, if it is one of the agent's account that has a node.
    pub fn of(pod: &Pod, account: &str) -> Option<Self> {
        let PodSpec { service_account_name, node_name, .. } = pod.spec.as_ref()?;
        let node = node_name.as_deref().filter(|_| service_account_name.as_deref() == Some(account))?;
        let ended = pod.metadata.deletion_timestamp.is_some();
        let ready = pod.status.as_ref().is_some_and(is_ready);
        let is = match (ended, ready) {
            (true, _) => Is::Leaving,
            (false, true) => Is::Ready,
            (false, false) => Is::Unready,
        };
        Some(Self { node: node.into(), is })
    }
}

fn is_ready(status: &PodStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Pods by node. During an update there are two.
#[derive(Debug, Default)]
pub(crate) struct ByNode {
    nodes: HashMap<Name, HashMap<Name, Is>>,
}

impl ByNode {
    pub fn set(&mut self, pod: &Name, AgentPod { node, is }: &AgentPod) {
        self.nodes.entry(node.clone()).or_default().insert(pod.clone(), *is);
    }

    pub fn remove(&mut self, pod: &str, node: &str) {
        if let Some(pods) = self.nodes.get_mut(node) {
            pods.remove(pod);
            if pods.is_empty() {
                self.nodes.remove(node);
            }
        }
    }

    /// The best that there is on a node.
    pub fn sign(&self, node: &str) -> Sign<'static> {
        match self.nodes.get(node).and_then(|pods| pods.values().max()) {
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
        let pod = json!({"metadata": metadata, "status": {"conditions": conditions},
            "spec": {"serviceAccountName": account, "nodeName": "n", "containers": []}});
        AgentPod::of(&serde_json::from_value(pod).unwrap(), "agent")
    }

    #[test]
    fn the_best_pod_of_the_account_speaks_for_the_node() {
        assert_eq!(pod("other", json!({}), "True"), None);
        let ending = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        let (old, new) = (Name::from("old"), Name::from("new"));
        let mut pods = ByNode::default();
        assert_eq!(pods.sign("n"), Sign::None);
        let steps = [
            (&old, json!({}), "True", Sign::Ready),
            (&old, ending, "True", Sign::Leaving),
            (&new, json!({}), "False", Sign::Unready),
            (&new, json!({}), "True", Sign::Ready),
        ];
        for (name, metadata, status, sign) in steps {
            pods.set(name, &pod("agent", metadata, status).unwrap());
            assert_eq!(pods.sign("n"), sign);
        }
        pods.remove("old", "n");
        pods.remove("new", "n");
        assert_eq!((pods.sign("n"), pods.nodes.len()), (Sign::None, 0));
    }
}
