//! Percent escapes of the parts of a URL, with the character classes of Go's `net/url`.

use thiserror::Error;

use super::quoting::quote_octets;

/// A part of a URL; each leaves other characters unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The path.
    Path,
    /// Host and port.
    Host,
    /// The zone of an IPv6 host.
    Zone,
    /// User name or password.
    User,
    /// A key or a value of the query.
    Query,
    /// The fragment.
    Fragment,
}

/// Why a part cannot be unescaped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum EscapeError {
    /// A percent sign without two hexadecimal digits, or an escape that the part may not have.
    #[error("invalid URL escape {}", quote_octets(.0))]
    Escape(Vec<u8>),
    /// A character that no host has.
    #[error("invalid character {} in host name", quote_octets(&[*.0]))]
    Host(u8),
}

/// Whether the part must have this octet escaped.
pub(super) fn must_escape(octet: u8, part: Part) -> bool {
    match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'!' | b'(' | b')' | b'*' => !matches!(part, Part::Host | Part::Zone | Part::Fragment),
        b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => !matches!(part, Part::Host | Part::Zone),
        b'$' | b'&' | b'+' | b',' | b';' | b'=' => part == Part::Query,
        b':' => matches!(part, Part::User | Part::Query),
        b'/' | b'@' => !matches!(part, Part::Path | Part::Fragment),
        b'?' => part != Part::Fragment,
        _ => true,
    }
}

/// The part with its escapes resolved.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, EscapeError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'%' => {
                let (value, after) = escape_value(after, part)?;
                out.push(value);
                rest = after;
            }
            b'+' if part == Part::Query => out.push(b' '),
            _ => out.push(checked(*octet, part)?),
        }
    }
    Ok(out)
}

fn checked(octet: u8, part: Part) -> Result<u8, EscapeError> {
    let in_host = matches!(part, Part::Host | Part::Zone);
    if in_host && octet.is_ascii() && must_escape(octet, part) {
        return Err(EscapeError::Host(octet));
    }
    Ok(octet)
}

/// The octet of the escape whose percent sign was just read, and what follows it.
fn escape_value(after: &[u8], part: Part) -> Result<(u8, &[u8]), EscapeError> {
    let refused = |digits: &[u8]| {
        let mut escape = vec![b'%'];
        escape.extend(digits.iter().take(2));
        EscapeError::Escape(escape)
    };
    let [high, low, rest @ ..] = after else { return Err(refused(after)) };
    let (Some(upper), Some(lower)) = (nibble(*high), nibble(*low)) else { return Err(refused(after)) };
    let value = upper << 4 | lower;
    let allowed = match part {
        Part::Host => upper >= 8 || value == b'%',
        Part::Zone => matches!(value, b'%' | b' ') || !must_escape(value, Part::Host),
        _ => true,
    };
    if allowed { Ok((value, rest)) } else { Err(refused(after)) }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The part with everything escaped that must be.
pub(super) fn escape(octets: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for octet in octets {
        if must_escape(*octet, part) {
            out.extend(format!("%{octet:02X}").bytes());
        } else {
            out.push(*octet);
        }
    }
    out
}

/// Whether the text can stand for itself as an escaped path or fragment.
pub(super) fn is_escaped(text: &[u8], part: Part) -> bool {
    text.iter().all(|octet| {
        matches!(octet, b'%' | b'[' | b']' | b'!' | b'(' | b')' | b'*' | b'\'' | b'@' | b':')
            || matches!(octet, b'$' | b'&' | b'+' | b',' | b';' | b'=')
            || !must_escape(*octet, part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_or_refused() {
        type Expected = Result<&'static [u8], &'static str>;
        let cases: &[(&str, Part, Expected)] = &[
            ("a%20b+c", Part::Path, Ok(b"a b+c")),
            ("a%20b+c", Part::Query, Ok(b"a b c")),
            ("a%zz", Part::Path, Err(r#"invalid URL escape "%zz""#)),
            ("a%2", Part::Path, Err(r#"invalid URL escape "%2""#)),
            ("a%", Part::Path, Err(r#"invalid URL escape "%""#)),
            ("a%20b", Part::Host, Err(r#"invalid URL escape "%20""#)),
            ("a%c3%A9", Part::Host, Ok("aé".as_bytes())),
            ("a%25", Part::Host, Ok(b"a%")),
            ("%25en%200", Part::Zone, Ok(b"%en 0")),
            ("%25%2f", Part::Zone, Err(r#"invalid URL escape "%2f""#)),
            ("a b", Part::Host, Err(r#"invalid character " " in host name"#)),
            ("é", Part::Host, Ok("é".as_bytes())),
        ];
        for (text, part, expected) in cases {
            let result = unescape(text.as_bytes(), *part).map_err(|error| error.to_string());
            assert_eq!(result.as_deref().map_err(String::as_str), *expected, "{text} {part:?}");
        }
    }

    #[test]
    fn each_part_keeps_its_own_characters() {
        let all: Vec<u8> = (b'!'..=b'~').filter(|octet| !octet.is_ascii_alphanumeric()).collect();
        let kept = |part| -> String {
            all.iter().filter(|octet| !must_escape(**octet, part)).map(|octet| char::from(*octet)).collect()
        };
        assert_eq!(kept(Part::Path), "$&+,-./:;=@_~");
        assert_eq!(kept(Part::Host), "!\"$&'()*+,-.:;<=>[]_~");
        assert_eq!(kept(Part::User), "$&+,-.;=_~");
        assert_eq!(kept(Part::Query), "-._~");
        assert_eq!(kept(Part::Fragment), "!$&()*+,-./:;=?@_~");
    }
}
