//! kube-rs against the sandbox, in this process and over HTTPS: watchers, reflectors, controllers, Leases, server-side
//! apply. Over HTTPS also tokens, until they are not good any more.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::authentication::v1::{
    BoundObjectReference, SelfSubjectReview, TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec,
};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, ServiceAccount};
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

/// The same trials by both ways; in this process the clock only moves when everything waits.
macro_rules! both_ways {
    ($($trial:ident),* $(,)?) => {
        mod in_process {
            $(#[tokio::test(start_paused = true)]
            async fn $trial() {
                let sandbox = super::Sandbox::start(super::Settings::default()).expect("a sandbox starts");
                super::$trial(super::inside(&sandbox), &sandbox).await;
            })*
        }

        mod over_https {
            $(#[tokio::test]
            async fn $trial() {
                let served = super::Served::start(super::Settings::default()).await;
                super::$trial(served.client().await, &served.sandbox).await;
            })*
        }
    };
}

both_ways! {
    a_list_goes_on_until_it_expires,
    a_watcher_survives,
    a_reflector_has_what_is_there,
    a_controller_misses_nothing,
    a_lease_is_held_by_who_is_first,
    an_apply_conflicts_with_another_owner,
}

fn node(name: &str) -> Node {
    Node { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..Node::default() }
}

type Told = watcher::Result<Event<Node>>;

/// Reads on until all these are told of; says whether the watcher had to begin with a list again.
async fn told(stream: &mut (impl Stream<Item = Told> + Unpin), names: &[&str]) -> bool {
    let mut missing: BTreeSet<&str> = names.iter().copied().collect();
    let mut listed = false;
    while !missing.is_empty() {
        // A watcher reports what it recovers from as errors.
        let Ok(event) = stream.next().await.expect("a watcher goes on") else { continue };
        listed |= matches!(event, Event::Init);
        if let Event::Apply(node) | Event::InitApply(node) = event {
            missing.remove(node.name_any().as_str());
        }
    }
    listed
}

/// Lists that others go on with while the past is forgotten.
async fn a_list_goes_on_until_it_expires(client: Client, sandbox: &Sandbox) {
    let nodes: Api<Node> = Api::all(client);
    for name in ["n1", "n2", "n3"] {
        nodes.create(&PostParams::default(), &node(name)).await.expect("is created");
    }
    let page = async |token: Option<String>| {
        let parameters = ListParams { limit: Some(1), continue_token: token, ..ListParams::default() };
        let list = nodes.list(&parameters).await?;
        Ok::<_, kube::Error>((
            list.items.iter().map(ResourceExt::name_any).collect::<String>(),
            list.metadata.continue_,
        ))
    };
    let (first, token) = page(None).await.expect("is listed");
    let (second, token) = page(token).await.expect("goes on");
    assert_eq!((first.as_str(), second.as_str()), ("n1", "n2"));
    nodes.delete("n3", &DeleteParams::default()).await.expect("is deleted");
    let (third, _) = page(token.clone()).await.expect("is as it was");
    assert_eq!(third, "n3");
    sandbox.compact();
    let refused = page(token).await.expect_err("the past is forgotten");
    let (code, reason, message) = refusal(&refused);
    assert_eq!((code, reason), (410, "Expired"));
    assert!(message.starts_with("The provided continue parameter is too old to display a consistent list result."));
}

async fn a_watcher_survives(client: Client, sandbox: &Sandbox) {
    let nodes: Api<Node> = Api::all(client);
    let mut stream = watcher(nodes.clone(), watcher::Config::default()).default_backoff().boxed();
    let create = async |name: &str| nodes.create(&PostParams::default(), &node(name)).await.expect("is created");
    create("n1").await;
    assert!(soon("the first event", told(&mut stream, &["n1"])).await);
    sandbox.drop_watches();
    create("n2").await;
    assert!(!soon("the event after a dropped watch", told(&mut stream, &["n2"])).await);
    // The watch breaks, and what happened meanwhile is forgotten: 410, and the list is read again.
    sandbox.drop_watches();
    create("n3").await;
    sandbox.compact();
    assert!(soon("the list after a 410", told(&mut stream, &["n3"])).await);
    create("n4").await;
    assert!(!soon("the event after a 410", told(&mut stream, &["n4"])).await);
}

/// Reads on until the store has these and no others.
async fn reflected(stream: &mut (impl Stream<Item = Told> + Unpin), reader: &reflector::Store<Node>, names: &[&str]) {
    let has = || reader.state().iter().map(|node| node.name_any()).collect::<BTreeSet<_>>();
    while !has().iter().map(String::as_str).eq(names.iter().copied()) {
        // A watcher reports what it recovers from as errors.
        drop(stream.next().await.expect("a watcher goes on"));
    }
}

