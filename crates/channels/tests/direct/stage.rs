//! A sandbox with one Node, the guard of `kubevirt-least`, and the agent's way into it.

use admission::UserInfo;
use channels::{Backoff, Direct, Done, Failure, Keep, Publish as _, Wanted};
use http::Request;
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::{Api, Client};
use ownership::{Profile, builtin, identity};
use sandbox::adversity::{Effect, Matches, Rule, When};
use sandbox::{Connection, Sandbox, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tower_service::Service;

/// A way into the sandbox that notes each request about a Node: method and URI.
#[derive(Clone)]
struct Noted {
    inner: Connection,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Service<Request<Body>> for Noted {
    type Response = <Connection as Service<Request<Body>>>::Response;
    type Error = <Connection as Service<Request<Body>>>::Error;
    type Future = <Connection as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with("/api/v1/nodes") {
            self.requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        }
        self.inner.call(request)
    }
}

pub struct Stage {
    pub sandbox: Sandbox,
    pub nodes: Api<Node>,
    requests: Arc<Mutex<Vec<String>>>,
}

pub fn least() -> Profile {
    builtin::profile("kubevirt-least").unwrap().unwrap()
}

/// What an agent wants with these labels and annotations.
pub fn wanted(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Wanted {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let publication = ownership::publication::Publication { labels: map(labels), annotations: map(annotations) };
    Wanted { publication, keep: Keep::default() }
}

pub fn rule(effect: Effect, when: When) -> Rule {
    let matches = Matches { verbs: vec!["patch".into()], resources: vec!["nodes".into()], ..Matches::default() };
    Rule { matches, when, effect }
}

impl Stage {
    pub async fn new() -> Self {
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        grants().into_iter().for_each(|object| sandbox.plant(object));
        let guards = manifests::guards(&least());
        guards.iter().flat_map(manifests::Guarding::objects).for_each(|object| sandbox.plant(object));
        let nodes = Api::all(Client::new(sandbox.admin(), "default"));
        let stage = Self { sandbox, nodes, requests: Arc::default() };
        stage.register(json!({})).await;
        stage
    }

    /// The channel of the agent on the Node `n`, as a fresh process has it.
    pub fn channel(&self) -> Direct {
        self.channel_of(agent("n"), least())
    }

    pub fn channel_of(&self, user: UserInfo, profile: Profile) -> Direct {
        let connection = Noted { inner: self.sandbox.connection_as(user), requests: self.requests.clone() };
        Direct::new(Client::new(connection, "default"), "n", profile, Backoff::seeded(1)).unwrap()
    }

    /// The requests about Nodes since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    pub async fn labels(&self) -> BTreeMap<String, String> {
        self.nodes.get("n").await.unwrap().metadata.labels.unwrap_or_default()
    }

    /// Somebody else changes the Node.
    pub async fn patched_by(&self, manager: &str, metadata: Value) {
        let parameters = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        self.nodes.patch("n", &parameters, &Patch::Merge(json!({"metadata": metadata}))).await.unwrap();
    }

    pub async fn delete(&self) {
        self.nodes.delete("n", &DeleteParams::default()).await.unwrap();
    }

    /// A kubelet registers the Node.
    pub async fn register(&self, labels: Value) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels},
            "spec": {"providerID": "somewhere://n"}});
        self.nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }
}

/// Tries until it works, as a patient agent does.
pub async fn persist(channel: &mut Direct, wanted: &Wanted) -> (Done, Vec<Failure>) {
    let mut failures = Vec::new();
    loop {
        match channel.publish(wanted).await {
            Ok(done) => return (done, failures),
            Err(failure) => {
                assert!(failures.len() < 100, "{failures:?}");
                tokio::time::sleep(failure.after).await;
                failures.push(failure);
            }
        }
    }
}

/// The agent with a token of its pod on that node.
pub fn agent(node: &str) -> UserInfo {
    let claims = [(identity::NODE_NAME, node), (identity::POD_NAME, "p"), (identity::POD_UID, "u")];
    let extra = claims.into_iter().map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).collect();
    UserInfo { extra, ..nobody_on() }
}

/// The agent with a token that says nothing about a node.
pub fn nobody_on() -> UserInfo {
    UserInfo {
        username: least().username().to_owned(),
        groups: vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()],
        ..UserInfo::default()
    }
}

fn grants() -> [Value; 2] {
    let (group, subject) = ("rbac.authorization.k8s.io", least().username().to_owned());
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]);
    [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "agent"}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "agent"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "agent"},
            "subjects": [{"kind": "User", "apiGroup": group, "name": subject}]}),
    ]
}
