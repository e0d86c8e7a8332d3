//! The running controller: it watches, and whoever's turn it is is worked on. What it knows is in
//! [`state`](crate::state); here is who waits for what.

use api::ShadowNode;
use channels::{Backoff, Observation, Observe, Trouble, Watched};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client};
use ownership::Profile;
use ownership::publication::Guarded;
use ownership::spec::{Channel, LivenessSource};
use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::liveness::Name;
use crate::report::{Kind, Report};
use crate::rescue::Rescued;
use crate::state::{Free, Job, State};
use crate::work::{self, Cluster, Fresh, Worked};

/// Told what happens.
pub type Reporter = Box<dyn FnMut(Report) + Send>;

/// What was seen and not yet taken in: few, since they are larger than what is kept of them.
const WAITING: usize = 64;

/// How a controller works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Each node is written at most once in this time.
    pub pace: Duration,
    /// So many nodes are worked on at a time.
    pub parallel: usize,
    /// At most so many nodes are marked as silent in a minute.
    pub marks: usize,
    /// The annotation that is a sign of life, where the profile says that one is.
    pub heartbeat: String,
    /// Whether virtual machines without a living pod are given up on silent nodes, as virt-controller does where it runs.
    pub virtual_machines: bool,
    /// Field managers whose work is taken over: what they wrote of what the agent owns, and nobody publishes, is removed.
    pub adopted: BTreeSet<String>,
    /// Spreads what is tried again over time.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pace: Duration::from_secs(1),
            parallel: 16,
            marks: 10,
            heartbeat: "kubevirt.io/heartbeat".to_owned(),
            virtual_machines: false,
            adopted: BTreeSet::new(),
            seed: 0,
        }
    }
}

/// What a controller is made of.
pub struct Controller {
    /// The way to the API server.
    pub client: Client,
    /// Who the agents are and what they own.
    pub profile: Profile,
    /// How it works.
    pub settings: Settings,
    /// Whether this controller leads. One that does not sees everything and writes nothing.
    pub leading: watch::Receiver<bool>,
    /// Whether the guard has been seen to refuse.
    pub guarded: watch::Receiver<Option<Guarded>>,
    /// Told what happens.
    pub report: Reporter,
}

/// One thing that was seen.
pub(crate) enum Sight {
    Node(Observation<PartialObjectMeta<Node>>),
    Shadow(Observation<PartialObjectMeta<ShadowNode>>),
    Lease(Observation<DynamicObject>),
    Pod(Box<Observation<Pod>>),
    DaemonSet(Observation<PartialObjectMeta<DaemonSet>>),
    VirtualMachine(Observation<PartialObjectMeta<DynamicObject>>),
}

impl Controller {
    /// Runs until `stop` comes; then it begins nothing more, and ends with what is under way.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { client, profile, settings, mut leading, mut guarded, report } = self;
        // The watches end when this is dropped.
        let (mut sights, _watches) = observe(&client, &profile, &settings);
        let (parallel, start) = (settings.parallel, Instant::now());
        let cluster = Cluster::new(client, &profile.service_account().namespace);
        let mut state = State::new(profile, settings, report);
        state.lead(*leading.borrow_and_update());
        state.guard(start.elapsed(), guarded.borrow_and_update().clone());
        let mut jobs =
            Jobs { works: JoinSet::new(), looks: JoinSet::new(), rescues: JoinSet::new(), cluster, parallel };
        let mut stop = pin!(stop);
        loop {
            while let Some(job) = state.take(start.elapsed(), jobs.free()) {
                jobs.begin(job);
            }
            let wake = state.next(jobs.free()).and_then(|next| start.checked_add(next));
            tokio::select! {
                biased;
                () = &mut stop => break,
                Ok(()) = leading.changed() => {
                    let leads = *leading.borrow_and_update();
                    if !leads {
                        // Whoever leads now works on these nodes. Looking is everybody's.
                        jobs.works.abort_all();
                        jobs.rescues.abort_all();
                    }
                    state.lead(leads);
                }
                Ok(()) = guarded.changed() => state.guard(start.elapsed(), guarded.borrow_and_update().clone()),
                Some(worked) = jobs.works.join_next() => {
                    if let Ok(worked) = worked {
                        state.worked(start.elapsed(), worked);
                    }
                }
                Some(rescued) = jobs.rescues.join_next() => {
                    if let Ok((node, rescued)) = rescued {
                        state.rescued(&node, rescued);
                    }
                }
                Some(Ok((node, fresh))) = jobs.looks.join_next() => state.looked(start.elapsed(), &node, fresh),
                Some(sight) = sights.recv() => state.see(start.elapsed(), sight),
                () = sleep_until(wake.unwrap_or_else(far)) => {}
            }
        }
        while jobs.works.join_next().await.is_some() {}
    }
}

