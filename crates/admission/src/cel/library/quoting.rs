//! Quoted text as Go's `%q` prints it; the server's messages quote their input that way.

use std::fmt::Write as _;

/// The text in double quotes, with the escapes of `strconv.Quote`.
pub(super) fn quote(text: &str) -> String {
    quote_octets(text.as_bytes())
}

/// Octets in double quotes; those that are not UTF-8 appear as `\x..`.
pub(super) fn quote_octets(octets: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in octets.utf8_chunks() {
        chunk.valid().chars().for_each(|character| push_escaped(&mut out, character));
        chunk.invalid().iter().for_each(|octet| push(&mut out, format_args!("\\x{octet:02x}")));
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '"' | '\\' => out.extend(['\\', character]),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if is_printable(character) => out.push(character),
        _ => push_code_point(out, u32::from(character)),
    }
}

fn push_code_point(out: &mut String, code: u32) {
    match code {
        0..0x20 | 0x7f => push(out, format_args!("\\x{code:02x}")),
        0..0x1_0000 => push(out, format_args!("\\u{code:04x}")),
        _ => push(out, format_args!("\\U{code:08x}")),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space, as `strconv.IsPrint`.
///
/// The standard library draws the same line where it escapes text, except that it also escapes
/// a combining mark at the very start; hence the letter in front.
fn is_printable(character: char) -> bool {
    let mut pair = String::from("a");
    pair.push(character);
    matches!(character, ' '..='~') || pair.escape_debug().eq(pair.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&str, &str)] = &[
        ("", r#""""#),
        ("plain text", r#""plain text""#),
        ("a\"b\\c'", r#""a\"b\\c'""#),
        ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
        ("\u{0}\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
        ("\u{85}\u{a0}\u{200b}\u{2028}\u{feff}", r#""\u0085\u00a0\u200b\u2028\ufeff""#),
        ("é\u{301}😀", "\"é\u{301}😀\""),
        ("\u{e0001}", r#""\U000e0001""#),
    ];

    #[test]
    fn text_is_quoted_as_go_does() {
        for (text, expected) in CASES {
            assert_eq!(quote(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn octets_outside_utf8_are_escaped_one_by_one() {
        assert_eq!(quote_octets(b"a\xff\xc3b"), r#""a\xff\xc3b""#);
    }
}
