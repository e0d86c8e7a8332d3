//! kube-rs against the sandbox, in this process and over HTTPS: watchers, reflectors, controllers, Leases, server-side apply.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use futures_util::StreamExt;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Client, ResourceExt};
use sandbox::{Sandbox, Settings};
use serde_json::json;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tests::reach::{Served, inside};

/// Long enough for a client that waits before it tries again.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} takes longer than a minute"))
}

fn sandbox() -> Sandbox {
    Sandbox::start(Settings::default()).expect("a sandbox starts")
}

fn node(name: &str) -> Node {
    Node { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..Node::default() }
}

/// The names that a watcher tells of, until all are told.
async fn told(stream: &mut (impl futures_util::Stream<Item = watcher::Result<Event<Node>>> + Unpin), names: &[&str]) {
    let mut missing: BTreeSet<&str> = names.iter().copied().collect();
    while !missing.is_empty() {
        // A watcher reports what it recovers from as errors.
        if let Some(Ok(Event::Apply(node) | Event::InitApply(node))) = stream.next().await {
            missing.remove(node.name_any().as_str());
        }
    }
}

async fn watch_through_trouble(client: Client, sandbox: &Sandbox) {
    let nodes: Api<Node> = Api::all(client);
    let mut stream = watcher(nodes.clone(), watcher::Config::default()).default_backoff().boxed();
    let create = async |name: &str| nodes.create(&PostParams::default(), &node(name)).await.expect("is created");
    create("n1").await;
    soon("the first event", told(&mut stream, &["n1"])).await;
    sandbox.drop_watches();
    create("n2").await;
    soon("the event after a dropped watch", told(&mut stream, &["n2"])).await;
    // The watch breaks, and what happened meanwhile is forgotten: 410, and the list is read again.
    sandbox.drop_watches();
    create("n3").await;
    sandbox.compact();
    soon("the list after a 410", told(&mut stream, &["n3"])).await;
    create("n4").await;
    soon("the event after a 410", told(&mut stream, &["n4"])).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_survives_in_this_process() {
    let sandbox = sandbox();
    watch_through_trouble(inside(&sandbox), &sandbox).await;
}

#[tokio::test]
async fn a_watcher_survives_over_https() {
    let served = Served::start(Settings::default()).await;
    watch_through_trouble(served.client().await, &served.sandbox).await;
}

#[tokio::test(start_paused = true)]
async fn a_reflector_has_what_is_there() {
    let sandbox = sandbox();
    let nodes: Api<Node> = Api::all(inside(&sandbox));
    for name in ["n1", "n2"] {
        nodes.create(&PostParams::default(), &node(name)).await.expect("is created");
    }
    let (reader, writer) = reflector::store();
    let stream = reflector(writer, watcher(nodes.clone(), watcher::Config::default())).applied_objects();
    tokio::spawn(stream.for_each(async |_| ()));
    soon("the first list", reader.wait_until_ready()).await.expect("the reflector goes on");
    let names =
        |reader: &reflector::Store<Node>| reader.state().iter().map(|node| node.name_any()).collect::<BTreeSet<_>>();
    assert_eq!(names(&reader), BTreeSet::from(["n1".to_owned(), "n2".to_owned()]));
}

async fn reconcile(map: Arc<ConfigMap>, maps: Arc<Api<ConfigMap>>) -> Result<Action, kube::Error> {
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"seen": "true"}}});
    maps.patch(&map.name_any(), &PatchParams::apply("controller").force(), &Patch::Apply(&wanted)).await?;
    Ok(Action::await_change())
}

async fn control(client: Client) {
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let names = ["a", "b", "c"];
    for name in names {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        maps.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await.expect("is created");
    }
    let controller = Controller::new(maps.clone(), watcher::Config::default());
    let failed = |_, error: &kube::Error, _| panic!("{error}");
    let mut done = controller.run(reconcile, failed, Arc::new(maps.clone())).boxed();
    let labelled = async || {
        let list = maps.list(&ListParams::default().labels("seen=true")).await.expect("is listed");
        list.items.iter().map(ResourceExt::name_any).collect::<BTreeSet<_>>()
    };
    let all = async {
        while labelled().await.len() < names.len() {
            done.next().await.expect("the controller goes on").expect("an object is reconciled");
        }
    };
    soon("the controller", all).await;
    let map = maps.get("a").await.expect("is there");
    let managers: Vec<_> = map.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect();
    assert!(managers.contains(&"controller".to_owned()), "{managers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_controller_runs_in_this_process() {
    control(inside(&sandbox())).await;
}

#[tokio::test]
async fn a_controller_runs_over_https() {
    control(Served::start(Settings::default()).await.client().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_held_by_who_is_first() {
    let leases: Api<Lease> = Api::namespaced(inside(&sandbox()), "kube-system");
    let holder = |name: &str| LeaseSpec { holder_identity: Some(name.to_owned()), ..LeaseSpec::default() };
    let metadata = ObjectMeta { name: Some("leader".to_owned()), ..ObjectMeta::default() };
    let lease = Lease { metadata, spec: Some(holder("one")) };
    let first = leases.create(&PostParams::default(), &lease).await.expect("is created");
    let second = leases.create(&PostParams::default(), &lease).await.expect_err("exists");
    assert!(matches!(&second, kube::Error::Api(status) if status.reason == "AlreadyExists"), "{second:?}");
    let mut taken = first.clone();
    taken.spec = Some(holder("two"));
    leases.replace("leader", &PostParams::default(), &taken).await.expect("the version is the latest");
    let late = leases.replace("leader", &PostParams::default(), &first).await.expect_err("the version is old");
    assert!(matches!(&late, kube::Error::Api(status) if status.reason == "Conflict" && status.code == 409), "{late:?}");
    leases.delete("leader", &DeleteParams::default()).await.expect("is deleted");
}

#[tokio::test(start_paused = true)]
async fn an_apply_conflicts_with_another_owner() {
    let nodes: Api<Node> = Api::all(inside(&sandbox()));
    let label = |value: &str| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"labels": {"a": value}}});
    nodes.patch("n1", &PatchParams::apply("m1"), &Patch::Apply(label("1"))).await.expect("is created");
    let conflict = nodes.patch("n1", &PatchParams::apply("m2"), &Patch::Apply(label("2"))).await.expect_err("is m1's");
    let kube::Error::Api(status) = &conflict else { panic!("{conflict:?}") };
    assert_eq!(
        (status.code, status.message.as_str()),
        (409, "Apply failed with 1 conflict: conflict with \"m1\": .metadata.labels.a")
    );
    let forced =
        nodes.patch("n1", &PatchParams::apply("m2").force(), &Patch::Apply(label("2"))).await.expect("is taken");
    assert_eq!(forced.labels().get("a").map(String::as_str), Some("2"));
    let nothing = json!({"apiVersion": "v1", "kind": "Node", "metadata": {}});
    let left = nodes.patch("n1", &PatchParams::apply("m2"), &Patch::Apply(nothing)).await.expect("is given up");
    assert_eq!(left.labels().get("a"), None);
}
