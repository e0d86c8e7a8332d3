//! What it costs an API server that nodes publish what they are: writes and bytes, at the start and in a steady hour of
//! virtual time, and what each watcher of Nodes is told.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use agent::configuration::Watched;
use agent::life::Pace;
use agent::run::Agent;
use agent::{Architecture, Host};
use channels::{Backoff, Direct, Publish};
use controller::Controller;
use futures_util::StreamExt as _;
use http::{Method, Request};
use http_body::Body as _;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::client::Body;
use kube::{Api, Client};
use ownership::{Profile, builtin, identity};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::{Connection, Sandbox, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower_service::Service;

const NODES: u64 = 20;
/// With those of its machine types, models and vendor, about what a node with a recent CPU has.
const FEATURES: usize = 160;
const START: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(table());
}

async fn table() {
    println!("{NODES} nodes; for each node:\n");
    println!(
        "| | Node writes at the start | an hour | bytes of them | other writes | bytes of them | told to each watcher of Nodes |"
    );
    println!("|---|---|---|---|---|---|---|");
    line("virt-handler, as of August 2026", Stage::new(Way::Direct).await, virt_handler).await;
    line("nodebound-agent, Direct", Stage::new(Way::Direct).await, direct).await;
    let stage = Stage::new(Way::ShadowNode).await;
    let controller = controller(&stage);
    line("nodebound-agent and controller, ShadowNode", stage, shadow_node).await;
    controller.abort();
}

async fn line(name: &str, stage: Stage, run: fn(&Stage, u64) -> JoinHandle<()>) {
    let running: Vec<JoinHandle<()>> = (0..NODES).map(|number| run(&stage, number)).collect();
    sleep(START).await;
    let start = stage.meter.take();
    let told = tokio::spawn(told(stage.nodes()));
    sleep(HOUR).await;
    let hour = stage.meter.take();
    running.iter().for_each(JoinHandle::abort);
    let each = |(count, bytes): (u64, u64)| (per_node(count), bytes / NODES);
    let (writes, bytes) = each(hour.nodes);
    let (others, other_bytes) = each(hour.others);
    let told = told.await.expect("nothing panics") / NODES;
    println!("| {name} | {} | {writes} | {bytes} | {others} | {other_bytes} | {told} bytes |", per_node(start.nodes.0));
}

fn per_node(count: u64) -> String {
    format!("{}.{}", count / NODES, count % NODES * 10 / NODES)
}

/// The bytes of the events that a watcher of Nodes gets in the hour.
async fn told(nodes: Api<Node>) -> u64 {
    let parameters = WatchParams::default().timeout(290);
    let (end, mut bytes, mut version) = (Instant::now() + HOUR, 0, "0".to_owned());
    let listed = nodes.list_metadata(&kube::api::ListParams::default()).await.expect("is listed");
    version.clone_from(&listed.metadata.resource_version.unwrap_or_default());
    while Instant::now() < end {
        let mut events = nodes.watch(&parameters, &version).await.expect("is watched").boxed();
        while let Ok(Some(event)) = tokio::time::timeout_at(end, events.next()).await {
            if let WatchEvent::Modified(node) = event.expect("is no error") {
                version = node.metadata.resource_version.clone().unwrap_or_default();
                bytes += serde_json::to_vec(&node).map_or(0, |text| text.len() as u64);
            }
        }
    }
    bytes
}

/// Writes of an API server, counted.
#[derive(Clone, Copy, Default)]
struct Counted {
    nodes: (u64, u64),
    others: (u64, u64),
}

#[derive(Clone, Default)]
struct Meter(Arc<Mutex<Counted>>);

impl Meter {
    fn take(&self) -> Counted {
        std::mem::take(&mut self.0.lock().expect("nothing panics"))
    }

    fn count(&self, request: &Request<Body>) {
        let uri = request.uri();
        let is_dry_run = uri.query().is_some_and(|query| query.contains("dryRun"));
        if request.method() == Method::GET || is_dry_run || uri.path().contains("/authentication.k8s.io/") {
            return;
        }
        let mut counted = self.0.lock().expect("nothing panics");
        let is_node = uri.path().starts_with("/api/v1/nodes/");
        let (count, bytes) = if is_node { &mut counted.nodes } else { &mut counted.others };
        *count += 1;
        *bytes += request.body().size_hint().exact().unwrap_or_default();
    }
}

