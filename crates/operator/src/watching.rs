//! Who touches anything of ours, or any profile or policy, wakes the operator.

use futures_util::{StreamExt as _, stream};
use kube::api::ApiResource;
use kube::core::{DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use std::sync::Arc;
use tokio::sync::Notify;

/// The kinds that are watched everywhere. Policies without our label too: somebody may have taken it away.
const KINDS: [(&str, &str, &str); 6] = [
    ("nodebound.io", "v1alpha1", "AgentProfile"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
];
/// The same in the operator's namespace.
const NAMESPACED: [(&str, &str, &str); 4] = [
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "Deployment"),
];

/// What the prober looks at: profiles, policies and their bindings.
const GUARDS: usize = 3;

/// Wakes whoever waits, on each change of anything of ours, for ever. What cannot be watched is tried again.
pub async fn everything(client: Client, namespace: &str, wake: Arc<Notify>) {
    let everywhere = KINDS.map(|kind| Api::all_with(client.clone(), &resource(kind)));
    let here = NAMESPACED.map(|kind| Api::namespaced_with(client.clone(), namespace, &resource(kind)));
    watch(everywhere.into_iter().chain(here), wake).await;
}

/// The same on each change of a profile or a policy.
pub async fn guards(client: Client, wake: Arc<Notify>) {
    let all = KINDS[..GUARDS].iter().map(|kind| Api::all_with(client.clone(), &resource(*kind)));
    watch(all, wake).await;
}

fn resource((group, version, kind): (&str, &str, &str)) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

async fn watch(apis: impl Iterator<Item = Api<PartialObjectMeta<DynamicObject>>>, wake: Arc<Notify>) {
    let streams = apis.map(|api| {
        let events = watcher(api, watcher::Config::default()).default_backoff();
        events.boxed()
    });
    let mut all = stream::select_all(streams);
    while let Some(event) = all.next().await {
        if let Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_) | watcher::Event::InitDone) = event {
            wake.notify_one();
        }
    }
}
