//! URLs as Go's `net/url` parses them.

use std::collections::BTreeMap;

use thiserror::Error;

use super::ip_syntax::{AddressError, parse_address};
use super::quoting::{quote, quote_octets};
use super::url_escapes::{EscapeError, Part, escape, is_escaped, unescape};

/// A text that is no URL, with the reason.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("parse {}: {reason}", quote(.input))]
pub(super) struct UrlError {
    input: String,
    reason: Reason,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
enum Reason {
    #[error("{0}")]
    Plain(&'static str),
    #[error("invalid port {} after host", quote_octets(.0))]
    Port(Vec<u8>),
    #[error("invalid host: {0}")]
    Host(#[from] AddressError),
    #[error(transparent)]
    Escape(#[from] EscapeError),
}

/// More query parameters than this make the server see none.
const MAX_PARAMETERS: usize = 10_000;

/// A parsed URL. Unescaped parts are octets, since escapes may stand for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    scheme: String,
    opaque: String,
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    raw_path: String,
    query: String,
    force_query: bool,
    omit_host: bool,
    fragment: Vec<u8>,
    raw_fragment: String,
}

impl Url {
    /// Parses an absolute URL or an absolute path, with a fragment.
    pub(super) fn parse(text: &str) -> Result<Self, UrlError> {
        check_request(text)?;
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = parse_parts(address, false).map_err(|reason| error(address, reason))?;
        url.fragment =
            unescape(fragment.as_bytes(), Part::Fragment).map_err(|reason| error(text, Reason::from(reason)))?;
        url.raw_fragment = raw_unless_default(fragment, &url.fragment, Part::Fragment);
        Ok(url)
    }

    /// The scheme in lower case, empty if there is none.
    pub(super) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port.
    pub(super) fn host(&self) -> &[u8] {
        &self.host
    }

    /// The host without port and brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        let (host, _) = self.host_and_port();
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }

    /// The port, empty if there is none.
    pub(super) fn port(&self) -> &[u8] {
        self.host_and_port().1
    }

    fn host_and_port(&self) -> (&[u8], &[u8]) {
        let colon = self.host.iter().rposition(|octet| *octet == b':');
        let parts = colon.map(|colon| self.host.split_at(colon)).filter(|(_, port)| is_optional_port(port));
        match parts {
            Some((host, [_, port @ ..])) => (host, port),
            _ => (&self.host, &[]),
        }
    }

    /// The path as it was escaped, or in default escapes if that is no valid form.
    pub(super) fn escaped_path(&self) -> Vec<u8> {
        if self.path == b"*" { self.path.clone() } else { escaped(&self.raw_path, &self.path, Part::Path) }
    }

    /// The values of each query parameter; malformed ones are left out.
    pub(super) fn query(&self) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
        let mut values: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        if self.query.split('&').count() > MAX_PARAMETERS {
            return values;
        }
        for parameter in self.query.split('&').filter(|parameter| !parameter.is_empty() && !parameter.contains(';')) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let unescaped = |text: &str| unescape(text.as_bytes(), Part::Query);
            if let (Ok(key), Ok(value)) = (unescaped(key), unescaped(value)) {
                values.entry(key).or_default().push(value);
            }
        }
        values
    }