/// A way into the sandbox that is counted.
#[derive(Clone)]
struct Metered {
    inner: Connection,
    meter: Meter,
}

impl Service<Request<Body>> for Metered {
    type Response = <Connection as Service<Request<Body>>>::Response;
    type Error = <Connection as Service<Request<Body>>>::Error;
    type Future = <Connection as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.meter.count(&request);
        self.inner.call(request)
    }
}

/// A cluster with its Nodes, and one host that all of them are.
struct Stage {
    sandbox: Sandbox,
    profile: Profile,
    host: Arc<TempDir>,
    meter: Meter,
    start: Instant,
}

/// How publications reach the Nodes.
#[derive(Clone, Copy)]
enum Way {
    Direct,
    ShadowNode,
}

impl Way {
    fn profile(self) -> Profile {
        let text = builtin::PROFILES.iter().find(|(name, _)| *name == "kubevirt-least").expect("is built in").1;
        let more = match self {
            Self::Direct => "",
            Self::ShadowNode => {
                "  channel: ShadowNode\n  liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n"
            }
        };
        ownership::parse::profile(&format!("{text}{more}")).expect("is valid")
    }
}

impl Stage {
    async fn new(way: Way) -> Self {
        let (sandbox, profile) = (Sandbox::start(Settings::default()).expect("starts"), way.profile());
        for number in 0..NODES {
            let mut node = tests::nodes::node(0);
            node["metadata"] = json!({"name": name(number), "labels": {"kubernetes.io/hostname": name(number)}});
            sandbox.plant(node);
        }
        grants(&profile).into_iter().for_each(|object| sandbox.plant(object));
        let admin = Client::new(sandbox.admin(), "default");
        let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
        definitions.create(&PostParams::default(), &api::shadow_node_definition()).await.expect("is created");
        let namespace = json!({"metadata": {"name": ownership::guard::HEARTBEATS}});
        let namespace: Namespace = serde_json::from_value(namespace).expect("is a namespace");
        Api::all(admin).create(&PostParams::default(), &namespace).await.expect("is created");
        manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects).for_each(|o| sandbox.plant(o));
        let (host, meter) = (Arc::new(host()), Meter::default());
        // The definition takes effect.
        sleep(Duration::from_secs(5)).await;
        Self { sandbox, profile, host, meter, start: Instant::now() }
    }

    fn nodes(&self) -> Api<Node> {
        Api::all(Client::new(self.sandbox.admin(), "default"))
    }

    fn client(&self, number: u64) -> Client {
        let claims =
            [(identity::NODE_NAME, name(number)), (identity::POD_NAME, "p".into()), (identity::POD_UID, "u".into())];
        let user = admission::UserInfo {
            username: self.profile.username().to_owned(),
            groups: vec!["system:authenticated".to_owned()],
            extra: claims.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect(),
            ..admission::UserInfo::default()
        };
        Client::new(Metered { inner: self.sandbox.connection_as(user), meter: self.meter.clone() }, "default")
    }
}

fn name(number: u64) -> String {
    format!("node-{number}")
}

fn grants(profile: &Profile) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
        {"apiGroups": ["nodebound.io", "coordination.k8s.io"], "resources": ["shadownodes", "leases"], "verbs": ["get", "patch"]}]);
    let subject = json!({"kind": "User", "apiGroup": group, "name": profile.username()});
    [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "agent"}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "agent"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "agent"}, "subjects": [subject]}),
    ]
}

fn host() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |file: &str, text: String| fs::write(folder.path().join(file), text).expect("is written");
    let features: String = (0..FEATURES).map(|n| format!("<feature policy='require' name='feature-{n}'/>")).collect();
    write("supported_features.xml", format!("<cpu>{features}</cpu>"));
    write("cpuinfo", "vendor_id : GenuineIntel\n".to_owned());
    write("agent.yaml", format!("{{virsh: false, documents: {}, readiness: []}}", folder.path().display()));
    folder
}

/// An agent of ours that writes its Node.
fn direct(stage: &Stage, number: u64) -> JoinHandle<()> {
    let backoff = Backoff::seeded(number);
    let channel = Direct::new(stage.client(number), &name(number), stage.profile.clone(), backoff);
    agent(stage, number, channel.expect("is a name"))
}

