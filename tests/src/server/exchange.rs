//! Plain requests and answers, because a test compares what a client is told to the letter.

use api::cases::Identity;
use http::header::AUTHORIZATION;
use http::request::Builder;
use http::{HeaderValue, Request, Uri};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Value, json};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// How long an answer may take; one that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to an API server, as the bearer of a token or as whom the connection is for.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    token: Option<String>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

/// All of what an API server answered.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The HTTP code; 0 if there was no answer.
    pub code: u16,
    /// The body; null if it was no JSON, a list if events were asked for.
    pub body: Value,
    /// The body as it came.
    pub text: String,
    /// The texts of the `Warning` headers.
    pub warnings: Vec<String>,
    /// The content type.
    pub media_type: String,
}

/// What an API server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP code; 0 if there was no answer.
    pub code: u16,
    /// The body; null if it was no JSON.
    pub body: Value,
}

impl Answer {
    /// Whether the request was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The message of a Status.
    #[must_use]
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

fn configuration(port: u16) -> Config {
    let address = Uri::builder().scheme("https").authority(format!("127.0.0.1:{port}")).path_and_query("/");
    let mut config = Config::new(address.build().expect("is an address"));
    // The certificate was made by the server that this test started.
    config.accept_invalid_certs = true;
    config
}

/// A client of the API server on a port of this machine, as the bearer of a token.
pub(super) fn client(port: u16, token: &str) -> Client {
    let mut config = configuration(port);
    config.auth_info.token = Some(token.into());
    Client::try_from(config).expect("the configuration is complete")
}

/// A way into a sandbox of this process, as the bearer of a token.
#[derive(Clone)]
pub(super) struct Bearing {
    connection: sandbox::Connection,
    authorization: HeaderValue,
}

impl Bearing {
    pub(super) fn new(connection: sandbox::Connection, token: &str) -> Self {
        let authorization = format!("Bearer {token}").parse().expect("a token is a header's value");
        Self { connection, authorization }
    }
}

impl Service<Request<Body>> for Bearing {
    type Response = <sandbox::Connection as Service<Request<Body>>>::Response;
    type Error = <sandbox::Connection as Service<Request<Body>>>::Error;
    type Future = <sandbox::Connection as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.connection, context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        self.connection.call(request)
    }
}

/// A client of the API server on a port of this machine, as nobody.
pub(super) fn nobody(port: u16) -> Client {
    Client::try_from(configuration(port)).expect("the configuration is complete")
}

impl Exchange {
    /// A way to the API server on a port of this machine, as the bearer of a token.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn new(port: u16, token: &str) -> Self {
        let client = Client::try_from(configuration(port)).expect("the configuration is complete");
        Self { client, token: Some(token.to_owned()) }
    }

    /// A way into a sandbox of this process.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn inside(connection: sandbox::Connection) -> Self {
        Self { client: Client::new(connection, "default"), token: None }
    }

    /// The same way for the bearer of another token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { client: self.client.clone(), token: Some(token.to_owned()) }
    }

    pub(super) async fn is_ready(&self) -> bool {
        self.send(None, Request::get("/readyz"), None).await.is_success()
    }

    /// Reads an object.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(None, Request::get(path), None).await
    }

    /// Creates an object.
    pub async fn post(&self, path: &str, object: &Value) -> Answer {
        self.send(None, json_body(Request::post(path)), Some(object)).await
    }

    /// Sends a request, in somebody else's name if one is given.
    ///
    /// # Panics
    /// If the request cannot be made of its parts.
    pub async fn send(&self, who: Option<&Identity>, builder: Builder, body: Option<&Value>) -> Answer {
        let bearer = self.token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}")));
        let headers = bearer.chain(who.into_iter().flat_map(impersonation));
        let builder = headers.fold(builder, |builder, (name, value)| builder.header(name, value));
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = builder.body(Body::from(bytes)).expect("is a request");
        let Ok(response) = self.client.send(request).await else { return Answer { code: 0, body: Value::Null } };
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Answer { code, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// Sends a request, and reads all of its answer, or as many events of a watch as are asked for.
    ///
    /// # Panics
    /// If the request cannot be made of its parts.
    pub async fn exchange(&self, builder: Builder, body: Vec<u8>, events: Option<usize>) -> Response {
        let exchanged = self.exchange_whole(builder, body, events);
        tokio::time::timeout(PATIENCE, exchanged).await.unwrap_or_default()
    }

    async fn exchange_whole(&self, builder: Builder, body: Vec<u8>, events: Option<usize>) -> Response {
        let bearer = self.token.iter().filter(|token| !token.is_empty());
        let builder = bearer.fold(builder, |builder, token| builder.header("Authorization", format!("Bearer {token}")));
        let request = builder.body(Body::from(body)).expect("is a request");
        let Ok(response) = self.client.send(request).await else { return Response::default() };
        let (head, body) = response.into_parts();
        let text = read_lines(body, events.unwrap_or(usize::MAX)).await;
        let body = match events {
            Some(_) => Value::Array(text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()),
            None => serde_json::from_str::<Value>(&text).unwrap_or_default(),
        };
        let texts = |name| head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let media_type = texts(http::header::CONTENT_TYPE).collect();
        let warnings = texts(http::header::WARNING).map(|value| warning(&value)).collect();
        Response { code: head.status.as_u16(), body, text, warnings, media_type }
    }

    /// Mints a token for a service account, bound to an object if one is given.
    ///
    /// # Panics
    /// If the API server refuses.
    pub async fn token(&self, namespace: &str, account: &str, bound: Option<Value>) -> String {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": 3600, "boundObjectRef": bound}});
        let answer =
            self.post(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"), &request).await;
        answer.body["status"]["token"].as_str().unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
    }
}

/// The text of a `Warning` header.
fn warning(value: &str) -> String {
    let quoted = value.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"'));
    quoted.map_or_else(|| value.to_owned(), |text| text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// The first lines of a body.
async fn read_lines(mut body: Body, count: usize) -> String {
    let mut bytes = Vec::new();
    while bytes.iter().filter(|byte| **byte == b'\n').count() < count {
        let Some(Ok(frame)) = body.frame().await else { break };
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn json_body(builder: Builder) -> Builder {
    builder.header("Content-Type", "application/json")
}

/// The headers that ask to be somebody else.
fn impersonation(who: &Identity) -> Vec<(String, String)> {
    let user = ("Impersonate-User".to_owned(), who.username.clone());
    let groups = who.groups.iter().map(|group| ("Impersonate-Group".to_owned(), group.clone()));
    let extra = who.extra.iter().flat_map(|(key, values)| {
        let name = format!("Impersonate-Extra-{}", key.replace('/', "%2F"));
        values.iter().map(move |value| (name.clone(), value.clone()))
    });
    std::iter::once(user).chain(groups).chain(extra).collect()
}
