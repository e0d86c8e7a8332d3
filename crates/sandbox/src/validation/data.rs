//! ConfigMaps and Secrets (`ValidateConfigMap…`, `ValidateSecret…` of `pkg/apis/core/validation`).

use admission::{FieldError, FieldPath};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::names;
use super::place::Place;
use crate::schema::go_names::kind;

const MAX_BYTES: usize = 1_048_576;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// A new ConfigMap.
pub(crate) fn create_config_map(object: &Place<'_>) -> Vec<FieldError> {
    let (texts, bytes) = (object.child("data"), object.child("binaryData"));
    let mut errors = Vec::new();
    for (key, _) in texts.entries() {
        errors.extend(config_key(&texts, key));
        if bytes.value().get(key).is_some() {
            errors.push(FieldError::invalid(texts.key(key).path(), key, "duplicate of key present in binaryData"));
        }
    }
    errors.extend(bytes.entries().flat_map(|(key, _)| config_key(&bytes, key)));
    let texts: usize = texts.entries().map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
    if texts + decoded(&bytes) > MAX_BYTES {
        // The server's path is one empty name, which it writes as brackets.
        errors.push(FieldError::too_long(&FieldPath::root("[]"), MAX_BYTES));
    }
    errors
}

/// A changed ConfigMap.
pub(crate) fn update_config_map(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = frozen(new, old, &["data", "binaryData"]);
    errors.extend(create_config_map(new));
    errors
}

/// A new Secret.
pub(crate) fn create_secret(object: &Place<'_>) -> Vec<FieldError> {
    let data = object.child("data");
    let mut errors: Vec<_> = data.entries().flat_map(|(key, _)| config_key(&data, key)).collect();
    if decoded(&data) > MAX_BYTES {
        errors.push(FieldError::too_long(data.path(), MAX_BYTES));
    }
    errors.extend(of_type(object, &data));
    errors
}

/// A changed Secret.
pub(crate) fn update_secret(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let (kind, before) = (new.child("type"), old.child("type"));
    let mut errors = Vec::new();
    if kind.text() != before.text() {
        errors.push(kind.invalid_text("field is immutable"));
    }
    errors.extend(frozen(new, old, &["data"]));
    errors.extend(create_secret(new));
    errors
}

fn config_key(place: &Place<'_>, key: &str) -> Vec<FieldError> {
    let error = |problem| FieldError::invalid(place.key(key).path(), key, problem);
    names::config_key(key).into_iter().map(error).collect()
}

/// The size of values in base64.
fn decoded(place: &Place<'_>) -> usize {
    place.entries().map(|(_, value)| bytes(value).len()).sum()
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()).unwrap_or_default()
}

fn frozen(new: &Place<'_>, old: &Place<'_>, fields: &[&str]) -> Vec<FieldError> {
    if !old.child("immutable").flag() {
        return Vec::new();
    }
    let immutable = new.child("immutable");
    let mut errors = Vec::new();
    if !immutable.flag() {
        errors.push(immutable.forbidden(FROZEN));
    }
    let changed = |field: &&&str| {
        let (new, old) = (new.child(field), old.child(field));
        new.value() != old.value() && !(new.is_empty() && old.is_empty())
    };
    errors.extend(fields.iter().filter(changed).map(|field| new.child(field).forbidden(FROZEN)));
    errors
}

/// What secrets of a known type must hold.
fn of_type(object: &Place<'_>, data: &Place<'_>) -> Vec<FieldError> {
    let absent = |key: &str| !data.key(key).is_set();
    let required = |keys: &[&str]| keys.iter().map(|key| data.key(key).required("")).collect::<Vec<_>>();
    match object.child("type").text() {
        "kubernetes.io/service-account-token" => {
            let account = object.down(&["metadata", "annotations"]).key("kubernetes.io/service-account.name");
            account.is_empty().then(|| account.required("")).into_iter().collect()
        }
        "kubernetes.io/dockercfg" => json_object(&data.key(".dockercfg")),
        "kubernetes.io/dockerconfigjson" => json_object(&data.key(".dockerconfigjson")),
        "kubernetes.io/basic-auth" if absent("username") && absent("password") => required(&["username", "password"]),
        "kubernetes.io/ssh-auth" if data.key("ssh-privatekey").is_empty() => required(&["ssh-privatekey"]),
        "kubernetes.io/tls" => {
            ["tls.crt", "tls.key"].into_iter().filter(|key| absent(key)).flat_map(|key| required(&[key])).collect()
        }
        _ => Vec::new(),
    }
}

fn json_object(place: &Place<'_>) -> Vec<FieldError> {
    if !place.is_set() {
        return vec![place.required("")];
    }
    let problem = not_an_object(&bytes(place.value()));
    problem
        .map(|problem| FieldError::invalid(place.path(), "<secret contents redacted>", problem))
        .into_iter()
        .collect()
}

/// What Go's decoder says about bytes that are no JSON object, as far as the first token tells.
fn not_an_object(bytes: &[u8]) -> Option<String> {
    let kind = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(value) => kind(&value),
        Err(_) => return Some(first_token(bytes)),
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

fn first_token(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.trim_start().chars().next() {
        None => "unexpected end of JSON input".to_owned(),
        Some(c) if "{[\"-0123456789tfn".contains(c) => "unexpected end of JSON input".to_owned(),
        Some(c) => format!("invalid character '{c}' looking for beginning of value"),
    }
}
