//! JSON as the server reads it: the grammar, the leniency and the complaints of Go's `encoding/json`, with whole numbers
//! kept whole while they fit an `i64` (`sigs.k8s.io/json`).

use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;

/// Deepest nesting; bounds the stack.
const MAX_DEPTH: usize = 256;
/// As many complaints as the server collects.
const MOST_NOTES: usize = 100;

/// A text that is being read.
pub(super) struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// Where the reading is: `spec.containers[0]`.
    path: String,
    watched: BTreeSet<String>,
    notes: Vec<Note>,
}

/// A key that is worth a remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The path is one of those that are watched for.
    Watched(String),
    /// The path was there before.
    Duplicate(String),
}

type Read<T> = Result<T, String>;

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, depth: 0, path: String::new(), watched: BTreeSet::new(), notes: Vec::new() }
    }

    /// Notes these paths, too.
    pub(super) fn watching(self, paths: &[String]) -> Self {
        Self { watched: paths.iter().cloned().collect(), ..self }
    }

    /// The only value of the text, and what is to be remarked, in its order.
    pub(super) fn document(mut self) -> Read<(Value, Vec<Note>)> {
        let value = self.value()?;
        match self.next_token() {
            None => Ok((value, self.notes)),
            Some(_) => self.fail("after top-level value"),
        }
    }

    /// Where the text ends the server reads a space first; it complains of that one where no space can be.
    fn fail<T>(&self, context: &str) -> Read<T> {
        let within_token = ["in literal", "escape", "numeric"].iter().any(|part| context.contains(part));
        match self.text.get(self.at) {
            None if within_token => Err(format!("invalid character ' ' {context}")),
            None => Err("unexpected end of JSON input".to_owned()),
            Some(byte) => Err(format!("invalid character {} {context}", quoted(*byte))),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.peek()
    }

    fn value(&mut self) -> Read<Value> {
        match self.next_token() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fail("looking for beginning of value"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Value>) -> Read<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("exceeded max depth");
        }
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Read<Value> {
        let mut object = Map::new();
        if self.next_token() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(object));
        }
        loop {
            let (key, value) = self.entry(&object)?;
            object.insert(key, value);
            match self.next_token() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.fail("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(Value::Object(object))
    }

    fn entry(&mut self, before: &Map<String, Value>) -> Read<(String, Value)> {
        if self.next_token() != Some(b'"') {
            return self.fail("looking for beginning of object key string");
        }
        let key = self.string()?;
        if self.next_token() != Some(b':') {
            return self.fail("after object key");
        }
        self.at += 1;
        let length = self.path.len();
        let dot = if length == 0 { "" } else { "." };
        self.path.extend([dot, &key]);
        if self.watched.contains(&self.path) {
            self.note(Note::Watched(self.path.clone()));
        }
        if before.contains_key(&key) {
            self.note(Note::Duplicate(self.path.clone()));
        }
        let value = self.value()?;
        self.path.truncate(length);
        Ok((key, value))
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() < MOST_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn array(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        if self.next_token() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        let length = self.path.len();
        loop {
            self.path.push_str(&format!("[{}]", items.len()));
            items.push(self.value()?);
            self.path.truncate(length);
            match self.next_token() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.fail("after array element"),
            }
        }
        self.at += 1;
        Ok(Value::Array(items))
    }

    fn literal(&mut self, name: &str, value: Value) -> Read<Value> {
        for wanted in name.chars() {
            if self.peek().map(char::from) != Some(wanted) {
                return self.fail(&format!("in literal {name} (expecting '{wanted}')"));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        self.skip_if(b"-");
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits("in numeric literal")?,
        }
        if self.skip_if(b".") {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.skip_if(b"eE") {
            self.skip_if(b"+-");
            self.digits("in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        number_value(text)
    }

    fn skip_if(&mut self, any: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| any.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self, context: &str) -> Read<()> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.fail(context);
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// A text in quotes. Bytes that are no UTF-8 are replaced, as the server does.
    fn string(&mut self) -> Read<String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut out)?,
                None | Some(..b' ') => return self.fail("in string literal"),
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(String::from_utf8(out).unwrap_or_else(|error| replaced(error.as_bytes())))
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.at += 1;
        let plain = match self.peek() {
            Some(b'b') => 0x8,
            Some(b'f') => 0xc,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'u') => return self.unicode(out),
            _ => return self.fail("in string escape code"),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let first = self.hexadecimal()?;
        let after = self.at;
        let second = if (0xd800..0xdc00).contains(&first) { self.low_surrogate()? } else { None };
        let code = second.map_or(first, |low| 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00));
        if second.is_none() {
            self.at = after;
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend(character.encode_utf8(&mut [0; 4]).bytes());
        Ok(())
    }

    fn low_surrogate(&mut self) -> Read<Option<u32>> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(self.hexadecimal()?).filter(|code| (0xdc00..0xe000).contains(code)))
    }

    /// The four digits behind a `u`.
    fn hexadecimal(&mut self) -> Read<u32> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.fail("in \\u hexadecimal character escape"),
            }
            self.at += 1;
        }
        Ok(code)
    }
}

