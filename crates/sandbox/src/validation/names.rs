//! The grammars of names, keys and values, in the words of 1.36. Two texts for one grammar are the server's:
//! `k8s.io/apimachinery/pkg/util/validation` counts characters, `…/pkg/api/validate/content` counts bytes.

use super::place::Place;
use admission::{FieldError, FieldPath};
use serde_json::Value;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                          and must start and end with an alphanumeric character";
const CONFIG_KEY: &str = "[-._a-zA-Z0-9]+";
const LABEL_BYTES: usize = 63;
const SUBDOMAIN_BYTES: usize = 253;

/// What is wrong with an RFC 1123 label.
#[must_use]
pub fn label(value: &str) -> Vec<String> {
    let mut problems = too_long(value, LABEL_BYTES);
    if is_label(value) {
        return problems;
    }
    problems.push(if is_subdomain(value) {
        "must not contain dots".to_owned()
    } else {
        regex_rule(LABEL_RULE, LABEL, &["my-name", "123-abc"])
    });
    problems
}

/// What is wrong with an RFC 1123 subdomain.
#[must_use]
pub fn subdomain(value: &str) -> Vec<String> {
    in_characters(admission::names::subdomain(value))
}

/// What is wrong with an RFC 1035 label.
#[must_use]
pub fn dns_1035_label(value: &str) -> Vec<String> {
    in_characters(admission::names::dns_1035_label(value))
}

/// What is wrong with a qualified name: a label key, a finalizer, a taint's key.
#[must_use]
pub fn qualified(value: &str) -> Vec<String> {
    admission::names::label_key(value)
}

/// What is wrong with an annotation's key: its case does not matter.
#[must_use]
pub fn annotation_key(value: &str) -> Vec<String> {
    qualified(&value.to_lowercase())
}

/// What is wrong with a label's value.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    admission::names::label_value(value)
}

/// What is wrong with a name that becomes part of a URL path.
#[must_use]
pub fn path_segment(value: &str) -> Vec<String> {
    admission::names::path_segment(value)
}

/// What is wrong with the beginning of such a name.
#[must_use]
pub fn path_prefix(value: &str) -> Vec<String> {
    ["/", "%"].iter().filter(|part| value.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// What is wrong with a key of a ConfigMap or a Secret.
#[must_use]
pub fn config_key(value: &str) -> Vec<String> {
    let mut problems = too_long(value, SUBDOMAIN_BYTES);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if value.is_empty() || !value.bytes().all(fits) {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        problems.push(regex_rule(rule, CONFIG_KEY, &["key.name", "KEY_NAME", "key-name"]));
    }
    problems.extend(upward(value));
    problems
}

/// A name that file systems understand as a way up (`hasChDirPrefix`).
fn upward(value: &str) -> Option<String> {
    match value {
        "." | ".." => Some(format!("must not be '{value}'")),
        _ if value.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// What is wrong with the name of a port.
#[must_use]
pub fn port_name(value: &str) -> Vec<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let rules = [
        (
            value.is_empty() || !value.bytes().all(fits),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (!value.bytes().any(|byte| byte.is_ascii_lowercase()), "must contain at least one letter (a-z)"),
        (value.contains("--"), "must not contain consecutive hyphens"),
        (value.starts_with('-') || value.ends_with('-'), "must not begin or end with a hyphen"),
    ];
    let mut problems = too_long(value, 15);
    problems.extend(rules.into_iter().filter(|(broken, _)| *broken).map(|(_, text)| text.to_owned()));
    problems
}

/// What is wrong with the name of an environment variable.
#[must_use]
pub fn variable(value: &str) -> Vec<String> {
    let fits = |c: char| (c == ' ' || c.is_ascii_graphic()) && c != '=';
    match value {
        "" => vec!["environment variable name must be non-empty".to_owned()],
        _ if value.chars().all(fits) => Vec::new(),
        _ => vec![
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        ],
    }
}

/// What is wrong with a share such as `30%`.
#[must_use]
pub fn percent(value: &str) -> Vec<String> {
    let digits = value.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let rule = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![regex_rule(rule, "[0-9]+%", &["1%", "93%"])]
}

/// Errors about a name that needs three segments (`IsFullyQualifiedName`).
#[must_use]
pub fn fully_qualified(path: &FieldPath, name: &str) -> Option<FieldError> {
    let problems = subdomain(name);
    if name.is_empty() {
        return Some(FieldError::required(path, ""));
    }
    if !problems.is_empty() {
        return Some(FieldError::invalid(path, name, problems.join(",")));
    }
    let short = name.split('.').count() < 3;
    short.then(|| FieldError::invalid(path, name, "should be a domain with at least three segments separated by dots"))
}

/// Errors about a map of labels (`ValidateLabels`).
#[must_use]
pub fn labels(labels: &Value, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in Place::root(labels).entries() {
        errors.extend(qualified(key).into_iter().map(|problem| FieldError::invalid(path, key, problem)));
        errors.extend(Place::new(value, path.clone()).checked(label_value));
    }
    errors
}

fn is_label(value: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = value.as_bytes();
    bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
}

fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn too_long(value: &str, limit: usize) -> Vec<String> {
    if value.len() > limit { vec![format!("must be no more than {limit} characters")] } else { Vec::new() }
}

fn in_characters(problems: Vec<String>) -> Vec<String> {
    let bytes = |text: &String| text.starts_with("must be no more than ") && text.ends_with(" bytes");
    problems.into_iter().map(|text| if bytes(&text) { text.replace(" bytes", " characters") } else { text }).collect()
}

fn regex_rule(rule: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{rule} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Grammar = fn(&str) -> Vec<String>;

    #[test]
    fn how_many_problems() {
        let (long, longer) = ("a".repeat(64), "a".repeat(254));
        let cases: [(Grammar, &str, usize); 27] = [
            (label, "a-1", 0),
            (label, "a.b", 1),
            (label, "", 1),
            (label, &long, 1),
            (subdomain, "a.b", 0),
            (subdomain, &longer, 1),
            (subdomain, "a..b", 1),
            (dns_1035_label, "a1", 0),
            (dns_1035_label, "1a", 1),
            (qualified, "a.io/B", 0),
            (qualified, "A.io/B", 1),
            (annotation_key, "A.io/B", 0),
            (annotation_key, "A B", 1),
            (label_value, "", 0),
            (path_segment, "a b", 0),
            (path_segment, "..", 1),
            (path_prefix, "..", 0),
            (path_prefix, "a/%", 2),
            (config_key, "a.b", 0),
            (config_key, "..a", 1),
            (config_key, "", 1),
            (port_name, "http", 0),
            (port_name, "-", 2),
            (port_name, "", 2),
            (variable, "1 a", 0),
            (percent, "30%", 0),
            (percent, "%", 1),
        ];
        for (grammar, value, count) in cases {
            assert_eq!(grammar(value).len(), count, "{value:?}: {:?}", grammar(value));
        }
    }

    #[test]
    fn lengths_are_told_in_the_servers_unit() {
        assert_eq!(label(&"a".repeat(64)), ["must be no more than 63 characters"]);
        assert_eq!(subdomain(&"a".repeat(254)), ["must be no more than 253 characters"]);
        assert_eq!(qualified(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
        assert_eq!(label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in any::<String>()) {
            for grammar in [label, subdomain, dns_1035_label, qualified, annotation_key, config_key, port_name, variable] {
                let _ = grammar(&text);
            }
            prop_assert!(label(&text).is_empty() <= subdomain(&text).is_empty(), "a label is a subdomain");
        }
    }
}
