//! What a fleet costs the controller: the program itself, over HTTPS, beside an API server with so many Nodes.
//!
//! Without numbers in the command line it is run for 1,000 and for 10,000 Nodes. On its first start everything is made
//! and copied, on its second everything is there; then agents change a hundred publications a second, and all of them
//! renew their Leases.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use futures_util::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use manifests::install::{Installation, PROBE};
use ownership::guard::HEARTBEATS;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::Settings;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::prober::prober;
use tests::reach::{Served, inside};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

const LABELS: usize = 170;
/// Makes of machines: those of one make have the same labels.
const MAKES: usize = 4;
const CHANGES_A_SECOND: u32 = 100;
const CHANGING: Duration = Duration::from_secs(60);
/// Between two renewals of a Lease: what an agent waits on average.
const BEAT: f64 = 96.0;
const COUNT: &str = "kubevirt.io/count";
/// How this program is told to be the controller.
const CONTROLLER: &str = "controller";

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == CONTROLLER) {
        arguments.remove(0);
        return controller_program::main(arguments);
    }
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    for size in if sizes.is_empty() { vec![1_000, 10_000] } else { sizes } {
        runtime.block_on(runtime.spawn(fleet(size))).expect("nothing panics");
    }
    ExitCode::SUCCESS
}

async fn fleet(size: usize) {
    println!("{size} Nodes of {LABELS} labels");
    let stage = Stage::new(size).await;
    let begin = Instant::now();
    let first = Program::start(&stage).await;
    stage.until_made(size).await;
    println!("  first start, every ShadowNode and Lease made: {:.1?}", begin.elapsed());
    let begin = Instant::now();
    stage.publish_all(size).await;
    let published = begin.elapsed();
    first.until_written(size).await;
    println!("  every publication made in {published:.1?}, and on its Node {:.1?} after the first", begin.elapsed());
    first.say("  after that");
    first.end().await;
    stage.change(0, 0).await;
    let begin = Instant::now();
    let second = Program::start(&stage).await;
    println!("  second start, everything listed and judged: {:.1?}", begin.elapsed());
    stage.until_counted(0, 0).await;
    println!("  a change made before it is on its Node: {:.1?}", begin.elapsed());
    second.say("  after that");
    let beats = tokio::spawn(renew(stage.leases(), size));
    let latencies = stage.changes(size).await;
    beats.abort();
    report("  publication sent to Node changed", latencies);
    second.say("  after that");
    println!("  writes of Nodes since its start: {}", second.metric("node_writes_total"));
    second.end().await;
}

fn report(what: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let at = |share: usize| samples.get((samples.len() - 1) * share / 100).copied().unwrap_or_default();
    println!(
        "{what}: median {:.1?}, p90 {:.1?}, p99 {:.1?}, longest {:.1?} ({} changes)",
        at(50),
        at(90),
        at(99),
        at(100),
        samples.len()
    );
}

fn name(index: usize) -> String {
    format!("node-{index:05}")
}

/// An API server with its Nodes.
struct Stage {
    served: Served,
    client: Client,
    folder: TempDir,
    _prober: JoinSet<()>,
}