/// An agent of ours that may write no Node.
fn shadow_node(stage: &Stage, number: u64) -> JoinHandle<()> {
    let (client, backoff) = (stage.client(number), Backoff::seeded(number));
    let channel = channels::ShadowNode::new(client.clone(), &name(number), stage.profile.clone(), backoff);
    agent(stage, number, channel.expect("is a name").beating(client, agent::keys::HEARTBEAT))
}

fn agent<C: Publish + Send + 'static>(stage: &Stage, number: u64, channel: C) -> JoinHandle<()> {
    let (host, start, folder) = (stage.host.clone(), stage.start, stage.host.path().to_owned());
    let agent = Agent {
        channel,
        profile: stage.profile.clone(),
        host: on(&folder),
        kubevirt: None,
        file: Watched::new(Some(folder.join("agent.yaml"))),
        handover: false,
        pace: Pace::default(),
        look: Duration::from_secs(5),
        seed: number,
        clock: Box::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + start.elapsed()),
        report: Box::new(|_| ()),
    };
    tokio::spawn(async move {
        let (_stop, stops) = mpsc::channel(1);
        agent.run(stops).await;
        drop(host);
    })
}

/// The controller, with the proof that the guard holds.
fn controller(stage: &Stage) -> JoinHandle<()> {
    let client = Client::new(Metered { inner: stage.sandbox.admin(), meter: stage.meter.clone() }, "default");
    let (profile, (proof, guarded)) = (stage.profile.clone(), watch::channel(None));
    tokio::spawn(async move {
        let (_lead, leading) = watch::channel(true);
        let settings = controller::Settings::default();
        let prober = client.clone();
        let connect = Box::new(move || Some(prober.clone()));
        let probes = controller::probe::probe(connect, profile.clone(), proof);
        let running = Controller { client, profile, settings, leading, guarded, report: Box::new(|_| ()) };
        tokio::join!(probes, running.run(std::future::pending()));
    })
}

fn on(folder: &Path) -> Host {
    Host {
        architecture: Architecture::Amd64,
        documents: folder.to_owned(),
        virsh: None,
        kvm: folder.join("kvm"),
        realtime: folder.join("realtime"),
        processor: folder.join("cpuinfo"),
        cpu_manager: vec![folder.join("cpu_manager_state")],
        ksm: vec![folder.join("ksm")],
        memory: folder.join("meminfo"),
    }
}

/// What virt-handler writes: a mark at its start, a heartbeat with three labels whether they changed or not, the state of
/// same-page merging every three minutes, its labels when they differ (`pkg/virt-handler` at d923fdb).
fn virt_handler(stage: &Stage, number: u64) -> JoinHandle<()> {
    let nodes: Api<Node> = Api::all(stage.client(number));
    let start = stage.start;
    tokio::spawn(async move {
        let merge = |metadata: Value| Patch::Merge(json!({"metadata": metadata}));
        let node = name(number);
        let write = async |patch: Patch<Value>| {
            nodes.patch(&node, &PatchParams::default(), &patch).await.expect("is written");
        };
        write(merge(json!({"labels": {"kubevirt.io/schedulable": "false"}}))).await;
        let labels: BTreeMap<String, &str> =
            (0..FEATURES).map(|n| (format!("cpu-feature.node.kubevirt.io/feature-{n}"), "true")).collect();
        write(merge(json!({"labels": labels}))).await;
        let mut random = StdRng::seed_from_u64(number);
        let (mut beat, mut pages) = (Duration::ZERO, Duration::ZERO);
        loop {
            let now = start.elapsed();
            if now >= beat {
                let seconds = 1_800_000_000 + now.as_secs();
                let time = k8s_openapi::jiff::Timestamp::from_second(seconds.cast_signed()).expect("is a time");
                let labels = json!({"kubevirt.io/schedulable": "true", "cpumanager": "false", "kubevirt.io/cpumanager": "false"});
                write(merge(json!({"labels": labels, "annotations": {"kubevirt.io/heartbeat": time.to_string()}})))
                    .await;
                beat = now + Duration::from_secs(60) + Duration::from_secs(72).mul_f64(random.random::<f64>());
            }
            if now >= pages {
                let state = json!({"labels": {"kubevirt.io/ksm-enabled": "false"},
                    "annotations": {"kubevirt.io/ksm-handler-managed": "false"}});
                write(merge(state)).await;
                pages = now + Duration::from_secs(180);
            }
            sleep(beat.min(pages).saturating_sub(start.elapsed())).await;
        }
    })
}
