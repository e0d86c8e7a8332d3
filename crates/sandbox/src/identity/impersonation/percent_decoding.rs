//! `%`-escapes in names of headers (`net/url`, `PathUnescape`).

/// The text without its escapes; with them, if one of them is malformed.
pub(super) fn decoded(text: &str) -> String {
    unescaped(text.as_bytes()).map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        bytes.push(hexadecimal(*high)? << 4 | hexadecimal(*low)?);
        rest = after;
    }
    Some(bytes)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn escapes_are_decoded() {
        let cases =
            [("a", "a"), ("a%2fb", "a/b"), ("a%2Fb%41", "a/bA"), ("a%", "a%"), ("a%2", "a%2"), ("%zz%41", "%zz%41")];
        for (text, expected) in cases {
            assert_eq!(decoded(text), expected);
        }
    }
}