impl Stage {
    async fn new(size: usize) -> Self {
        let served = Served::start(Settings::default()).await;
        let client = inside(&served.sandbox);
        (0..size).for_each(|index| served.sandbox.plant(node(index)));
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in [api::shadow_node_definition(), api::agent_profile_definition()] {
            definitions.create(&PostParams::default(), &definition).await.expect("is created");
        }
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for name in [HEARTBEATS, "nodebound-system"] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).expect("is a namespace");
            namespaces.create(&PostParams::default(), &namespace).await.expect("is created");
        }
        let profile = ownership::parse::profile(&profile()).expect("is valid");
        manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects).for_each(|o| served.sandbox.plant(o));
        probes_rights().into_iter().for_each(|object| served.sandbox.plant(object));
        let installation = Installation { profile, settings: Default::default() };
        served.sandbox.plant(installation.agent_profile());
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::write(folder.path().join("kubeconfig"), served.kubeconfig.to_string()).expect("is written");
        fs::write(folder.path().join("profile"), self::profile()).expect("is written");
        let _prober = prober(client.clone(), tokio::time::Instant::now());
        Self { served, client, folder, _prober }
    }

    fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    fn shadows(&self) -> Api<api::ShadowNode> {
        Api::all(self.client.clone())
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), HEARTBEATS)
    }

    /// Waits until there is a Lease for each Node: it is made after the ShadowNode.
    async fn until_made(&self, size: usize) {
        let few = ListParams::default().limit(1);
        loop {
            let listed = self.leases().list_metadata(&few).await.expect("is listed");
            let rest = listed.metadata.remaining_item_count.unwrap_or_default();
            if listed.items.len() + usize::try_from(rest).unwrap_or_default() == size {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn publish_all(&self, size: usize) {
        let shadows = self.shadows();
        for index in 0..size {
            let patch = Patch::Merge(json!({"metadata": {"labels": labels(index)}}));
            shadows.patch_metadata(&name(index), &PatchParams::default(), &patch).await.expect("is patched");
        }
    }

    async fn change(&self, index: usize, count: usize) {
        let patch = Patch::Merge(json!({"metadata": {"labels": {COUNT: count.to_string()}}}));
        self.shadows().patch_metadata(&name(index), &PatchParams::default(), &patch).await.expect("is patched");
    }

    async fn until_counted(&self, index: usize, count: usize) {
        loop {
            let node = self.nodes().get_metadata(&name(index)).await.expect("is there");
            if node.metadata.labels.unwrap_or_default().get(COUNT) == Some(&count.to_string()) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Changes publications at a steady rate, each node's at most once in a few seconds, and says how long each took
    /// from the request sent to the event about the Node.
    async fn changes(&self, size: usize) -> Vec<Duration> {
        let (ready, begun) = tokio::sync::oneshot::channel();
        let (changed, watching) = tokio::sync::mpsc::unbounded_channel();
        let watcher = tokio::spawn(watch(self.nodes(), ready, changed));
        begun.await.expect("the watch begins");
        let count = usize::try_from(CHANGES_A_SECOND).unwrap_or_default()
            * usize::try_from(CHANGING.as_secs()).unwrap_or_default();
        let (mut ticks, mut sent) = (interval(Duration::from_secs(1) / CHANGES_A_SECOND), HashMap::new());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for number in 1..=count {
            ticks.tick().await;
            sent.insert(number, Instant::now());
            // A prime, so that neighbours in time are none in the list.
            self.change(number * 7919 % size, number).await;
        }
        let latencies = arrive(watching, sent).await;
        watcher.abort();
        latencies
    }
}

type Seen = (usize, Instant);

async fn arrive(
    mut seen: tokio::sync::mpsc::UnboundedReceiver<Seen>,
    mut sent: HashMap<usize, Instant>,
) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(sent.len());
    while !sent.is_empty() {
        let (number, time) = seen.recv().await.expect("the watch goes on");
        latencies.extend(sent.remove(&number).map(|begin| time.duration_since(begin)));
    }
    latencies
}

async fn watch(
    nodes: Api<Node>,
    ready: tokio::sync::oneshot::Sender<()>,
    seen: tokio::sync::mpsc::UnboundedSender<Seen>,
) {
    let listed = nodes.list_metadata(&ListParams::default().limit(1)).await.expect("is listed");
    let version = listed.metadata.resource_version.unwrap_or_default();
    let mut events =
        nodes.watch_metadata(&WatchParams::default().timeout(290), &version).await.expect("is watched").boxed();
    ready.send(()).expect("somebody waits");
    while let Some(event) = events.next().await {
        if let WatchEvent::Modified(node) = event.expect("is no error") {
            let count = node.metadata.labels.as_ref().and_then(|labels| labels.get(COUNT)?.parse().ok());
            if let Some(count) = count {
                let _ = seen.send((count, Instant::now()));
            }
        }
    }
}

/// All agents' signs of life, spread over time.
async fn renew(leases: Api<Lease>, size: usize) {
    let pause = Duration::from_secs_f64(BEAT).div_f64(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
    let mut ticks = interval(pause);
    let mut random = StdRng::seed_from_u64(1);
    let mut seconds = 1_800_000_000;
    loop {
        ticks.tick().await;
        seconds += 1;
        let time = k8s_openapi::jiff::Timestamp::from_second(seconds).expect("is a time");
        let patch = Patch::Merge(json!({"spec": {"renewTime": format!("{time:.6}")}}));
        let name = name(random.random_range(0..size));
        leases.patch_metadata(&name, &PatchParams::default(), &patch).await.expect("is renewed");
    }
}

fn node(index: usize) -> Value {
    let name = name(index);
    let labels = json!({"kubernetes.io/hostname": name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"});
    let annotations = json!({"node.alpha.kubernetes.io/ttl": "0"});
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels, "annotations": annotations}})
}

fn labels(index: usize) -> Map<String, Value> {
    let make = index % MAKES;
    let label = |number: usize| match number {
        0 => (format!("cpu-model.node.kubevirt.io/make-{make}"), json!("true")),
        _ => (format!("cpu-feature.node.kubevirt.io/feature-{number:03}"), json!("true")),
    };
    (0..LABELS - 1).map(label).chain([("kubevirt.io/schedulable".to_owned(), json!("true"))]).collect()
}

fn profile() -> String {
    let (_, text) = ownership::builtin::PROFILES.iter().find(|(name, _)| *name == "kubevirt").expect("is built in");
    format!(
        "{text}  channel: ShadowNode\n  liveness: {{source: Lease, mark: {{label: kubevirt.io/schedulable, value: 'false'}}}}\n"
    )
}

fn probes_rights() -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let rules = json!([{"apiGroups": ["nodebound.io", "coordination.k8s.io"], "resources": ["shadownodes", "leases"],
        "verbs": ["get", "patch"]}]);
    let subject = json!({"kind": "Group", "apiGroup": group, "name": PROBE});
    [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "probe"}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "probe"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "probe"}, "subjects": [subject]}),
    ]
}