    /// The whole URL, put together again. Two URLs are equal if this is.
    pub(super) fn to_octets(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend(format!("{}:", self.scheme).bytes());
        }
        if self.opaque.is_empty() {
            self.push_hierarchy(&mut out);
        } else {
            out.extend(self.opaque.bytes());
        }
        if self.force_query || !self.query.is_empty() {
            out.extend(format!("?{}", self.query).bytes());
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escaped(&self.raw_fragment, &self.fragment, Part::Fragment));
        }
        out
    }

    fn push_hierarchy(&self, out: &mut Vec<u8>) {
        self.push_authority(out);
        let path = self.escaped_path();
        if !self.host.is_empty() && path.first().is_some_and(|octet| *octet != b'/') {
            out.push(b'/');
        }
        let first_segment = path.split(|octet| *octet == b'/').next().unwrap_or_default();
        if out.is_empty() && first_segment.contains(&b':') {
            out.extend(b"./");
        }
        out.extend(path);
    }

    fn push_authority(&self, out: &mut Vec<u8>) {
        let (no_host, no_user) = (self.host.is_empty(), self.user.is_none());
        if no_host && no_user && (self.scheme.is_empty() || self.omit_host) {
            return;
        }
        if !(no_host && no_user && self.path.is_empty()) {
            out.extend(b"//");
        }
        if let Some((name, password)) = &self.user {
            out.extend(escape(name, Part::User));
            if let Some(password) = password {
                out.push(b':');
                out.extend(escape(password, Part::User));
            }
            out.push(b'@');
        }
        out.extend(escape(&self.host, Part::Host));
    }
}

/// Whether a text is an absolute URL or an absolute path; a `#` has no meaning here.
pub(super) fn check_request(text: &str) -> Result<(), UrlError> {
    parse_parts(text, true).map(drop).map_err(|reason| error(text, reason))
}

fn error(input: &str, reason: Reason) -> UrlError {
    UrlError { input: String::from(input), reason }
}

fn raw_unless_default(raw: &str, unescaped: &[u8], part: Part) -> String {
    if escape(unescaped, part) == raw.as_bytes() { String::new() } else { String::from(raw) }
}

fn escaped(raw: &str, unescaped: &[u8], part: Part) -> Vec<u8> {
    let octets = raw.as_bytes();
    let usable = !raw.is_empty() && is_escaped(octets, part) && unescape(octets, part).as_deref() == Ok(unescaped);
    if usable { octets.to_vec() } else { escape(unescaped, part) }
}

fn parse_parts(text: &str, is_request: bool) -> Result<Url, Reason> {
    if text.bytes().any(|octet| octet.is_ascii_control()) {
        return Err(Reason::Plain("net/url: invalid control character in URL"));
    }
    if text.is_empty() && is_request {
        return Err(Reason::Plain("empty url"));
    }
    if text == "*" {
        return Ok(Url { path: b"*".to_vec(), ..Url::default() });
    }
    let (scheme, rest) = split_scheme(text)?;
    let mut url = Url { scheme: scheme.to_ascii_lowercase(), ..Url::default() };
    let rest = url.take_query(rest);
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = String::from(rest);
            return Ok(url);
        }
        check_relative(rest, is_request)?;
    }
    let rest = url.take_authority(rest, is_request)?;
    url.path = unescape(rest.as_bytes(), Part::Path)?;
    url.raw_path = raw_unless_default(rest, &url.path, Part::Path);
    Ok(url)
}

fn check_relative(rest: &str, is_request: bool) -> Result<(), Reason> {
    if is_request {
        return Err(Reason::Plain("invalid URI for request"));
    }
    let segment = rest.split('/').next().unwrap_or_default();
    if segment.contains(':') {
        return Err(Reason::Plain("first path segment in URL cannot contain colon"));
    }
    Ok(())
}

fn split_scheme(text: &str) -> Result<(&str, &str), Reason> {
    let is_scheme = |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.');
    let end = text.find(|character| !is_scheme(character)).unwrap_or(text.len());
    let (scheme, rest) = text.split_at(end);
    match rest.strip_prefix(':') {
        Some(_) if scheme.is_empty() => Err(Reason::Plain("missing protocol scheme")),
        Some(rest) if scheme.starts_with(|first: char| first.is_ascii_alphabetic()) => Ok((scheme, rest)),
        _ => Ok(("", text)),
    }
}

