//! The grammars of names, label keys and label values, with the API server's messages
//! (`k8s.io/apimachinery/pkg/api/validate/content`, wording of 1.36).

const DNS_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_1035_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_NAME_RULE: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const MAX_LABEL: usize = 63;
const MAX_SUBDOMAIN: usize = 253;

/// Words that are no identifiers in an expression.
pub const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What is wrong with a lower-case RFC 1123 subdomain.
#[must_use]
pub fn subdomain(value: &str) -> Vec<String> {
    let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                and must start and end with an alphanumeric character";
    let regex = format!("{DNS_LABEL}(\\.{DNS_LABEL})*");
    let mut problems = too_long(value, MAX_SUBDOMAIN);
    if !value.split('.').all(is_dns_label) {
        problems.push(regex_rule(rule, &regex, &["example.com"]));
    }
    problems
}

/// What is wrong with an RFC 1035 label.
#[must_use]
pub fn dns_1035_label(value: &str) -> Vec<String> {
    let rule = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                alphabetic character, and end with an alphanumeric character";
    let mut problems = too_long(value, MAX_LABEL);
    if !is_dns_label(value) || !value.starts_with(|c: char| c.is_ascii_lowercase()) {
        problems.push(regex_rule(rule, DNS_1035_LABEL, &["my-name", "abc-123"]));
    }
    problems
}

/// What is wrong with a label key (which the server calls a qualified name elsewhere).
#[must_use]
pub fn label_key(value: &str) -> Vec<String> {
    let (mut problems, name) = match value.split_once('/') {
        None => (Vec::new(), value),
        Some((_, rest)) if rest.contains('/') => return vec![label_key_shape()],
        Some((prefix, name)) => (prefix_problems(prefix), name),
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    }
    problems.extend(too_long(name, MAX_LABEL).into_iter().map(|problem| format!("name part {problem}")));
    if !is_label_name(name) {
        problems.push(format!("name part {}", label_name_rule()));
    }
    problems
}

fn prefix_problems(prefix: &str) -> Vec<String> {
    if prefix.is_empty() {
        return vec!["prefix part must be non-empty".to_owned()];
    }
    subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")).collect()
}

fn label_key_shape() -> String {
    format!(
        "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        label_name_rule()
    )
}

fn label_name_rule() -> String {
    regex_rule(LABEL_NAME_RULE, LABEL_NAME, &["MyName", "my.name", "123-abc"])
}

/// What is wrong with a label value.
#[must_use]
pub fn label_value(value: &str) -> Vec<String> {
    let mut problems = too_long(value, MAX_LABEL);
    if !value.is_empty() && !is_label_name(value) {
        let rule = format!("a valid label must be an empty string or {}", LABEL_NAME_RULE.trim_start_matches("must "));
        problems.push(regex_rule(&rule, &format!("({LABEL_NAME})?"), &["MyValue", "my_value", "12345"]));
    }
    problems
}

/// What is wrong with a name that becomes part of a URL path.
#[must_use]
pub fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"].iter().filter(|part| name.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// Whether a name can stand for a variable in an expression.
pub(crate) fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !RESERVED.contains(&name)
}

fn too_long(value: &str, limit: usize) -> Vec<String> {
    if value.len() <= limit {
        return Vec::new();
    }
    vec![format!("must be no more than {limit} bytes")]
}

fn regex_rule(rule: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{rule} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

fn is_dns_label(label: &str) -> bool {
    is_framed(label, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), |byte| byte == b'-')
}

fn is_label_name(name: &str) -> bool {
    is_framed(name, |byte| byte.is_ascii_alphanumeric(), |byte| matches!(byte, b'-' | b'_' | b'.'))
}

/// Non-empty, only `edge` at both ends, `edge` or `inner` between.
fn is_framed(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| edge(*byte))
        && bytes.last().is_some_and(|byte| edge(*byte))
        && bytes.iter().all(|byte| edge(*byte) || inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys() {
        let long_name = "a".repeat(64);
        let long_prefix = format!("{}/x", "a".repeat(254));
        let cases: [(&str, &[&str]); 12] = [
            ("a", &[]),
            ("A_b.c-9", &[]),
            ("example.com/a", &[]),
            ("a b", &["name part must consist of"]),
            ("", &["name part must be non-empty", "name part must consist of"]),
            ("x/", &["name part must be non-empty", "name part must consist of"]),
            ("/x", &["prefix part must be non-empty"]),
            ("-a", &["name part must consist of"]),
            (&long_name, &["name part must be no more than 63 bytes"]),
            (&long_prefix, &["prefix part must be no more than 253 bytes"]),
            ("Foo.io/x", &["prefix part a lowercase RFC 1123 subdomain must consist of"]),
            ("a/b/c", &["a valid label key must consist of"]),
        ];
        for (key, expected) in cases {
            let problems = label_key(key);
            assert_eq!(problems.len(), expected.len(), "{key:?}: {problems:?}");
            for (problem, start) in problems.iter().zip(expected) {
                assert!(problem.starts_with(start), "{key:?}: {problem}");
            }
        }
    }

    #[test]
    fn the_whole_text_of_a_bad_key() {
        assert_eq!(
            label_key("a b"),
            ["name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                 '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"]
        );
    }

    #[test]
    fn label_values() {
        let long = "v".repeat(64);
        for (value, count) in [("", 0), ("a.b_c-1", 0), ("a b", 1), ("-", 1), (long.as_str(), 1)] {
            assert_eq!(label_value(value).len(), count, "{value:?}");
        }
        assert!(
            label_value("a b")
                .iter()
                .all(|text| text.starts_with("a valid label must be an empty string or consist of"))
        );
    }

    type Check = fn(&str) -> Vec<String>;

    #[test]
    fn other_names() {
        let cases: [(Check, &str, usize); 12] = [
            (subdomain, "a.b-c.d1", 0),
            (subdomain, "A", 1),
            (subdomain, "a..b", 1),
            (subdomain, "", 1),
            (dns_1035_label, "v1", 0),
            (dns_1035_label, "1v", 1),
            (dns_1035_label, "", 1),
            (path_segment, "a", 0),
            (path_segment, "..", 1),
            (path_segment, "a/b%", 2),
            (path_segment, "", 0),
            (path_segment, "a b", 0),
        ];
        for (check, name, problems) in cases {
            assert_eq!(check(name).len(), problems, "{name:?}");
        }
    }

    #[test]
    fn identifiers() {
        for (name, expected) in [("a", true), ("_a1", true), ("1a", false), ("", false), ("a-b", false), ("in", false)]
        {
            assert_eq!(is_identifier(name), expected, "{name:?}");
        }
    }
}
