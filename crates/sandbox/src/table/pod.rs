//! The cells of a Pod (`printPod` in `pkg/printers/internalversion/printers.go`).

use serde_json::{Value, json};

use super::age::{seconds, since};
use super::read::Read;
use super::rows::{age, name};

pub(super) fn cells(pod: &Value, now: i64) -> Vec<Value> {
    let summary = Summary::of(pod);
    let total = pod.size("/spec/containers") + sidecars(pod).count();
    vec![
        name(pod),
        json!(format!("{}/{total}", summary.ready)),
        json!(shown_reason(pod, &summary.reason)),
        json!(summary.restarts.show(now)),
        age(pod, now),
        json!(pod.text_or("/status/podIPs/0/ip", "<none>")),
        json!(pod.text_or("/spec/nodeName", "<none>")),
        json!(pod.text_or("/status/nominatedNodeName", "<none>")),
        json!(readiness_gates(pod)),
    ]
}

/// What a row says of a pod that has ended.
pub(super) fn conditions(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod.text("/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// Init containers that go on running.
fn sidecars(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.items("/spec/initContainers").iter().filter(|container| container.text("/restartPolicy") == "Always")
}

fn is_sidecar(pod: &Value, status: &Value) -> bool {
    sidecars(pod).any(|container| container.text("/name") == status.text("/name"))
}

fn has_condition(pod: &Value, ty: &str) -> bool {
    let conditions = pod.items("/status/conditions").iter();
    conditions.filter(|condition| condition.text("/type") == ty).any(|condition| condition.text("/status") == "True")
}

fn shown_reason(pod: &Value, reason: &str) -> String {
    let deleted = pod.pointer("/metadata/deletionTimestamp").is_some_and(|moment| !moment.is_null());
    let ended = matches!(pod.text("/status/phase"), "Failed" | "Succeeded");
    match pod.text("/status/reason") {
        "NodeLost" if deleted => "Unknown".to_owned(),
        _ if deleted && !ended => "Terminating".to_owned(),
        _ => reason.to_owned(),
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = pod.items("/spec/readinessGates");
    let passed = gates.iter().filter(|gate| has_condition(pod, gate.text("/conditionType"))).count();
    if gates.is_empty() { "<none>".to_owned() } else { format!("{passed}/{}", gates.len()) }
}

#[derive(Clone, Debug, Default)]
struct Restarts {
    count: i64,
    last: String,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count = self.count.saturating_add(status.whole("/restartCount"));
        let finished = status.text("/lastState/terminated/finishedAt");
        if seconds(finished) > seconds(&self.last) {
            finished.clone_into(&mut self.last);
        }
    }

    fn show(&self, now: i64) -> String {
        if self.count == 0 || self.last.is_empty() {
            return self.count.to_string();
        }
        format!("{} ({} ago)", self.count, since(&self.last, now))
    }
}

/// What the states of the containers come to.
struct Summary {
    reason: String,
    ready: usize,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let reason = pod.text_or("/status/reason", pod.text("/status/phase")).to_owned();
        let mut summary = Self { reason, ready: 0, restarts: Restarts::default() };
        let gated = |condition: &&Value| condition.text("/reason") == "SchedulingGated";
        let mut scheduled =
            pod.items("/status/conditions").iter().filter(|condition| condition.text("/type") == "PodScheduled");
        if scheduled.any(|condition| gated(&condition)) {
            "SchedulingGated".clone_into(&mut summary.reason);
        }
        let (sidecar_restarts, initializing) = summary.init_containers(pod);
        if !initializing || has_condition(pod, "Initialized") {
            summary.restarts = sidecar_restarts;
            summary.containers(pod);
        }
        summary
    }

    /// Looks at the init containers up to the first that is not done; tells the restarts of those that go on running,
    /// and whether one is not done.
    fn init_containers(&mut self, pod: &Value) -> (Restarts, bool) {
        let total = pod.size("/spec/initContainers");
        let mut of_sidecars = Restarts::default();
        for (index, status) in pod.items("/status/initContainerStatuses").iter().enumerate() {
            let sidecar = is_sidecar(pod, status);
            self.restarts.add(status);
            if sidecar {
                of_sidecars.add(status);
            }
            if is_done(status) {
                continue;
            }
            if sidecar && status.truth("/started") {
                self.ready += usize::from(status.truth("/ready"));
                continue;
            }
            self.reason = init_reason(status, index, total);
            return (of_sidecars, true);
        }
        (of_sidecars, false)
    }

    fn containers(&mut self, pod: &Value) {
        let (mut running, mut error) = (false, None);
        for status in pod.items("/status/containerStatuses").iter().rev() {
            self.restarts.add(status);
            if !status.text("/state/waiting/reason").is_empty() {
                status.text("/state/waiting/reason").clone_into(&mut self.reason);
            } else if let Some(terminated) = present(status, "/state/terminated") {
                self.reason = end_of(terminated);
                if terminated.whole("/exitCode") != 0 {
                    error = Some(self.reason.clone());
                }
            } else if status.truth("/ready") && present(status, "/state/running").is_some() {
                running = true;
                self.ready += 1;
            }
        }
        self.settle_completed(pod, running, error);
    }

    /// A pod is not completed as long as a container runs.
    fn settle_completed(&mut self, pod: &Value, running: bool, error: Option<String>) {
        if self.reason != "Completed" {
            return;
        }
        if running && has_condition(pod, "Ready") {
            "Running".clone_into(&mut self.reason);
        } else if let Some(error) = error {
            self.reason = error;
        } else if running {
            "NotReady".clone_into(&mut self.reason);
        }
    }
}

fn present<'v>(status: &'v Value, pointer: &str) -> Option<&'v Value> {
    status.pointer(pointer).filter(|state| state.is_object())
}

fn is_done(status: &Value) -> bool {
    present(status, "/state/terminated").is_some_and(|terminated| terminated.whole("/exitCode") == 0)
}

fn init_reason(status: &Value, index: usize, total: usize) -> String {
    if let Some(terminated) = present(status, "/state/terminated") {
        return format!("Init:{}", end_of(terminated));
    }
    match status.text("/state/waiting/reason") {
        "" | "PodInitializing" => format!("Init:{index}/{total}"),
        reason => format!("Init:{reason}"),
    }
}

/// How a container ended: the reason, else the signal, else the exit code.
fn end_of(terminated: &Value) -> String {
    match (terminated.text("/reason"), terminated.whole("/signal")) {
        ("", 0) => format!("ExitCode:{}", terminated.whole("/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
