//! The pods of DaemonSets (`pkg/controller/daemon`): one on every Node that its template fits.
//!
//! Simpler than the real controller: no ControllerRevisions, no surge, `minReadySeconds` is not waited for, pods without
//! an owner are not adopted.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Toleration,
};
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::World;
use crate::placement::{admits, keeps, pinned, selects, taints};
use crate::step::Step;
use crate::template::{self, Rounded, count, ends, hash, is_over, is_ready, node_of, share};

/// The label that tells which template a pod was made from (`ControllerRevisionHashLabelKey`).
pub const HASH: &str = "controller-revision-hash";
/// How often the template was changed, counted by the API server (`DeprecatedTemplateGeneration`).
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// Taints that the pods of every DaemonSet tolerate (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
/// What those in the network of their node tolerate besides.
const TOLERATED_BY_HOST: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// What a DaemonSet has too few and too many of.
#[derive(Debug, Default)]
pub struct Difference {
    /// Pods to create, in the order of their Nodes.
    pub create: Vec<Pod>,
    /// Pods to delete.
    pub delete: Vec<Arc<Pod>>,
}

pub(crate) fn plan(world: &World) -> Vec<Step> {
    let owned = template::owned(world.pods.iter());
    let nodes: Vec<&Arc<Node>> = world.nodes.iter().collect();
    let living = world.daemon_sets.iter().filter(|set| !ends(&set.metadata));
    living.flat_map(|set| steps(set, &nodes, template::of(&owned, set.as_ref()))).collect()
}

fn steps(set: &DaemonSet, nodes: &[&Arc<Node>], pods: &[&Arc<Pod>]) -> Vec<Step> {
    let Difference { create, delete } = difference(set, nodes, pods);
    let deleted = delete.into_iter().map(|pod| Step::DeletePod { pod, now: false });
    let created = create.into_iter().map(|pod| Step::CreatePod(Box::new(pod)));
    let status = status(set, nodes, pods);
    let report = (set.status.as_ref() != Some(&status))
        .then(|| Step::ReportDaemonSet(Box::new(DaemonSet { status: Some(status), ..set.clone() })));
    deleted.chain(created).chain(report).collect()
}

/// What has to be created and deleted, given the Nodes and the pods that the set owns, each in the order of their names.
#[must_use]
pub fn difference(set: &DaemonSet, nodes: &[&Arc<Node>], pods: &[&Arc<Pod>]) -> Difference {
    let placed = by_node(pods);
    let hash = set.spec.as_ref().map(|spec| hash(&spec.template)).unwrap_or_default();
    let mut difference = Difference::default();
    let mut rollout = Rollout::default();
    for node in nodes {
        let name = node.name_any();
        let here = placed.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let verdict = verdict(set, node);
        match verdict {
            Verdict::Run if here.is_empty() => difference.create.push(pod(set, &name, &hash)),
            Verdict::Run | Verdict::Stay => difference.delete.extend(surplus(here)),
            Verdict::Leave => {
                difference.delete.extend(here.iter().filter(|pod| !ends(&pod.metadata)).map(|pod| Arc::clone(pod)))
            }
        }
        if verdict == Verdict::Run || (verdict == Verdict::Stay && !here.is_empty()) {
            rollout.count(here, &hash);
        }
    }
    let desired = count(nodes.iter().filter(|node| verdict(set, node) == Verdict::Run));
    difference.delete.extend(rollout.replaced(limit(set, desired)));
    difference.delete.extend(stray(pods, nodes));
    difference.delete.sort_by_key(|pod| pod.name_any());
    difference.delete.dedup_by_key(|pod| pod.name_any());
    difference
}

/// What a DaemonSet wants on a Node (`NodeShouldRunDaemonPod`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A pod.
    Run,
    /// Whatever is there.
    Stay,
    /// Nothing.
    Leave,
}

fn verdict(set: &DaemonSet, node: &Node) -> Verdict {
    let Some(wanted) = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()) else { return Verdict::Leave };
    let elsewhere = wanted.node_name.as_ref().is_some_and(|name| !name.is_empty() && *name != node.name_any());
    if elsewhere || !selects(wanted, node) {
        return Verdict::Leave;
    }
    let (taints, tolerations) = (taints(node), tolerations(wanted));
    match (admits(&taints, &tolerations), keeps(&taints, &tolerations)) {
        (true, _) => Verdict::Run,
        (false, true) => Verdict::Stay,
        (false, false) => Verdict::Leave,
    }
}

