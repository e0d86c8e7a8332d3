//! Formats of texts (`kube-openapi/pkg/validation/strfmt` and its `govalidator`).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use admission::cel::time::{Duration, Timestamp};
use regex::Regex;

/// Formats that are a pattern and nothing else.
const PATTERNS: [(&str, &str); 8] = [
    ("uuid", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
    ("uuid3", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
    ("uuid4", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
    ("uuid5", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"),
    ("hexcolor", r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    ("byte", r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"),
    (
        "rgbcolor",
        r"^rgb\([\t\n\f\r ]*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])[\t\n\f\r ]*,[\t\n\f\r ]*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])[\t\n\f\r ]*,[\t\n\f\r ]*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])[\t\n\f\r ]*\)$",
    ),
    ("bsonobjectid", r"^[0-9a-fA-F]{24}$"),
];

type Check = fn(&str) -> bool;

/// Formats with a check of their own.
const CHECKS: [(&str, Check); 18] = [
    ("cidr", is_cidr),
    ("creditcard", is_credit_card),
    ("date", is_date),
    ("datetime", is_date_time),
    ("duration", is_duration),
    ("email", is_email),
    ("hostname", is_hostname),
    ("ipv4", |text| text.contains('.') && is_ip(text)),
    ("ipv6", |text| text.contains(':') && is_ip(text)),
    ("isbn", |text| is_isbn10(text) || is_isbn13(text)),
    ("isbn10", is_isbn10),
    ("isbn13", is_isbn13),
    ("k8slongname", is_long_name),
    ("k8sshortname", is_short_name),
    ("mac", is_mac),
    ("password", |_| true),
    ("ssn", is_ssn),
    ("uri", admission::cel::library::urls::is_request_uri),
];

static COMPILED: LazyLock<Vec<(&'static str, Option<Regex>)>> =
    LazyLock::new(|| PATTERNS.map(|(name, pattern)| (name, Regex::new(pattern).ok())).into());

fn normalized(format: &str) -> String {
    format.replace('-', "")
}

/// Whether the server checks texts of this format (`apiextensions-apiserver/pkg/apiserver/validation/formats.go`).
#[must_use]
pub fn is_known(format: &str) -> bool {
    let name = normalized(format);
    !name.is_empty()
        && (PATTERNS.iter().any(|(known, _)| *known == name) || CHECKS.iter().any(|(known, _)| *known == name))
}

/// A format as types name it; empty if it is not among the common ones.
#[must_use]
pub fn common(format: &str) -> &'static str {
    const COMMON: [&str; 8] = ["byte", "date", "date-time", "duration", "email", "password", "uri", "uuid"];
    COMMON.into_iter().find(|known| *known == format).unwrap_or_default()
}

/// Whether a text has a format; of unknown formats, every text.
#[must_use]
pub fn matches(format: &str, text: &str) -> bool {
    let name = normalized(format);
    if let Some((_, regex)) = COMPILED.iter().find(|(known, _)| *known == name) {
        return regex.as_ref().is_some_and(|regex| regex.is_match(text));
    }
    CHECKS.iter().find(|(known, _)| *known == name).is_none_or(|(_, check)| check(text))
}

/// Octets may have leading zeros, which Go once allowed and the server still does (`k8s.io/utils/net`).
fn is_ip(text: &str) -> bool {
    sloppy_ip(text).is_some()
}

fn sloppy_ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let octets: Vec<u8> = text.split('.').map(octet).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(octets).ok().map(IpAddr::from)
}

fn octet(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.trim_start_matches('0'))
        .and_then(|text| if text.is_empty() { Some(0) } else { text.parse().ok() })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = if address.contains(':') { 128 } else { 32 };
    is_ip(address) && octet(length).is_some_and(|length| length <= most)
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.chars().filter_map(|c| c.to_digit(10))
}

/// Known prefixes and lengths, and the check of Luhn.
fn is_credit_card(text: &str) -> bool {
    static KNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let kinds = "4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}";
        let others = "3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11}";
        Regex::new(&format!("^(?:{kinds}|{others})$")).ok()
    });
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    if !KNOWN.as_ref().is_some_and(|known| known.is_match(&number)) {
        return false;
    }
    let sum: u32 = digits(&number)
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 % 10 + digit * 2 / 10 })
        .sum();
    sum.is_multiple_of(10)
}

