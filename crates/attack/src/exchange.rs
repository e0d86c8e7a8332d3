//! Requests to an API server as somebody, and their answers.

use api::cases::{Change, Identity, Operation, PatchType, Resolved};
use http::Request;
use http::request::Builder;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

use crate::answer::Answer;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer to a probe is larger.
const MAX_BYTES: usize = 32 << 20;
/// The field manager of probes.
pub const FIELD_MANAGER: &str = "nodebound-verify";

/// How to be somebody.
#[derive(Clone)]
pub enum Credentials {
    /// Whoever the client is.
    Own,
    /// The bearer of a token. The client itself has no credentials.
    Token(String),
    /// Somebody in whose name the client may speak.
    Impersonated(Box<Identity>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "Own",
            Self::Token(_) => "Token",
            Self::Impersonated(_) => "Impersonated",
        })
    }
}

/// A request, ready to be sent, and to be shown.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The media type of the body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It took too long.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    /// The connection failed.
    #[error("no answer: {0}")]
    Broken(String),
    /// The request cannot be made of its parts.
    #[error("no request can be made: {0}")]
    Unsendable(String),
}

impl Sent {
    /// A request without a body.
    #[must_use]
    pub fn bare(method: &str, path: impl Into<String>) -> Self {
        Self { method: method.to_owned(), path: path.into(), media_type: String::new(), body: None }
    }

    /// A request with a JSON body.
    #[must_use]
    pub fn json(method: &str, path: impl Into<String>, body: Value) -> Self {
        let media_type = "application/json".to_owned();
        Self { method: method.to_owned(), path: path.into(), media_type, body: Some(body) }
    }

    /// The request of a case, as a server-side dry run.
    #[must_use]
    pub fn dry_run(case: &Resolved, collection: bool) -> Self {
        let place = Place::of(case);
        let query = format!("dryRun=All&fieldManager={FIELD_MANAGER}");
        match (&case.change, case.operation) {
            (_, Operation::Connect) => Self::bare("GET", format!("{}/healthz", place.object)),
            (Change::Nothing, _) if collection => Self::bare("DELETE", format!("{}?dryRun=All", place.collection)),
            (Change::Nothing, _) => Self::bare("DELETE", format!("{}?dryRun=All", place.object)),
            (Change::Object(new), Operation::Create) if case.subresource.is_empty() => {
                Self::json("POST", format!("{}?{query}", place.collection), new.clone())
            }
            (Change::Object(new), Operation::Create) => {
                Self::json("POST", format!("{}?{query}", place.object), new.clone())
            }
            (Change::Object(new), _) => Self::json("PUT", format!("{}?{query}", place.object), new.clone()),
            (Change::Patch(patch), _) => {
                let force = if patch.patch_type == PatchType::Apply { "&force=true" } else { "" };
                let path = format!("{}?{query}{force}", place.object);
                let media_type = patch.patch_type.media_type().to_owned();
                Self { media_type, ..Self::json("PATCH", path, patch.body.clone()) }
            }
        }
    }

    /// The same request for people who want to repeat it.
    #[must_use]
    pub fn curl(&self, credentials: &Credentials) -> String {
        let mut parts = vec![format!("curl -sS -X {} \"$SERVER{}\"", self.method, self.path)];
        parts.extend(headers(credentials, true).iter().map(|(name, value)| format!("-H \"{name}: {value}\"")));
        if let Some(body) = &self.body {
            parts.push(format!("-H \"Content-Type: {}\"", self.media_type));
            parts.push(format!("--data {}", quoted(&body.to_string())));
        }
        parts.join(" \\\n  ")
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

struct Place {
    collection: String,
    object: String,
}

impl Place {
    fn of(case: &Resolved) -> Self {
        let resource = &case.resource;
        let root = match resource.group.as_str() {
            "" => format!("/api/{}", resource.version),
            group => format!("/apis/{group}/{}", resource.version),
        };
        let collection = match case.namespace.as_str() {
            "" => format!("{root}/{}", resource.resource),
            namespace => format!("{root}/namespaces/{namespace}/{}", resource.resource),
        };
        let subresource = if case.subresource.is_empty() { String::new() } else { format!("/{}", case.subresource) };
        let object = format!("{collection}/{}{subresource}", case.name);
        Self { collection, object }
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// [`NoAnswer`]
pub async fn send(client: &Client, credentials: &Credentials, sent: &Sent) -> Result<Answer, NoAnswer> {
    let builder = headers(credentials, false)
        .iter()
        .fold(Request::builder().method(sent.method.as_str()).uri(&sent.path), |builder, (name, value)| {
            builder.header(name.as_str(), value.as_str())
        });
    let answer = tokio::time::timeout(PATIENCE, whole(client, builder, sent)).await;
    answer.unwrap_or(Err(NoAnswer::Late))
}

async fn whole(client: &Client, builder: Builder, sent: &Sent) -> Result<Answer, NoAnswer> {
    let bytes = sent.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let builder = if sent.body.is_some() { builder.header("Content-Type", &sent.media_type) } else { builder };
    let request = builder.body(Body::from(bytes)).map_err(|error| NoAnswer::Unsendable(error.to_string()))?;
    let response = client.send(request).await.map_err(|error| NoAnswer::Broken(chain(&error)))?;
    let (head, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, MAX_BYTES).collect().await;
    let bytes = body.map_err(|error| NoAnswer::Broken(error.to_string()))?.to_bytes();
    let warnings = head.headers.get_all(http::header::WARNING).iter();
    let warnings = warnings.map(|value| warning(&String::from_utf8_lossy(value.as_bytes()))).collect();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
    Ok(Answer { code: head.status.as_u16(), body, warnings })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The text of a `Warning` header.
fn warning(value: &str) -> String {
    let quoted = value.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"'));
    quoted.map_or_else(|| value.to_owned(), |text| text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// The headers that make somebody of a request; to be shown, without the secret.
fn headers(credentials: &Credentials, shown: bool) -> Vec<(String, String)> {
    match credentials {
        Credentials::Own => Vec::new(),
        Credentials::Token(_) if shown => vec![("Authorization".to_owned(), "Bearer $TOKEN".to_owned())],
        Credentials::Token(token) => vec![("Authorization".to_owned(), format!("Bearer {token}"))],
        Credentials::Impersonated(who) => impersonation(who),
    }
}

fn impersonation(who: &Identity) -> Vec<(String, String)> {
    let user = ("Impersonate-User".to_owned(), who.username.clone());
    let groups = who.groups.iter().map(|group| ("Impersonate-Group".to_owned(), group.clone()));
    let extra = who.extra.iter().flat_map(|(key, values)| {
        let name = format!("Impersonate-Extra-{}", key.replace('/', "%2F"));
        values.iter().map(move |value| (name.clone(), value.clone()))
    });
    std::iter::once(user).chain(groups).chain(extra).collect()
}
