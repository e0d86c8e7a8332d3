//! The rules behind the named formats: Kubernetes names, labels, and the string formats of OpenAPI.

use std::sync::LazyLock;

use regex::Regex;

use super::url_syntax::check_request;

/// What a rule says about a text: nothing if it is valid.
pub(super) type Rule = fn(&str) -> Vec<String>;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const OLD_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

const LABEL_TEXT: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const OLD_LABEL_TEXT: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const SUBDOMAIN_TEXT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const KEY_TEXT: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_VALUE_TEXT: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/// The server's pattern of UUIDs; its length is part of a format's cost.
pub(super) const UUID: &str = "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
/// The server's pattern of times of day; its length is part of a format's cost.
pub(super) const TIME: &str = "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";
const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$";

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns of this module are valid")
}

fn too_long(limit: usize, unit: &str) -> String {
    format!("must be no more than {limit} {unit}")
}

fn mismatch(text: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{text} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

fn is_edge(octet: Option<&u8>, is_inner: fn(u8) -> bool) -> bool {
    octet.is_some_and(|octet| is_inner(*octet) && octet.is_ascii_alphanumeric())
}

/// Inner characters throughout, alphanumeric at both ends.
fn is_word(text: &[u8], is_inner: fn(u8) -> bool) -> bool {
    is_edge(text.first(), is_inner) && is_edge(text.last(), is_inner) && text.iter().all(|octet| is_inner(*octet))
}

fn is_label(text: &[u8]) -> bool {
    is_word(text, |octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_subdomain(text: &[u8]) -> bool {
    text.split(|octet| *octet == b'.').all(is_label)
}

fn is_key(text: &[u8]) -> bool {
    is_word(text, |octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
}

/// The name with its last character replaced if that is a dash: more text will follow it.
///
/// The server drops the character before the dash along with it, and so does this.
fn masked(text: &str) -> Vec<u8> {
    match text.as_bytes() {
        [kept @ .., _, b'-'] => [kept, b"a"].concat(),
        other => other.to_vec(),
    }
}

/// `dns1123Label`.
pub(super) fn label(text: &str) -> Vec<String> {
    label_octets(text.as_bytes())
}

/// `dns1123LabelPrefix`.
pub(super) fn label_prefix(text: &str) -> Vec<String> {
    label_octets(&masked(text))
}

fn label_octets(text: &[u8]) -> Vec<String> {
    let form = match () {
        () if is_label(text) => None,
        () if is_subdomain(text) => Some(String::from("must not contain dots")),
        () => Some(mismatch(LABEL_TEXT, LABEL, &["my-name", "123-abc"])),
    };
    length(text, 63, "characters").into_iter().chain(form).collect()
}

fn length(text: &[u8], limit: usize, unit: &str) -> Option<String> {
    (text.len() > limit).then(|| too_long(limit, unit))
}

/// `dns1035Label`.
pub(super) fn old_label(text: &str) -> Vec<String> {
    old_label_octets(text.as_bytes())
}

/// `dns1035LabelPrefix`.
pub(super) fn old_label_prefix(text: &str) -> Vec<String> {
    old_label_octets(&masked(text))
}

fn old_label_octets(text: &[u8]) -> Vec<String> {
    let valid = is_label(text) && text.first().is_some_and(u8::is_ascii_lowercase);
    let form = (!valid).then(|| mismatch(OLD_LABEL_TEXT, OLD_LABEL, &["my-name", "abc-123"]));
    length(text, 63, "characters").into_iter().chain(form).collect()
}

/// `dns1123Subdomain`.
pub(super) fn subdomain(text: &str) -> Vec<String> {
    subdomain_octets(text.as_bytes(), "characters")
}

/// `dns1123SubdomainPrefix`.
pub(super) fn subdomain_prefix(text: &str) -> Vec<String> {
    subdomain_octets(&masked(text), "characters")
}

fn subdomain_octets(text: &[u8], unit: &str) -> Vec<String> {
    let form = (!is_subdomain(text)).then(|| mismatch(SUBDOMAIN_TEXT, SUBDOMAIN, &["example.com"]));
    length(text, 253, unit).into_iter().chain(form).collect()
}

/// `qualifiedName`: a label key.
pub(super) fn qualified_name(text: &str) -> Vec<String> {
    let form = || mismatch(KEY_TEXT, KEY, &["MyName", "my.name", "123-abc"]);
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if name.contains('/') {
        let hint = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        return vec![format!("a valid label key {} {hint}", form())];
    }
    let mut problems = prefix.map(key_prefix).unwrap_or_default();
    match name.len() {
        0 => problems.push(String::from("name part must be non-empty")),
        64.. => problems.push(format!("name part {}", too_long(63, "bytes"))),
        _ => {}
    }
    if !is_key(name.as_bytes()) {
        problems.push(format!("name part {}", form()));
    }
    problems
}

fn key_prefix(prefix: &str) -> Vec<String> {
    if prefix.is_empty() {
        return vec![String::from("prefix part must be non-empty")];
    }
    let problems = subdomain_octets(prefix.as_bytes(), "bytes");
    problems.into_iter().map(|problem| format!("prefix part {problem}")).collect()
}

/// `labelValue`.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let valid = text.is_empty() || is_key(text.as_bytes());
    let form = (!valid).then(|| mismatch(LABEL_VALUE_TEXT, LABEL_VALUE, &["MyValue", "my_value", "12345"]));
    length(text.as_bytes(), 63, "bytes").into_iter().chain(form).collect()
}

/// `uri`.
pub(super) fn uri(text: &str) -> Vec<String> {
    check_request(text).err().map(|error| error.to_string()).into_iter().collect()
}

fn unless(valid: bool, problem: &str) -> Vec<String> {
    if valid { Vec::new() } else { vec![String::from(problem)] }
}

/// `uuid`.
pub(super) fn uuid(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| compiled(UUID));
    unless(PATTERN.is_match(text), "does not match the UUID format")
}

/// `byte`.
pub(super) fn byte(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| compiled(BASE64));
    unless(PATTERN.is_match(text), "invalid base64")
}

/// `date`.
pub(super) fn date(text: &str) -> Vec<String> {
    unless(is_date(text), "invalid date")
}

/// `datetime`. What follows a second `t` is ignored, as on the server.
pub(super) fn datetime(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let valid = parts.next().is_some_and(is_date) && parts.next().is_some_and(is_time);
    unless(valid, "invalid datetime")
}

fn is_date(text: &str) -> bool {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else { return false };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |value, digit| Some(value * 10 + char::from(*digit).to_digit(10)?))
    };
    let (year, month, day) = (number(&[*y0, *y1, *y2, *y3]), number(&[*m0, *m1]), number(&[*d0, *d1]));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return false };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| compiled(TIME));
    let Some(parts) = PATTERN.captures(text) else { return false };
    let at_most = |group, limit| parts.get(group).is_some_and(|part| part.as_str() <= limit);
    at_most(1, "23") && at_most(2, "59") && at_most(3, "59")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL_FORM: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    const KEY_FORM: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const SUBDOMAIN_FORM: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const OLD_LABEL_FORM: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
    const VALUE_FORM: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    const CASES: &[(Rule, &str, &[&str])] = &[
        (label, "ok", &[]),
        (label, "Abc", &[LABEL_FORM]),
        (label, "", &[LABEL_FORM]),
        (label, "a\n", &[LABEL_FORM]),
        (label, "a.b", &["must not contain dots"]),
        (label_prefix, "a-", &[]),
        (label_prefix, "--", &[]),
        (label_prefix, "-", &[LABEL_FORM]),
        (label_prefix, "é-", &[LABEL_FORM]),
        (old_label, "1a", &[OLD_LABEL_FORM]),
        (old_label_prefix, "1-", &[]),
        (subdomain, "a.b", &[]),
        (subdomain, "A", &[SUBDOMAIN_FORM]),
        (subdomain, "a..b", &[SUBDOMAIN_FORM]),
        (subdomain_prefix, "a.b-", &[]),
        (qualified_name, "a/b_c.D", &[]),
        (qualified_name, "/c", &["prefix part must be non-empty"]),
        (label_value, "", &[]),
        (label_value, "a b", &[VALUE_FORM]),
        (uri, "http://a", &[]),
        (uri, "x", &[r#"parse "x": invalid URI for request"#]),
        (uuid, "123E4567-e89b-12d3-a456-426614174000", &[]),
        (uuid, "123E4567e89b12d3a456426614174000", &[]),
        (uuid, "x", &["does not match the UUID format"]),
        (byte, "aGk=", &[]),
        (byte, "", &["invalid base64"]),
        (byte, "aGk", &["invalid base64"]),
        (date, "2020-02-29", &[]),
        (date, "0000-02-29", &[]),
        (date, "2021-02-29", &["invalid date"]),
        (date, "2021-13-01", &["invalid date"]),
        (date, "2021-1-01", &["invalid date"]),
        (date, "2021-04-00", &["invalid date"]),
        (datetime, "2021-01-01T23:00:00+99:99", &[]),
        (datetime, "2021-01-01t00:00:00.5z", &[]),
        (datetime, "2021-01-01T00:00:00Ztxx", &[]),
        (datetime, "2021-01-01T24:00:00Z", &["invalid datetime"]),
        (datetime, "2021-01-01 00:00:00Z", &["invalid datetime"]),
        (datetime, "", &["invalid datetime"]),
    ];

    #[test]
    fn formats_say_what_the_server_says() {
        for (rule, text, expected) in CASES {
            assert_eq!(rule(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn keys_are_judged_in_two_parts() {
        assert_eq!(
            qualified_name("a/"),
            [String::from("name part must be non-empty"), format!("name part {KEY_FORM}")]
        );
        assert_eq!(qualified_name("A/c"), [format!("prefix part {SUBDOMAIN_FORM}")]);
        let expected = format!(
            "a valid label key {KEY_FORM} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        );
        assert_eq!(qualified_name("a/b/c"), [expected]);
    }

    #[test]
    fn lengths_are_limited_in_the_servers_units() {
        let cases: [(Rule, usize, &str); 5] = [
            (label, 63, "must be no more than 63 characters"),
            (old_label, 63, "must be no more than 63 characters"),
            (subdomain, 253, "must be no more than 253 characters"),
            (label_value, 63, "must be no more than 63 bytes"),
            (qualified_name, 63, "name part must be no more than 63 bytes"),
        ];
        for (rule, limit, expected) in cases {
            assert!(rule(&"a".repeat(limit)).is_empty(), "{expected}");
            assert_eq!(rule(&"a".repeat(limit + 1)), [expected]);
        }
        let key = format!("{}/a", "a".repeat(254));
        assert_eq!(qualified_name(&key), ["prefix part must be no more than 253 bytes"]);
    }
}
