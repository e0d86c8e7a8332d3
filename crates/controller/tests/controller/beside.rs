//! virt-controller beside us on the same Nodes, as far as it writes them, and virt-handler before us.

use controller::Settings;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::stage::{HEARTBEAT, SCHEDULABLE, Stage, of_somebody_else, pass, text, time};

pub const TSC: &str = "scheduling.node.kubevirt.io/tsc-frequency-2400000000";
const WRONG: &str = "scheduling.node.kubevirt.io/tsc-frequency-1";

/// What virt-controller did.
#[derive(Default)]
pub struct Did {
    marks: Mutex<Vec<String>>,
    topology: AtomicUsize,
}

impl Did {
    pub fn marks(&self) -> Vec<String> {
        self.marks.lock().unwrap().clone()
    }

    pub fn topology(&self) -> usize {
        self.topology.load(Ordering::Relaxed)
    }
}

/// As much of virt-controller as writes Nodes: it marks those whose heartbeat is older than five minutes, looking once a
/// minute (`pkg/virt-controller/watch/node/node.go`), and keeps the frequencies of time stamp counters, at least every 66
/// seconds (`pkg/virt-controller/watch/topology`).
pub fn virt_controller(stage: &Stage) -> (Arc<Did>, [JoinHandle<()>; 2]) {
    let did = Arc::new(Did::default());
    let (nodes, start) = (stage.nodes.clone(), stage.start());
    let (all, marks) = (nodes.clone(), did.clone());
    let marking = async move {
        loop {
            sleep(Duration::from_secs(60)).await;
            mark(&all, time(start.elapsed()).parse().unwrap(), &marks).await;
        }
    };
    let labels = did.clone();
    let topology = async move {
        loop {
            sleep(Duration::from_secs(48)).await;
            frequencies(&nodes, &labels).await;
        }
    };
    (did, [tokio::spawn(marking), tokio::spawn(topology)])
}

async fn listed(nodes: &Api<Node>) -> Vec<Node> {
    nodes.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default()
}

async fn write(nodes: &Api<Node>, node: &str, labels: serde_json::Value) -> bool {
    let parameters = PatchParams { field_manager: Some("virt-controller".into()), ..PatchParams::default() };
    let patch = Patch::Strategic(json!({"metadata": {"labels": labels}}));
    nodes.patch(node, &parameters, &patch).await.is_ok()
}

async fn mark(nodes: &Api<Node>, now: Timestamp, did: &Did) {
    for node in listed(nodes).await {
        let metadata = node.metadata;
        let beat = metadata.annotations.as_ref().and_then(|all| all.get(HEARTBEAT)?.parse::<Timestamp>().ok());
        let schedulable = metadata.labels.as_ref().and_then(|all| all.get(SCHEDULABLE)).is_some_and(|is| is == "true");
        let dead = beat.is_some_and(|beat| now.duration_since(beat) > SignedDuration::from_mins(5));
        let name = metadata.name.unwrap_or_default();
        if dead && schedulable && write(nodes, &name, json!({SCHEDULABLE: "false"})).await {
            did.marks.lock().unwrap().push(name);
        }
    }
}

async fn frequencies(nodes: &Api<Node>, did: &Did) {
    for node in listed(nodes).await {
        let labels = node.metadata.labels.unwrap_or_default();
        if (!labels.contains_key(TSC) || labels.contains_key(WRONG))
            && write(nodes, &node.metadata.name.unwrap_or_default(), json!({TSC: "true", WRONG: null})).await
        {
            did.topology.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Both judge the same heartbeat of an agent that writes its Node itself.
#[tokio::test(start_paused = true)]
async fn two_that_mark_silent_nodes_do_not_fight() {
    let stage = Stage::with(of_somebody_else("Annotation"), 1).await;
    for node in ["n", "quiet"] {
        stage.register(node).await;
    }
    let controller = stage.controller(true);
    let (did, _tasks) = virt_controller(&stage);
    let beat = async |node: &str| {
        let metadata = json!({"labels": {SCHEDULABLE: "true"}, "annotations": {HEARTBEAT: time(stage.now())}});
        stage.patched_by("virt-handler", node, metadata).await;
    };
    for minute in 0..60 {
        beat("n").await;
        if !(10..40).contains(&minute) {
            beat("quiet").await;
        }
        pass(60).await;
        if minute == 30 {
            assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("false"));
        }
    }
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("true"), "it is back");
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"));
    let marks = did.marks().len() + controller.writes("quiet").len();
    assert_eq!(marks, 1, "whoever was first marked it; there was nothing left to do for the other");
    assert_eq!((controller.writes("n").len(), did.topology()), (0, 2), "its own labels it wrote once a node");
    assert_eq!(stage.says("n", TSC).await, text("true"));
}

/// What we copy, and what it writes beside.
#[tokio::test(start_paused = true)]
async fn its_labels_and_ours_stand_side_by_side() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    let (did, _tasks) = virt_controller(&stage);
    pass(1).await;
    let mut agent =
        stage.agent("n", &[("cpu-timer.node.kubevirt.io/tsc-frequency", "2400000000"), (SCHEDULABLE, "true")]);
    for _ in 0..60 {
        agent.beat(stage.now()).await.unwrap();
        pass(60).await;
    }
    assert_eq!((controller.writes("n").len(), did.topology(), did.marks().len()), (1, 1, 0));
    stage.patched_by("kubectl", "n", json!({"labels": {TSC: null, WRONG: "true"}})).await;
    pass(120).await;
    assert_eq!((stage.says("n", TSC).await, stage.says("n", WRONG).await), (text("true"), None), "its own it repairs");
    assert_eq!((controller.writes("n").len(), did.topology()), (1, 2), "which is none of our business");
}

