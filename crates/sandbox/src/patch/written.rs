//! JSON as it is written, which matters to the API server: a JSON patch compares plain values by their text, and
//! a field that stands twice is worth a warning.

use serde_json::{Map, Number, Value};
use std::collections::HashSet;

use super::go_text;
use super::limits::MAX_BODY_DEPTH;

/// Paths of duplicate fields that are reported at most (`sigs.k8s.io/json`).
pub(super) const MAX_COMPLAINTS: usize = 100;

/// A JSON text, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Written {
    Null,
    /// A string, number or boolean, in its own text.
    Plain(Box<[u8]>),
    List(Vec<Written>),
    Object(Vec<(String, Written)>),
}

impl Written {
    /// Takes a text apart. Errors are in the words of Go's `encoding/json`.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        match parser.next_visible() {
            None => Ok(value),
            Some(_) => Err(parser.unexpected("after top-level value")),
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Plain(text) => plain_value(&text),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Object(fields) => {
                let fields = fields.into_iter().map(|(name, field)| (name, field.into_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// How an error message calls the kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::List(_) => "array",
            Self::Object(_) => "object",
            Self::Plain(text) => match text.first() {
                Some(b'"') => "string",
                Some(b't' | b'f') => "bool",
                _ => "number",
            },
        }
    }

    /// The first number that is out of a 64-bit float's range.
    pub fn unrepresentable(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Plain(text) => (number(text) == Some(None)).then(|| String::from_utf8_lossy(text).into_owned()),
            Self::List(items) => items.iter().find_map(Self::unrepresentable),
            Self::Object(fields) => fields.iter().find_map(|(_, field)| field.unrepresentable()),
        }
    }

    /// The paths of fields that stand twice.
    pub fn duplicates(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_duplicates("", &mut found);
        found
    }

    pub fn collect_duplicates(&self, path: &str, found: &mut Vec<String>) {
        match self {
            Self::Null | Self::Plain(_) => {}
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_duplicates(&format!("{path}[{index}]"), found);
                }
            }
            Self::Object(fields) => {
                let mut seen = HashSet::new();
                for (name, field) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    if !seen.insert(name) {
                        complain(found, path.clone());
                    }
                    field.collect_duplicates(&path, found);
                }
            }
        }
    }
}

/// Adds a complaint that was not made yet, up to the limit.
pub(super) fn complain(complaints: &mut Vec<String>, complaint: String) {
    if complaints.len() < MAX_COMPLAINTS && !complaints.contains(&complaint) {
        complaints.push(complaint);
    }
}

/// The value of a plain text.
pub(super) fn plain_value(text: &[u8]) -> Value {
    match text {
        b"true" => Value::Bool(true),
        b"false" => Value::Bool(false),
        [b'"', inner @ .., b'"'] => Value::String(unquoted(inner)),
        _ => number(text).flatten().map_or(Value::Null, Value::Number),
    }
}

/// `None` if it is no number at all, `Some(None)` if it is out of range.
fn number(text: &[u8]) -> Option<Option<Number>> {
    if !matches!(text.first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Some(whole.into()));
    }
    Some(text.parse().ok().and_then(Number::from_f64))
}

/// The text between the quotes without its escapes. What is no Unicode becomes U+FFFD.
pub(super) fn unquoted(inner: &[u8]) -> String {
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [b'u', tail @ ..]) => {
                let (c, left) = unicode(tail);
                rest = left;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            (b'\\', [escape, tail @ ..]) => {
                rest = tail;
                out.push(unescaped(*escape));
            }
            _ => out.push(*first),
        }
    }
    go_text::lossy(&out)
}

fn unescaped(escape: u8) -> u8 {
    match escape {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

/// The character of `\uXXXX`, or of two of them, and what follows.
fn unicode(text: &[u8]) -> (char, &[u8]) {
    let (first, rest) = hex4(text);
    if let Some(c) = char::from_u32(first) {
        return (c, rest);
    }
    if let (0xd800..0xdc00, [b'\\', b'u', low @ ..]) = (first, rest) {
        let (second, rest) = hex4(low);
        if (0xdc00..0xe000).contains(&second) {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), rest);
        }
    }
    (char::REPLACEMENT_CHARACTER, rest)
}

