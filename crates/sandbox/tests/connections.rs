//! Connections on which nothing happens, by the thousand: the server answers others, takes little memory for them, and
//! lets them go after a while. They are pipes of this process, so that no limit of file descriptors is in the way.

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sandbox::server::{Authority, converse};
use sandbox::{Sandbox, Settings};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECTIONS: usize = 10_000;

/// More than both ends of a connection need.
const BYTES_EACH: usize = 64 * 1024;

/// A server, and the connections to it.
struct Wire {
    sandbox: Sandbox,
    server: Arc<ServerConfig>,
    roots: RootCertStore,
    stop: watch::Sender<bool>,
    conversations: JoinSet<()>,
}

/// What a client does that nothing comes after.
#[derive(Clone, Copy, Debug)]
enum Idleness {
    /// It connects.
    Silence,
    /// It makes a handshake for a protocol.
    Handshake(&'static str),
    /// It sends the first half of a request.
    HalfARequest,
    /// It was answered.
    Answered,
}

const KINDS: [Idleness; 5] = [
    Idleness::Silence,
    Idleness::Handshake("h2"),
    Idleness::Handshake("http/1.1"),
    Idleness::HalfARequest,
    Idleness::Answered,
];

/// What the client has of it.
enum Held {
    Pipe { _pipe: DuplexStream },
    Session { _session: Box<TlsStream<DuplexStream>> },
}

impl Wire {
    fn new() -> Self {
        let admin = ("secret".to_owned(), "admin".to_owned(), vec!["system:masters".to_owned()]);
        let settings = Settings { static_tokens: vec![admin], ..Settings::default() };
        let authority = Authority::generate().expect("a certificate can be made");
        let mut roots = RootCertStore::empty();
        let root = rustls::pki_types::CertificateDer::from_pem_slice(authority.certificate().as_bytes());
        roots.add(root.expect("is a certificate")).expect("is one of an authority");
        Self {
            sandbox: Sandbox::start(settings).expect("a sandbox starts"),
            server: Arc::new(authority.server(&[]).expect("a certificate can be made")),
            roots,
            stop: watch::Sender::new(false),
            conversations: JoinSet::new(),
        }
    }

    fn client(&self, protocol: &str) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("the versions are known").with_root_certificates(self.roots.clone());
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        Arc::new(config).into()
    }

    fn pipe(&mut self) -> DuplexStream {
        let (near, far) = duplex(16 * 1024);
        self.conversations.spawn(converse(self.sandbox.clone(), self.server.clone(), far, self.stop.subscribe()));
        near
    }

    async fn session(&mut self, client: &TlsConnector) -> TlsStream<DuplexStream> {
        let name = ServerName::try_from("localhost").expect("is a name");
        client.connect(name, self.pipe()).await.expect("the server shakes hands")
    }

    async fn idle(&mut self, kind: Idleness, h1: &TlsConnector, h2: &TlsConnector) -> Held {
        let client = if let Idleness::Handshake("h2") = kind { h2 } else { h1 };
        if let Idleness::Silence = kind {
            return Held::Pipe { _pipe: self.pipe() };
        }
        let mut session = self.session(client).await;
        match kind {
            Idleness::HalfARequest => send(&mut session, "GET /version HTTP/1.1\r\nHo").await,
            Idleness::Answered => assert_answered(&mut session).await,
            Idleness::Silence | Idleness::Handshake(_) => {}
        }
        Held::Session { _session: Box::new(session) }
    }
}

async fn send(session: &mut TlsStream<DuplexStream>, text: &str) {
    session.write_all(text.as_bytes()).await.expect("the server listens");
    session.flush().await.expect("the server listens");
}

/// Reads until a text has come.
async fn read_to(session: &mut TlsStream<DuplexStream>, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let length = session.read(&mut buffer).await.expect("the server goes on");
        assert_ne!(length, 0, "the server ended after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

async fn assert_answered(session: &mut TlsStream<DuplexStream>) {
    send(session, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = read_to(session, "\r\n\r\nok").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// How much memory this process has, where the system says so.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? * 1024)
}

#[tokio::test(start_paused = true)]
async fn idle_connections_cost_little_and_are_let_go() {
    let mut wire = Wire::new();
    let (h1, h2) = (wire.client("http/1.1"), wire.client("h2"));
    let mut watch = wire.session(&h1).await;
    let request = "GET /api/v1/nodes?watch=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n\r\n";
    send(&mut watch, request).await;
    read_to(&mut watch, "200 OK").await;

    let before = resident();
    let mut held = Vec::with_capacity(CONNECTIONS);
    for kind in KINDS.into_iter().cycle().take(CONNECTIONS) {
        held.push(wire.idle(kind, &h1, &h2).await);
    }
    assert!(wire.conversations.try_join_next().is_none(), "all are open at once");
    assert_answered(&mut wire.session(&h1).await).await;
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after.saturating_sub(before) < CONNECTIONS * BYTES_EACH, "{} bytes more", after - before);
    }

    tokio::time::sleep(Duration::from_secs(5 * 60)).await;
    while wire.conversations.len() > 1 {
        let ended = tokio::time::timeout(Duration::from_secs(1), wire.conversations.join_next()).await;
        ended.expect("the server lets them go").expect("there are some").expect("none panics");
    }
    wire.sandbox.plant(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "late"}}));
    read_to(&mut watch, "late").await;
    wire.stop.send_replace(true);
    wire.conversations.join_next().await.expect("the watch is left").expect("it does not panic");
    drop(held);
}