/// The pods of a set by the Node that they are on or are meant for. Those that ran to their end and are deleted do not count.
fn by_node<'a>(pods: &[&'a Arc<Pod>]) -> BTreeMap<&'a str, Vec<&'a Arc<Pod>>> {
    let mut placed = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !(ends(&pod.metadata) && is_over(pod))) {
        if let Some(node) = target(pod) {
            placed.entry(node).or_insert_with(Vec::new).push(*pod);
        }
    }
    placed
}

fn target(pod: &Pod) -> Option<&str> {
    node_of(pod).or_else(|| pinned(pod.spec.as_ref()?))
}

/// Of the pods on a Node those that are over, and all but the oldest of the others.
fn surplus(here: &[&Arc<Pod>]) -> Vec<Arc<Pod>> {
    let (over, mut running): (Vec<&Arc<Pod>>, Vec<&Arc<Pod>>) =
        here.iter().copied().filter(|pod| !ends(&pod.metadata)).partition(|pod| is_over(pod));
    running.sort_by_key(|pod| (node_of(pod).is_none(), pod.creation_timestamp().map(|time| time.0), pod.name_any()));
    over.into_iter().chain(running.into_iter().skip(1)).cloned().collect()
}

/// Pods that wait for a Node that is gone.
fn stray<'a>(pods: &[&'a Arc<Pod>], nodes: &[&Arc<Node>]) -> impl Iterator<Item = Arc<Pod>> + use<'a> {
    let names: Vec<String> = nodes.iter().map(|node| node.name_any()).collect();
    let gone = |pod: &&&Arc<Pod>| {
        let pod: &Pod = pod;
        let waits = node_of(pod).is_none() && !ends(&pod.metadata);
        waits && target(pod).is_some_and(|node| names.binary_search_by(|name| name.as_str().cmp(node)).is_err())
    };
    let gone: Vec<Arc<Pod>> = pods.iter().filter(gone).map(|pod| Arc::clone(pod)).collect();
    gone.into_iter()
}

/// Pods of a former template (`rollingUpdate` in `update.go`).
#[derive(Debug, Default)]
struct Rollout<'a> {
    unavailable: usize,
    broken: Vec<&'a Arc<Pod>>,
    candidates: Vec<&'a Arc<Pod>>,
}