fn number_value(text: &str) -> Read<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Value::from(whole));
    }
    let float = text.parse().ok().and_then(Number::from_f64);
    float
        .map(Value::Number)
        .ok_or_else(|| format!("json: cannot unmarshal number {text} into Go value of type float64"))
}

/// Each byte that belongs to no character becomes a replacement character of its own.
fn replaced(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

/// A byte in single quotes, as Go's decoder shows it.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => "'\\\\'".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        0x7 => "'\\a'".to_owned(),
        0x8 => "'\\b'".to_owned(),
        0xb => "'\\v'".to_owned(),
        0xc => "'\\f'".to_owned(),
        0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{:04x}'", u32::from(byte)),
        other => format!("'{}'", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &[u8]) -> Read<(Value, Vec<Note>)> {
        Parser::new(text).document()
    }

    #[test]
    fn complaints_are_those_of_the_server() {
        let cases = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{\"a", "unexpected end of JSON input"),
            ("[1,", "unexpected end of JSON input"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("\"\\", "invalid character ' ' in string escape code"),
            ("[1.", "invalid character ' ' after decimal point in numeric literal"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{\"a\":1} x", "invalid character 'x' after top-level value"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("trap", "invalid character 'a' in literal true (expecting 'u')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
            ("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_stay_whole_while_they_fit() {
        let text = b"[9223372036854775807, 9223372036854775808, 1.0, 1e3, -0]";
        let expected = json!([i64::MAX, 9_223_372_036_854_775_808.0, 1.0, 1000.0, 0]);
        assert_eq!(read(text), Ok((expected, Vec::new())));
    }

    #[test]
    fn the_last_duplicate_counts_and_each_path_is_noted_once() {
        let text = br#"{"m": {"n": 1, "n": 2, "n": 3}, "l": [{}, {"a": 1, "a": 1}], "m2": {}, "m2": 1}"#;
        let (value, duplicates) = read(text).unwrap();
        assert_eq!(value, json!({"m": {"n": 3}, "l": [{}, {"a": 1}], "m2": 1}));
        assert_eq!(duplicates, ["m.n", "l[1].a", "m2"].map(|path| Note::Duplicate(path.to_owned())));
    }

    #[test]
    fn text_that_is_no_unicode_is_replaced() {
        let text = b"[\"a\xffb\", \"\\ud800x\", \"\\ud83d\\ude00\", \"\\u0041\\/\"]";
        assert_eq!(read(text).unwrap().0, json!(["a\u{fffd}b", "\u{fffd}x", "\u{1f600}", "A/"]));
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(read(&[b"[".repeat(256), b"]".repeat(256)].concat()).is_ok());
        assert_eq!(read(&b"[".repeat(100_000)), Err("invalid character '[' exceeded max depth".to_owned()));
    }

    proptest! {
        #[test]
        fn reads_what_serde_reads(text in "[\\[\\]{}:,\"a1.e\\\\u0 -]{0,24}") {
            let ours = read(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert!(ours == theirs || ours && text.contains("\\u"), "{text}: {ours}, {theirs}");
        }
    }
}
