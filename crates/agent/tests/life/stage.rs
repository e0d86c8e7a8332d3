//! Agents of hosts that are folders, in a sandbox with their Nodes and their guard.

use admission::UserInfo;
use agent::configuration::Watched;
use agent::kubevirt::KubeVirt;
use agent::life::Pace;
use agent::report::Report;
use agent::run::{Agent, Ended};
use agent::{Architecture, Host};
use channels::{Backoff, Direct};
use http::Request;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::{Api, Client};
use ownership::{Profile, builtin, identity};
use sandbox::adversity::{Effect, Matches, Rule, When};
use sandbox::{Connection, Sandbox, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower_service::Service;

/// A way into the sandbox that notes the time of each write of a Node.
#[derive(Clone)]
struct Noted {
    inner: Connection,
    writes: Arc<Mutex<Vec<Duration>>>,
    start: Instant,
}

impl Service<Request<Body>> for Noted {
    type Response = <Connection as Service<Request<Body>>>::Response;
    type Error = <Connection as Service<Request<Body>>>::Error;
    type Future = <Connection as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() == http::Method::PATCH {
            self.writes.lock().unwrap().push(self.start.elapsed());
        }
        self.inner.call(request)
    }
}

pub struct Stage {
    pub sandbox: Sandbox,
    pub nodes: Api<Node>,
    profile: Profile,
    handover: bool,
    start: Instant,
    /// By how much the wall clock has jumped, in seconds.
    pub jump: Arc<AtomicI64>,
}

/// A machine: its files, and what its agent did.
pub struct Machine {
    pub name: String,
    pub files: TempDir,
    pub reports: Arc<Mutex<Vec<Report>>>,
    writes: Arc<Mutex<Vec<Duration>>>,
}

pub struct Running {
    stop: mpsc::Sender<()>,
    task: JoinHandle<Ended>,
}

pub fn least() -> Profile {
    builtin::profile("kubevirt-least").unwrap().unwrap()
}

/// Trouble with every write of a Node, or with every request.
pub fn trouble(effect: Effect, when: When, writes_only: bool) -> Rule {
    let verbs = if writes_only { vec!["patch".into()] } else { Vec::new() };
    let users = vec![least().username().to_owned()];
    Rule { matches: Matches { verbs, users, ..Matches::default() }, when, effect }
}

impl Stage {
    pub fn new() -> Self {
        Self::with(least(), false)
    }

    /// Agents that take their Nodes over from virt-handler, with the profile that owns what this takes.
    pub fn of_a_handover() -> Self {
        Self::with(builtin::profile("kubevirt").unwrap().unwrap(), true)
    }

    fn with(profile: Profile, handover: bool) -> Self {
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        grants().into_iter().for_each(|object| sandbox.plant(object));
        let guards = manifests::guards(&profile);
        guards.iter().flat_map(manifests::Guarding::objects).for_each(|object| sandbox.plant(object));
        let nodes = Api::all(Client::new(sandbox.admin(), "default"));
        Self { sandbox, nodes, profile, handover, start: Instant::now(), jump: Arc::default() }
    }

    /// A machine whose Node is registered.
    pub async fn machine(&self, name: &str) -> Machine {
        let node = json!({"metadata": {"name": name, "labels": {"example.org/x": "1"}}});
        self.nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
        let machine = Machine::new(name);
        machine.write("cpuinfo", "vendor_id : GenuineIntel\n");
        machine.write(
            "agent.yaml",
            &format!("{{virsh: false, documents: {path}, readiness: [file: {path}/ready]}}", path = machine.path()),
        );
        machine
    }

