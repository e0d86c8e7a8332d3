//! Continue tokens: where a list goes on, and at which revision
//! (`staging/src/k8s.io/apiserver/pkg/storage/continue.go`). They come back from clients, so they are nobody's word.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::patch::Body;
use crate::schema::go_names::kind;

/// The version of tokens.
const VERSION: &str = "meta.k8s.io/v1";

const NO_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PADDING);

/// Where a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    /// The revision of the first page; less than 0 for the present.
    pub revision: i64,
    /// The first key that may follow, without the namespace that is listed.
    pub start: String,
}

#[derive(Serialize)]
struct Written<'t> {
    v: &'static str,
    rv: i64,
    start: &'t str,
}

impl Token {
    pub fn encode(&self) -> String {
        let written = Written { v: VERSION, rv: self.revision, start: &self.start };
        let json = serde_json::to_vec(&written).expect("texts and a number can be written");
        BASE64.encode(json)
    }

    /// Reads a token. Its start has no slash in front, and goes nowhere up.
    pub fn decode(text: &str) -> Result<Self, Failure> {
        let decoded = decode(text).map_err(|why| format!("continue key is not valid: {why}"));
        decoded.map_err(|why| Failure::bad_request(format!("invalid continue token: {why}")))
    }
}

fn decode(text: &str) -> Result<Token, String> {
    let json = Body::parse(&octets(text)?)?.patch;
    let version = text_of(&json, "v")?;
    let revision = integer_of(&json, "rv")?;
    let start = text_of(&json, "start")?;
    if version != VERSION {
        return Err(format!("server does not recognize this encoded version {version}"));
    }
    if revision == 0 {
        return Err(format!("incorrect encoded start resourceVersion (version {VERSION})"));
    }
    if start.is_empty() {
        return Err(format!("encoded start key empty (version {VERSION})"));
    }
    let inside = start.strip_prefix('/').unwrap_or(start);
    if !is_clean(inside) {
        return Err(start.to_owned());
    }
    Ok(Token { revision, start: inside.to_owned() })
}

/// Whether Go's `path.Clean` leaves a path alone.
fn is_clean(path: &str) -> bool {
    path.is_empty() || path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Line ends count for positions, and for nothing else (Go's `encoding/base64`).
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let illegal = |at: usize| format!("illegal base64 data at input byte {at}");
    let is_line_end = |octet: u8| matches!(octet, b'\r' | b'\n');
    let is_known = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_') || is_line_end(octet);
    if let Some(at) = text.bytes().position(|octet| !is_known(octet)) {
        return Err(illegal(at));
    }
    let known: Vec<u8> = text.bytes().filter(|octet| !is_line_end(*octet)).collect();
    BASE64.decode(known).map_err(|_| illegal(text.len().saturating_sub(1)))
}

/// A field, by its name in upper or lower case (Go's `encoding/json`).
fn field<'j>(json: &'j Value, name: &str) -> Result<&'j Value, String> {
    const NOTHING: &Value = &Value::Null;
    match json {
        Value::Null => Ok(NOTHING),
        Value::Object(fields) => {
            let named = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            Ok(named.map_or(NOTHING, |(_, value)| value))
        }
        other => Err(format!("json: cannot unmarshal {} into Go value of type storage.continueToken", kind(other))),
    }
}

fn text_of<'j>(json: &'j Value, name: &str) -> Result<&'j str, String> {
    match field(json, name)? {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        other => Err(mistyped(kind(other), name, "string")),
    }
}

fn integer_of(json: &Value, name: &str) -> Result<i64, String> {
    match field(json, name)? {
        Value::Null => Ok(0),
        Value::Number(number) => number.as_i64().ok_or_else(|| mistyped(&format!("number {number}"), name, "int64")),
        other => Err(mistyped(kind(other), name, "int64")),
    }
}

fn mistyped(found: &str, name: &str, expected: &str) -> String {
    format!("json: cannot unmarshal {found} into Go struct field continueToken.{name} of type {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(json: &str) -> String {
        BASE64.encode(json)
    }

    #[test]
    fn tokens_are_the_servers() {
        let token = Token { revision: 1238, start: "/sem-w1\0".to_owned() };
        assert_eq!(token.encode(), encoded(r#"{"v":"meta.k8s.io/v1","rv":1238,"start":"/sem-w1\u0000"}"#));
        assert_eq!(Token::decode(&token.encode()), Ok(Token { start: "sem-w1\0".to_owned(), ..token }));
    }

    #[test]
    fn bad_tokens_are_refused_in_the_servers_words() {
        let table = [
            ("%%".to_owned(), "illegal base64 data at input byte 0"),
            ("abcde".to_owned(), "illegal base64 data at input byte 4"),
            ("ab\ncd=".to_owned(), "illegal base64 data at input byte 5"),
            (encoded("x"), "invalid character 'x' looking for beginning of value"),
            (encoded("{"), "unexpected end of JSON input"),
            (encoded("[]"), "json: cannot unmarshal array into Go value of type storage.continueToken"),
            (encoded("5"), "json: cannot unmarshal number into Go value of type storage.continueToken"),
            (encoded("null"), "server does not recognize this encoded version "),
            (encoded("{}"), "server does not recognize this encoded version "),
            (encoded(r#"{"v":"v2","rv":5,"start":"a"}"#), "server does not recognize this encoded version v2"),
            (
                encoded(r#"{"v":5}"#),
                "json: cannot unmarshal number into Go struct field continueToken.v of type string",
            ),
            (encoded(r#"{"v":"meta.k8s.io/v1"}"#), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5}"#), "encoded start key empty (version meta.k8s.io/v1)"),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","rv":"5"}"#),
                "json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
            ),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","rv":5.5}"#),
                "json: cannot unmarshal number 5.5 into Go struct field continueToken.rv of type int64",
            ),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"../../a"}"#), "../../a"),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"a//b"}"#), "a//b"),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"//a"}"#), "//a"),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"a/."}"#), "a/."),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"a/"}"#), "a/"),
            (encoded(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"w2"} x"#), "invalid character 'x' after top-level value"),
            (
                encoded(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"w2",}"#),
                "invalid character '}' looking for beginning of object key string",
            ),
        ];
        for (text, why) in table {
            let failure = Token::decode(&text).expect_err(why);
            let expected = format!("invalid continue token: continue key is not valid: {why}");
            assert_eq!((failure.code, failure.message), (400, expected));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}", json in r#"\{"v":"meta.k8s.io/v1","rv":-?[0-9]{1,22},"start":"[./a-c]{0,6}"\}"#) {
            let _ = Token::decode(&text);
            if let Ok(token) = Token::decode(&encoded(&json)) {
                prop_assert!(is_clean(&token.start) && !token.start.starts_with('/'));
            }
        }
    }
}
