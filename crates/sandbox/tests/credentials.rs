//! Whom the header `Authorization` stands for.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use sandbox::server::administrator;
use sandbox::{Connection, Sandbox, Settings};
use serde_json::Value;
use tower_service::Service;

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// The name of the user, or the code of the refusal.
async fn asks(connection: &Connection, header: &[u8]) -> Result<String, u16> {
    let mut builder = Request::post(REVIEWS).header("content-type", "application/json");
    if !header.is_empty() {
        builder = builder.header("authorization", HeaderValue::from_bytes(header).expect("is a value"));
    }
    let request = builder.body(Full::new(Bytes::from_static(b"{}"))).expect("is a request");
    let Ok(response) = connection.clone().call(request).await;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.expect("is read").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("is JSON");
    let name = body["status"]["userInfo"]["username"].as_str().map(str::to_owned);
    name.ok_or(code)
}

/// Recorded from kube-apiserver 1.36: what is no bearer's token is nothing, what is an unknown one is refused. Nobody known
/// may not ask for a review of himself.
#[tokio::test]
async fn only_a_token_that_is_known_lets_in() {
    let known = ("secret".to_owned(), "jane".to_owned(), vec!["system:authenticated".to_owned()]);
    let settings = Settings { static_tokens: vec![known], ..Settings::default() };
    let sandbox = Sandbox::start(settings).expect("a sandbox starts");
    let jane = || Ok("jane".to_owned());
    let table: [(&[u8], Result<String, u16>); 13] = [
        (b"", Err(403)),
        (b"Bearer secret", jane()),
        (b"bearer secret", jane()),
        (b"BEARER secret x y", jane()),
        (b"Bearer x", Err(401)),
        (b"Bearer \xff", Err(401)),
        (b"Bearer a.b.c", Err(401)),
        (b"Bearer", Err(403)),
        (b"Bearer  secret", Err(403)),
        (b"Bearerx secret", Err(403)),
        (b"secret", Err(403)),
        (b"Basic amFuZTpzZWNyZXQ=", Err(403)),
        (b"\xff", Err(403)),
    ];
    for (header, expected) in table {
        let shown = String::from_utf8_lossy(header);
        assert_eq!(asks(&sandbox.connection(), header).await, expected, "{shown}");
        let else_admin = if expected == Err(403) { Ok(administrator().username) } else { expected };
        assert_eq!(asks(&sandbox.admin(), header).await, else_admin, "{shown}");
    }
}
