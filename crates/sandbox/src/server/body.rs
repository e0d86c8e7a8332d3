//! Reading the object in a request's body.

use admission::{FieldError, FieldPath};
use bytes::Bytes;
use serde_json::{Value, json};

use super::call::Call;
use super::options::FieldValidation;
use super::state::State;
use crate::failure::Failure;
use crate::resource::Resource;
use crate::schema::conform::{self, Unknown};
use crate::schema::go_names::kind;
use crate::schema::{decode, protobuf};

/// How Go's typed clients send objects.
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// An object as its body has it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub object: Value,
    /// What strict decoding complains of already; for JSON that is asked for later.
    pub complaints: Vec<String>,
    /// The body, if it was JSON.
    json: Option<Bytes>,
}

impl Received {
    /// An object that was made here.
    pub fn made(object: Value) -> Self {
        Self { object, complaints: Vec::new(), json: None }
    }

    /// What strict decoding complains of, in the order of the text.
    fn all_complaints(&self, unknown: &Unknown) -> Vec<String> {
        match &self.json {
            Some(text) => decode::complaints(text, unknown),
            None => self.complaints.iter().cloned().chain(unknown.complaints(&[])).collect(),
        }
    }

    /// Judges fields that are unknown or stand twice.
    pub fn judge(
        &self,
        unknown: &Unknown,
        validation: FieldValidation,
        refuse: impl FnOnce(String) -> Failure,
    ) -> Result<LeftOut, Failure> {
        judge_all(self.all_complaints(unknown), validation, refuse)
    }
}

/// Reads the body of a POST or PUT.
pub(super) fn read(call: &Call) -> Result<Received, Failure> {
    let mut received = match call.media_type() {
        "" | "application/json" => {
            let decoded = decode::decode_json(&call.body).map_err(|error| broken_json(call, &error))?;
            Received { object: decoded.0, complaints: Vec::new(), json: Some(call.body.clone()) }
        }
        "application/yaml" => {
            let decoded = decode::decode_yaml(&call.body).map_err(|error| unrecognized(call, &error))?;
            Received { object: decoded.0, complaints: decoded.1, json: None }
        }
        PROTOBUF if !call.resource.is_custom() && protobuf::is_readable(&call.body) => {
            Received::made(protobuf::decode(&call.body).map_err(|error| refuse_type(&call.resource, &error))?)
        }
        _ => return Err(unsupported_media_type()),
    };
    match &received.object {
        Value::Object(_) => {}
        // To the server that is an empty object.
        Value::Null => received.object = json!({}),
        other => return Err(broken_json(call, &no_object(other))),
    }
    Ok(received)
}

fn no_object(value: &Value) -> String {
    let kind = kind(value);
    let meta = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    format!("json: cannot unmarshal {kind} into Go value of type {meta}")
}

fn broken_json(call: &Call, error: &str) -> Failure {
    unrecognized(call, &format!("couldn't get version/kind; json parse error: {error}"))
}

fn unrecognized(call: &Call, error: &str) -> Failure {
    let kind = &call.resource.kind;
    let shown = summary(&call.body);
    Failure::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {error} ({shown})"))
}

/// The beginning of a body as messages show it (`summarizeData` in `…/endpoints/handlers/rest.go`).
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let (begin, rest) = body.split_at(body.len().min(SHOWN));
    let more = if rest.is_empty() { "" } else { " ..." };
    match begin.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(begin)),
        Some(_) => begin.iter().map(|byte| format!("{byte:02x}")).chain([more.to_owned()]).collect(),
    }
}

/// 415 as resources answer it.
pub(super) fn unsupported_media_type() -> Failure {
    let known = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let message = format!("the body of the request was in an unknown format - accepted media types include: {known}");
    Failure::bare(415, "UnsupportedMediaType", message)
}