    pub fn boot(&self, machine: &Machine, seed: u64) -> Running {
        let connection = Noted {
            inner: self.sandbox.connection_as(of_pod_on(&machine.name)),
            writes: machine.writes.clone(),
            start: self.start,
        };
        let client = Client::new(connection, "default");
        let (start, jump, reports) = (self.start, self.jump.clone(), machine.reports.clone());
        let channel = Direct::new(client.clone(), &machine.name, self.profile.clone(), Backoff::seeded(seed));
        let agent = Agent {
            channel: channel.unwrap().adopting(self.handover.then_some("virt-handler")),
            profile: self.profile.clone(),
            host: machine.host(),
            kubevirt: Some(KubeVirt::new(client)),
            file: Watched::new(Some(machine.files.path().join("agent.yaml"))),
            handover: self.handover,
            pace: Pace::default(),
            look: Duration::from_secs(5),
            seed,
            clock: Box::new(move || {
                let now = 1_800_000_000_i64.saturating_add(jump.load(Ordering::Relaxed));
                let now = now.checked_add_unsigned(start.elapsed().as_secs()).unwrap_or(i64::MAX);
                let since = Duration::from_secs(now.unsigned_abs());
                let epoch = SystemTime::UNIX_EPOCH;
                if now < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) }.unwrap_or(epoch)
            }),
            report: Box::new(move |report| reports.lock().unwrap().push(report)),
        };
        let (stop, stops) = mpsc::channel(2);
        Running { stop, task: tokio::spawn(agent.run(stops)) }
    }

    pub async fn node(&self, name: &str) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let metadata = self.nodes.get(name).await.unwrap().metadata;
        (metadata.labels.unwrap_or_default(), metadata.annotations.unwrap_or_default())
    }

    pub async fn says(&self, name: &str, key: &str) -> Option<String> {
        self.node(name).await.0.remove(key)
    }

    /// An administrator changes a Node.
    pub async fn patch(&self, name: &str, metadata: Value) {
        self.patch_by("kubectl", name, metadata).await;
    }

    pub async fn patch_by(&self, manager: &str, name: &str, metadata: Value) {
        let body = Patch::Merge(json!({"metadata": metadata}));
        let parameters = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.nodes.patch(name, &parameters, &body).await.unwrap();
    }
}

impl Machine {
    fn new(name: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        Self { name: name.to_owned(), files, reports: Arc::default(), writes: Arc::default() }
    }

    pub fn path(&self) -> String {
        self.files.path().display().to_string()
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.files.path().join(name), content).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.files.path().join(name)).unwrap();
    }

    /// Libvirt says that the host has this CPU.
    pub fn host_model(&self, model: &str) {
        let document = format!(
            "<domainCapabilities><cpu><mode name='host-model' supported='yes'><model>{model}</model></mode></cpu></domainCapabilities>"
        );
        self.write("virsh_domcapabilities.xml", &document);
    }

    /// The times of the requests to write the Node since the last call.
    pub fn writes(&self) -> Vec<Duration> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    pub fn reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }

    /// What has happened so far does not count.
    pub fn forget(&self) {
        self.writes();
        self.reports();
    }

    fn host(&self) -> Host {
        let file = |name: &str| self.files.path().join(name);
        Host {
            architecture: Architecture::Amd64,
            documents: file("documents"),
            virsh: None,
            kvm: file("kvm"),
            realtime: file("realtime"),
            processor: file("cpuinfo"),
            cpu_manager: vec![file("cpu_manager_state")],
            ksm: vec![file("ksm")],
            memory: file("meminfo"),
        }
    }
}

impl Running {
    pub async fn stop(self) -> Ended {
        self.stop.send(()).await.unwrap();
        self.task.await.unwrap()
    }

    pub async fn stop_twice(self) -> Ended {
        self.stop.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.stop().await
    }

    /// The machine loses its power.
    pub fn kill(self) {
        self.task.abort();
    }
}

pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn of_pod_on(node: &str) -> UserInfo {
    let claims = [(identity::NODE_NAME, node), (identity::POD_NAME, "p"), (identity::POD_UID, "u")];
    UserInfo {
        username: least().username().to_owned(),
        groups: vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()],
        extra: claims.into_iter().map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).collect(),
        ..UserInfo::default()
    }
}

fn grants() -> [Value; 2] {
    let (group, subject) = ("rbac.authorization.k8s.io", least().username().to_owned());
    let rules = json!([
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
        {"apiGroups": ["kubevirt.io"], "resources": ["kubevirts"], "verbs": ["list"]},
    ]);
    [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "agent"}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "agent"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "agent"},
            "subjects": [{"kind": "User", "apiGroup": group, "name": subject}]}),
    ]
}
