//! What the controllers bring about, step by step, on any API server.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;
use testkit::Controllers;

const NAMESPACE: &str = "work";
/// For the server's clock, which a paused test moves on by itself.
const PATIENCE: Duration = Duration::from_secs(90);

trait Kind: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static> Kind for K {}

async fn until<K: Kind>(api: &Api<K>, name: &str, what: &str, condition: impl Condition<K>) {
    let done = tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    match done {
        Ok(done) => drop(done.expect("the watch goes on")),
        Err(_) => panic!("{what} takes too long: {:#?}", api.get_opt(name).await),
    }
}

async fn create<K: Kind>(api: &Api<K>, object: Value) -> K {
    let object = serde_json::from_value(object).expect("is an object");
    api.create(&PostParams::default(), &object).await.expect("is created")
}

async fn merge<K: Kind>(api: &Api<K>, name: &str, patch: Value) {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("is patched");
}

async fn delete<K: Kind>(api: &Api<K>, name: &str, policy: PropagationPolicy) {
    let parameters = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
    api.delete(name, &parameters).await.expect("is deleted");
}

fn gone<K>() -> impl Condition<K> {
    |object: Option<&K>| object.is_none()
}

fn template(app: &str, image: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// The nodes that the pods of an application are on, in the order of their names.
async fn places(client: &Client, app: &str) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let list = pods.list(&ListParams::default().labels(&format!("app={app}"))).await.expect("are listed");
    let mut nodes: Vec<String> = list.into_iter().filter_map(|pod| pod.spec?.node_name).collect();
    nodes.sort();
    nodes
}

/// Everything, one after the other. Gives the names of the pods that there were.
pub async fn run(client: Client) -> Vec<String> {
    let _controllers = Controllers::start(client.clone());
    prepare(&client).await;
    let names = daemon_set(&client).await;
    deployment(&client).await;
    orphans(&client).await;
    end(&client).await;
    names
}

async fn prepare(client: &Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    for (name, taints) in [("n1", json!([])), ("n2", json!([])), ("n3", json!([{"key": "k", "effect": "NoSchedule"}]))]
    {
        create(&nodes, json!({"metadata": {"name": name}, "spec": {"taints": taints}})).await;
    }
    create::<Namespace>(&Api::all(client.clone()), json!({"metadata": {"name": NAMESPACE}})).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let there = |account: Option<&ServiceAccount>| account.is_some();
    until(&accounts, "default", "the service account", there).await;
}

/// A set with so many pods of its present template ready.
fn covers(number: i32) -> impl Condition<DaemonSet> {
    move |set: Option<&DaemonSet>| {
        let Some((set, status)) = set.and_then(|set| Some((set, set.status.as_ref()?))) else { return false };
        let numbers = [status.desired_number_scheduled, status.current_number_scheduled, status.number_ready];
        status.observed_generation == set.metadata.generation
            && numbers == [number; 3]
            && status.updated_number_scheduled == Some(number)
    }
}

async fn daemon_set(client: &Client) -> Vec<String> {
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = json!({"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", "one")});
    create(&sets, json!({"metadata": {"name": "agent"}, "spec": spec})).await;
    until(&sets, "agent", "a pod on every node", covers(2)).await;
    assert_eq!(places(client, "agent").await, ["n1", "n2"]);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}});
    merge(&sets, "agent", image).await;
    until(&sets, "agent", "the rollout", covers(2)).await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let list = pods.list(&ListParams::default()).await.expect("are listed");
    let images = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.containers.first()?.image.clone());
    assert!(list.iter().all(|pod| images(pod).as_deref() == Some("two")), "{list:?}");
    merge(&Api::<Node>::all(client.clone()), "n3", json!({"spec": {"taints": null}})).await;
    until(&sets, "agent", "a pod where the taint is gone", covers(3)).await;
    Api::<Node>::all(client.clone()).delete("n3", &DeleteParams::default()).await.expect("is deleted");
    until(&sets, "agent", "the node's end", covers(2)).await;
    let all = pods.list(&ListParams::default()).await.expect("are listed");
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    for pod in all.iter().filter(|pod| node(pod).as_deref() == Some("n3")) {
        until(&pods, &pod.name_any(), "the end of the pod of a lost node", gone()).await;
    }
    let names = pods.list(&ListParams::default()).await.expect("are listed");
    names.iter().map(ResourceExt::name_any).collect()
}

async fn deployment(client: &Client) {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "one")});
    create(&deployments, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let complete = |deployment: Option<&Deployment>| {
        let Some((whole, status)) = deployment.and_then(|whole| Some((whole, whole.status.as_ref()?))) else {
            return false;
        };
        let numbers = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
        status.observed_generation == whole.metadata.generation && numbers == [Some(3); 4]
    };
    until(&deployments, "web", "three pods", complete).await;
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}});
    merge(&deployments, "web", image).await;
    until(&deployments, "web", "the rollout", complete).await;
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), NAMESPACE);
    assert_eq!(sets.list(&ListParams::default()).await.expect("are listed").items.len(), 2);
    delete(&deployments, "web", PropagationPolicy::Foreground).await;
    until(&deployments, "web", "the end of everything below", gone()).await;
    assert!(sets.list(&ListParams::default()).await.expect("are listed").items.is_empty());
}

async fn orphans(client: &Client) {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid()});
    for (name, finalizers) in [("one", json!([])), ("two", json!(["example.com/held"]))] {
        let metadata = json!({"name": name, "ownerReferences": [reference], "finalizers": finalizers});
        create(&maps, json!({"metadata": metadata})).await;
    }
    delete(&maps, "owner", PropagationPolicy::Orphan).await;
    until(&maps, "owner", "the owner's end", gone()).await;
    for name in ["one", "two"] {
        let map = maps.get(name).await.expect("is left");
        assert!(map.owner_references().is_empty(), "{map:?}");
    }
    merge(&maps, "one", json!({"metadata": {"ownerReferences": [reference]}})).await;
    until(&maps, "one", "the end of what nobody owns", gone()).await;
}

/// With the set go its pods, and the namespace goes when the last finalizer in it is gone.
async fn end(client: &Client) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(NAMESPACE, &DeleteParams::default()).await.expect("is deleted");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let ends = |map: Option<&ConfigMap>| map.is_some_and(|map| map.metadata.deletion_timestamp.is_some());
    until(&maps, "two", "the namespace's content", ends).await;
    assert!(namespaces.get_opt(NAMESPACE).await.expect("is asked").is_some());
    merge(&maps, "two", json!({"metadata": {"finalizers": null}})).await;
    until(&namespaces, NAMESPACE, "the namespace", gone()).await;
    assert!(places(client, "agent").await.is_empty());
}
