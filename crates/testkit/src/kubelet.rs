//! In place of kubelets: what is bound to a Node runs and is ready at once, what is deleted is gone at once.
//!
//! Only pods that wait are touched, so that a test may say of a running one whatever it likes. Times are those at which
//! the pod was created: a controller has no clock of its own. `collect` is what removes pods of Nodes that are gone
//! (`pkg/controller/podgc`).

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStatus, HostIP, Node, Pod, PodCondition, PodIP, PodStatus,
};
use kube::ResourceExt;
use std::sync::Arc;

use crate::cluster::World;
use crate::step::Step;
use crate::template::{ends, node_of, phase};

/// What a running pod is said to be (`v1.PodConditionType`).
const CONDITIONS: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

pub(crate) fn plan(world: &World) -> Vec<Step> {
    world.pods.iter().filter_map(|pod| step(pod, world.nodes.get("", node_of(pod)?)?)).collect()
}

/// Pods that are bound to Nodes that are not there.
pub(crate) fn collect(world: &World) -> Vec<Step> {
    let lost = |pod: &&Arc<Pod>| node_of(pod).is_some_and(|node| world.nodes.get("", node).is_none());
    world.pods.iter().filter(lost).map(|pod| Step::DeletePod { pod: Arc::clone(pod), now: true }).collect()
}

fn step(pod: &Arc<Pod>, node: &Node) -> Option<Step> {
    if ends(&pod.metadata) {
        return Some(Step::DeletePod { pod: Arc::clone(pod), now: true });
    }
    let waits = matches!(phase(pod), "" | "Pending");
    waits.then(|| Step::ReportPod(Box::new(Pod { status: Some(running(pod, node)), ..Pod::clone(pod) })))
}

fn running(pod: &Pod, node: &Node) -> PodStatus {
    let host_ip = address(node);
    let in_host = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
    let pod_ip = if in_host { host_ip.clone() } else { Some(own_address(pod)) };
    PodStatus {
        phase: Some("Running".to_owned()),
        conditions: Some(CONDITIONS.iter().map(|kind| condition(pod, kind)).collect()),
        container_statuses: Some(containers(pod)),
        host_ips: host_ip.clone().map(|ip| vec![HostIP { ip }]),
        host_ip,
        pod_ips: pod_ip.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip,
        start_time: pod.creation_timestamp(),
        observed_generation: pod.metadata.generation,
        ..pod.status.clone().unwrap_or_default()
    }
}

fn condition(pod: &Pod, kind: &str) -> PodCondition {
    PodCondition {
        type_: kind.to_owned(),
        status: "True".to_owned(),
        last_transition_time: pod.creation_timestamp(),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

fn containers(pod: &Pod) -> Vec<ContainerStatus> {
    let uid = pod.uid().unwrap_or_default();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let running = containers.map(|container| {
        let state = ContainerStateRunning { started_at: pod.creation_timestamp() };
        let image = container.image.clone().unwrap_or_default();
        ContainerStatus {
            name: container.name.clone(),
            image_id: image.clone(),
            image,
            container_id: Some(format!("testkit://{uid}/{}", container.name)),
            ready: true,
            started: Some(true),
            state: Some(ContainerState { running: Some(state), ..ContainerState::default() }),
            ..ContainerStatus::default()
        }
    });
    running.collect()
}

fn address(node: &Node) -> Option<String> {
    let mut addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    addresses.find(|address| address.type_ == "InternalIP").map(|address| address.address.clone())
}

/// An address of 10.0.0.0/8 that is drawn from the pod's identifier.
fn own_address(pod: &Pod) -> String {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let [_, one, two, three] = pod.uid().unwrap_or_default().bytes().fold(0x811c_9dc5, mix).to_be_bytes();
    format!("10.{one}.{two}.{}", three.clamp(1, 254))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn world(pod: Value) -> World {
        let mut world = World::default();
        let node = json!({"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}});
        world.nodes.put(serde_json::from_value(node).expect("is a Node"));
        world.pods.put(serde_json::from_value(pod).expect("is a pod"));
        world
    }

    fn pod(node: &str, phase: &str) -> Value {
        json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "status": {"phase": phase, "qosClass": "BestEffort"},
            "spec": {"nodeName": node, "hostNetwork": true, "containers": [{"name": "c", "image": "i"}]}})
    }

    #[test]
    fn waiting_pods_of_a_node_run() {
        let steps = plan(&world(pod("n", "Pending")));
        let [Step::ReportPod(running)] = steps.as_slice() else { unreachable!("{steps:?}") };
        let status = running.status.as_ref().expect("has a status");
        assert!(crate::template::is_ready(running));
        assert_eq!((status.pod_ip.as_deref(), status.qos_class.as_deref()), (Some("192.0.2.1"), Some("BestEffort")));
        for (node, phase) in [("", "Pending"), ("n", "Running"), ("n", "Failed"), ("m", "Pending")] {
            assert!(plan(&world(pod(node, phase))).is_empty(), "{node} {phase}");
        }
    }

    #[test]
    fn deleted_pods_and_those_of_lost_nodes_go() {
        let mut deleted = pod("n", "Running");
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(matches!(plan(&world(deleted)).as_slice(), [Step::DeletePod { now: true, .. }]));
        assert!(matches!(collect(&world(pod("m", "Running"))).as_slice(), [Step::DeletePod { now: true, .. }]));
        assert!(collect(&world(pod("n", "Running"))).is_empty());
        assert!(collect(&world(pod("", "Pending"))).is_empty());
    }
}