async fn a_reflector_has_what_is_there(client: Client, sandbox: &Sandbox) {
    let nodes: Api<Node> = Api::all(client);
    let create = async |name: &str| nodes.create(&PostParams::default(), &node(name)).await.expect("is created");
    let delete = async |name: &str| nodes.delete(name, &DeleteParams::default()).await.expect("is deleted");
    create("n1").await;
    create("n2").await;
    let (reader, writer) = reflector::store();
    let events = watcher(nodes.clone(), watcher::Config::default()).default_backoff();
    let mut stream = reflector(writer, events).boxed();
    soon("the first list", reflected(&mut stream, &reader, &["n1", "n2"])).await;
    create("n3").await;
    delete("n1").await;
    soon("what changes", reflected(&mut stream, &reader, &["n2", "n3"])).await;
    sandbox.drop_watches();
    create("n4").await;
    soon("what changed while a watch was broken", reflected(&mut stream, &reader, &["n2", "n3", "n4"])).await;
    sandbox.drop_watches();
    delete("n2").await;
    sandbox.compact();
    soon("what went before a 410", reflected(&mut stream, &reader, &["n3", "n4"])).await;
}

async fn reconcile(map: Arc<ConfigMap>, maps: Arc<Api<ConfigMap>>) -> Result<Action, kube::Error> {
    let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"seen": "true"}}});
    maps.patch(&map.name_any(), &PatchParams::apply("controller").force(), &Patch::Apply(&wanted)).await?;
    Ok(Action::await_change())
}

async fn a_controller_misses_nothing(client: Client, sandbox: &Sandbox) {
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let create = async |name: &str| {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        maps.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await.expect("is created");
    };
    let controller = Controller::new(maps.clone(), watcher::Config::default());
    let failed = |_, error: &kube::Error, _| panic!("{error}");
    let mut done = controller.run(reconcile, failed, Arc::new(maps.clone())).boxed();
    let mut all_labelled = async |count: usize| {
        while maps.list(&ListParams::default().labels("seen=true")).await.expect("is listed").items.len() < count {
            // A watch that broke is reported as an error.
            drop(done.next().await.expect("the controller goes on"));
        }
    };
    create("a").await;
    create("b").await;
    soon("what there is", all_labelled(2)).await;
    sandbox.drop_watches();
    create("c").await;
    soon("what came while a watch was broken", all_labelled(3)).await;
    sandbox.drop_watches();
    create("d").await;
    sandbox.compact();
    soon("what came before a 410", all_labelled(4)).await;
    let map = maps.get("a").await.expect("is there");
    let managers: Vec<_> = map.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect();
    assert!(managers.contains(&"controller".to_owned()), "{managers:?}");
}

async fn a_lease_is_held_by_who_is_first(client: Client, _: &Sandbox) {
    let leases: Api<Lease> = Api::namespaced(client, "kube-system");
    let holder = |name: &str| LeaseSpec { holder_identity: Some(name.to_owned()), ..LeaseSpec::default() };
    let metadata = ObjectMeta { name: Some("leader".to_owned()), ..ObjectMeta::default() };
    let lease = Lease { metadata, spec: Some(holder("one")) };
    let first = leases.create(&PostParams::default(), &lease).await.expect("is created");
    let second = leases.create(&PostParams::default(), &lease).await.expect_err("exists");
    let exists = "leases.coordination.k8s.io \"leader\" already exists";
    assert_eq!(refusal(&second), (409, "AlreadyExists", exists));
    let mut taken = leases.get("leader").await.expect("is there");
    assert_eq!(taken, first);
    taken.spec = Some(holder("two"));
    leases.replace("leader", &PostParams::default(), &taken).await.expect("the version is the latest");
    let late = leases.replace("leader", &PostParams::default(), &first).await.expect_err("the version is old");
    let modified = "Operation cannot be fulfilled on leases.coordination.k8s.io \"leader\": the object has been \
        modified; please apply your changes to the latest version and try again";
    assert_eq!(refusal(&late), (409, "Conflict", modified));
    let held = leases.get("leader").await.expect("is there").spec.and_then(|spec| spec.holder_identity);
    assert_eq!(held.as_deref(), Some("two"));
    leases.delete("leader", &DeleteParams::default()).await.expect("is deleted");
}

/// What a Status says.
fn refusal(error: &kube::Error) -> (u16, &str, &str) {
    let kube::Error::Api(status) = error else { panic!("{error:?}") };
    (status.code, &status.reason, &status.message)
}

