//! A cluster to verify: the one of the demonstration, in a sandbox that is served over HTTPS, and the kubeconfig of
//! whoever verifies it.

use attack::exchange::Sent;
use attack::ground::PROBE_MARK;
use attack::stage;
use kube::Client;
use ownership::builtin;
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use rustls::ServerConfig;
use sandbox::server::{Authority, Plugin, administrator, converse, kubeconfig, serve};
use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use crate::{Outcome, SHIPPED, nodebound, root};

/// What is to be verified.
pub(crate) struct Stage {
    objects: Vec<Value>,
    settings: Settings,
    operator: Option<Vec<Value>>,
    gated: bool,
}

impl Stage {
    /// Three nodes, the agent on each, with a role as wide as they get, and no policy.
    pub(crate) fn new() -> Self {
        let mut objects = stage::objects().unwrap();
        objects.extend(stage::role(&stage::widest_rules()));
        // Pods and Nodes stay as they are written.
        let disabled = [Plugin::ServiceAccount, Plugin::TaintNodesByCondition].into();
        Self { objects, settings: Settings { disabled, ..Settings::default() }, operator: None, gated: false }
    }

    /// The same with the guard of the profile kubevirt.
    pub(crate) fn guarded() -> Self {
        Self::new().with(guard())
    }

    pub(crate) fn with(mut self, objects: impl IntoIterator<Item = Value>) -> Self {
        self.objects.extend(objects);
        self
    }

    /// Only the objects of which this is true.
    pub(crate) fn only(mut self, keep: impl Fn(&Value) -> bool) -> Self {
        self.objects.retain(|object| keep(object));
        self
    }

    /// Every object with a change.
    pub(crate) fn changed(mut self, change: impl Fn(&mut Value)) -> Self {
        self.objects.iter_mut().for_each(change);
        self
    }

    pub(crate) fn release(mut self, minor: u16) -> Self {
        self.settings.version = admission::KubeVersion::minor(minor);
        self
    }

    /// Who verifies may do only this.
    pub(crate) fn operator(mut self, rules: &[Value]) -> Self {
        self.operator = Some(rules.to_vec());
        self
    }

    /// Nobody is answered before the gate is opened.
    pub(crate) fn gated(mut self) -> Self {
        self.gated = true;
        self
    }

    pub(crate) fn served(self) -> Cluster {
        Cluster::serve(self)
    }
}

/// The guard of the profile kubevirt.
pub(crate) fn guard() -> Vec<Value> {
    let profile = builtin::profile("kubevirt").unwrap().unwrap();
    manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects).collect()
}

/// The policy that KubeVirt itself installs.
pub(crate) fn shipped() -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(root().join(SHIPPED)).unwrap()).unwrap()
}

