//! Bytes as they are over TLS: what no HTTP library would send.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A server on this machine, and by what it proves to be the right one.
#[derive(Clone, Debug)]
pub struct Address {
    /// Its port.
    pub port: u16,
    /// The certificates of its authority, as PEM.
    pub authority: Vec<u8>,
}

impl Address {
    /// Sends bytes as HTTP/1.1, and reads until the server has nothing more to say.
    ///
    /// # Panics
    /// If the server is not there.
    pub async fn tell(&self, bytes: &[u8]) -> String {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.expect("the server listens");
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut session = self.client().connect(name, stream).await.expect("the server shakes hands");
        // A server may answer and leave before it has heard everything.
        let _ = session.write_all(bytes).await;
        let _ = session.flush().await;
        let mut answer = Vec::new();
        let _ = session.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(&self.authority);
        roots.add_parsable_certificates(certificates.map(|certificate| certificate.expect("is a certificate")));
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("the versions are known");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth()).into()
    }
}

/// The codes of the answers in what a server said.
#[must_use]
pub fn codes(said: &str) -> Vec<u16> {
    said.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)?.parse().ok()).collect()
}
