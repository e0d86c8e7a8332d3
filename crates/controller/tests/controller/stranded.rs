//! Virtual machines on nodes whose agents are silent, or that are gone.

use controller::{Report, Settings};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::{Value, json};

use crate::stage::{CONTROLLER, Running, SCHEDULABLE, Stage, of_somebody_else, pass};

/// A cluster with the resource of virtual machines, and a node that has been silent for long.
struct Scene {
    stage: Stage,
    machines: Api<DynamicObject>,
}

fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachineInstance");
    ApiResource::from_gvk_with_plural(&kind, "virtualmachineinstances")
}

impl Scene {
    async fn new() -> Self {
        let stage = Stage::with(of_somebody_else("PodReadiness"), 1).await;
        let definition = json!({"metadata": {"name": "virtualmachineinstances.kubevirt.io"}, "spec": {
            "group": "kubevirt.io", "scope": "Namespaced",
            "names": {"kind": "VirtualMachineInstance", "plural": "virtualmachineinstances"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        Api::all(stage.admin.clone()).create(&PostParams::default(), &definition).await.unwrap();
        stage.plant_daemon_set();
        pass(5).await;
        let machines = Api::namespaced_with(stage.admin.clone(), "default", &resource());
        Self { stage, machines }
    }

    fn controller(&self) -> Running {
        self.stage.controller_with(true, Settings { virtual_machines: true, ..Settings::default() })
    }

    async fn silence(&self, node: &str) {
        self.stage.register(node).await;
        self.stage.patched_by("virt-handler", node, json!({"labels": {SCHEDULABLE: "true"}})).await;
        self.stage.plant_pod(node).await;
        self.stage.pod(node, false).await;
    }

    async fn machine(&self, name: &str, node: &str, phase: &str) {
        let object = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
            "metadata": {"name": name, "labels": {"kubevirt.io/nodeName": node}}, "status": {"phase": phase}});
        self.machines.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    async fn phase(&self, name: &str) -> [String; 2] {
        let machine = self.machines.get(name).await.unwrap();
        let text = |path: &str| machine.data.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        [text("/status/phase"), text("/status/reason")]
    }

    /// A pod of a machine on a node.
    async fn launcher(&self, machine: &str, node: &str) {
        let uid = self.machines.get(machine).await.unwrap().metadata.uid;
        let owner = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": machine,
            "uid": uid, "controller": true});
        let metadata =
            json!({"name": format!("virt-launcher-{machine}"), "namespace": "default", "ownerReferences": [owner]});
        let spec = json!({"nodeName": node, "containers": [{"name": "compute", "image": "i"}]});
        let status = json!({"phase": "Running"});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status});
        self.stage.sandbox.plant(pod);
    }
}

fn failed() -> [String; 2] {
    ["Failed", "NodeUnresponsive"].map(str::to_owned)
}

fn stranded(controller: &Running) -> Vec<String> {
    let reports = controller.reports().into_iter();
    let name = |report| match report {
        Report::Stranded { machine: [_, name, _], .. } => Some(name),
        _ => None,
    };
    reports.filter_map(name).collect()
}

/// Scenarios 120 to 124 and 128 to 130.
#[tokio::test(start_paused = true)]
async fn machines_without_a_living_pod_fail_with_their_silent_node() {
    let scene = Scene::new().await;
    scene.silence("n").await;
    for (name, phase) in
        [("running", "Running"), ("scheduled", "Scheduled"), ("lives", "Running"), ("done", "Succeeded")]
    {
        scene.machine(name, "n", phase).await;
    }
    scene.launcher("lives", "n").await;
    scene.machine("elsewhere", "m", "Running").await;
    scene.stage.register("m").await;
    let controller = scene.controller();
    pass(200).await;
    assert_eq!(stranded(&controller), [""; 0], "the node has time to come back");
    pass(200).await;
    for name in ["running", "scheduled"] {
        assert_eq!(scene.phase(name).await, failed(), "{name}");
    }
    for (name, phase) in [("lives", "Running"), ("done", "Succeeded"), ("elsewhere", "Running")] {
        assert_eq!(scene.phase(name).await, [phase.to_owned(), String::new()], "{name}");
    }
    assert_eq!(stranded(&controller), ["running", "scheduled"]);
    scene.machine("late", "n", "Running").await;
    pass(2).await;
    assert_eq!(scene.phase("late").await, failed(), "123, 127: its own event is enough");
}

