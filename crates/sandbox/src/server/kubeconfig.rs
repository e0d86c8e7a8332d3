//! The file by which clients find a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authority::{Authority, Credentials};

/// A kubeconfig for one user of the server at this address.
#[must_use]
pub fn kubeconfig(server: &str, authority: &Authority, user: &Credentials) -> Value {
    let data = |pem: &str| STANDARD.encode(pem);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "sandbox", "preferences": {},
        "clusters": [{"name": "sandbox", "cluster": {"server": server,
            "certificate-authority-data": data(authority.certificate())}}],
        "users": [{"name": "admin", "user": {"client-certificate-data": data(&user.certificate),
            "client-key-data": data(&user.key)}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin"}}],
    })
}
