//! OpenAPI 2.0: one document about the types of everything, which kubectl reads to validate lists
//! (`k8s.io/kube-openapi/pkg/handler`). It has no paths.

mod wire;

use serde_json::{Map, Value, json};

use super::answer::{DocumentAnswer, accepts_json, known};
use crate::discovery::hash;
use http::header::{ETAG, HeaderName, VARY};

/// How clients ask for protocol buffers, and what they are then told that they get.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Schemas may stand in each other this deep.
const MAX_DEPTH: usize = 64;

/// The document in both of its forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    json: Vec<u8>,
    protobuf: Vec<u8>,
    hash: String,
}

impl Types {
    /// Made of the documents of OpenAPI 3.0.
    pub fn of<'d>(documents: impl Iterator<Item = &'d [u8]>) -> Self {
        let mut definitions = Map::new();
        for document in documents {
            let mut document: Value = serde_json::from_slice(document).unwrap_or_default();
            if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas").map(Value::take) {
                definitions.extend(schemas.into_iter().map(|(name, schema)| (name, rewritten(schema, MAX_DEPTH))));
            }
        }
        let protobuf = wire::document(&definitions);
        let json = json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": {},
            "definitions": definitions});
        let json = json.to_string().into_bytes();
        Self { hash: hash(&json), json, protobuf }
    }

    /// Answers a request for it, with its media type.
    pub fn answer(&self, accept: &str, if_none_match: &str) -> (DocumentAnswer, &'static str) {
        let vary = |answer: DocumentAnswer| answer.with(VARY, "Accept");
        let Some((kind, body)) = self.form(accept) else { return (vary(DocumentAnswer::empty(406)), "") };
        let etag = format!("\"{}\"", self.hash);
        let (answer, kind) = match known(&etag, if_none_match) {
            true => (DocumentAnswer::empty(304), ""),
            false => {
                (DocumentAnswer { status: 200, headers: Vec::<(HeaderName, String)>::new(), body: body.to_vec() }, kind)
            }
        };
        (vary(answer).with(ETAG, &etag), kind)
    }

    fn form(&self, accept: &str) -> Option<(&'static str, &[u8])> {
        let asks = |range: &str| matches!(range.split(';').next().unwrap_or_default().trim(), ASKED | PROTOBUF);
        if accept.split(',').any(asks) {
            return Some((PROTOBUF, &self.protobuf));
        }
        accepts_json(accept).then_some(("application/json", self.json.as_slice()))
    }
}

/// A schema of OpenAPI 3.0 as one of 2.0, which has no alternatives: a whole number or a text is a text there.
fn rewritten(schema: Value, depth: usize) -> Value {
    let (Value::Object(mut fields), Some(depth)) = (schema, depth.checked_sub(1)) else { return json!({}) };
    let reference = only_reference(&fields);
    let alternatives = ["allOf", "anyOf", "oneOf", "not"].map(|word| fields.remove(word)).iter().any(Option::is_some);
    if let Some(name) = reference {
        fields.insert("$ref".to_owned(), json!(format!("#/definitions/{name}")));
    } else if alternatives && !fields.contains_key("type") {
        fields.insert("type".to_owned(), json!("string"));
    }
    for (word, value) in &mut fields {
        match (word.as_str(), &mut *value) {
            ("properties", Value::Object(parts)) => parts.values_mut().for_each(|part| rewrite(part, depth)),
            ("items" | "additionalProperties", Value::Object(_)) => rewrite(value, depth),
            _ => {}
        }
    }
    Value::Object(fields)
}

fn rewrite(schema: &mut Value, depth: usize) {
    *schema = rewritten(schema.take(), depth);
}

/// The name of the type that a schema refers to, by itself or as the only part of `allOf`.
fn only_reference(fields: &Map<String, Value>) -> Option<String> {
    let part = || fields.get("allOf")?.as_array().filter(|parts| parts.len() == 1)?.first()?.get("$ref");
    let path = fields.get("$ref").or_else(part)?.as_str()?;
    path.rsplit('/').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_move_and_alternatives_become_texts() {
        let table = [
            (json!({"$ref": "#/components/schemas/a.b"}), json!({"$ref": "#/definitions/a.b"})),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/a"}], "description": "d", "default": {}}),
                json!({"$ref": "#/definitions/a", "description": "d", "default": {}}),
            ),
            (
                json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
                json!({"format": "int-or-string", "type": "string"}),
            ),
            (
                json!({"type": "object", "properties": {"anyOf": {"items": {"$ref": "#/components/schemas/a"}}}}),
                json!({"type": "object", "properties": {"anyOf": {"items": {"$ref": "#/definitions/a"}}}}),
            ),
            (
                json!({"type": "object", "additionalProperties": true}),
                json!({"type": "object", "additionalProperties": true}),
            ),
        ];
        for (schema, expected) in table {
            assert_eq!(rewritten(schema, MAX_DEPTH), expected);
        }
    }

    #[test]
    fn forms_are_chosen_as_the_server_chooses() {
        let types = Types::of([br#"{"components":{"schemas":{"a":{"type":"object"}}}}"#.as_slice()].into_iter());
        let table = [
            ("", 200, "application/json"),
            ("application/xml, */*;q=0.1", 200, "application/json"),
            (ASKED, 200, PROTOBUF),
            (PROTOBUF, 200, PROTOBUF),
            ("text/html", 406, ""),
            ("application/vnd.kubernetes.protobuf", 406, ""),
        ];
        for (accept, status, kind) in table {
            let (answer, found) = types.answer(accept, "");
            assert_eq!((answer.status, found), (status, kind), "{accept}");
        }
        assert_eq!(types.answer("", "*").0.status, 304);
    }
}