/// The controller as a process.
struct Program {
    process: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts it, and waits until it has listed everything.
    async fn start(stage: &Stage) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let (address, folder) = (free.expect("a port is free"), stage.folder.path());
        let program = Self { process: Self::spawn(folder, address), address };
        while !program.ask("/readyz").starts_with("HTTP/1.1 200") {
            sleep(Duration::from_millis(5)).await;
        }
        let _ = &stage.served;
        program
    }

    fn spawn(folder: &Path, address: SocketAddr) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        let (profile, log) = (folder.join("profile"), fs::File::create(folder.join("log")).expect("can be written"));
        Command::new(program)
            .args([
                CONTROLLER,
                "--identity",
                "bench",
                "--log-level",
                "warn",
                "--listen",
                &address.to_string(),
                "--profile",
            ])
            .arg(profile)
            .env("KUBECONFIG", folder.join("kubeconfig"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("this program can be started")
    }

    fn ask(&self, path: &str) -> String {
        let mut answer = String::new();
        let asked = TcpStream::connect(self.address).and_then(|mut stream| {
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            stream.read_to_string(&mut answer)
        });
        asked.map(|_| answer).unwrap_or_default()
    }

    fn metric(&self, name: &str) -> String {
        let text = self.ask("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix("nodebound_controller_")?.strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    }

    /// Waits until so many Nodes have been written.
    async fn until_written(&self, count: usize) {
        while self.metric("node_writes_total").parse::<usize>().is_ok_and(|written| written < count) {
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn say(&self, when: &str) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let mib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
        };
        let (now, most, own) = (mib("VmRSS:"), mib("VmHWM:"), mib("RssAnon:"));
        println!("{when}: {now} MiB resident, {own} MiB of it its own, at most {most} MiB");
    }

    async fn end(mut self) {
        let killed = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(killed.expect("kill is there").success());
        let ended: JoinHandle<_> = tokio::task::spawn_blocking(move || self.process.wait());
        ended.await.expect("nothing panics").expect("it ends");
    }
}
