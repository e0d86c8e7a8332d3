//! In place of the scheduler: a pod goes to the first Node that it fits. Resources are not looked at.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use std::sync::Arc;

use crate::cluster::World;
use crate::placement::{admits, selects, taints};
use crate::step::Step;
use crate::template::{ends, is_over, node_of};

const NAME: &str = "default-scheduler";

pub(crate) fn plan(world: &World) -> Vec<Step> {
    let waiting = world.pods.iter().filter(|pod| waits(pod));
    let bind = |pod: &Arc<Pod>| {
        let node = world.nodes.iter().find(|node| fits(pod, node))?;
        Some(Step::Bind { pod: Arc::clone(pod), node: node.name_any() })
    };
    waiting.filter_map(bind).collect()
}

fn waits(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ours = spec.scheduler_name.as_deref().unwrap_or(NAME) == NAME;
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    ours && !gated && node_of(pod).is_none() && !ends(&pod.metadata) && !is_over(pod)
}

fn fits(pod: &Pod, node: &Node) -> bool {
    let tolerations = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.tolerations.clone()).unwrap_or_default();
    let selected = pod.spec.as_ref().is_some_and(|spec| selects(spec, node));
    selected && !ends(&node.metadata) && admits(&taints(node), &tolerations(pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn bound(spec: Value) -> Vec<String> {
        let mut world = World::default();
        let nodes = [
            json!({"metadata": {"name": "a"}, "spec": {"unschedulable": true}}),
            json!({"metadata": {"name": "b"}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
            json!({"metadata": {"name": "c"}}),
            json!({"metadata": {"name": "d", "labels": {"x": "y"}}}),
        ];
        for node in nodes {
            world.nodes.put(serde_json::from_value(node).expect("is a Node"));
        }
        let mut pod = json!({"metadata": {"name": "p"}, "spec": spec});
        pod["spec"]["containers"] = json!([]);
        world.pods.put(serde_json::from_value(pod).expect("is a pod"));
        let node = |step| if let Step::Bind { node, .. } = step { Some(node) } else { None };
        plan(&world).into_iter().filter_map(node).collect()
    }

    #[test]
    fn the_first_node_that_fits() {
        let cases = [
            (json!({}), vec!["c"]),
            (json!({"tolerations": [{"operator": "Exists"}]}), vec!["a"]),
            (json!({"tolerations": [{"key": "k", "operator": "Exists"}]}), vec!["b"]),
            (json!({"nodeSelector": {"x": "y"}}), vec!["d"]),
            (json!({"nodeSelector": {"x": "z"}}), vec![]),
            (json!({"nodeName": "d"}), vec![]),
            (json!({"schedulerName": "another"}), vec![]),
            (json!({"schedulingGates": [{"name": "g"}]}), vec![]),
        ];
        for (spec, expected) in cases {
            assert_eq!(bound(spec.clone()), expected, "{spec}");
        }
    }
}
