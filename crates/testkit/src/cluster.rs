//! What the controllers know of the cluster, shared by all of them, and how they change it.

use futures_util::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::runtime::utils::StreamBackoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::kept::Kept;

/// How long a controller leaves a server alone that refused or could not be reached. Always the same, so that a run can
/// be repeated.
pub(crate) const RESPITE: Duration = Duration::from_secs(1);

/// A task that stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Task(AbortHandle);

impl Task {
    pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Node,
    Pod,
    Namespace,
    ServiceAccount,
    DaemonSet,
    Deployment,
    ReplicaSet,
}

/// The objects of the kinds that are watched.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub nodes: Kept<Node>,
    pub pods: Kept<Pod>,
    pub namespaces: Kept<Namespace>,
    pub accounts: Kept<ServiceAccount>,
    pub daemon_sets: Kept<DaemonSet>,
    pub deployments: Kept<Deployment>,
    pub replica_sets: Kept<ReplicaSet>,
}

impl World {
    pub fn knows(&self, kinds: &[Kind]) -> bool {
        kinds.iter().all(|kind| match kind {
            Kind::Node => self.nodes.is_complete(),
            Kind::Pod => self.pods.is_complete(),
            Kind::Namespace => self.namespaces.is_complete(),
            Kind::ServiceAccount => self.accounts.is_complete(),
            Kind::DaemonSet => self.daemon_sets.is_complete(),
            Kind::Deployment => self.deployments.is_complete(),
            Kind::ReplicaSet => self.replica_sets.is_complete(),
        })
    }
}

/// A kind of the world.
pub(crate) trait Known:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    const KIND: Kind;
    fn of(world: &mut World) -> &mut Kept<Self>;
}

macro_rules! known {
    ($($kind:ident in $field:ident),*) => {$(
        impl Known for $kind {
            const KIND: Kind = Kind::$kind;
            fn of(world: &mut World) -> &mut Kept<Self> {
                &mut world.$field
            }
        }
    )*};
}

known!(Node in nodes, Pod in pods, Namespace in namespaces, ServiceAccount in accounts);
known!(DaemonSet in daemon_sets, Deployment in deployments, ReplicaSet in replica_sets);

/// The way to a cluster, and what is known of it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub client: Client,
    world: Arc<Mutex<World>>,
    listeners: Arc<Vec<(&'static [Kind], watch::Sender<()>)>>,
}

impl Cluster {
    /// Whoever listens is told of changes of the kinds that he asked for.
    pub fn new(client: Client, interests: &[&'static [Kind]]) -> Self {
        let listeners = interests.iter().map(|kinds| (*kinds, watch::Sender::new(()))).collect();
        Self { client, world: Arc::default(), listeners: Arc::new(listeners) }
    }

    /// The changes of the interest of this number.
    pub fn changes(&self, number: usize) -> Option<watch::Receiver<()>> {
        self.listeners.get(number).map(|(_, sender)| sender.subscribe())
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<K: Known>(&self, change: impl FnOnce(&mut Kept<K>)) {
        change(K::of(&mut self.world()));
        for (kinds, listener) in self.listeners.iter() {
            if kinds.contains(&K::KIND) {
                listener.send_modify(|()| ());
            }
        }
    }

    /// Keeps up with a kind.
    pub async fn follow(self, kind: Kind) {
        match kind {
            Kind::Node => self.follow_all::<Node>().await,
            Kind::Pod => self.follow_all::<Pod>().await,
            Kind::Namespace => self.follow_all::<Namespace>().await,
            Kind::ServiceAccount => self.follow_all::<ServiceAccount>().await,
            Kind::DaemonSet => self.follow_all::<DaemonSet>().await,
            Kind::Deployment => self.follow_all::<Deployment>().await,
            Kind::ReplicaSet => self.follow_all::<ReplicaSet>().await,
        }
    }

    async fn follow_all<K: Known>(&self) {
        follow(Api::all(self.client.clone()), |event| self.change(|kept: &mut Kept<K>| kept.heed(event))).await;
    }

    fn api<K: Known + Resource<Scope = NamespaceResourceScope>>(&self, object: &K) -> Api<K> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    pub async fn create<K: Known + Resource<Scope = NamespaceResourceScope>>(
        &self,
        object: &K,
    ) -> Result<(), kube::Error> {
        let created = self.api(object).create(&PostParams::default(), object).await?;
        self.change(|kept| kept.put(created));
        Ok(())
    }

    pub async fn replace<K: Known + Resource<Scope = NamespaceResourceScope>>(
        &self,
        object: &K,
    ) -> Result<(), kube::Error> {
        let replaced = self.api(object).replace(&object.name_any(), &PostParams::default(), object).await?;
        self.change(|kept| kept.put(replaced));
        Ok(())
    }

    pub async fn report<K: Known + Resource<Scope = NamespaceResourceScope>>(
        &self,
        object: &K,
    ) -> Result<(), kube::Error> {
        let replaced = self.api(object).replace_status(&object.name_any(), &PostParams::default(), object).await?;
        self.change(|kept| kept.put(replaced));
        Ok(())
    }

    pub async fn delete<K: Known + Resource<Scope = NamespaceResourceScope>>(
        &self,
        object: &K,
        grace: Option<u32>,
    ) -> Result<(), kube::Error> {
        let preconditions = Some(Preconditions { uid: object.uid(), resource_version: None });
        let parameters = DeleteParams { grace_period_seconds: grace, preconditions, ..DeleteParams::background() };
        self.api(object).delete(&object.name_any(), &parameters).await?;
        self.change(|kept| kept.doom(object));
        Ok(())
    }

    /// Remembers a change that was not answered with the object.
    pub fn remember<K: Known>(&self, object: K) {
        self.change(|kept| kept.put(object));
    }
}

/// Watches for ever, through whatever breaks.
pub(crate) async fn follow<K>(api: Api<K>, mut heed: impl FnMut(Event<K>))
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut stream = pin!(StreamBackoff::new(watcher(api, watcher::Config::default()), Always(RESPITE)));
    while let Some(event) = stream.next().await {
        // An error is one that the watcher recovers from.
        if let Ok(event) = event {
            heed(event);
        }
    }
}

/// The same pause after every failure.
struct Always(Duration);

impl Iterator for Always {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl kube::runtime::utils::Backoff for Always {
    fn reset(&mut self) {}
}

/// Whether nothing is left to do now. Who lost a race is told by the watch, and plans anew.
pub(crate) fn is_settled<T>(result: &Result<T, kube::Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(kube::Error::Api(status)) => status.is_conflict() || status.is_not_found(),
        Err(_) => false,
    }
}

/// Waits until there is something to do: a change, or another try.
pub(crate) async fn pause(changes: &mut watch::Receiver<()>, settled: bool) {
    if !settled || changes.changed().await.is_err() {
        tokio::time::sleep(RESPITE).await;
    }
}