impl<'a> Rollout<'a> {
    fn count(&mut self, here: &[&'a Arc<Pod>], hash: &str) {
        let living: Vec<_> = here.iter().filter(|pod| !ends(&pod.metadata)).collect();
        let [pod] = living.as_slice() else {
            self.unavailable += 1;
            return;
        };
        let current = pod.labels().get(HASH).is_some_and(|value| value == hash);
        match (current, is_ready(pod)) {
            (true, true) => {}
            (true, false) => self.unavailable += 1,
            (false, true) => self.candidates.push(pod),
            (false, false) => {
                self.unavailable += 1;
                self.broken.push(pod);
            }
        }
    }

    fn replaced(self, limit: Option<usize>) -> Vec<Arc<Pod>> {
        let Some(limit) = limit else { return Vec::new() };
        let free = limit.saturating_sub(self.unavailable);
        self.broken.into_iter().chain(self.candidates.into_iter().take(free)).cloned().collect()
    }
}

/// How many pods may be unavailable during a rollout, if there is one.
fn limit(set: &DaemonSet, desired: i32) -> Option<usize> {
    let strategy = set.spec.as_ref()?.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
        return None;
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let given = rolling.and_then(|rolling| share(rolling.max_unavailable.as_ref(), desired, Rounded::Up));
    usize::try_from(given.unwrap_or(1).max(1)).ok()
}

/// The pod for a Node. The scheduler binds it, by its affinity.
fn pod(set: &DaemonSet, node: &str, hash: &str) -> Pod {
    let template = set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let generation = set.annotations().get(GENERATION).map(|number| ("pod-template-generation", number.clone()));
    let labels: Vec<_> = std::iter::once((HASH, hash.to_owned())).chain(generation).collect();
    let mut pod = template::pod(set, &template, &labels);
    if let Some(spec) = &mut pod.spec {
        spec.tolerations = Some(tolerations(spec));
        pin(spec, node);
    }
    pod
}

fn tolerations(spec: &PodSpec) -> Vec<Toleration> {
    let mut tolerations = spec.tolerations.clone().unwrap_or_default();
    let besides = (spec.host_network == Some(true)).then_some(TOLERATED_BY_HOST);
    for (key, effect) in TOLERATED.into_iter().chain(besides) {
        let [key, effect, operator] = [key, effect, "Exists"].map(|text| Some(text.to_owned()));
        let toleration = Toleration { key, effect, operator, ..Toleration::default() };
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    tolerations
}

/// Binds a pod to a Node by its name, besides what it asks for itself (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn pin(spec: &mut PodSpec, node: &str) {
    let field = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let affinity = spec.affinity.get_or_insert_with(Affinity::default);
    let of_node = affinity.node_affinity.get_or_insert_with(NodeAffinity::default);
    let required = of_node
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(|| NodeSelector { node_selector_terms: vec![NodeSelectorTerm::default()] });
    for term in &mut required.node_selector_terms {
        term.match_fields = Some(vec![field.clone()]);
    }
}

/// The status of a set (`updateDaemonSetStatus`).
fn status(set: &DaemonSet, nodes: &[&Arc<Node>], pods: &[&Arc<Pod>]) -> DaemonSetStatus {
    let placed = by_node(pods);
    let hash = set.spec.as_ref().map(|spec| hash(&spec.template)).unwrap_or_default();
    let (mut desired, mut scheduled, mut misplaced, mut ready, mut updated) = (0, 0, 0, 0, 0);
    for node in nodes {
        let here = placed.get(node.name_any().as_str()).map(Vec::as_slice).unwrap_or_default();
        let run = verdict(set, node) == Verdict::Run;
        desired += i32::from(run);
        misplaced += i32::from(!run && !here.is_empty());
        let oldest = here.iter().min_by_key(|pod| (pod.creation_timestamp().map(|time| time.0), pod.name_any()));
        if let (true, Some(pod)) = (run, oldest) {
            scheduled += 1;
            ready += i32::from(is_ready(pod));
            updated += i32::from(pod.labels().get(HASH) == Some(&hash));
        }
    }
    let some = |number: i32| (number != 0).then_some(number);
    DaemonSetStatus {
        current_number_scheduled: scheduled,
        desired_number_scheduled: desired,
        number_available: some(ready),
        number_misscheduled: misplaced,
        number_ready: ready,
        number_unavailable: some(desired - ready),
        observed_generation: set.metadata.generation,
        updated_number_scheduled: some(updated),
        ..set.status.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(spec: Value) -> DaemonSet {
        let mut object = json!({"metadata": {"name": "d", "namespace": "ns", "uid": "u", "generation": 3},
            "spec": {"selector": {}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            object["spec"]["template"]["spec"][key] = value.clone();
        }
        serde_json::from_value(object).expect("is a DaemonSet")
    }

    fn node(name: &str, spec: Value) -> Arc<Node> {
        let object = json!({"metadata": {"name": name, "labels": {"name": name}}, "spec": spec});
        Arc::new(serde_json::from_value(object).expect("is a Node"))
    }

    fn made(set: &DaemonSet, name: &str, node: &str, ready: bool) -> Arc<Pod> {
        let hash = hash(&set.spec.as_ref().expect("has a specification").template);
        let mut pod = pod(set, node, &hash);
        pod.metadata.name = Some(name.to_owned());
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]});
        pod.status = serde_json::from_value(status).ok();
        Arc::new(pod)
    }

    fn changed(mut pod: Arc<Pod>, change: fn(&mut Pod)) -> Arc<Pod> {
        change(Arc::make_mut(&mut pod));
        pod
    }

    fn ending(pod: Arc<Pod>) -> Arc<Pod> {
        changed(pod, |pod| {
            pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).ok();
        })
    }

    fn failed(pod: Arc<Pod>) -> Arc<Pod> {
        changed(pod, |pod| pod.status = serde_json::from_value(json!({"phase": "Failed"})).ok())
    }

    /// The Nodes that get a pod, and the pods that are deleted.
    fn shown(set: &DaemonSet, nodes: &[Arc<Node>], pods: &[Arc<Pod>]) -> (Vec<String>, Vec<String>) {
        let difference = difference(set, &nodes.iter().collect::<Vec<_>>(), &pods.iter().collect::<Vec<_>>());
        let created = difference.create.iter().filter_map(|pod| target(pod).map(str::to_owned)).collect();
        (created, difference.delete.iter().map(|pod| pod.name_any()).collect())
    }

    #[test]
    fn nodes_get_a_pod_as_their_taints_allow() {
        let taint = |key: &str, effect: &str| json!({"taints": [{"key": key, "effect": effect}]});
        let cases = [
            ("plain", json!({}), (vec!["n"], vec![]), Vec::<&str>::new()),
            ("cordoned", json!({"unschedulable": true}), (vec!["n"], vec![]), vec![]),
            ("no schedule", taint("k", "NoSchedule"), (vec![], vec![]), vec![]),
            ("no execute", taint("k", "NoExecute"), (vec![], vec![]), vec!["p"]),
            ("not ready", taint("node.kubernetes.io/not-ready", "NoExecute"), (vec!["n"], vec![]), vec![]),
            ("no network", taint("node.kubernetes.io/network-unavailable", "NoSchedule"), (vec![], vec![]), vec![]),
        ];
        for (case, spec, (created, none), deleted) in cases {
            let (set, nodes) = (set(json!({})), [node("n", spec)]);
            let none: Vec<String> = none;
            assert_eq!(shown(&set, &nodes, &[]), (created.into_iter().map(str::to_owned).collect(), none), "{case}");
            assert_eq!(
                shown(&set, &nodes, &[made(&set, "p", "n", true)]),
                (vec![], deleted.into_iter().map(str::to_owned).collect()),
                "{case}"
            );
        }
    }