impl Url {
    fn take_query<'t>(&mut self, text: &'t str) -> &'t str {
        match text.split_once('?') {
            Some((rest, "")) => {
                self.force_query = true;
                rest
            }
            Some((rest, query)) => {
                self.query = String::from(query);
                rest
            }
            None => text,
        }
    }

    fn take_authority<'t>(&mut self, text: &'t str, is_request: bool) -> Result<&'t str, Reason> {
        let expected = !self.scheme.is_empty() || (!is_request && !text.starts_with("///"));
        let Some(authority) = text.strip_prefix("//").filter(|_| expected) else {
            self.omit_host = !self.scheme.is_empty() && text.starts_with('/');
            return Ok(text);
        };
        let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        self.host = parse_host(&self.scheme, host.as_bytes())?;
        self.user = user.map(parse_user).transpose()?;
        Ok(path)
    }
}

fn parse_user(text: &str) -> Result<(Vec<u8>, Option<Vec<u8>>), Reason> {
    let is_valid = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&octet);
    if !text.bytes().all(is_valid) {
        return Err(Reason::Plain("net/url: invalid userinfo"));
    }
    let unescaped = |text: &str| unescape(text.as_bytes(), Part::User);
    match text.split_once(':') {
        None => Ok((unescaped(text)?, None)),
        Some((name, password)) => Ok((unescaped(name)?, Some(unescaped(password)?))),
    }
}

fn parse_host(scheme: &str, host: &[u8]) -> Result<Vec<u8>, Reason> {
    match host.iter().rposition(|octet| *octet == b'[') {
        Some(0) => return parse_literal(host),
        Some(_) => return Err(Reason::Plain("invalid IP-literal")),
        None => {}
    }
    let strict = matches!(scheme, "http" | "https");
    let is_colon = |octet: &u8| *octet == b':';
    let colon = if strict { host.iter().position(is_colon) } else { host.iter().rposition(is_colon) };
    check_port(colon.map_or(&[], |colon| host.split_at(colon).1))?;
    Ok(unescape(host, Part::Host)?)
}

/// A host in brackets with an optional port.
fn parse_literal(host: &[u8]) -> Result<Vec<u8>, Reason> {
    let end = host.iter().rposition(|octet| *octet == b']').ok_or(Reason::Plain("missing ']' in host"))?;
    let (inside, after) = host.split_at(end);
    let (inside, port) = (inside.strip_prefix(b"[").unwrap_or(inside), after.strip_prefix(b"]").unwrap_or(after));
    check_port(port)?;
    let name = unescape_literal(inside)?;
    if parse_address(&name)?.address.is_ipv4() {
        return Err(Reason::Plain("invalid IP-literal"));
    }
    Ok([b"[", name.as_slice(), b"]", port].concat())
}

fn unescape_literal(inside: &[u8]) -> Result<Vec<u8>, EscapeError> {
    let zone = inside.windows(3).position(|window| window == b"%25").unwrap_or(inside.len());
    let (address, zone) = inside.split_at(zone);
    Ok([unescape(address, Part::Host)?, unescape(zone, Part::Zone)?].concat())
}

fn check_port(port: &[u8]) -> Result<(), Reason> {
    if is_optional_port(port) { Ok(()) } else { Err(Reason::Port(port.to_vec())) }
}