fn isbn(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '-').collect()
}

fn is_isbn10(text: &str) -> bool {
    let text = isbn(text);
    let Some((body, check)) = text.split_at_checked(9) else { return false };
    let last = if check == "X" { Some(10) } else { octet(check).filter(|_| check.len() == 1).map(u32::from) };
    let sum: u32 = (1..).zip(digits(body)).map(|(weight, digit)| weight * digit).sum();
    body.bytes().all(|byte| byte.is_ascii_digit()) && last.is_some_and(|last| (sum + 10 * last).is_multiple_of(11))
}

fn is_isbn13(text: &str) -> bool {
    let text = isbn(text);
    let sum: u32 = digits(&text).zip([1, 3].into_iter().cycle()).map(|(digit, weight)| weight * digit).sum();
    text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(10)
}

/// Three, two and four digits; the length is that of the form with separators.
fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', ' ']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [3, 2, 4] && parts.concat().bytes().all(|byte| byte.is_ascii_digit())
}

fn is_mac(text: &str) -> bool {
    let octets = |separator: char, width: usize| {
        let parts: Vec<&str> = text.split(separator).collect();
        let sound = parts.iter().all(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        sound && matches!(parts.len() * width / 2, 6 | 8 | 20)
    };
    octets(':', 2) || octets('-', 2) || octets('.', 4)
}

fn is_short_name(text: &str) -> bool {
    text.len() <= 63 && is_name_part(text)
}

fn is_long_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_name_part)
}

fn is_name_part(text: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
}

/// Labels of letters, digits and symbols (RFC 1034, extended), 255 octets in all and 63 in a label.
fn is_hostname(text: &str) -> bool {
    static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let edge = r"[a-zA-Z0-9\p{S}\p{L}]";
        let inner = r"[a-zA-Z0-9\-\p{S}\p{L}]";
        let single = format!(r"{edge}((-?{edge}{{0,62}})?)");
        let dotted = format!(r"({edge}(({inner}{{0,61}}{edge})?)(\.)){{1,}}([a-zA-Z\p{{L}}]){{2,63}}");
        Regex::new(&format!("^({single}|{dotted})$")).ok()
    });
    SHAPE.as_ref().is_some_and(|shape| shape.is_match(text))
        && text.len() <= 255
        && text.split('.').all(|label| label.len() <= 63)
}

/// An address of RFC 5322, with or without a name before it in angle brackets.
fn is_email(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    let address = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(is_ip);
    (quoted || is_dot_atom(local)) && (literal || is_dot_atom(domain))
}

fn is_dot_atom(text: &str) -> bool {
    let is_atom_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
}

fn is_date(text: &str) -> bool {
    parse_date(text).is_some()
}

/// The midnight of a date.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp> {
    (text.len() == 10).then(|| Timestamp::parse(&format!("{text}T00:00:00Z"))).flatten()
}

/// A date and a time with an offset; upper or lower case, any separator before the fraction.
fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$").ok());
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    let Some(found) = TIME.as_ref().and_then(|shape| shape.captures(time)) else { return false };
    let within = |group: usize, most: &str| found.get(group).is_some_and(|part| part.as_str() <= most);
    is_date(date) && within(1, "23") && within(2, "59") && within(3, "59")
}

/// The moment that a text of format `date-time` names for an expression.
#[must_use]
pub fn parse_date_time(text: &str) -> Option<Timestamp> {
    if text.is_empty() {
        return Timestamp::new(0, 0, 0);
    }
    Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}Z")))
}

fn is_duration(text: &str) -> bool {
    parse_duration(text).is_some()
}

