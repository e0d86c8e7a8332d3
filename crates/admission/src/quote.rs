//! Text as Go renders it: quoted strings (`%q`) and JSON with the characters escaped that matter in HTML.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::cel::display_double;

/// A string in double quotes, with the escapes of Go's `strconv.Quote`.
#[must_use]
pub fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_quoted(&mut out, c);
    }
    out.push('"');
    out
}

fn push_quoted(out: &mut String, c: char) {
    match c {
        '"' | '\\' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        c if is_printable(c) => out.push(c),
        c => push_code(out, u32::from(c)),
    }
}

fn push_code(out: &mut String, code: u32) {
    let written = match code {
        0..=0x7f => write!(out, "\\x{code:02x}"),
        0x80..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

/// Printable in the sense of Go's `unicode.IsPrint`, as far as the standard library's own table tells.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    // The standard library escapes combining marks only at the start of a string; Go never does.
    !c.is_whitespace() && format!("a{c}").escape_debug().count() == 2
}

/// JSON as Go's `json.Marshal` writes it.
pub(crate) fn go_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    escape_html(&json)
}

/// A JSON value in a field error: texts quoted, plain values as `%v` prints them, the rest as JSON.
#[must_use]
pub fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => go_quoted(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, double) => display_double(double.unwrap_or(f64::NAN)),
        },
        other => go_json(&without_fractions(other)),
    }
}

/// The same value with whole doubles as integers, which is how Go writes them.
fn without_fractions(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number).unwrap_or_else(|| number.clone())),
        Value::Array(items) => items.iter().map(without_fractions).collect(),
        Value::Object(entries) => Value::Object(
            entries.iter().map(|(key, value)| (key.clone(), without_fractions(value))).collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is tested first")]
fn whole(number: &Number) -> Option<Number> {
    let double = number.as_f64().filter(|double| number.is_f64() && double.fract() == 0.0 && double.abs() < 1e15)?;
    Some(Number::from(double as i64))
}

fn escape_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        let cases = [
            ("a b", r#""a b""#),
            ("a\"b\\", r#""a\"b\\""#),
            ("a\nb\r\t", r#""a\nb\r\t""#),
            ("\u{7}\u{8}\u{b}\u{c}", r#""\a\b\v\f""#),
            ("\0\u{7f}", r#""\x00\x7f""#),
            ("é日\u{301}", "\"é日\u{301}\""),
            ("\u{a0}\u{200b}", r#""\u00a0\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ];
        for (text, expected) in cases {
            assert_eq!(go_quoted(text), expected);
        }
    }

    #[test]
    fn escapes_html_in_json() {
        assert_eq!(go_json(&["a<b", "c>&"]), r#"["a\u003cb","c\u003e\u0026"]"#);
    }
}
