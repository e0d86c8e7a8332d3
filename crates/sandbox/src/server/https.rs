//! The server on a socket: TLS, HTTP/1.1 and HTTP/2.

use admission::KubeVersion;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::sandbox::{Peer, Sandbox};
use crate::identity::certificate;

/// How long a client may take for its TLS handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves on a socket until `stop` changes, then closes its connections.
///
/// # Errors
/// Those of the socket.
pub async fn serve(
    sandbox: Sandbox,
    listener: TcpListener,
    tls: rustls::ServerConfig,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
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
        tokio::spawn(converse(sandbox.clone(), acceptor.clone(), stream, stop.clone()));
    }
}

fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

async fn converse(sandbox: Sandbox, acceptor: TlsAcceptor, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    // A client that breaks off is nobody's error but its own.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let connection = sandbox.connection_of(peer(certificates.first().map(AsRef::as_ref), sandbox.version()));
    let service = service_fn(move |request: hyper::Request<Incoming>| connection.clone().call(request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(250);
    let conversation = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = conversation => {}
        _ = stop.changed() => {}
    }
}

/// Whom a certificate names, of those that this server's authority vouches for.
fn peer(certificate: Option<&[u8]>, version: KubeVersion) -> Peer {
    match certificate.map(|der| certificate::user(der, version)) {
        None => Peer::Nobody,
        Some(Some(user)) => Peer::User(Arc::new(user)),
        Some(None) => Peer::Refused,
    }
}
