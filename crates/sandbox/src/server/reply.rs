//! What is sent back.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::failure::Failure;

/// A body, whole or as it comes.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer whose body is still to be written.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP code.
    pub code: u16,
    /// Headers besides `Content-Type`.
    pub headers: HeaderMap,
    /// What is said.
    pub content: Content,
    /// What the audit log says besides.
    pub annotations: BTreeMap<String, String>,
}

/// What an answer says.
pub enum Content {
    /// An object.
    Json(Value),
    /// Something else, with its media type.
    Bytes(&'static str, Bytes),
    /// Something that goes on.
    Stream(&'static str, Body),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(value) => write!(out, "{value}"),
            Self::Bytes(kind, bytes) => write!(out, "{kind}, {} bytes", bytes.len()),
            Self::Stream(kind, _) => write!(out, "{kind}, a stream"),
        }
    }
}

impl Reply {
    /// Anything.
    #[must_use]
    pub fn of(code: u16, content: Content) -> Self {
        Self { code, headers: HeaderMap::new(), content, annotations: BTreeMap::new() }
    }

    /// An object.
    #[must_use]
    pub fn json(code: u16, value: Value) -> Self {
        Self::of(code, Content::Json(value))
    }

    /// Plain text.
    #[must_use]
    pub fn text(code: u16, text: impl Into<Bytes>) -> Self {
        Self::bytes(code, "text/plain; charset=utf-8", text)
    }

    /// A document of any media type.
    #[must_use]
    pub fn bytes(code: u16, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::of(code, Content::Bytes(kind, bytes.into()))
    }

    /// Adds `Warning` headers (RFC 7234 section 5.5, code 299).
    #[must_use]
    pub fn warn<'w>(mut self, warnings: impl IntoIterator<Item = &'w String>) -> Self {
        for text in warnings {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
                self.headers.append(http::header::WARNING, value);
            }
        }
        self
    }

    /// Adds a header; one that HTTP does not allow is left out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The object that is said, if it is one.
    #[must_use]
    pub fn object(&self) -> Option<&Value> {
        match &self.content {
            Content::Json(value) => Some(value),
            _ => None,
        }
    }

    /// The answer as HTTP has it.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let (kind, body) = match self.content {
            Content::Json(value) => ("application/json", whole(to_line(&value))),
            Content::Bytes(kind, bytes) => (kind, whole(bytes)),
            Content::Stream(kind, body) => (kind, body),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        if !kind.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
        response
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let aside = failure.aside.as_deref().cloned().unwrap_or_default();
        let mut reply = Self::json(failure.code, failure.to_status()).warn(&aside.warnings);
        reply.annotations = aside.annotations;
        match failure.retry_after {
            Some(seconds) => reply.with(RETRY_AFTER, &seconds.to_string()),
            None => reply,
        }
    }
}

/// JSON with the line feed that every answer ends in.
pub(super) fn to_line(value: &Value) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).boxed_unsync()
}
