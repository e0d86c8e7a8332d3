//! How fast the sandbox starts, answers and tells its watchers, and what 10,000 Nodes of 170 labels take.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use sandbox::{Connection, Sandbox, Settings};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::nodes::node;
use tests::reach::{Served, inside};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tower_service::Service;

const NODES: usize = 10_000;
const LABELS: usize = 170;
const WATCHERS: usize = 1_000;
const ROUNDS: usize = 50;

fn main() {
    let runtime = Runtime::new().expect("a runtime can be made");
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |part: &str| asked.is_empty() || asked.iter().any(|name| name == part);
    if is_asked("starts") {
        run(&runtime, starts());
    }
    if is_asked("rates") {
        run(&runtime, rates());
    }
    if is_asked("nodes") {
        run(&runtime, many_nodes());
    }
    if is_asked("watchers") {
        run(&runtime, watchers());
    }
}

/// On one of the runtime's own threads; another one would take their time.
fn run(runtime: &Runtime, part: impl Future<Output = ()> + Send + 'static) {
    runtime.block_on(runtime.spawn(part)).expect("nothing panics");
}

fn report(what: &str, mut samples: Vec<Duration>) {
    samples.sort_unstable();
    let at = |share: usize| samples.get((samples.len() - 1) * share / 100).copied().unwrap_or_default();
    println!("{what:<52} median {:>10.3?}   p90 {:>10.3?}   ({} samples)", at(50), at(90), samples.len());
}

async fn sample<F: Future<Output = ()>>(count: usize, mut work: impl FnMut(usize) -> F) -> Vec<Duration> {
    let mut samples = Vec::with_capacity(count);
    for index in 0..count {
        let begin = Instant::now();
        work(index).await;
        samples.push(begin.elapsed());
    }
    samples
}

async fn ask(client: &Client, request: Request<Vec<u8>>) -> Vec<u8> {
    let (head, body) = request.into_parts();
    let response = client.send(Request::from_parts(head, Body::from(body))).await.expect("is answered");
    assert!(response.status().is_success(), "{}", response.status());
    response.into_body().collect().await.expect("is read").to_bytes().to_vec()
}

fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).expect("is a request")
}

fn relabel(name: &str, value: usize) -> Request<Vec<u8>> {
    let body = json!({"metadata": {"labels": {"bench.example.com/count": value.to_string()}}});
    Request::patch(format!("/api/v1/nodes/{name}"))
        .header("Content-Type", "application/merge-patch+json")
        .body(body.to_string().into_bytes())
        .expect("is a request")
}

fn named(index: usize) -> Value {
    let mut node = node(LABELS);
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        node["metadata"].as_object_mut().expect("is a map").remove(field);
    }
    node["metadata"]["name"] = json!(format!("node-{index:05}"));
    node
}

async fn starts() {
    let inside_process = sample(20, |_| async {
        let sandbox = Sandbox::start(Settings::default()).expect("starts");
        ask(&inside(&sandbox), get("/version")).await;
    });
    report("start to first answer, in process", inside_process.await);
    let https = sample(20, |_| async {
        let served = Served::start(Settings::default()).await;
        ask(&served.client().await, get("/version")).await;
    });
    report("start to first answer, HTTPS", https.await);
}

async fn rates() {
    let served = Served::start(Settings::default()).await;
    served.sandbox.plant(named(0));
    for (way, client) in [("in process", inside(&served.sandbox)), ("HTTPS", served.client().await)] {
        let path = "/api/v1/nodes/node-00000";
        report(
            &format!("get of a Node of {LABELS} labels, {way}"),
            sample(500, |_| async { drop(ask(&client, get(path)).await) }).await,
        );
        report(
            &format!("patch of it, {way}"),
            sample(500, |index| {
                let client = client.clone();
                async move { drop(ask(&client, relabel("node-00000", index)).await) }
            })
            .await,
        );
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

async fn many_nodes() {
    let before = resident_kib();
    let sandbox = Sandbox::start(Settings::default()).expect("starts");
    let client = inside(&sandbox);
    let begin = Instant::now();
    for index in 0..NODES {
        let request = Request::post("/api/v1/nodes?fieldManager=bench").header("Content-Type", "application/json");
        ask(&client, request.body(named(index).to_string().into_bytes()).expect("is a request")).await;
    }
    println!("{NODES} Nodes of {LABELS} labels created in {:.1?}", begin.elapsed());
    println!("resident memory for them: {} MiB", (resident_kib().saturating_sub(before)) / 1024);
    report(
        "full list of them, in process",
        sample(5, |_| async { drop(ask(&client, get("/api/v1/nodes")).await) }).await,
    );
    report(
        "a page of 500, in process",
        sample(20, |_| async { drop(ask(&client, get("/api/v1/nodes?limit=500")).await) }).await,
    );
}

/// When the watchers were told of one event.
#[derive(Default)]
struct Told {
    times: Mutex<Vec<Instant>>,
    all: Notify,
}

impl Told {
    fn one(&self) {
        let now = Instant::now();
        let mut times = self.times.lock().expect("nobody panics with it");
        times.push(now);
        if times.len() == WATCHERS {
            self.all.notify_one();
        }
    }

    /// Waits until every watcher was told.
    async fn all(&self) -> Vec<Instant> {
        self.all.notified().await;
        std::mem::take(&mut self.times.lock().expect("nobody panics with it"))
    }
}

/// Reads a watch and says when each event came.
async fn watch(mut connection: Connection, told: Arc<Told>) {
    let request = Request::get("/api/v1/nodes?watch=true&resourceVersion=0").body(String::new()).expect("is a request");
    let Ok(response) = connection.call(request).await;
    let mut body = response.into_body();
    while let Some(Ok(_)) = body.frame().await {
        told.one();
    }
}

async fn watchers() {
    let sandbox = Sandbox::start(Settings::default()).expect("starts");
    sandbox.plant(named(0));
    let told = Arc::new(Told::default());
    for _ in 0..WATCHERS {
        tokio::spawn(watch(sandbox.admin(), told.clone()));
    }
    told.all().await;
    let client = inside(&sandbox);
    let (mut of_patches, mut of_changes) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let begin = Instant::now();
        ask(&client, relabel("node-00000", round)).await;
        of_patches.extend(told.all().await.into_iter().map(|time| time.duration_since(begin)));
        let node = named(round + 1);
        let begin = Instant::now();
        sandbox.plant(node);
        of_changes.extend(told.all().await.into_iter().map(|time| time.duration_since(begin)));
    }
    report(&format!("change stored to event told, {WATCHERS} watchers"), of_changes);
    report(&format!("patch sent to event told, {WATCHERS} watchers"), of_patches);
}
