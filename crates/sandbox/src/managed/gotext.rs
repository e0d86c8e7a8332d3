//! Values as the server's messages and keys render them: JSON, `%v`, `%#v`, `%T` and `%q` of Go.

use serde_json::{Map, Number, Value};
use std::fmt::Write as _;

/// JSON as Go writes it by default: characters that matter in HTML are escaped, whole floats have no fraction.
pub(super) fn json(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value);
    out
}

fn push_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => push(out, format_args!("{flag}")),
        Value::Number(number) => out.push_str(&json_number(number)),
        Value::String(text) => push_json_text(out, text, true),
        Value::Array(items) => push_all(out, ['[', ']'], items, push_json),
        Value::Object(entries) => push_all(out, ['{', '}'], entries, |out, (name, value)| {
            push_json_text(out, name, true);
            out.push(':');
            push_json(out, value);
        }),
    }
}

fn push_all<T>(out: &mut String, ends: [char; 2], items: impl IntoIterator<Item = T>, one: impl Fn(&mut String, T)) {
    let [open, close] = ends;
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(out, item);
    }
    out.push(close);
}

/// A JSON string; `html` escapes `<`, `>`, `&` and the two Unicode line ends as well.
pub(super) fn push_json_text(out: &mut String, text: &str, html: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => push(out, format_args!("\\u{:04x}", u32::from(c))),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

/// A whole number, unless it is one that Go holds as a float.
pub(super) fn whole(number: &Number) -> Option<i64> {
    number.as_i64()
}

fn json_number(number: &Number) -> String {
    match (whole(number), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) => float_text(float, -6, 21),
        (None, None) => number.to_string(),
    }
}

/// A number as `%v` prints it.
fn plain_number(number: &Number) -> String {
    match (whole(number), number.as_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(float)) => float_text(float, -4, 6),
        (None, None) => number.to_string(),
    }
}

/// The shortest digits, with an exponent if it is below `low` or not below `high`.
fn float_text(float: f64, low: i32, high: i32) -> String {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if float == 0.0 || (exponent >= low && exponent < high) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A value as `%v` prints what Go decodes it to.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => plain_number(number),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(entries) => {
            let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// A value as `%#v` prints what Go decodes it to.
pub(super) fn syntax(value: &Value) -> String {
    let typed = go_type(value);
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("{typed}{{{}}}", items.iter().map(syntax).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => format!("{typed}{{{}}}", syntax_of_entries(entries)),
        other => plain(other),
    }
}

fn syntax_of_entries(entries: &Map<String, Value>) -> String {
    let entries = entries.iter().map(|(name, value)| format!("{}:{}", quoted(name), syntax(value)));
    entries.collect::<Vec<_>>().join(", ")
}

/// The type that Go decodes a value to, as `%T` names it.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if whole(number).is_some() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value in a path (`value.ToString` of structured-merge-diff).
pub(super) fn in_path(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(in_path).collect::<Vec<_>>().join(",")),
        Value::Object(entries) => entries.iter().map(|(name, value)| format!("{name}={}", in_path(value))).collect(),
        other => plain(other),
    }
}

/// A text in double quotes, with the escapes of `strconv.Quote`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| push_quoted(&mut out, c));
    out.push('"');
    out
}

fn push_quoted(out: &mut String, c: char) {
    const SHORT: [(char, char); 7] =
        [('\n', 'n'), ('\r', 'r'), ('\t', 't'), ('\u{7}', 'a'), ('\u{8}', 'b'), ('\u{b}', 'v'), ('\u{c}', 'f')];
    match (c, SHORT.iter().find(|(long, _)| *long == c), u32::from(c)) {
        ('"' | '\\', ..) => out.extend(['\\', c]),
        (_, Some((_, letter)), _) => out.extend(['\\', *letter]),
        _ if is_printable(c) => out.push(c),
        (_, _, code @ 0..0x80) => push(out, format_args!("\\x{code:02x}")),
        (_, _, code @ 0x80..0x1_0000) => push(out, format_args!("\\u{code:04x}")),
        (_, _, code) => push(out, format_args!("\\U{code:08x}")),
    }
}

/// As `unicode.IsPrint`. The standard library also escapes a combining mark at the start, hence the letter in front.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || !c.is_whitespace() && format!("a{c}").escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_written_as_go_writes_it() {
        let cases = [
            (json!({"b": [1, 2.0, 1.5], "a": null}), r#"{"a":null,"b":[1,2,1.5]}"#),
            (json!("<a>&\u{2028}\"\\\u{1}\n"), r#""\u003ca\u003e\u0026\u2028\"\\\u0001\n""#),
            (json!([1e21, 1e20, 1e-7, 1e-6, true]), "[1e+21,100000000000000000000,1e-07,0.000001,true]"),
        ];
        for (value, expected) in cases {
            assert_eq!(json(&value), expected);
        }
    }

    #[test]
    fn values_are_rendered_as_go_does() {
        let value = json!({"b": ["x", 1], "a": null});
        assert_eq!(plain(&value), "map[a:<nil> b:[x 1]]");
        assert_eq!(syntax(&value), r#"map[string]interface {}{"a":interface {}(nil), "b":[]interface {}{"x", 1}}"#);
        assert_eq!(in_path(&json!("a\"\n")), r#""a\"\n""#);
        assert_eq!(in_path(&json!(8080.0)), "8080");
        assert_eq!(in_path(&json!(1_000_000.0)), "1e+06");
        assert_eq!(in_path(&json!(0.00001)), "1e-05");
    }

    #[test]
    fn text_is_quoted_as_go_does() {
        let cases = [
            ("\u{7}\u{8}\u{b}\u{c}\0\u{7f}", r#""\a\b\v\f\x00\x7f""#),
            ("é日\u{301}\u{a0}\u{200b}\u{e0001}", "\"é日\u{301}\\u00a0\\u200b\\U000e0001\""),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
        }
    }
}
