//! What the controllers of pods do, and how it is done.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::core::Status;
use kube::{Error, ResourceExt};
use std::sync::Arc;

use crate::cluster::Cluster;

/// One request.
#[derive(Debug)]
pub(crate) enum Step {
    CreatePod(Box<Pod>),
    /// Deletes a pod, or what is left of it.
    DeletePod {
        pod: Arc<Pod>,
        now: bool,
    },
    ReportPod(Box<Pod>),
    Bind {
        pod: Arc<Pod>,
        node: String,
    },
    CreateReplicaSet(Box<ReplicaSet>),
    ReplaceReplicaSet(Box<ReplicaSet>),
    DeleteReplicaSet(Arc<ReplicaSet>),
    ReportReplicaSet(Box<ReplicaSet>),
    ReportDaemonSet(Box<DaemonSet>),
    ReplaceDeployment(Box<Deployment>),
    ReportDeployment(Box<Deployment>),
    CreateAccount(Box<ServiceAccount>),
}

impl Step {
    pub async fn take(self, cluster: &Cluster) -> Result<(), Error> {
        match self {
            Self::CreatePod(pod) => cluster.create(&*pod).await,
            Self::DeletePod { pod, now } => cluster.delete(&*pod, now.then_some(0)).await,
            Self::ReportPod(pod) => cluster.report(&*pod).await,
            Self::Bind { pod, node } => bind(cluster, &pod, &node).await,
            Self::CreateReplicaSet(set) => cluster.create(&*set).await,
            Self::ReplaceReplicaSet(set) => cluster.replace(&*set).await,
            Self::DeleteReplicaSet(set) => cluster.delete(&*set, None).await,
            Self::ReportReplicaSet(set) => cluster.report(&*set).await,
            Self::ReportDaemonSet(set) => cluster.report(&*set).await,
            Self::ReplaceDeployment(deployment) => cluster.replace(&*deployment).await,
            Self::ReportDeployment(deployment) => cluster.report(&*deployment).await,
            Self::CreateAccount(account) => cluster.create(&*account).await,
        }
    }
}

async fn bind(cluster: &Cluster, pod: &Pod, node: &str) -> Result<(), Error> {
    let (name, namespace) = (pod.name_any(), pod.namespace());
    let metadata =
        ObjectMeta { name: Some(name.clone()), namespace: namespace.clone(), uid: pod.uid(), ..ObjectMeta::default() };
    let [kind, version, target] = ["Node", "v1", node].map(|text| Some(text.to_owned()));
    let target = ObjectReference { kind, api_version: version, name: target, ..ObjectReference::default() };
    let binding = Binding { metadata, target };
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &namespace.unwrap_or_default());
    let _: Status = pods.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
    let mut bound = pod.clone();
    bound.spec.get_or_insert_default().node_name = Some(node.to_owned());
    cluster.remember(bound);
    Ok(())
}