    #[test]
    fn only_nodes_that_are_selected() {
        let set = set(json!({"nodeSelector": {"name": "n2"}}));
        let nodes = [node("n1", json!({})), node("n2", json!({}))];
        let pods = [made(&set, "p", "n1", true)];
        assert_eq!(shown(&set, &nodes, &pods), (vec!["n2".to_owned()], vec!["p".to_owned()]));
    }

    #[test]
    fn surplus_failed_and_stray_pods_go() {
        let set = set(json!({}));
        let nodes = [node("n1", json!({})), node("n2", json!({}))];
        let pods = [
            made(&set, "a", "n1", true),
            made(&set, "b", "n1", true),
            failed(made(&set, "c", "n2", false)),
            made(&set, "d", "n3", false),
        ];
        let (created, deleted) = shown(&set, &nodes, &pods);
        assert_eq!((created, deleted), (vec![], ["b", "c", "d"].map(str::to_owned).to_vec()));
        let ends = [made(&set, "a", "n1", true), ending(made(&set, "b", "n2", true))];
        assert_eq!(shown(&set, &nodes, &ends), (vec![], vec![]), "a pod that ends keeps its place");
    }

    #[test]
    fn one_pod_after_the_other_gets_a_new_template() {
        let (old, new) = (set(json!({})), set(json!({"hostNetwork": true})));
        let nodes = [node("n1", json!({})), node("n2", json!({})), node("n3", json!({}))];
        let all = |ready: [bool; 3]| [("a", "n1"), ("b", "n2"), ("c", "n3")].into_iter().zip(ready);
        let old_pods =
            |ready| all(ready).map(|((name, node), ready)| made(&old, name, node, ready)).collect::<Vec<_>>();
        let cases = [
            (old_pods([true; 3]), vec!["a"]),
            (old_pods([true, false, true]), vec!["b"]),
            (old_pods([false; 3]), vec!["a", "b", "c"]),
        ];
        for (pods, expected) in cases {
            assert_eq!(shown(&new, &nodes, &pods).1, expected);
        }
        let mut half = old_pods([true; 3]);
        half[0] = made(&new, "a2", "n1", false);
        assert_eq!(shown(&new, &nodes, &half).1, Vec::<String>::new(), "the new one is not ready");
        half[0] = made(&new, "a2", "n1", true);
        assert_eq!(shown(&new, &nodes, &half).1, ["b"]);
    }

    #[test]
    fn a_node_that_gets_no_pod_does_not_hold_up_a_rollout() {
        let taint = json!({"taints": [{"key": "k", "effect": "NoSchedule"}]});
        let nodes = [node("n1", json!({})), node("n2", taint)];
        let pods = [made(&set(json!({})), "a", "n1", true)];
        assert_eq!(shown(&set(json!({"hostNetwork": true})), &nodes, &pods).1, ["a"]);
    }

    #[test]
    fn on_delete_replaces_nothing() {
        let mut new = set(json!({"hostNetwork": true}));
        let strategy = serde_json::from_value(json!({"type": "OnDelete"})).expect("is a strategy");
        new.spec.as_mut().expect("has a specification").update_strategy = Some(strategy);
        let pods = [made(&set(json!({})), "a", "n1", true)];
        assert_eq!(shown(&new, &[node("n1", json!({}))], &pods), (vec![], vec![]));
    }

    #[test]
    fn the_status_counts() {
        let set = set(json!({"nodeSelector": {"name": "n1"}}));
        let nodes = [node("n1", json!({})), node("n2", json!({}))];
        let pods = [made(&set, "a", "n1", true), made(&set, "b", "n2", true)];
        let status = status(&set, &nodes.iter().collect::<Vec<_>>(), &pods.iter().collect::<Vec<_>>());
        let expected = json!({"currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberAvailable": 1,
            "numberMisscheduled": 1, "numberReady": 1, "observedGeneration": 3, "updatedNumberScheduled": 1});
        assert_eq!(serde_json::to_value(status).expect("is JSON"), expected);
    }
}
