//! The parts of a URL, as Go's `net/url` splits them, for rules that forbid some of them.

/// A URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WebAddress {
    /// In lower case.
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    /// Not empty.
    pub(crate) fragment: Option<String>,
    /// Not empty.
    pub(crate) query: Option<String>,
}

/// Splits a URL.
///
/// # Errors
/// Go's text for what it cannot split.
pub(crate) fn parse(text: &str) -> Result<WebAddress, String> {
    let refuse = |why: &str| Err(format!("parse {text:?}: {why}"));
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return refuse("net/url: invalid control character in URL");
    }
    let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, part)| (rest, given(part)));
    let Some((scheme, rest)) = split_scheme(rest) else {
        return refuse(if text.starts_with(':') {
            "missing protocol scheme"
        } else {
            "first path segment in URL cannot contain colon"
        });
    };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, part)| (rest, given(part)));
    let authority = rest.strip_prefix("//").map(|rest| rest.split('/').next().unwrap_or_default()).unwrap_or_default();
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user.to_owned()), host));
    if let Some(escape) = bad_escape(rest) {
        return refuse(&format!("invalid URL escape {escape:?}"));
    }
    if let Some(port) = bad_port(host) {
        return refuse(&format!("invalid port {port:?} after host"));
    }
    if let Some(c) = host.chars().find(|c| matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')) {
        return refuse(&format!("invalid character {:?} in host name", c.to_string()));
    }
    Ok(WebAddress { scheme: scheme.to_ascii_lowercase(), host: host.to_owned(), user, fragment, query })
}

fn given(part: &str) -> Option<String> {
    (!part.is_empty()).then(|| part.to_owned())
}

/// The scheme, if there is one; `None` if something else stands before a colon.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Some(("", text));
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(fits) {
        return Some((scheme, rest));
    }
    scheme.contains('/').then_some(("", text))
}

fn bad_escape(text: &str) -> Option<String> {
    text.match_indices('%').find_map(|(at, _)| {
        let mut after = text.get(at + 1..)?.chars();
        let valid = (0..2).all(|_| after.next().is_some_and(|c| c.is_ascii_hexdigit()));
        (!valid).then(|| text.get(at..).unwrap_or_default().chars().take(3).collect())
    })
}

fn bad_port(host: &str) -> Option<String> {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let port = after.rsplit_once(':')?.1;
    (!port.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!(":{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let all = parse("HTTPS://u:p@x:1/y?q#f").unwrap();
        let expected = WebAddress {
            scheme: "https".to_owned(),
            host: "x:1".to_owned(),
            user: Some("u:p".to_owned()),
            fragment: Some("f".to_owned()),
            query: Some("q".to_owned()),
        };
        assert_eq!(all, expected);
        for (text, host) in [("https://[::1]:443/x", "[::1]:443"), ("x", ""), ("", ""), ("https:///x", "")] {
            assert_eq!(parse(text).map(|address| address.host), Ok(host.to_owned()), "{text}");
        }
        for text in ["https://%zz", ":x", "https://h:x/", "https://a b/", "a\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