/// A span in Go's form, or numbers with units in words, such as `3 days`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    static PART: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("([0-9]+)[\\t\\n\\f\\r ]*([A-Za-zµ]+)").ok());
    if let Some(span) = Duration::parse(text) {
        return Some(span);
    }
    let mut total: Option<i64> = None;
    for part in PART.as_ref()?.captures_iter(text) {
        let count: i64 = part.get(1)?.as_str().parse().ok()?;
        for unit in units_of(&part.get(2)?.as_str().to_lowercase()) {
            total = Some(total.unwrap_or(0).wrapping_add(count.wrapping_mul(unit)));
        }
    }
    total.map(|nanoseconds| Duration { nanoseconds })
}

/// Names of units with their nanoseconds; of each, the last name is enough of a beginning.
const UNITS: [(&[&str], i64); 8] = [
    (&["ns", "nano"], 1),
    (&["us", "µs", "micro"], 1_000),
    (&["ms", "milli"], 1_000_000),
    (&["s", "sec"], 1_000_000_000),
    (&["m", "min"], 60_000_000_000),
    (&["h", "hr", "hour"], 3_600_000_000_000),
    (&["d", "day"], 86_400_000_000_000),
    (&["w", "wk", "week"], 604_800_000_000_000),
];

fn units_of(name: &str) -> impl Iterator<Item = i64> + '_ {
    let named = move |names: &[&str]| names.contains(&name) || names.last().is_some_and(|last| name.starts_with(last));
    UNITS.into_iter().filter(move |(names, _)| named(names)).map(|(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_formats_or_not() {
        let cases: [(&str, &[&str], &[&str]); 19] = [
            ("date", &["2020-02-29"], &["2020-13-01", "2021-02-29", "20-01-01", "2020-1-1"]),
            (
                "date-time",
                &["2020-01-01T00:00:00Z", "2020-01-01t00:00:00.5+01:00"],
                &["2020-01-01T24:00:00Z", "2020-01-01T00:00:00", "nope"],
            ),
            ("duration", &["1h", "3 days", "22 ns", "1hour 2 min"], &["zzz", "", "5"]),
            ("ipv4", &["1.2.3.4", "010.0.0.1"], &["1.2.3", "::1", "256.1.1.1"]),
            ("ipv6", &["::1", "fe80::1"], &["1.2.3.4", "fe80::1%eth0"]),
            ("cidr", &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33"]),
            ("uuid", &["01234567-89AB-cdef-0123-456789abcdef"], &["x"]),
            ("uuid4", &["01234567-89ab-4def-8123-456789abcdef"], &["01234567-89ab-5def-8123-456789abcdef"]),
            ("uri", &["/a", "http://x/y"], &["no uri", ""]),
            ("email", &["a@b.c", "A B <a@b>"], &["x", "a@", "@b", "a..b@c"]),
            ("hostname", &["a", "a.example", "1.example"], &["-x-", "a..b"]),
            (
                "mac",
                &["01:23:45:67:89:ab", "0123.4567.89ab", "01-23-45-67-89-ab-cd-ef"],
                &["00:11", "01:23:45:67:89:ag"],
            ),
            ("byte", &["aGk="], &["!!", "aGk", ""]),
            ("isbn", &["0321751043", "978-0321751041"], &["0321751044", "978-0321751042", "x"]),
            ("creditcard", &["4111 1111 1111 1111"], &["4111111111111112", "1"]),
            ("ssn", &["111-22-3333"], &["111223333", "111-2-3333"]),
            ("hexcolor", &["#FFF", "a0b1c2"], &["#FFFF", "zzz"]),
            ("k8s-short-name", &["a-b"], &["A", "a.b", "-a"]),
            ("rgbcolor", &["rgb(1, 2,255)"], &["rgb(256,1,1)", "rgb(1,2)"]),
        ];
        for (format, good, bad) in cases {
            assert!(is_known(format), "{format}");
            good.iter().for_each(|text| assert!(matches(format, text), "{format} {text}"));
            bad.iter().for_each(|text| assert!(!matches(format, text), "{format} {text}"));
        }
        assert!(!is_known("zebra") && !is_known(""));
    }
}
