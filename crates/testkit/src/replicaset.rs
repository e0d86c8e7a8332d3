//! The pods of ReplicaSets (`pkg/controller/replicaset`): as many as they ask for.
//!
//! Simpler than the real controller: `minReadySeconds` is not waited for, pods without an owner are not adopted.

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::cmp::Reverse;
use std::sync::Arc;

use crate::cluster::World;
use crate::step::Step;
use crate::template::{self, count, ends, is_over, is_ready, node_of, phase};

pub(crate) fn plan(world: &World) -> Vec<Step> {
    let owned = template::owned(world.pods.iter());
    world.replica_sets.iter().flat_map(|set| steps(set, template::of(&owned, set.as_ref()))).collect()
}

fn steps(set: &ReplicaSet, pods: &[&Arc<Pod>]) -> Vec<Step> {
    let active: Vec<&Arc<Pod>> = pods.iter().copied().filter(|pod| !is_over(pod) && !ends(&pod.metadata)).collect();
    let changes = if ends(&set.metadata) { Vec::new() } else { changes(set, &active) };
    let status = status(set, &active);
    let report = (set.status.as_ref() != Some(&status))
        .then(|| Step::ReportReplicaSet(Box::new(ReplicaSet { status: Some(status), ..set.clone() })));
    changes.into_iter().chain(report).collect()
}

fn changes(set: &ReplicaSet, active: &[&Arc<Pod>]) -> Vec<Step> {
    let wanted = usize::try_from(wanted(set)).unwrap_or_default();
    let template = set.spec.as_ref().and_then(|spec| spec.template.clone()).unwrap_or_default();
    let missing = wanted.saturating_sub(active.len());
    let created = (0..missing).map(|_| Step::CreatePod(Box::new(template::pod(set, &template, &[]))));
    let surplus = dispensable(active).into_iter().take(active.len().saturating_sub(wanted));
    created.chain(surplus.map(|pod| Step::DeletePod { pod, now: false })).collect()
}

/// How many pods a set asks for.
pub(crate) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
}

/// The pods in the order in which they are given up: not bound, waiting, not ready, young
/// (`ActivePodsWithRanks` in `pkg/controller/controller_utils.go`).
fn dispensable(active: &[&Arc<Pod>]) -> Vec<Arc<Pod>> {
    let mut pods: Vec<Arc<Pod>> = active.iter().map(|pod| Arc::clone(pod)).collect();
    pods.sort_by_cached_key(|pod| {
        let running = phase(pod) == "Running";
        let age = Reverse(pod.creation_timestamp().map(|time| time.0));
        (node_of(pod).is_some(), running, is_ready(pod), age, pod.name_any())
    });
    pods
}

fn status(set: &ReplicaSet, active: &[&Arc<Pod>]) -> ReplicaSetStatus {
    let some = |number: i32| (number != 0).then_some(number);
    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref()?.metadata.as_ref()?.labels.clone());
    let labels = template.unwrap_or_default();
    let labelled = |pod: &&&Arc<Pod>| labels.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    let ready = count(active.iter().filter(|pod| is_ready(pod)));
    ReplicaSetStatus {
        replicas: count(active.iter()),
        fully_labeled_replicas: some(count(active.iter().filter(labelled))),
        ready_replicas: some(ready),
        available_replicas: some(ready),
        observed_generation: set.metadata.generation,
        ..set.status.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(replicas: i32) -> ReplicaSet {
        serde_json::from_value(json!({"metadata": {"name": "r", "namespace": "ns", "uid": "u", "generation": 2},
            "spec": {"replicas": replicas, "selector": {},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}}}))
        .expect("is a ReplicaSet")
    }

    fn pod(name: &str, node: &str, status: Value) -> Arc<Pod> {
        let pod = json!({"metadata": {"name": name, "labels": {"a": "b"}}, "spec": {"nodeName": node, "containers": []}, "status": status});
        Arc::new(serde_json::from_value(pod).expect("is a pod"))
    }

    #[test]
    fn too_few_and_too_many() {
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let pods = [
            pod("ready", "n", ready),
            pod("running", "n", json!({"phase": "Running"})),
            pod("waiting", "n", json!({"phase": "Pending"})),
            pod("unbound", "", json!({"phase": "Pending"})),
            pod("failed", "n", json!({"phase": "Failed"})),
        ];
        let all: Vec<&Arc<Pod>> = pods.iter().collect();
        let cases =
            [(6, 2, vec![]), (4, 0, vec![]), (3, 0, vec!["unbound"]), (1, 0, vec!["unbound", "waiting", "running"])];
        for (replicas, created, deleted) in cases {
            let steps = steps(&set(replicas), &all);
            let names: Vec<String> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::DeletePod { pod, .. } => Some(pod.name_any()),
                    _ => None,
                })
                .collect();
            assert_eq!(names, deleted, "{replicas}");
            assert_eq!(steps.iter().filter(|step| matches!(step, Step::CreatePod(_))).count(), created, "{replicas}");
        }
        let counted = status(&set(1), &all[..4]);
        assert_eq!((counted.replicas, counted.ready_replicas, counted.observed_generation), (4, Some(1), Some(2)));
    }
}