fn hex4(text: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = text.split_at(text.len().min(4));
    let code = digits.iter().filter_map(|digit| char::from(*digit).to_digit(16));
    (code.fold(0, |code, digit| code * 16 + digit), rest)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next_visible(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// The complaint about the next byte. White space that follows the text would be no complaint in this place.
    fn unexpected(&self, place: &str) -> String {
        match self.peek() {
            Some(byte) => complaint(byte, place),
            None => "unexpected end of JSON input".to_owned(),
        }
    }

    /// The complaint about the next byte, within a word or number: the end of the text counts as a space there.
    fn unfinished(&self, place: &str) -> String {
        complaint(self.peek().unwrap_or(b' '), place)
    }

    fn value(&mut self, depth: usize) -> Result<Written, String> {
        match self.next_visible() {
            Some(b'{' | b'[') if depth >= MAX_BODY_DEPTH => Err(self.unexpected("exceeded max depth")),
            Some(b'{') => self.object(depth).map(Written::Object),
            Some(b'[') => self.list(depth).map(Written::List),
            Some(b'"') => self.plain(Self::string),
            Some(b'-' | b'0'..=b'9') => self.plain(Self::number),
            Some(b't') => self.plain(|parser| parser.word("true")),
            Some(b'f') => self.plain(|parser| parser.word("false")),
            Some(b'n') => self.word("null").map(|()| Written::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn plain(&mut self, read: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<Written, String> {
        self.text_of(read).map(|text| Written::Plain(text.into()))
    }

    fn text_of(&mut self, read: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<&'t [u8], String> {
        let start = self.at;
        read(self)?;
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Written>, String> {
        let mut items = Vec::new();
        self.at += 1;
        if self.next_visible() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(b']', "after array element")? {
                return Ok(items);
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<(String, Written)>, String> {
        let mut fields = Vec::new();
        self.at += 1;
        if self.next_visible() == Some(b'}') {
            self.at += 1;
            return Ok(fields);
        }
        loop {
            let name = self.name()?;
            fields.push((name, self.value(depth + 1)?));
            if self.ends(b'}', "after object key:value pair")? {
                return Ok(fields);
            }
        }
    }

    /// Reads what separates items: true at the end.
    fn ends(&mut self, end: u8, place: &str) -> Result<bool, String> {
        let next = self.next_visible();
        if next != Some(b',') && next != Some(end) {
            return Err(self.unexpected(place));
        }
        self.at += 1;
        Ok(next == Some(end))
    }

    fn name(&mut self) -> Result<String, String> {
        if self.next_visible() != Some(b'"') {
            return Err(self.unexpected("looking for beginning of object key string"));
        }
        let quoted = self.text_of(Self::string)?;
        if self.next_visible() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(unquoted(quoted.get(1..quoted.len() - 1).unwrap_or_default()))
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        self.at += 1;
        match self.peek() {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    self.one(|byte| byte.is_ascii_hexdigit(), "in \\u hexadecimal character escape")?;
                }
            }
            _ => return Err(self.unfinished("in string escape code")),
        }
        Ok(())
    }

    fn one(&mut self, allowed: impl Fn(u8) -> bool, place: &str) -> Result<(), String> {
        if !self.peek().is_some_and(allowed) {
            return Err(self.unfinished(place));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        self.at += 1;
        for expected in word.bytes().skip(1) {
            let place = format!("in literal {word} (expecting '{}')", char::from(expected));
            self.one(|byte| byte == expected, &place)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits("in numeric literal")?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digits(&mut self, place: &str) -> Result<(), String> {
        self.one(|byte| byte.is_ascii_digit(), place)?;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

fn complaint(byte: u8, place: &str) -> String {
    format!("invalid character {} {place}", go_text::quoted_byte(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn complains_as_go_does() {
        let cases = [
            ("", "unexpected end of JSON input"),
            (" ", "unexpected end of JSON input"),
            ("[1,", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("{\"a\"", "unexpected end of JSON input"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("nul]", "invalid character ']' in literal null (expecting 'l')"),
            ("fx", "invalid character 'x' in literal false (expecting 'a')"),
            ("1.", "invalid character ' ' after decimal point in numeric literal"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1e+", "invalid character ' ' in exponent of numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\", "invalid character ' ' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 'b'}", "invalid character '\\'' after object key:value pair"),
            ("[] \"", "invalid character '\"' after top-level value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
        ];
        for (text, expected) in cases {
            assert_eq!(Written::parse(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_depth() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Written::parse(deep(MAX_BODY_DEPTH).as_bytes()).is_ok());
        let error = Written::parse(deep(MAX_BODY_DEPTH + 1).as_bytes()).unwrap_err();
        assert_eq!(error, "invalid character '[' exceeded max depth");
        assert!(Written::parse(deep(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn values() {
        let cases: [(&[u8], Value); 7] = [
            (br#" [1, -2.5 , true,null,"x"] "#, json!([1, -2.5, true, null, "x"])),
            (b"18446744073709551615", json!(1.844_674_407_370_955_2e19)),
            (br#""\u0041\n\/\ud83d\ude00""#, json!("A\n/😀")),
            (br#""\ud800x\udc00\ud800\u0041""#, json!("\u{fffd}x\u{fffd}\u{fffd}A")),
            (b"\"a\xff\xfeb\"", json!("a\u{fffd}\u{fffd}b")),
            (br#"{"a":1,"a":2,"\u0062":{}}"#, json!({"a": 2, "b": {}})),
            (b"1e2", json!(100.0)),
        ];
        for (text, expected) in cases {
            assert_eq!(Written::parse(text).unwrap().into_value(), expected);
        }
    }
}
