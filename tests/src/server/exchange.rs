//! Plain requests and answers, because a test compares what a client is told to the letter.

use api::cases::Identity;
use http::request::Builder;
use http::{Request, Uri};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Value, json};

/// A way to an API server.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    anonymous: Config,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({})", self.anonymous.cluster_url)
    }
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

impl Exchange {
    /// A way to the API server on a port of this machine, as the bearer of a token.
    ///
    /// # Panics
    /// Outside an asynchronous runtime.
    #[must_use]
    pub fn new(port: u16, token: &str) -> Self {
        let anonymous = configuration(port);
        Self { client: client(&anonymous, token), anonymous }
    }

    /// The same way for the bearer of another token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { client: client(&self.anonymous, token), anonymous: self.anonymous.clone() }
    }

    pub(super) async fn is_ready(&self) -> bool {
        let request = Request::get("/readyz").body(Body::empty()).expect("is a request");
        self.client.send(request).await.is_ok_and(|response| response.status().is_success())
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
        let builder =
            who.into_iter().flat_map(impersonation).fold(builder, |builder, (name, value)| builder.header(name, value));
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = builder.body(Body::from(bytes)).expect("is a request");
        let Ok(response) = self.client.send(request).await else { return Answer { code: 0, body: Value::Null } };
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Answer { code, body: serde_json::from_slice(&bytes).unwrap_or_default() }
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

fn client(config: &Config, token: &str) -> Client {
    let mut config = config.clone();
    config.auth_info.token = Some(token.to_owned().into());
    Client::try_from(config).expect("the configuration is complete")
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
