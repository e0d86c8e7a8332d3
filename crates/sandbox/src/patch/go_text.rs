//! Values as Go writes them: as JSON (`encoding/json`) and in messages (`fmt`).

use serde_json::{Number, Value};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A value as `fmt` shows it with `%v`: `map[a:1 b:[x <nil>]]`.
#[must_use]
pub fn shown(value: &Value) -> String {
    show(value, plain)
}

/// A value as `fmt` shows it with `%s`, for which anything but text is a mistake.
pub(super) fn shown_as_text(value: &Value) -> String {
    match value {
        Value::Null => "%!s(<nil>)".to_owned(),
        _ => show(value, mistaken),
    }
}

fn show(value: &Value, other: fn(&Value) -> String) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => other(value),
        Value::Array(list) => {
            let items: Vec<_> = list.iter().map(|item| show(item, other)).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let fields: Vec<_> = map.iter().map(|(name, field)| format!("{name}:{}", show(field, other))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

fn mistaken(value: &Value) -> String {
    format!("%!s({}={})", type_name(value), plain(value))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_i64().map_or_else(|| float_shown(float(number)), |whole| whole.to_string()),
        other => other.to_string(),
    }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

/// The Go type that a decoded JSON value has.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A float with `%v`: an exponent below -4 or above 5 is written out.
fn float_shown(float: f64) -> String {
    match exponent(float) {
        -4..6 => float.to_string(),
        _ => with_exponent(float),
    }
}

fn float_json(float: f64) -> String {
    match exponent(float) {
        -6..21 => float.to_string(),
        // The only difference to the form above is that small exponents have one digit.
        _ => with_exponent(float).replace("e-0", "e-"),
    }
}

fn exponent(float: f64) -> i32 {
    let text = format!("{float:e}");
    text.rsplit_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default()
}

fn with_exponent(float: f64) -> String {
    let exponent = exponent(float);
    let text = format!("{float:e}");
    let (digits, _) = text.split_once('e').unwrap_or((&text, ""));
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A value as `json.Marshal` writes it.
pub(super) fn write_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) if !number.is_i64() => out.extend_from_slice(float_json(float(number)).as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => write_list(items, out, write_json),
        Value::Object(map) => write_fields(map, out, write_json),
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

/// A JSON list of items that write themselves.
pub(super) fn write_list<T>(items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// A JSON object of fields that write themselves.
pub(super) fn write_fields<'a, T: 'a>(
    fields: impl IntoIterator<Item = (&'a String, &'a T)>,
    out: &mut Vec<u8>,
    write: impl Fn(&T, &mut Vec<u8>),
) {
    out.push(b'{');
    for (index, (name, field)) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write(field, out);
    }
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if is_escaped(c) => write_code(c, out),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Control characters, and what could be mistaken for markup or for the end of a line.
fn is_escaped(c: char) -> bool {
    c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn write_code(c: char, out: &mut Vec<u8>) {
    let code = u32::from(c) & 0xffff;
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[((code >> shift) & 0xf) as usize]));
}

/// JSON text as it is, but with markup characters escaped (`json.Compact` for `json.RawMessage`).
pub(super) fn write_raw(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().for_each(|c| match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write_code(c, out),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }),
        Err(_) => out.extend_from_slice(text),
    }
}

/// Bytes as text: every byte that belongs to no character becomes U+FFFD, as Go decodes strings.
pub(super) fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
    }
    out
}

/// A byte in single quotes, as the JSON parser's messages have it: as if it were a Latin-1 character.
pub(super) fn quoted_byte(byte: u8) -> String {
    let inner = match byte {
        b'\'' => "\\'".to_owned(),
        b'\\' => "\\\\".to_owned(),
        7 => "\\a".to_owned(),
        8 => "\\b".to_owned(),
        9 => "\\t".to_owned(),
        10 => "\\n".to_owned(),
        11 => "\\v".to_owned(),
        12 => "\\f".to_owned(),
        13 => "\\r".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
        _ => char::from(byte).to_string(),
    };
    format!("'{inner}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_as_fmt_does() {
        let value = json!({"a": 1e6, "b": 1.0, "c": 1e21, "d": 123_456_789.5, "e": 0.00001, "f": [null, true, "x y"],
            "g": 100_000.0, "h": 0.1, "i": -0.0, "j": -7});
        let expected = "map[a:1e+06 b:1 c:1e+21 d:1.234567895e+08 e:1e-05 f:[<nil> true x y] g:100000 h:0.1 i:-0 j:-7]";
        assert_eq!(shown(&value), expected);
        let cases = [
            (json!(null), "%!s(<nil>)"),
            (json!(5), "%!s(int64=5)"),
            (json!({"x": [1, "a", 1.5, true, null]}), "map[x:[%!s(int64=1) a %!s(float64=1.5) %!s(bool=true) <nil>]]"),
        ];
        for (value, expected) in cases {
            assert_eq!(shown_as_text(&value), expected);
        }
    }

    #[test]
    fn writes_json_as_go_does() {
        let value =
            json!({"a<": "<&>\u{2028}\u{7f}\u{1}\n\"é", "n": [1, 2.0, 1e20, 1e21, 0.000001, 0.0000001, 1.5e-10]});
        let mut out = Vec::new();
        write_json(&value, &mut out);
        let expected = "{\"a\\u003c\":\"\\u003c\\u0026\\u003e\\u2028\u{7f}\\u0001\\n\\\"é\",\
            \"n\":[1,2,100000000000000000000,1e+21,0.000001,1e-7,1.5e-10]}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn quotes_bytes() {
        for (byte, expected) in
            [(b'a', "'a'"), (b'"', "'\"'"), (b'\'', "'\\''"), (1, "'\\x01'"), (0x85, "'\\u0085'"), (0xe9, "'é'")]
        {
            assert_eq!(quoted_byte(byte), expected);
        }
    }
}
