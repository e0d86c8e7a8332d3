//! Virtual machines on nodes whose agents are silent, or that are gone.
//!
//! It is what virt-controller does with them (`pkg/virt-controller/watch/node/node.go`): one that has no living pod of
//! its own there is Failed, and where no agent is to come, somebody is told that machines are orphans. Off unless asked
//! for: wherever virt-controller runs, it does so itself.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::DynamicObject;
use ownership::spec::ServiceAccount;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::liveness::Name;

/// The label of a virtual machine instance that says where it runs.
pub(crate) const NODE: &str = "kubevirt.io/nodeName";
/// The reason of a machine that was given up, as virt-controller has it.
pub(crate) const REASON: &str = "NodeUnresponsive";
/// Between two looks at a node with machines.
const AGAIN: Duration = Duration::from_secs(60);

/// Where a machine runs, by its metadata.
pub(crate) fn node_of(metadata: &ObjectMeta) -> Option<Name> {
    let node = metadata.labels.as_ref()?.get(NODE)?;
    (!node.is_empty()).then(|| node.as_str().into())
}

/// Which machines are on which nodes, and which nodes are to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    on: HashMap<Name, BTreeSet<Name>>,
    of: HashMap<Name, Name>,
    due: BTreeSet<(Duration, Name)>,
}

impl Strays {
    /// A machine is on that node now, or on none. Says where it is.
    pub fn place(&mut self, machine: &Name, node: Option<Name>) -> Option<Name> {
        if let Some(before) = self.of.remove(machine) {
            self.leave(machine, &before);
        }
        let node = node?;
        self.on.entry(node.clone()).or_default().insert(machine.clone());
        self.of.insert(machine.clone(), node.clone());
        Some(node)
    }

    fn leave(&mut self, machine: &Name, node: &Name) {
        let Some(machines) = self.on.get_mut(node) else { return };
        machines.remove(machine);
        if machines.is_empty() {
            self.on.remove(node);
        }
    }

    /// The nodes that have machines.
    pub fn nodes(&self) -> impl Iterator<Item = &Name> {
        self.on.keys()
    }

    /// A node is to be looked at, if it has machines.
    pub fn add(&mut self, when: Duration, node: &Name) {
        if self.on.contains_key(node) && !self.due.iter().any(|(time, name)| name == node && *time <= when) {
            self.due.retain(|(_, name)| name != node);
            self.due.insert((when, node.clone()));
        }
    }

    /// A node is not to be looked at any more, until something happens.
    pub fn leave_alone(&mut self, node: &Name) {
        self.due.retain(|(_, name)| name != node);
    }

    /// When there will be a node to look at.
    pub fn next(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A node to look at now. It is looked at again in a minute.
    pub fn take(&mut self, now: Duration) -> Option<Name> {
        if self.next()? > now {
            return None;
        }
        let (_, node) = self.due.pop_first()?;
        self.add(now.saturating_add(AGAIN), &node);
        Some(node)
    }
}

/// The machines that have no living pod of their own among these, which are those of the node.
pub(crate) fn stranded<'a>(machines: &'a [DynamicObject], pods: &[Pod]) -> Vec<&'a DynamicObject> {
    let has_pod = |machine: &DynamicObject| pods.iter().any(|pod| is_of(pod, machine) && is_living(pod));
    machines.iter().filter(|machine| is_running(machine) && !has_pod(machine)).collect()
}

/// Whether a machine is one that is given up with its node.
pub(crate) fn is_running(machine: &DynamicObject) -> bool {
    matches!(phase(machine), Some("Running" | "Scheduled"))
}

fn phase(machine: &DynamicObject) -> Option<&str> {
    machine.data.pointer("/status/phase").and_then(Value::as_str)
}

fn is_of(pod: &Pod, machine: &DynamicObject) -> bool {
    let owner = controller(&pod.metadata);
    pod.metadata.namespace == machine.metadata.namespace
        && owner.is_some_and(|owner| {
            owner.kind == "VirtualMachineInstance" && Some(&owner.uid) == machine.metadata.uid.as_ref()
        })
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

fn is_living(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return true };
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let terminated = |container: &k8s_openapi::api::core::v1::ContainerStatus| {
        container.state.as_ref().is_some_and(|state| state.terminated.is_some())
    };
    let ended = !containers.is_empty() && containers.iter().all(terminated);
    !ended && !matches!(status.phase.as_deref(), Some("Failed" | "Succeeded"))
}

/// Whether no agent is to be expected on a node: none is there, and the one DaemonSet that runs them is done.
pub(crate) fn is_orphaned(account: &ServiceAccount, pods: &[Pod], sets: &[DaemonSet]) -> bool {
    let is_agent = |pod: &Pod| {
        let name = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
        pod.metadata.namespace.as_ref() == Some(&account.namespace) && name == Some(&account.name)
    };
    let agents: Vec<&DaemonSet> = sets.iter().filter(|set| runs_as(set, &account.name)).collect();
    match agents.as_slice() {
        [set] => !pods.iter().any(is_agent) && is_stable(set),
        _ => false,
    }
}

fn runs_as(set: &DaemonSet, account: &str) -> bool {
    let template = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    template.is_some_and(|spec| spec.service_account_name.as_deref() == Some(account))
}

/// As virt-controller has it: one of the two suffices.
fn is_stable(set: &DaemonSet) -> bool {
    set.status.as_ref().is_none_or(|status| {
        let desired = status.desired_number_scheduled;
        desired == status.current_number_scheduled || desired == status.number_ready
    })
}

/// What makes a machine Failed, if it still is what was seen.
pub(crate) fn failure(machine: &DynamicObject) -> Value {
    json!([
        {"op": "test", "path": "/metadata/uid", "value": machine.metadata.uid},
        {"op": "test", "path": "/status/phase", "value": phase(machine)},
        {"op": "replace", "path": "/status/phase", "value": "Failed"},
        {"op": "add", "path": "/status/reason", "value": REASON},
    ])
}

#[cfg(test)]
#[path = "stranded_tests.rs"]
mod tests;
