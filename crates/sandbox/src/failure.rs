//! What a request is answered with when it is not done: a `Status` (`k8s.io/apimachinery/pkg/api/errors`).

use admission::FieldError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use thiserror::Error;

use crate::resource::GroupResource;

/// A failed request, in the API server's words.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{message}")]
pub struct Failure {
    /// The HTTP code.
    pub code: u16,
    /// The machine-readable reason; empty if there is none.
    pub reason: &'static str,
    /// The text for people.
    pub message: String,
    /// `details` as they are sent; `None` leaves the field out.
    pub details: Option<Map<String, Value>>,
    /// Seconds after which a client may try again.
    pub retry_after: Option<u32>,
    /// What else there is to say; mostly nothing.
    pub aside: Option<Box<Aside>>,
}

/// What goes with a failure besides its Status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aside {
    /// What the client is warned of.
    pub warnings: Vec<String>,
    /// What the audit log says.
    pub annotations: BTreeMap<String, String>,
    /// Where a list that expired goes on, inconsistently.
    pub continue_: Option<String>,
}

impl Failure {
    /// A failure with empty details.
    #[must_use]
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Some(Map::new()), retry_after: None, aside: None }
    }

    /// A failure without `details`.
    #[must_use]
    pub fn bare(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { details: None, ..Self::new(code, reason, message) }
    }

    /// A failure about one object of a resource: `details` has its name, group and plural.
    #[must_use]
    pub fn about(
        code: u16,
        reason: &'static str,
        what: &GroupResource,
        name: &str,
        message: impl Into<String>,
    ) -> Self {
        let named = [("name", name), ("group", what.group.as_str()), ("kind", what.resource.as_str())];
        let details = named.into_iter().filter(|(_, text)| !text.is_empty());
        let details = details.map(|(key, text)| (key.to_owned(), json!(text))).collect();
        Self { details: Some(details), ..Self::new(code, reason, message) }
    }

    /// 400: the request cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::bare(400, "BadRequest", message)
    }

    /// 401: nobody known is asking.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::bare(401, "Unauthorized", "Unauthorized")
    }

    /// 403 about an object: `nodes "n1" is forbidden: …`.
    #[must_use]
    pub fn forbidden(what: &GroupResource, name: &str, why: &str) -> Self {
        let message = match (what.resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{what} is forbidden: {why}"),
            (false, false) => format!("{what} \"{name}\" is forbidden: {why}"),
        };
        Self::about(403, "Forbidden", what, name, message)
    }

    /// 404 about an object: `nodes "n1" not found`.
    #[must_use]
    pub fn not_found(what: &GroupResource, name: &str) -> Self {
        Self::about(404, "NotFound", what, name, format!("{what} \"{name}\" not found"))
    }

    /// 404 about a path that nothing serves.
    #[must_use]
    pub fn nothing_here() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 405: the resource is served, but not by this method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 409: an object of this name exists.
    #[must_use]
    pub fn already_exists(what: &GroupResource, name: &str) -> Self {
        Self::about(409, "AlreadyExists", what, name, format!("{what} \"{name}\" already exists"))
    }

    /// 409: `Operation cannot be fulfilled on nodes "n1": …`.
    #[must_use]
    pub fn conflict(what: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {what} \"{name}\": {why}");
        Self::about(409, "Conflict", what, name, message)
    }

    /// 409: somebody else was faster (`OptimisticLockErrorMsg`).
    #[must_use]
    pub fn modified(what: &GroupResource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(what, name, why)
    }

    /// 410: the resource version asked for is gone.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::bare(410, "Expired", message)
    }

    /// 413: the body, or a part of it, is too large.
    #[must_use]
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::bare(413, "RequestEntityTooLarge", message)
    }

    /// 422 about fields of an object. `kind` is the object's kind, with its group: `Node`, `Lease.coordination.k8s.io`.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let about = GroupResource::new(group, kind);
        let cause = |error: &FieldError| json!({"reason": error.kind().cause(), "message": error.body(), "field": error.field()});
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(ToString::to_string) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let text = match texts.as_slice() {
            [only] => only.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{about} \"{name}\" is invalid: {text}");
        let mut failure = Self::about(422, "Invalid", &about, name, message);
        let causes = errors.iter().map(cause).collect();
        failure.details.get_or_insert_default().insert("causes".to_owned(), Value::Array(causes));
        failure
    }

    /// 500: something that an API server of this kind answers with an internal error.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::bare(500, "", message)
    }

    /// The same with something to say besides.
    #[must_use]
    pub fn with(self, aside: Aside) -> Self {
        Self { aside: Some(Box::new(aside)), ..self }
    }

    /// The `Status` object that is sent.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code});
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = Value::Object(details.clone());
        }
        if let Some(token) = self.aside.as_ref().and_then(|aside| aside.continue_.as_ref()) {
            status["metadata"]["continue"] = json!(token);
        }
        if let Some(seconds) = self.retry_after {
            status["details"]["retryAfterSeconds"] = json!(seconds);
        }
        status
    }
}
