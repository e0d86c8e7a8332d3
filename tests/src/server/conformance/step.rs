//! One request, and the answer that it gets.

use http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::super::{Exchange, Response};
use super::values::Values;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sequence {
    pub steps: Vec<Step>,
}

/// A request. `${name}` stands for a captured value wherever text stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(default)]
    pub name: String,
    /// Method and path.
    pub request: String,
    /// The content type, or its short name; `application/json` if there is a body and nothing is said, none if empty.
    #[serde(rename = "type")]
    media_type: Option<String>,
    accept: Option<String>,
    /// A token instead of the administrator's.
    bearer: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// A body as JSON.
    body: Option<Value>,
    /// A body as it is sent.
    text: Option<String>,
    /// A body too long to be written down.
    large: Option<Large>,
    /// How many events of a watch are read; the answer is a list of them.
    events: Option<usize>,
    /// Names for values of the answer, by JSON pointers.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Whether the request is repeated until its answer is the expected one.
    #[serde(default)]
    pub eventually: bool,
    /// Why the sandbox answers otherwise. It is a failure if it does not.
    pub differs: Option<String>,
    /// Why a real server is not asked again.
    pub unasked: Option<String>,
    pub expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Large {
    #[serde(default)]
    before: String,
    repeat: String,
    times: usize,
    #[serde(default)]
    after: String,
}

/// What is compared of an answer. Warnings are always compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    code: u16,
    reason: Option<Value>,
    message: Option<Message>,
    details: Option<Value>,
    /// Values by JSON pointers.
    #[serde(default)]
    json: BTreeMap<String, Value>,
    #[serde(default)]
    warnings: Vec<String>,
    /// The whole body, if it is no JSON.
    text: Option<String>,
    /// The content type.
    #[serde(rename = "type")]
    media_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Whole(String),
    Parts(Vec<String>),
}

impl Step {
    pub async fn send(&self, exchange: &Exchange, values: &Values) -> Response {
        let request = values.fill(&self.request);
        let (method, path) = request.split_once(' ').unwrap_or(("GET", &request));
        let body = self.bytes(values);
        let mut builder = Request::builder().method(method).uri(path).header("User-Agent", "conformance/1");
        if let Some(media_type) = self.media_type(body.is_some()) {
            builder = builder.header("Content-Type", media_type);
        }
        if let Some(accept) = &self.accept {
            builder = builder.header("Accept", accept);
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, values.fill(value));
        }
        let bearer = self.bearer.as_ref().map(|token| exchange.bearing(&values.fill(token)));
        bearer.as_ref().unwrap_or(exchange).exchange(builder, body.unwrap_or_default(), self.events).await
    }

    fn bytes(&self, values: &Values) -> Option<Vec<u8>> {
        let text = match (&self.body, &self.text, &self.large) {
            (Some(body), _, _) => values.filled(body).to_string(),
            (_, Some(text), _) => values.fill(text),
            (_, _, Some(large)) => format!("{}{}{}", large.before, large.repeat.repeat(large.times), large.after),
            _ => return None,
        };
        Some(text.into_bytes())
    }

    fn media_type(&self, has_body: bool) -> Option<&str> {
        match self.media_type.as_deref() {
            None if has_body => Some("application/json"),
            None | Some("") => None,
            Some("json-patch") => Some("application/json-patch+json"),
            Some("merge") => Some("application/merge-patch+json"),
            Some("strategic") => Some("application/strategic-merge-patch+json"),
            Some("apply") => Some("application/apply-patch+yaml"),
            Some("yaml") => Some("application/yaml"),
            Some(other) => Some(other),
        }
    }
}

impl Expected {
    /// What is different in an answer.
    pub fn compare(&self, answer: &Response, values: &Values) -> Result<(), String> {
        let mut found = Vec::new();
        let mut check = |what: &str, expected: Value, actual: Value| {
            if !values.fits(&expected, &actual) {
                found.push(format!("    {what}: expected {expected}\n    {what}: the answer is {actual}"));
            }
        };
        check("code", json!(self.code), json!(answer.code));
        let absent = || json!("<absent>");
        let field = |name: &str| answer.body.get(name).cloned().unwrap_or_else(absent);
        if let Some(reason) = &self.reason {
            check("reason", reason.clone(), field("reason"));
        }
        if let Some(details) = &self.details {
            check("details", details.clone(), each_once(field("details")));
        }
        for (pointer, expected) in &self.json {
            let actual = answer.body.pointer(pointer).cloned().unwrap_or_else(absent);
            check(pointer, settled(pointer, expected), settled(pointer, &actual));
        }
        check("warnings", json!(self.warnings), json!(answer.warnings));
        match &self.message {
            Some(Message::Whole(text)) => check("message", json!(text), field("message")),
            Some(Message::Parts(parts)) => parts.iter().for_each(|part| {
                let message = field("message");
                if !message.as_str().unwrap_or_default().contains(&values.fill(part)) {
                    check("message", json!(part), message);
                }
            }),
            None => {}
        }
        if let Some(text) = &self.text {
            check("text", json!(text), json!(answer.text));
        }
        if let Some(media_type) = &self.media_type {
            check("type", json!(media_type), json!(answer.media_type));
        }
        if found.is_empty() { Ok(()) } else { Err(format!("{}\n    {}", found.join("\n"), field("message"))) }
    }
}

/// The server repeats causes as often as it validated; that is nothing to agree on.
fn each_once(mut details: Value) -> Value {
    if let Some(causes) = details.get_mut("causes").and_then(Value::as_array_mut) {
        let mut known = Vec::new();
        causes.retain(|cause| {
            let new = !known.contains(cause);
            known.push(cause.clone());
            new
        });
    }
    details
}

/// Which of several managers comes first depends on the second in which it wrote.
fn settled(pointer: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let (true, Some(entries)) = (pointer.ends_with("/managedFields"), value.as_array_mut()) {
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("time")));
        entries
            .sort_by_key(|entry| [&entry["manager"], &entry["operation"], &entry["subresource"]].map(Value::to_string));
    }
    value
}