/// Rules for reading all that is looked at, and more.
pub(crate) fn reading() -> Vec<Value> {
    vec![
        rule("", &["nodes", "pods", "serviceaccounts", "secrets"], &["get", "list"]),
        rule("kubevirt.io", &["virtualmachineinstances"], &["get", "list"]),
        rule(
            "admissionregistration.k8s.io",
            &["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
            &["get", "list"],
        ),
    ]
}

pub(crate) fn minting() -> Value {
    rule("", &["serviceaccounts/token"], &["create"])
}

pub(crate) fn impersonating() -> [Value; 2] {
    let keys = [NODE_NAME, NODE_UID, POD_NAME, POD_UID, PROBE_MARK].map(|key| format!("userextras/{key}"));
    [
        rule("", &["groups", "serviceaccounts"], &["impersonate"]),
        rule("authentication.k8s.io", &keys.each_ref().map(String::as_str), &["impersonate"]),
    ]
}

pub(crate) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// A cluster that is served until this is dropped.
pub(crate) struct Cluster {
    pub(crate) sandbox: Sandbox,
    folder: TempDir,
    runtime: Runtime,
    gate: Option<Gate>,
    _stop: watch::Sender<bool>,
}

/// Where the first client waits.
struct Gate {
    arrived: oneshot::Receiver<()>,
    open: oneshot::Sender<()>,
}

/// The other side of a gate.
struct Keeper {
    arrived: oneshot::Sender<()>,
    open: oneshot::Receiver<()>,
}

fn gate() -> (Gate, Keeper) {
    let ((tell, arrived), (open, opened)) = (oneshot::channel(), oneshot::channel());
    (Gate { arrived, open }, Keeper { arrived: tell, open: opened })
}

impl Cluster {
    fn serve(stage: Stage) -> Self {
        let runtime = Runtime::new().unwrap();
        let sandbox = Sandbox::start(stage.settings).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let authority = Authority::generate().unwrap();
        let (stop, stopped) = watch::channel(false);
        let tls = authority.server(&["127.0.0.1".to_owned()]).unwrap();
        let (gate, keeper) = stage.gated.then(gate).unzip();
        runtime.spawn(behind(keeper, sandbox.clone(), listener, tls, stopped));
        let cluster = Self { sandbox, folder: tempfile::tempdir().unwrap(), runtime, gate, _stop: stop };
        cluster.write_kubeconfig(address, &authority, stage.operator.is_none());
        cluster.build(&stage.objects);
        cluster.build(&stage.operator.map(|rules| role("operator", &rules)).unwrap_or_default());
        cluster
    }

    fn write_kubeconfig(&self, address: SocketAddr, authority: &Authority, administers: bool) {
        let user = match administers {
            true => authority.client(&administrator().username, &["system:masters"]),
            false => authority.client("operator", &[]),
        };
        let file = kubeconfig(&format!("https://{address}"), authority, &user.unwrap());
        std::fs::write(self.file("kubeconfig"), file.to_string()).unwrap();
    }

    /// Waits until somebody is at the gate.
    pub(crate) fn visitor(&mut self) {
        let gate = self.gate.as_mut().unwrap();
        self.runtime.block_on(&mut gate.arrived).unwrap();
    }

    pub(crate) fn open_gate(&mut self) {
        self.gate.take().unwrap().open.send(()).unwrap();
    }

    fn build(&self, objects: &[Value]) {
        self.runtime.block_on(async { stage::build(&self.inside(), objects).await }).unwrap();
    }

    /// The way of the administrator, in this process.
    fn inside(&self) -> attack::Server {
        attack::Server {
            address: String::new(),
            operator: Client::new(self.sandbox.admin(), "default"),
            nobody: Client::new(self.sandbox.connection(), "default"),
        }
    }

    /// Runs beside the cluster until it is dropped. Clients are made within.
    pub(crate) fn beside<F: Future<Output = ()> + Send + 'static>(&self, work: impl FnOnce() -> F) {
        let _inside = self.runtime.enter();
        self.runtime.spawn(work());
    }

    /// How often the store was written.
    pub(crate) fn revision(&self) -> u64 {
        serde_json::to_value(self.sandbox.snapshot()).unwrap()["revision"].as_u64().unwrap()
    }

    /// A label of every Node's, as if this field manager had written it.
    pub(crate) fn label(&self, manager: &str, key: &str) {
        for name in stage::NODES {
            let path = format!("/api/v1/nodes/{name}?fieldManager={manager}");
            let body = json!({"metadata": {"labels": {key: "1"}}});
            let media_type = "application/merge-patch+json".to_owned();
            let sent = Sent { media_type, ..Sent::json("PATCH", path, body) };
            self.runtime.block_on(async { stage::asked(&self.inside(), &sent).await }).unwrap();
        }
    }

    /// An object as it is now, or nothing.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.runtime.block_on(async { stage::asked(&self.inside(), &Sent::bare("GET", path)).await }).ok()
    }

    /// Waits for something to be true of an object that may not be there.
    pub(crate) fn wait_for(&self, path: &str, is: impl Fn(Option<&Value>) -> bool) {
        while !is(self.get(path).as_ref()) {
            std::thread::yield_now();
        }
    }

    /// A file that is gone with the cluster.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line with these arguments and the kubeconfig.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let kubeconfig = self.file("kubeconfig").display().to_string();
        let first = ["verify", "--profile", "kubevirt", "--kubeconfig", &kubeconfig];
        first.iter().chain(more).map(ToString::to_string).collect()
    }

    /// Any command with the kubeconfig.
    pub(crate) fn run(&self, command: &[&str]) -> Outcome {
        let kubeconfig = self.file("kubeconfig").display().to_string();
        nodebound(command.iter().chain(&["--kubeconfig", &kubeconfig]))
    }

    pub(crate) fn verify(&self, more: &[&str]) -> Outcome {
        nodebound(self.arguments(more))
    }
}

/// Serves, once the first client has waited for the gate to be opened.
async fn behind(
    keeper: Option<Keeper>,
    sandbox: Sandbox,
    listener: TcpListener,
    tls: ServerConfig,
    stop: watch::Receiver<bool>,
) {
    if let Some(keeper) = keeper {
        let (stream, _) = listener.accept().await.unwrap();
        keeper.arrived.send(()).unwrap();
        keeper.open.await.unwrap();
        tokio::spawn(converse(sandbox.clone(), Arc::new(tls.clone()), stream, stop.clone()));
    }
    serve(sandbox, listener, tls, stop).await.unwrap();
}

/// A role for a user of this name, and its binding.
fn role(name: &str, rules: &[Value]) -> Vec<Value> {
    let group = "rbac.authorization.k8s.io";
    vec![
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "apiGroup": group, "name": name}]}),
    ]
}