async fn an_apply_conflicts_with_another_owner(client: Client, _: &Sandbox) {
    let nodes: Api<Node> = Api::all(client);
    let label = |value: &str| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"labels": {"a": value}}});
    nodes.patch("n1", &PatchParams::apply("m1"), &Patch::Apply(label("1"))).await.expect("is created");
    let conflict = nodes.patch("n1", &PatchParams::apply("m2"), &Patch::Apply(label("2"))).await.expect_err("is m1's");
    let owned = "Apply failed with 1 conflict: conflict with \"m1\": .metadata.labels.a";
    assert_eq!(refusal(&conflict), (409, "Conflict", owned));
    let forced =
        nodes.patch("n1", &PatchParams::apply("m2").force(), &Patch::Apply(label("2"))).await.expect("is taken");
    assert_eq!(forced.labels().get("a").map(String::as_str), Some("2"));
    let nothing = json!({"apiVersion": "v1", "kind": "Node", "metadata": {}});
    let left = nodes.patch("n1", &PatchParams::apply("m2"), &Patch::Apply(nothing)).await.expect("is given up");
    assert_eq!(left.labels().get("a"), None);
}

/// Whom a token stands for, to a connection of his own.
async fn bearer(served: &Served, token: &str) -> Result<String, kube::Error> {
    known_as(served.bearing(token).await).await
}

async fn known_as(client: Client) -> Result<String, kube::Error> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    Ok(review.status.and_then(|status| status.user_info?.username).unwrap_or_default())
}

async fn assert_refused(served: &Served, token: &str, why: &str) {
    let refused = bearer(served, token).await.expect_err("is not known any more");
    assert_eq!(refusal(&refused), (401, "Unauthorized", "Unauthorized"));
    let reviews: Api<TokenReview> = Api::all(served.client().await);
    let spec = TokenReviewSpec { token: token.to_owned(), ..TokenReviewSpec::default() };
    let review = TokenReview { spec, ..TokenReview::default() };
    let status = reviews.create(&PostParams::default(), &review).await.expect("is reviewed").status.expect("is judged");
    assert_eq!((status.authenticated, status.error.as_deref()), (None, Some(why)));
}

const AGENT: &str = "system:serviceaccount:default:agent";

/// Mints a token for the agent that is good for an hour.
async fn mint(served: &Served, bound: Option<BoundObjectReference>) -> String {
    let accounts: Api<ServiceAccount> = Api::default_namespaced(served.client().await);
    let spec =
        TokenRequestSpec { expiration_seconds: Some(3600), bound_object_ref: bound, ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let issued = accounts.create_token_request("agent", &PostParams::default(), &request).await.expect("is minted");
    issued.status.and_then(|status| status.token).expect("there is one in the answer")
}

/// A server with an agent's service account and pod.
async fn served_with_agent() -> Served {
    let served = Served::start(Settings::default()).await;
    served.sandbox.plant(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "agent", "namespace": "default"}}));
    served.sandbox.plant(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
        "spec": {"serviceAccountName": "agent", "containers": [{"name": "c", "image": "i"}]}}));
    served
}

/// Lets time pass at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let served = served_with_agent().await;
    let token = mint(&served, None).await;
    assert_eq!(bearer(&served, &token).await.expect("is known"), AGENT);
    // Clocks may differ by a minute.
    pass(Duration::from_secs(3600 + 30)).await;
    assert_eq!(bearer(&served, &token).await.expect("is known"), AGENT);
    pass(Duration::from_secs(60)).await;
    assert_refused(&served, &token, "[invalid bearer token, service account token has expired]").await;
}

#[tokio::test]
async fn a_token_ends_with_its_pod_or_its_account() {
    let served = served_with_agent().await;
    let pod = BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some("p".to_owned()),
        ..BoundObjectReference::default()
    };
    let (bound, unbound) = (mint(&served, Some(pod)).await, mint(&served, None).await);
    for token in [&bound, &unbound] {
        assert_eq!(bearer(&served, token).await.expect("is known"), AGENT);
    }
    let pods: Api<Pod> = Api::default_namespaced(served.client().await);
    pods.delete("p", &DeleteParams::default().grace_period(0)).await.expect("is deleted");
    assert_refused(&served, &bound, "[invalid bearer token, service account token has been invalidated]").await;
    assert_eq!(bearer(&served, &unbound).await.expect("is known"), AGENT);
    let accounts: Api<ServiceAccount> = Api::default_namespaced(served.client().await);
    accounts.delete("agent", &DeleteParams::default()).await.expect("is deleted");
    assert_refused(&served, &unbound, "[invalid bearer token, serviceaccounts \"agent\" not found]").await;
}

#[tokio::test]
async fn a_certificate_comes_before_a_token() {
    let mut served = served_with_agent().await;
    let token = mint(&served, None).await;
    for token in [token.as_str(), "nobody's"] {
        served.kubeconfig["users"][0]["user"]["token"] = json!(token);
        assert_eq!(known_as(served.client().await).await.expect("is known"), "kubernetes-admin");
    }
}
