//! The server on a socket: TLS, HTTP/1.1 and HTTP/2.

use admission::KubeVersion;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::head;
use super::idleness::{Counted, Open};
use super::sandbox::{Connection, Peer, Sandbox};
use crate::identity::certificate;

/// How long a client may take for its TLS handshake, and for the head of a request (`ReadHeaderTimeout` in
/// `staging/src/k8s.io/apiserver/pkg/server/secure_serving.go`).
const PATIENCE: Duration = Duration::from_secs(32);

/// How long a connection is kept on which nothing is asked (`IdleTimeout`, as above).
const IDLE: Duration = Duration::from_secs(90);

/// How many requests of one connection are answered at once (`MaxConcurrentStreams`, as above).
const AT_ONCE: u32 = 250;

/// Serves on a socket until `stop` changes, then closes its connections.
///
/// # Errors
/// Those of the socket.
pub async fn serve(
    sandbox: Sandbox,
    listener: TcpListener,
    tls: ServerConfig,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let tls = Arc::new(tls);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of file descriptors, say: others may end soon.
                Err(error) if is_fatal(&error) => return Err(error),
                Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
            },
            _ = stop.changed() => return Ok(()),
        };
        // A socket that does not take this is one that breaks off at once.
        let _ = stream.set_nodelay(true);
        tokio::spawn(converse(sandbox.clone(), tls.clone(), stream, stop.clone()));
    }
}

fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

/// Serves on one connection, whatever carries it, until its client ends it or is silent for too long, or `stop` changes.
pub async fn converse<S>(sandbox: Sandbox, tls: Arc<ServerConfig>, stream: S, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // A client that breaks off is nobody's error but its own.
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, TlsAcceptor::from(tls).accept(stream)).await else { return };
    let session = stream.get_ref().1;
    let certificates = session.peer_certificates().unwrap_or_default();
    let connection = sandbox.connection_of(peer(certificates.first().map(AsRef::as_ref), sandbox.version()));
    let (builder, open) = (protocol(session.alpn_protocol()), Open::default());
    let service = service_fn(|request| answer(connection.clone(), open.clone(), request));
    let mut conversation = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = conversation.as_mut() => return,
        _ = stop.changed() => return,
        () = open.idle_for(IDLE) => conversation.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(PATIENCE, conversation).await;
}

/// HTTP/2 where the handshake agreed on it. To look at what comes first would be to wait for it.
fn protocol(agreed: Option<&[u8]>) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(AT_ONCE);
    if agreed == Some(b"h2") { builder.http2_only() } else { builder.http1_only() }
}

async fn answer(
    mut connection: Connection,
    open: Open,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Counted>, Infallible> {
    let busy = open.begin();
    let response = match head::refusal(&request) {
        Some(refusal) => refusal,
        None => connection.call(request).await?,
    };
    Ok(Counted::response(response, busy))
}

/// Whom a certificate names, of those that this server's authority vouches for.
fn peer(certificate: Option<&[u8]>, version: KubeVersion) -> Peer {
    match certificate.map(|der| certificate::user(der, version)) {
        None => Peer::Nobody,
        Some(Some(user)) => Peer::Certified(Arc::new(user)),
        Some(None) => Peer::Refused,
    }
}