fn is_optional_port(port: &[u8]) -> bool {
    match port.split_first() {
        None => true,
        Some((colon, digits)) => *colon == b':' && digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[(&str, &str)] = &[
        ("", "empty url"),
        ("https://a:b:c/", r#"invalid port ":b:c" after host"#),
        ("http://a:1:2/", r#"invalid port ":1:2" after host"#),
        ("http://h:80a/", r#"invalid port ":80a" after host"#),
        ("../relative-path", "invalid URI for request"),
        ("1a:c", "invalid URI for request"),
        (":x", "missing protocol scheme"),
        ("http://a\u{7f}b", "net/url: invalid control character in URL"),
        ("http://[1.2.3.4]/", "invalid IP-literal"),
        ("http://a[::1]/", "invalid IP-literal"),
        ("http://[::1", "missing ']' in host"),
        ("http://[::1]x/", r#"invalid port "x" after host"#),
        ("http://[zz]/", r#"invalid host: ParseAddr("zz"): unable to parse IP"#),
        ("http://a%20b/", r#"invalid URL escape "%20""#),
        ("http://a b/", r#"invalid character " " in host name"#),
        ("http://h#f", r##"invalid character "#" in host name"##),
        ("http://a/%zz", r#"invalid URL escape "%zz""#),
        ("http://us er@h/", "net/url: invalid userinfo"),
        ("/a#%zz", r#"invalid URL escape "%zz""#),
    ];

    #[test]
    fn refusals_quote_the_text() {
        for (text, reason) in REFUSED {
            let error = Url::parse(text).expect_err(text);
            assert_eq!(error.to_string(), format!("parse {}: {reason}", quote(text)));
        }
    }

    fn show(octets: &[u8]) -> String {
        String::from_utf8(octets.to_vec()).unwrap()
    }

    const PARTS: &[(&str, [&str; 5])] = &[
        (
            "https://user:pass@example.com:80/path?query=val#fragment",
            ["https", "example.com:80", "example.com", "80", "/path"],
        ),
        ("/absolute path", ["", "", "", "", "/absolute%20path"]),
        ("*", ["", "", "", "", "*"]),
        ("mailto:a@b?x=1", ["mailto", "", "", "", ""]),
        ("HTTP://[::1]:80/", ["http", "[::1]:80", "::1", "80", "/"]),
        ("http://[::1%25en0]/", ["http", "[::1%en0]", "::1%en0", "", "/"]),
        ("http://a%C3%A9/é", ["http", "aé", "aé", "", "/%C3%A9"]),
        ("http://a/%2f%20", ["http", "a", "a", "", "/%2f%20"]),
        ("http://u@ser:p@h/", ["http", "h", "h", "", "/"]),
        ("postgres://a:1,b:2/", ["postgres", "a:1,b:2", "a:1,b", "2", "/"]),
        ("//host/p", ["", "host", "host", "", "/p"]),
        ("///p", ["", "", "", "", "///p"]),
        ("http:/p", ["http", "", "", "", "/p"]),
        ("/[a]!'()*\"b<c>", ["", "", "", "", "/%5Ba%5D%21%27%28%29%2A%22b%3Cc%3E"]),
        ("/[a]!'()*", ["", "", "", "", "/[a]!'()*"]),
    ];

    #[test]
    fn parts_are_taken_apart() {
        for (text, expected) in PARTS {
            let url = Url::parse(text).unwrap();
            let path = url.escaped_path();
            let parts = [url.scheme().as_bytes(), url.host(), url.hostname(), url.port(), &path].map(show);
            assert_eq!(parts.each_ref().map(String::as_str), *expected, "{text}");
        }
    }

    #[test]
    fn malformed_parameters_are_left_out() {
        let url = Url::parse("http://a/?a=1&b=2&a=3&c&=x&;d=1&%zz=1&e=%zz&f=a+b").unwrap();
        let query: Vec<String> = url
            .query()
            .iter()
            .map(|(key, values)| {
                format!("{}={}", show(key), values.iter().map(|v| show(v)).collect::<Vec<_>>().join(","))
            })
            .collect();
        assert_eq!(query, ["=x", "a=1,3", "b=2", "c=", "f=a b"]);
        assert!(Url::parse("/?").unwrap().query().is_empty());
        assert!(Url::parse(&format!("/?{}", "a&".repeat(MAX_PARAMETERS))).unwrap().query().is_empty());
    }

    #[test]
    fn urls_are_put_together_for_comparison() {
        let cases = [
            ("HTTP://u:p@h:1/a?b#c", "http://u:p@h:1/a?b#c"),
            ("http://a/?", "http://a/?"),
            ("http://a/%7E", "http://a/%7E"),
            ("mailto:x?y", "mailto:x?y"),
            ("http:/p", "http:/p"),
            ("http:///p", "http:///p"),
            ("http://", "http:"),
            ("/a:b", "/a:b"),
            ("/\u{200b}", "/%E2%80%8B"),
            ("/#a b", "/#a%20b"),
        ];
        for (text, expected) in cases {
            assert_eq!(show(&Url::parse(text).unwrap().to_octets()), expected, "{text}");
        }
    }
}
