//! What is wrong with the conversion of a definition
//! (`validateCustomResourceConversion` in `apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`,
//! `apiserver/pkg/util/webhook/validation.go`).

use admission::{FieldError, FieldPath, names};
use serde_json::Value;

use super::definition::choice_error;
use super::view::text;

/// What is wrong with a conversion.
pub fn errors(conversion: &Value, path: &FieldPath) -> Vec<FieldError> {
    if conversion.is_null() {
        return Vec::new();
    }
    let strategy = text(conversion, "/strategy");
    let mut errors: Vec<FieldError> =
        choice_error(strategy, &["None", "Webhook"], &path.child("strategy")).into_iter().collect();
    let client = conversion.pointer("/webhook/clientConfig").filter(|client| !client.is_null());
    let reviews: Vec<&str> = conversion
        .pointer("/webhook/conversionReviewVersions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (client_path, reviews_path) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    if strategy == "Webhook" {
        errors.extend(client_errors(client, &client_path));
        errors.extend(review_errors(&reviews, &reviews_path));
        return errors;
    }
    let detail = "should not be set when strategy is not set to Webhook";
    let given = [(client.is_some(), client_path), (!reviews.is_empty(), reviews_path)];
    errors.extend(given.iter().filter(|(given, _)| *given).map(|(_, path)| FieldError::forbidden(path, detail)));
    errors
}

fn review_errors(reviews: &[&str], path: &FieldPath) -> Vec<FieldError> {
    if reviews.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = Vec::new();
    for (index, review) in reviews.iter().enumerate() {
        let path = path.index(index);
        if reviews.iter().take(index).any(|earlier| earlier == review) {
            errors.push(FieldError::invalid(&path, review, "duplicate version"));
        } else {
            errors.extend(
                names::dns_1035_label(review).into_iter().map(|problem| FieldError::invalid(&path, review, problem)),
            );
        }
    }
    if !reviews.iter().any(|review| matches!(*review, "v1" | "v1beta1")) {
        errors.push(FieldError::invalid_json(path, &reviews, "must include at least one of v1, v1beta1"));
    }
    errors
}

fn client_errors(client: Option<&Value>, path: &FieldPath) -> Vec<FieldError> {
    let Some(client) = client else {
        return vec![FieldError::required(path, "required when strategy is set to Webhook")];
    };
    let given = |name: &str| client.get(name).filter(|value| !value.is_null());
    match (given("url"), given("service")) {
        (Some(url), None) => url_errors(url.as_str().unwrap_or_default(), &path.child("url")),
        (None, Some(service)) => service_errors(service, &path.child("service")),
        _ => vec![FieldError::required(path, "exactly one of url or service is required")],
    }
}

fn url_errors(url: &str, path: &FieldPath) -> Vec<FieldError> {
    const FORM: &str = "; desired format: https://host[/path]";
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let invalid = |value: &str, detail: String| FieldError::invalid(path, value, detail);
    let mut errors = Vec::new();
    if scheme != "https" {
        errors.push(invalid(scheme, format!("'https' is the only allowed URL scheme{FORM}")));
    }
    if authority.is_empty() {
        errors.push(invalid(authority, format!("host must be specified{FORM}")));
    }
    if let Some((user, _)) = authority.rsplit_once('@') {
        errors.push(invalid(user, String::from("user information is not permitted in the URL")));
    }
    for (mark, what) in [('#', "fragments"), ('?', "query parameters")] {
        if let Some((_, part)) = rest.split_once(mark).filter(|(_, part)| !part.is_empty()) {
            errors.push(invalid(part, format!("{what} are not permitted in the URL")));
        }
    }
    errors
}

fn service_errors(service: &Value, path: &FieldPath) -> Vec<FieldError> {
    let missing = [("name", "service name is required"), ("namespace", "service namespace is required")];
    let mut errors: Vec<FieldError> = missing
        .into_iter()
        .filter(|(name, _)| text(service, &format!("/{name}")).is_empty())
        .map(|(name, detail)| FieldError::required(&path.child(name), detail))
        .collect();
    if let Some(port) =
        service.get("port").filter(|port| !port.as_i64().is_some_and(|port| (1..=65535).contains(&port)))
    {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid_json(&path.child("port"), port, detail));
    }
    let service_path = text(service, "/path");
    if !service_path.is_empty() && !service_path.starts_with('/') {
        errors.push(FieldError::invalid(&path.child("path"), service_path, "must start with a '/'"));
    }
    errors
}
