//! The document as protocol buffers, as far as clients read it: `openapi.v2.Document` of
//! `github.com/google/gnostic-models/openapiv2/OpenAPIv2.proto`, whose numbers of fields stand here.

use serde_json::{Map, Value};

const SWAGGER: u32 = 1;
const DEFINITIONS: u32 = 9;
/// The first field of every list of names with schemas, of types and of items.
const FIRST: u32 = 1;
/// The value beside a name.
const VALUE: u32 = 2;

const REFERENCE: u32 = 1;
const FORMAT: u32 = 2;
const DESCRIPTION: u32 = 4;
const REQUIRED: u32 = 19;
const ADDITIONAL: u32 = 21;
const TYPE: u32 = 22;
const ITEMS: u32 = 23;
const PROPERTIES: u32 = 25;
const EXTENSION: u32 = 31;
/// An extension's value as YAML.
const YAML: u32 = 2;

/// A message in the making, of which every field has a length.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn put(&mut self, field: u32, content: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(content.len() as u64);
        self.0.extend_from_slice(content);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn text(&mut self, field: u32, text: Option<&Value>) {
        if let Some(text) = text.and_then(Value::as_str) {
            self.put(field, text.as_bytes());
        }
    }
}

/// `Document` with these definitions.
pub(super) fn document(definitions: &Map<String, Value>) -> Vec<u8> {
    let mut document = Message::default();
    document.put(SWAGGER, b"2.0");
    document.put(DEFINITIONS, &named(definitions));
    document.0
}

/// `Definitions` or `Properties`: names with schemas.
fn named(schemas: &Map<String, Value>) -> Vec<u8> {
    let mut list = Message::default();
    for (name, schema) in schemas {
        let mut entry = Message::default();
        entry.put(FIRST, name.as_bytes());
        entry.put(VALUE, &self::schema(schema));
        list.put(FIRST, &entry.0);
    }
    list.0
}

fn schema(schema: &Value) -> Vec<u8> {
    let mut message = Message::default();
    message.text(REFERENCE, schema.get("$ref"));
    message.text(FORMAT, schema.get("format"));
    message.text(DESCRIPTION, schema.get("description"));
    for name in schema["required"].as_array().into_iter().flatten() {
        message.text(REQUIRED, Some(name));
    }
    if let Some(value) = schema.get("additionalProperties").filter(|value| value.is_object()) {
        message.put(ADDITIONAL, &only(&self::schema(value)));
    }
    if let Some(word) = schema["type"].as_str() {
        message.put(TYPE, &only(word.as_bytes()));
    }
    if let Some(item) = schema.get("items") {
        message.put(ITEMS, &only(&self::schema(item)));
    }
    if let Some(properties) = schema["properties"].as_object() {
        message.put(PROPERTIES, &named(properties));
    }
    let extensions = schema.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-"));
    extensions.for_each(|(name, value)| message.put(EXTENSION, &extension(name, value)));
    message.0
}

/// `TypeItem`, `ItemsItem` or `AdditionalPropertiesItem`.
fn only(content: &[u8]) -> Vec<u8> {
    let mut item = Message::default();
    item.put(FIRST, content);
    item.0
}

/// `NamedAny`. JSON is YAML.
fn extension(name: &str, value: &Value) -> Vec<u8> {
    let (mut entry, mut any) = (Message::default(), Message::default());
    any.put(YAML, value.to_string().as_bytes());
    entry.put(FIRST, name.as_bytes());
    entry.put(VALUE, &any.0);
    entry.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_written_field_by_field() {
        let written = schema(&json!({"type": "string", "$ref": "r", "required": ["a"], "x-y": [1]}));
        let expected = [
            &b"\x0a\x01r"[..],
            b"\x9a\x01\x01a",
            b"\xb2\x01\x08\x0a\x06string",
            b"\xfa\x01\x0c\x0a\x03x-y\x12\x05\x12\x03[1]",
        ];
        assert_eq!(written, expected.concat());
        let nested = schema(&json!({"items": {}, "properties": {"p": {"format": "f"}}}));
        assert_eq!(nested, b"\xba\x01\x02\x0a\x00\xca\x01\x0a\x0a\x08\x0a\x01p\x12\x03\x12\x01f");
    }

    #[test]
    fn long_texts_have_long_lengths() {
        let mut message = Message::default();
        message.put(1, &[b'a'; 300]);
        assert_eq!(message.0[..3], [0x0a, 0xac, 0x02]);
    }
}
