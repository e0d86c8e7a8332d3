//! Requests for the documents (`k8s.io/kube-openapi/pkg/handler3`): a document that is asked for by its hash may be kept
//! for ever.

use chrono::DateTime;
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderName, LOCATION, VARY};

use super::Documents;

/// A request for a document.
#[derive(Clone, Copy, Debug, Default)]
pub struct DocumentRequest<'a> {
    /// The path behind `/openapi/v3/`, such as `apis/apps/v1`.
    pub path: &'a str,
    /// The hash by which the client knows the document; may be empty.
    pub hash: &'a str,
    /// The `Accept` header.
    pub accept: &'a str,
    /// The `If-None-Match` header.
    pub if_none_match: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// The answer. All documents are JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentAnswer {
    /// The HTTP code.
    pub status: u16,
    /// Headers besides the content type.
    pub headers: Vec<(HeaderName, String)>,
    /// The document, or nothing.
    pub body: Vec<u8>,
}

impl DocumentAnswer {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl Documents {
    /// Answers a request for a document.
    #[must_use]
    pub fn answer(&self, request: &DocumentRequest<'_>) -> DocumentAnswer {
        let Some(document) = self.get(request.path) else { return DocumentAnswer::empty(404) };
        if !accepts_json(request.accept) {
            return DocumentAnswer::empty(406).with(VARY, "Accept");
        }
        let etag = format!("\"{}\"", document.hash);
        let tagged = |answer: DocumentAnswer| answer.with(VARY, "Accept").with(ETAG, &etag);
        if !request.hash.is_empty() && request.hash != document.hash {
            let right = format!("/openapi/v3/{}?hash={}", request.path, document.hash);
            return tagged(DocumentAnswer::empty(301)).with(LOCATION, &right);
        }
        let answer = match known(&etag, request.if_none_match) {
            true => DocumentAnswer::empty(304),
            false => DocumentAnswer { status: 200, headers: Vec::new(), body: document.body.clone() },
        };
        match request.hash {
            "" => tagged(answer),
            _ => tagged(answer).with(CACHE_CONTROL, "public, immutable").with(EXPIRES, &in_a_year(request.now)),
        }
    }
}

/// Whether the client says that it has the document already.
pub(super) fn known(etag: &str, if_none_match: &str) -> bool {
    if_none_match.split(',').any(|tag| matches!(tag.trim(), tag if tag == etag || tag == "*"))
}

/// The server ends the time so, and not in `GMT`.
fn in_a_year(now: i64) -> String {
    let then = DateTime::from_timestamp(now.saturating_add(365 * 24 * 60 * 60), 0).unwrap_or_default();
    then.format("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

/// The server also writes protocol buffers, for which nobody has to ask.
pub(super) fn accepts_json(accept: &str) -> bool {
    let mut ranges = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    accept.is_empty() || ranges.any(|range| matches!(range, "application/json" | "application/*" | "*/*"))
}