/// Scenario 126: the Node is gone, and was never seen silent.
#[tokio::test(start_paused = true)]
async fn machines_fail_with_a_node_that_is_deleted() {
    let scene = Scene::new().await;
    scene.stage.register("n").await;
    scene.machine("m", "n", "Running").await;
    scene.controller();
    pass(60).await;
    assert_eq!(scene.phase("m").await[0], "Running");
    scene.stage.delete_node("n").await;
    pass(2).await;
    assert_eq!(scene.phase("m").await, failed());
}

/// Scenario 122.
#[tokio::test(start_paused = true)]
async fn one_machine_that_cannot_be_changed_does_not_keep_the_others() {
    let scene = Scene::new().await;
    for name in ["a", "b", "c"] {
        scene.machine(name, "gone", "Running").await;
    }
    let matches = Matches {
        users: vec![CONTROLLER.to_owned()],
        verbs: vec!["patch".to_owned()],
        names: vec!["b".to_owned()],
        ..Matches::default()
    };
    scene.stage.sandbox.trouble(vec![Rule { matches, when: When::Always, effect: Effect::Refuse(500) }]);
    let controller = scene.controller();
    pass(2).await;
    assert_eq!(stranded(&controller), ["a", "c"]);
    assert_eq!(scene.phase("b").await[0], "Running");
    assert!(controller.reports().iter().any(|report| matches!(report, Report::NotRescued { .. })));
    scene.stage.sandbox.trouble(Vec::new());
    pass(61).await;
    assert_eq!(scene.phase("b").await, failed(), "it is tried again");
}

/// Scenarios 131 to 134: somebody is told where machines run and no agent is to come.
#[tokio::test(start_paused = true)]
async fn orphans_are_told_of_once() {
    let scene = Scene::new().await;
    scene.silence("n").await;
    scene.machine("m", "n", "Running").await;
    scene.launcher("m", "n").await;
    let controller = scene.controller();
    let orphans =
        |controller: &Running| controller.reports().into_iter().filter(|r| matches!(r, Report::Orphaned(_))).count();
    pass(400).await;
    assert_eq!((orphans(&controller), controller.silences().len()), (0, 1), "its agent is there, if not ready");
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(scene.stage.admin.clone(), "kubevirt");
    pods.delete("virt-handler-n", &kube::api::DeleteParams::default().grace_period(0)).await.unwrap();
    pass(200).await;
    assert_eq!((orphans(&controller), scene.phase("m").await[0].as_str()), (1, "Running"));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_it_happens_unless_asked_for_or_without_leading() {
    let scene = Scene::new().await;
    scene.machine("m", "gone", "Running").await;
    scene.stage.controller(true);
    let standby = scene.stage.controller_with(false, Settings { virtual_machines: true, ..Settings::default() });
    pass(600).await;
    assert_eq!(scene.phase("m").await[0], "Running");
    standby.lead.send_replace(true);
    pass(2).await;
    assert_eq!(scene.phase("m").await, failed());
    let patch = Patch::Merge(json!({"status": {"phase": "Running"}}));
    scene.machines.patch("m", &PatchParams::default(), &patch).await.unwrap();
    standby.lead.send_replace(false);
    pass(600).await;
    assert_eq!(scene.phase("m").await[0], "Running");
    assert_eq!(scene.machines.list(&ListParams::default()).await.unwrap().items.len(), 1);
}
