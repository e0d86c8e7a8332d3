//! One HTTPS request to a webhook.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Address;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 3 * 1024 * 1024;

/// Why a webhook gave no answer.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Unanswered(pub String);

fn because(error: impl std::fmt::Display) -> Unanswered {
    Unanswered(error.to_string())
}

/// Sends a review and reads the answer.
pub(super) async fn post(address: &Address, body: Vec<u8>) -> Result<Bytes, Unanswered> {
    let stream = TcpStream::connect(&address.host)
        .await
        .map_err(|error| because(format!("dial tcp {}: {error}", address.host)))?;
    let name = ServerName::try_from(address.server_name.clone()).map_err(because)?;
    let stream =
        TlsConnector::from(Arc::new(trusting(&address.authorities)?)).connect(name, stream).await.map_err(because)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(because)?;
    // It ends with the exchange; what goes wrong in it shows in the exchange, too.
    let conversation = tokio::spawn(connection);
    let request = Request::post(&address.path)
        .header(header::HOST, &address.server_name)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(because)?;
    let response = sender.send_request(request).await.map_err(because)?;
    let status = response.status();
    let answer = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await.map_err(because)?.to_bytes();
    conversation.abort();
    if status.is_success() { Ok(answer) } else { Err(because(format!("the server answered {status}"))) }
}

fn trusting(authorities: &[u8]) -> Result<ClientConfig, Unanswered> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.map_err(because)?).map_err(because)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(because)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