/// What is under way.
struct Jobs {
    works: JoinSet<Worked>,
    looks: JoinSet<(Name, Result<Fresh, Trouble>)>,
    rescues: JoinSet<(Name, Rescued)>,
    cluster: Cluster,
    parallel: usize,
}

impl Jobs {
    /// Each kind of job has room of its own, so that one that takes long does not hold up the others.
    fn free(&self) -> Free {
        let has_room = |busy: usize| busy < self.parallel;
        Free {
            works: has_room(self.works.len()),
            looks: has_room(self.looks.len()),
            rescues: has_room(self.rescues.len()),
        }
    }

    fn begin(&mut self, job: Job) {
        let cluster = self.cluster.clone();
        match job {
            Job::Work(node, steps) => drop(self.works.spawn(cluster.work(node, steps))),
            Job::Rescue { node, agent, exists } => drop(self.rescues.spawn(async move {
                let rescued = cluster.rescue(agent, node.clone(), exists).await;
                (node, rescued)
            })),
            Job::Look(kind, node) => drop(self.looks.spawn(async move {
                let fresh = cluster.look(kind, &node).await;
                (node, fresh)
            })),
        }
    }
}

/// A time that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

/// Begins to watch what has to be watched for this profile.
fn observe(client: &Client, profile: &Profile, settings: &Settings) -> (mpsc::Receiver<Sight>, JoinSet<()>) {
    let (sender, sights) = mpsc::channel(WAITING);
    let mut watches = JoinSet::new();
    let backoff = |number| Backoff::seeded(settings.seed.wrapping_add(number));
    let nodes = Watched::of(Api::<PartialObjectMeta<Node>>::all(client.clone()), backoff(1));
    watches.spawn(pass_on(nodes, Sight::Node, sender.clone()));
    for kind in kinds(profile, settings) {
        let sender = sender.clone();
        match kind {
            Kind::Nodes => {}
            Kind::ShadowNodes => {
                let shadows = Watched::of(Api::all(client.clone()), backoff(2));
                watches.spawn(pass_on(shadows, Sight::Shadow, sender));
            }
            Kind::Leases => {
                let leases = Watched::of(work::leases(client.clone()), backoff(3));
                watches.spawn(pass_on(leases, Sight::Lease, sender));
            }
            Kind::Pods => {
                let namespace = &profile.service_account().namespace;
                let pods = Watched::of(Api::<Pod>::namespaced(client.clone(), namespace), backoff(4));
                watches.spawn(pass_on(pods, |seen| Sight::Pod(Box::new(seen)), sender));
            }
            Kind::DaemonSets => {
                let namespace = &profile.service_account().namespace;
                let sets = Watched::of(Api::namespaced(client.clone(), namespace), backoff(5));
                watches.spawn(pass_on(sets, Sight::DaemonSet, sender));
            }
            Kind::VirtualMachines => {
                let machines = Watched::of(work::machines(client.clone()), backoff(6));
                watches.spawn(pass_on(machines, Sight::VirtualMachine, sender));
            }
        }
    }
    (sights, watches)
}

/// What has to be watched for this profile.
pub(crate) fn kinds(profile: &Profile, settings: &Settings) -> Vec<Kind> {
    let source = profile.spec().liveness.as_ref().map(|liveness| liveness.source);
    let needed = [
        (Kind::Nodes, true),
        (Kind::ShadowNodes, profile.channel() == Channel::ShadowNode),
        (Kind::Leases, source == Some(LivenessSource::Lease)),
        (Kind::Pods, source == Some(LivenessSource::PodReadiness)),
        (Kind::DaemonSets, source == Some(LivenessSource::PodReadiness)),
        (Kind::VirtualMachines, settings.virtual_machines),
    ];
    needed.into_iter().filter(|(_, needed)| *needed).map(|(kind, _)| kind).collect()
}

async fn pass_on<O: Observe>(mut objects: O, wrap: fn(Observation<O::Object>) -> Sight, sights: mpsc::Sender<Sight>) {
    loop {
        let observation = objects.next().await;
        if sights.send(wrap(observation)).await.is_err() {
            return;
        }
    }
}
