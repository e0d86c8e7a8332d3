//! An API server for one test: the sandbox, or `etcd` and `kube-apiserver` from the folder that `KUBEBUILDER_ASSETS`
//! names, by the convention of envtest. It authorizes everything, so that nothing but admission refuses.

pub mod conformance;
mod exchange;
mod setting;
pub mod suite;

pub use exchange::{Answer, Exchange, Response};
pub use setting::crds;

use admission::UserInfo;
use sandbox::server::{Plugin, Recording};
use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::wire::Address;

/// The administrator's token on a real server.
pub const TOKEN: &str = "the-token-of-the-administrator";

/// Which API server a test is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one of this workspace, in this process.
    Sandbox,
    /// The real one, from this folder.
    Real(PathBuf),
}

/// A running API server. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    exchange: Exchange,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Inside(Sandbox),
    Processes { processes: Vec<Process>, folder: TempDir, port: u16 },
}

/// The folder with the binaries, if the environment names one.
#[must_use]
pub fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from)
}

/// Who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody everything, so that nothing but admission refuses.
    Everything,
    /// What roles grant.
    Roles,
}

impl Server {
    /// Starts an API server with an empty store that authorizes everything, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(place: &Place) -> Self {
        Self::with(place, Access::Everything).await
    }

    /// The same with an API server that grants what roles grant.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn with_roles(place: &Place) -> Self {
        Self::with(place, Access::Roles).await
    }

    /// A sandbox that grants what roles grant, and writes an audit log.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn recorded(log: impl Write + Send + 'static) -> Self {
        Self::inside(Access::Roles, Some(Recording::to(log)))
    }

    async fn with(place: &Place, access: Access) -> Self {
        match place {
            Place::Sandbox => Self::inside(access, None),
            Place::Real(assets) => Self::real(assets, access).await,
        }
    }

    /// A sandbox without the plugins that the real server of these tests has not either.
    fn inside(access: Access, recording: Option<Recording>) -> Self {
        let disabled = [Plugin::ServiceAccount, Plugin::TaintNodesByCondition].into();
        let sandbox =
            Sandbox::start(Settings { disabled, recording, ..Settings::default() }).expect("a sandbox starts");
        if access == Access::Everything {
            sandbox.plant(everything_for_everybody());
        }
        let groups = ["system:masters", "system:authenticated"].map(str::to_owned).to_vec();
        let admin = UserInfo { username: "admin".to_owned(), groups, ..UserInfo::default() };
        let exchange = Exchange::inside(sandbox.connection_as(admin));
        Self { exchange, running: Running::Inside(sandbox) }
    }

    async fn real(assets: &Path, access: Access) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let [etcd, peers, api] = free_ports();
        let store = format!("http://127.0.0.1:{etcd}");
        let key = rcgen::KeyPair::generate().expect("a key can be made");
        write(&folder, "sa.key", &key.serialize_pem());
        write(&folder, "sa.pub", &key.public_key_pem());
        write(&folder, "tokens.csv", &format!("{TOKEN},admin,admin,system:masters\n"));
        let peer = format!("http://127.0.0.1:{peers}");
        let processes = vec![
            Process::spawn(&folder, assets, "etcd", &etcd_arguments(folder.path(), &store, &peer)),
            Process::spawn(&folder, assets, "kube-apiserver", &api_arguments(folder.path(), &store, api, access)),
        ];
        let exchange = Exchange::new(api, TOKEN);
        let server = Self { exchange, running: Running::Processes { processes, folder, port: api } };
        server.wait_until_ready().await;
        server
    }

    /// Requests as the administrator, or as somebody else in his name.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// A client of the administrator.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        match &self.running {
            Running::Inside(sandbox) => kube::Client::new(sandbox.admin(), "default"),
            Running::Processes { port, .. } => exchange::client(*port, TOKEN),
        }
    }

    /// A client of the bearer of a token.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn bearing(&self, token: &str) -> kube::Client {
        match &self.running {
            Running::Inside(sandbox) => {
                kube::Client::new(exchange::Bearing::new(sandbox.connection(), token), "default")
            }
            Running::Processes { port, .. } => exchange::client(*port, token),
        }
    }

    /// The server as one that is attacked.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn attacked(&self) -> attack::Server {
        let nobody = match &self.running {
            Running::Inside(sandbox) => kube::Client::new(sandbox.connection(), "default"),
            Running::Processes { port, .. } => exchange::nobody(*port),
        };
        attack::Server { address: String::new(), operator: self.client(), nobody }
    }

    /// Where it listens, if it is on a port.
    ///
    /// # Panics
    /// If the server has made no certificate.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        let Running::Processes { folder, port, .. } = &self.running else { return None };
        let authority = std::fs::read(folder.path().join("certs/apiserver.crt")).expect("a server has a certificate");
        Some(Address { port: *port, authority })
    }

    async fn wait_until_ready(&self) {
        let ready = self.poll(Duration::from_secs(60), async || self.exchange.is_ready().await).await;
        assert!(ready, "the API server is not ready after a minute:\n{}", self.logs());
        // The namespace comes from the API server itself, a moment after it is ready.
        let namespace = self
            .poll(Duration::from_secs(30), async || self.exchange.get("/api/v1/namespaces/default").await.code == 200);
        assert!(namespace.await, "the namespace `default` does not appear:\n{}", self.logs());
    }

    /// Asks until the answer is yes, or time is up.
    pub async fn poll(&self, patience: Duration, mut question: impl AsyncFnMut() -> bool) -> bool {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if question().await {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }

    /// Creates an object.
    ///
    /// # Panics
    /// If the API server refuses it.
    pub async fn create(&self, path: &str, object: &Value) -> Value {
        let answer = self.exchange.post(path, object).await;
        assert!(answer.is_success(), "{path} {object}: {answer:?}");
        answer.body
    }

    /// The sandbox, if it is one.
    #[must_use]
    pub fn sandbox(&self) -> Option<&Sandbox> {
        match &self.running {
            Running::Inside(sandbox) => Some(sandbox),
            Running::Processes { .. } => None,
        }
    }

    fn logs(&self) -> String {
        let Running::Processes { processes, folder, .. } = &self.running else { return String::new() };
        let tail = |process: &Process| {
            let text = std::fs::read_to_string(folder.path().join(&process.log)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(15).collect();
            format!("{}:\n{}\n", process.log, lines.join("\n"))
        };
        processes.iter().map(tail).collect()
    }
}

/// The path where objects like this one are created.
///
/// # Panics
/// If it is no object.
#[must_use]
pub fn collection(object: &Value) -> String {
    let text = |field: &Value| field.as_str().map(str::to_owned);
    let version = text(&object["apiVersion"]).expect("has a version");
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let kind = text(&object["kind"]).expect("has a kind").to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    match text(&object["metadata"]["namespace"]) {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{plural}"),
    }
}

/// What makes a server with roles one that authorizes everything.
fn everything_for_everybody() -> Value {
    let subject = |group: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group});
    let subjects: Vec<Value> = ["system:authenticated", "system:unauthenticated"].map(subject).to_vec();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "everybody"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": subjects})
}

#[derive(Debug)]
struct Process {
    child: Child,
    log: String,
}

impl Process {
    fn spawn(folder: &TempDir, assets: &Path, name: &str, arguments: &[String]) -> Self {
        let log = format!("{name}.log");
        let file = std::fs::File::create(folder.path().join(&log)).expect("a log file can be made");
        let out = file.try_clone().expect("a file handle can be copied");
        let mut command = Command::new(assets.join(name));
        command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}/{name}: {error}", assets.display()));
        Self { child, log }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that is gone already needs no signal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("a bound socket has an address").port())
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).expect("the temporary folder can be written");
}

fn etcd_arguments(folder: &Path, store: &str, peer: &str) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={store}"),
        format!("--advertise-client-urls={store}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn api_arguments(folder: &Path, store: &str, port: u16, access: Access) -> Vec<String> {
    let authorizer = if access == Access::Everything { "AlwaysAllow" } else { "RBAC" };
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers={store}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certs")),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--authorization-mode={authorizer}"),
        // The second would taint every new Node, and so change the objects of the cases.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}