impl State {
    /// Sees that the body is of the kind that the path names; one that says nothing is taken for it, unless the kind is
    /// custom.
    pub fn check_kind(&self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        let resource = &call.resource;
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (text("kind"), text("apiVersion"));
        let own = resource.api_version();
        if resource.is_custom() {
            return custom_kind(call, object, &kind, &version);
        }
        if (kind.is_empty() || kind == resource.kind) && (version.is_empty() || version == own) {
            object["kind"] = resource.kind.as_str().into();
            object["apiVersion"] = own.into();
            return Ok(());
        }
        let (_, short) = version.rsplit_once('/').unwrap_or(("", &version));
        let wanted = &resource.kind;
        let why = self.no_conversion(&resource.group, wanted, &kind, &version);
        Err(Failure::bad_request(format!("{kind} in version \"{short}\" cannot be handled as a {wanted}: {why}")))
    }

    /// Why an object of another kind is not taken for one of the wanted kind of a group.
    pub fn no_conversion(&self, group: &str, wanted: &str, kind: &str, version: &str) -> String {
        if self.served.by_kind(version, kind).is_none_or(|other| other.is_custom()) {
            let scheme = "kubernetes/pkg/api/legacyscheme/scheme.go:30";
            return format!("no kind \"{kind}\" is registered for version \"{version}\" in scheme \"{scheme}\"");
        }
        let (_, short) = version.rsplit_once('/').unwrap_or(("", version));
        let package = match group.split('.').next() {
            None | Some("") => "core",
            Some(group) => group,
        };
        format!("converting ({short}.{kind}) to ({package}.{wanted}): unknown conversion")
    }
}

fn custom_kind(call: &Call, object: &Value, kind: &str, version: &str) -> Result<(), Failure> {
    let (resource, own) = (&call.resource, call.resource.api_version());
    if kind.is_empty() {
        let shown = String::from_utf8_lossy(&call.body);
        return Err(Failure::bad_request(format!("Object 'Kind' is missing in '{}'", shown.trim_end())));
    }
    if version != own {
        let message =
            format!("the API version in the data ({version}) does not match the expected API version ({own})");
        return Err(Failure::bad_request(message));
    }
    if kind != resource.kind {
        let error = FieldError::invalid(&FieldPath::root("kind"), kind, format!("must be {}", resource.kind));
        let name = super::create::text(object, "name");
        return Err(Failure::invalid(&resource.group, kind, &name, &[error]));
    }
    Ok(())
}

/// What a typed read of an object left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub warnings: Vec<String>,
}

/// Brings an object into the form that the server's types have, and judges what that leaves out.
pub(super) fn settle(
    resource: &Resource,
    received: &mut Received,
    validation: FieldValidation,
    refuse: impl FnOnce(String) -> Failure,
) -> Result<LeftOut, Failure> {
    if resource.is_custom() {
        return Ok(LeftOut::default());
    }
    let unknown = conform::conform(resource.schema(), &mut received.object);
    let unknown = unknown.map_err(|mistyped| refuse_type(resource, &mistyped.to_string()))?;
    received.judge(&unknown, validation, refuse)
}

/// Judges what strict decoding complains of.
pub(super) fn judge_all(
    complaints: Vec<String>,
    validation: FieldValidation,
    refuse: impl FnOnce(String) -> Failure,
) -> Result<LeftOut, Failure> {
    match validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            Err(refuse(format!("strict decoding error: {}", complaints.join(", "))))
        }
        FieldValidation::Warn => Ok(LeftOut { warnings: complaints }),
        _ => Ok(LeftOut::default()),
    }
}

pub(super) fn refuse_type(resource: &Resource, error: &str) -> Failure {
    let Resource { kind, version, .. } = resource;
    Failure::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"))
}

/// 400 for a POST or PUT that is refused for its fields.
pub(super) fn refuse_write(resource: &Resource) -> impl FnOnce(String) -> Failure + '_ {
    move |error| refuse_type(resource, &error)
}

/// 422 for a patch that is refused for its fields.
pub(super) fn refuse_patch(shown: String) -> impl FnOnce(String) -> Failure {
    move |error| {
        let error = FieldError::invalid(&FieldPath::root("patch"), &shown, error);
        Failure::invalid("", "", "", &[error])
    }
}