/// virt-handler goes, our agent comes: what it left and nobody publishes goes, above all its last heartbeat, before
/// virt-controller takes that for a dead node.
#[tokio::test(start_paused = true)]
async fn what_virt_handler_left_is_taken_over() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let (did, _tasks) = virt_controller(&stage);
    let left = json!({
        "labels": {SCHEDULABLE: "true", "cpumanager": "false", "kubevirt.io/ksm-enabled": "false",
            "cpu-model.node.kubevirt.io/Penryn": "true", "cpu-vendor.node.kubevirt.io/AMD": "true"},
        "annotations": {HEARTBEAT: time(stage.now()), "kubevirt.io/ksm-handler-managed": "false"}});
    stage.patched_by("virt-handler", "n", left).await;
    stage.patched_by("kubectl", "n", json!({"annotations": {"kubevirt.io/ksm-pages-boost-override": "1"}})).await;
    pass(60).await;
    let adopted = ["virt-handler".to_owned()].into();
    let controller = stage.controller_with(true, Settings { adopted, ..Settings::default() });
    pass(1).await;
    stage.agent("n", &[("cpu-model.node.kubevirt.io/EPYC", "true"), (SCHEDULABLE, "true")]).live(&stage);
    pass(3600).await;
    assert_eq!(did.marks(), [""; 0], "no moment in which the node looked dead");
    let node = stage.nodes.get("n").await.unwrap().metadata;
    let (labels, annotations) = (node.labels.unwrap(), node.annotations.unwrap_or_default());
    let owned: Vec<&str> = labels.keys().map(String::as_str).filter(|key| key.contains("kubevirt.io/")).collect();
    assert_eq!(owned, ["cpu-model.node.kubevirt.io/EPYC", SCHEDULABLE, "not-kubevirt.io/x", TSC]);
    assert!(!labels.contains_key("cpumanager"));
    assert_eq!(annotations.keys().collect::<Vec<_>>(), ["kubevirt.io/ksm-pages-boost-override"], "which is not theirs");
    assert_eq!(labels[SCHEDULABLE], "true");
    assert!(controller.writes("n").len() <= 2, "{:?}", controller.writes("n"));
}

/// From a pod that is killed to a Node that says so, by each source of signs of life.
#[tokio::test(start_paused = true)]
async fn how_long_a_killed_agent_looks_alive() {
    let until_marked = async |stage: &Stage| -> Duration {
        let killed = stage.now();
        while stage.says("n", SCHEDULABLE).await != text("false") {
            sleep(Duration::from_millis(10)).await;
        }
        stage.now() - killed
    };
    let by_lease = Stage::new().await;
    by_lease.register("n").await;
    by_lease.controller(true);
    pass(1).await;
    let live = by_lease.agent("n", &[(SCHEDULABLE, "true")]).live(&by_lease);
    pass(600).await;
    live.abort();
    let mut last_word = by_lease.agent("n", &[(SCHEDULABLE, "false")]);
    last_word.beat(by_lease.now()).await.unwrap();
    let sigterm = until_marked(&by_lease).await;
    let live = by_lease.agent("n", &[(SCHEDULABLE, "true")]).live(&by_lease);
    pass(600).await;
    live.abort();
    let heartbeat = until_marked(&by_lease).await;

    let by_pod = Stage::with(of_somebody_else("PodReadiness"), 1).await;
    by_pod.plant_daemon_set();
    by_pod.register("n").await;
    by_pod.patched_by("virt-handler", "n", json!({"labels": {SCHEDULABLE: "true"}})).await;
    by_pod.plant_pod("n").await;
    by_pod.pod("n", true).await;
    by_pod.controller(true);
    pass(60).await;
    by_pod.pod("n", false).await;
    let unready = until_marked(&by_pod).await;
    by_pod.pod("n", true).await;
    by_pod.patched_by("virt-handler", "n", json!({"labels": {SCHEDULABLE: "true"}})).await;
    pass(60).await;
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(by_pod.admin.clone(), "kubevirt");
    pods.delete("virt-handler-n", &kube::api::DeleteParams::default().grace_period(0)).await.unwrap();
    let deleted = until_marked(&by_pod).await;
    let seconds = |duration: Duration| duration.as_secs();
    println!("SIGTERM {sigterm:?}, heartbeat {heartbeat:?}, pod not ready {unready:?}, pod deleted {deleted:?}");
    assert!(seconds(sigterm) <= 1 && seconds(deleted) <= 1);
    assert!((240..=360).contains(&seconds(heartbeat)) && (300..=360).contains(&seconds(unready)));
}
