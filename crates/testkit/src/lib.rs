//! The controllers that a cluster has besides its API server, as small as tests can do with: they bring workloads to
//! ready pods on Nodes, and take away what nobody owns any more.
//!
//! They are clients. They run against any API server, one without kubelets and controllers of its own above all. They
//! have no clock and draw nothing by lot: on a server that answers the same, in a runtime of one thread whose clock may be
//! paused, they do the same.

mod accounts;
mod cluster;
pub mod daemonset;
pub mod deployment;
mod everything;
mod garbage;
mod kept;
mod kubelet;
mod namespaces;
pub mod placement;
mod replicaset;
pub mod rights;
mod scheduler;
mod step;
mod sweep;
pub mod template;

use kube::Client;
use std::collections::BTreeSet;

use cluster::{Cluster, Kind, Task, World, is_settled, pause};
use everything::{Everything, Families};
use step::Step;
use sweep::Sweep;

/// A controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The service account `default` of every namespace.
    Accounts,
    /// Pods of DaemonSets.
    DaemonSets,
    /// ReplicaSets of Deployments.
    Deployments,
    /// Pods of ReplicaSets.
    ReplicaSets,
    /// Binds pods to Nodes.
    Scheduler,
    /// Runs what is bound, and ends what is deleted.
    Kubelet,
    /// Removes pods whose Node is gone.
    PodCollector,
    /// Deletes what lost its owners.
    GarbageCollector,
    /// Empties namespaces that end.
    Namespaces,
}

/// The controllers that bring about pods and what they need.
type Planned = (&'static [Kind], fn(&World) -> Vec<Step>);
/// The controllers of objects of all kinds.
type Swept = fn(&Families) -> Vec<Sweep>;

impl Part {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Accounts,
        Self::DaemonSets,
        Self::Deployments,
        Self::ReplicaSets,
        Self::Scheduler,
        Self::Kubelet,
        Self::PodCollector,
        Self::GarbageCollector,
        Self::Namespaces,
    ];

    fn planned(self) -> Option<Planned> {
        Some(match self {
            Self::Accounts => (&[Kind::Namespace, Kind::ServiceAccount], accounts::plan),
            Self::DaemonSets => (&[Kind::Node, Kind::Pod, Kind::DaemonSet], daemonset::plan),
            Self::Deployments => (&[Kind::Pod, Kind::ReplicaSet, Kind::Deployment], deployment::plan),
            Self::ReplicaSets => (&[Kind::Pod, Kind::ReplicaSet], replicaset::plan),
            Self::Scheduler => (&[Kind::Node, Kind::Pod], scheduler::plan),
            Self::Kubelet => (&[Kind::Node, Kind::Pod], kubelet::plan),
            Self::PodCollector => (&[Kind::Node, Kind::Pod], kubelet::collect),
            Self::GarbageCollector | Self::Namespaces => return None,
        })
    }

    fn swept(self) -> Option<Swept> {
        match self {
            Self::GarbageCollector => Some(garbage::plan),
            Self::Namespaces => Some(namespaces::plan),
            _ => None,
        }
    }
}

/// Controllers that run. They stop when this is dropped.
#[derive(Debug)]
pub struct Controllers {
    _tasks: Vec<Task>,
}

impl Controllers {
    /// Starts all controllers. A client of a user who may do everything is assumed.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn start(client: Client) -> Self {
        Self::only(client, Part::ALL)
    }

    /// Starts some controllers.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn only(client: Client, parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: BTreeSet<Part> = parts.into_iter().collect();
        let planned: Vec<Planned> = parts.iter().filter_map(|part| part.planned()).collect();
        let swept: Vec<Swept> = parts.iter().filter_map(|part| part.swept()).collect();
        let mut tasks = of_pods(client.clone(), &planned);
        if !swept.is_empty() {
            tasks.extend(of_everything(Everything::new(client), swept));
        }
        Self { _tasks: tasks }
    }
}

fn of_pods(client: Client, planned: &[Planned]) -> Vec<Task> {
    let interests: Vec<&'static [Kind]> = planned.iter().map(|(kinds, _)| *kinds).collect();
    let cluster = Cluster::new(client, &interests);
    let act = planned.iter().enumerate().map(|(number, planned)| Task::spawn(act(cluster.clone(), number, *planned)));
    let kinds: BTreeSet<Kind> = interests.into_iter().flatten().copied().collect();
    let follow = kinds.into_iter().map(|kind| Task::spawn(cluster.clone().follow(kind)));
    act.chain(follow).collect()
}

async fn act(cluster: Cluster, number: usize, (kinds, plan): Planned) {
    let Some(mut changes) = cluster.changes(number) else { return };
    loop {
        changes.mark_unchanged();
        let steps = {
            let world = cluster.world();
            if world.knows(kinds) { plan(&world) } else { Vec::new() }
        };
        let mut settled = true;
        for step in steps {
            settled &= is_settled(&step.take(&cluster).await);
        }
        pause(&mut changes, settled).await;
    }
}

fn of_everything(everything: Everything, swept: Vec<Swept>) -> Vec<Task> {
    let sweep = swept.into_iter().map(|plan| Task::spawn(sweep(everything.clone(), plan)));
    sweep.chain([Task::spawn(everything.clone().follow())]).collect()
}

async fn sweep(everything: Everything, plan: Swept) {
    let mut changes = everything.changes();
    loop {
        changes.mark_unchanged();
        let sweeps = {
            let families = everything.families();
            if families.are_complete() { plan(&families) } else { Vec::new() }
        };
        let mut settled = true;
        for sweep in sweeps {
            settled &= is_settled(&sweep.take(&everything).await);
        }
        pause(&mut changes, settled).await;
    }
}
