//! The JSON form of sets (`structured-merge-diff/fieldpath`: `serialize.go`, `serialize-pe.go`).
//!
//! Elements are keys: `f:name`, `k:{"name":"value"}`, `v:value`, `i:index`; `.` says that what leads here is a member.
//! In a [`Value`] the keys of a level have the order of text, where the server writes them in the order of elements
//! (they differ for numbers in `k:` and `v:` only).

use serde_json::{Deserializer, Map, Number, Value};

use super::gotext;
use super::path::Element;
use super::set::{Node, Set};

/// Deeper sets are refused; no type goes as deep.
const MAX_DEPTH: usize = 200;

/// The JSON of a set.
#[must_use]
pub fn encode(set: &Set) -> Value {
    Value::Object(set.nodes().map(|(element, node)| (element_text(element), encode_node(node))).collect())
}

fn encode_node(node: &Node) -> Value {
    let mut value = encode(&node.children);
    if let (true, Value::Object(below)) = (node.member && !node.children.is_empty(), &mut value) {
        below.insert(".".to_owned(), Value::Object(Map::new()));
    }
    value
}

fn element_text(element: &Element) -> String {
    match element {
        Element::Field(name) => format!("f:{name}"),
        Element::Key(fields) => key_text(fields),
        Element::Value(value) => format!("v:{}", gotext::json(value)),
        Element::Index(index) => format!("i:{index}"),
    }
}

fn key_text(fields: &[(String, Value)]) -> String {
    let mut out = "k:{".to_owned();
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        gotext::push_json_text(&mut out, name, false);
        out.push(':');
        out.push_str(&gotext::json(value));
    }
    out.push('}');
    out
}

/// The set of a JSON form; `None` if it is malformed. Elements of unknown kinds are left out, as the server does.
#[must_use]
pub fn decode(value: &Value) -> Option<Set> {
    decode_node(value, 0).map(|node| node.children)
}

fn decode_node(value: &Value, depth: usize) -> Option<Node> {
    let entries = match value {
        Value::Object(entries) if depth < MAX_DEPTH => entries,
        Value::Null => return Some(Node::leaf()),
        _ => return None,
    };
    let below = entries.iter().filter(|(text, _)| text.as_str() != ".");
    let below = below.filter_map(|(text, value)| match element(text) {
        Parsed::Known(element) => Some(decode_node(value, depth + 1).map(|node| (element, node))),
        Parsed::Unknown => None,
        Parsed::Malformed => Some(None),
    });
    let children: Set = below.collect::<Option<_>>()?;
    Some(Node { member: children.is_empty() || entries.contains_key("."), children })
}

enum Parsed {
    Known(Element),
    Unknown,
    Malformed,
}

fn element(text: &str) -> Parsed {
    let known = match text.split_at_checked(2) {
        Some(("f:", name)) => Some(Element::field(name)),
        Some(("v:", json)) => first_value(json).map(Element::value),
        Some(("k:", json)) => first_value(json).and_then(key),
        Some(("i:", index)) => index.parse().ok().map(Element::Index),
        Some((kind, _)) if kind.ends_with(':') => return Parsed::Unknown,
        _ => None,
    };
    known.map_or(Parsed::Malformed, Parsed::Known)
}

fn key(value: Value) -> Option<Element> {
    match value {
        Value::Object(fields) => Some(Element::key(fields.into_iter().collect())),
        Value::Null => Some(Element::key(Vec::new())),
        _ => None,
    }
}

/// What follows the first value is not read, as by the server's parser.
fn first_value(json: &str) -> Option<Value> {
    Deserializer::from_str(json).into_iter().next()?.ok().map(floats)
}

/// The server reads all numbers here as floats, which shows in the paths of conflicts.
fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(number.as_f64().and_then(Number::from_f64).unwrap_or(number)),
        Value::Array(items) => items.into_iter().map(floats).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, floats(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sets_survive_the_round_trip() {
        let cases = [
            json!({}),
            json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}, "f:b/c": {}}}}),
            json!({"f:ports": {r#"k:{"containerPort":80,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}}}}),
            json!({"f:finalizers": {".": {}, r#"v:"a.io/\u003cx\u003e""#: {}}, "i:3": {}}),
        ];
        for value in cases {
            let set = decode(&value).unwrap();
            assert_eq!(encode(&set), value);
        }
    }

    #[test]
    fn leniency_is_the_servers() {
        let cases = [
            (json!({"f:a": null, "z:b": {"bad": 1}}), Some(json!({"f:a": {}}))),
            (json!({"v:1": {}, "v:1.0": {"f:a": {}}}), Some(json!({"v:1": {".": {}, "f:a": {}}}))),
            (json!({"f:a": {"f:b": {"z:c": {}}}}), Some(json!({"f:a": {"f:b": {}}}))),
            (json!({"f:a": 1}), None),
            (json!({"f:a": {"x": {}}}), None),
            (json!({"fa": {}}), None),
            (json!({"k:[1]": {}}), None),
            (json!({"k:{": {}}), None),
            (json!({"v:": {}}), None),
            (json!({"i:x": {}}), None),
            (json!({"é": {}}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(decode(&value).map(|set| encode(&set)), expected, "{value}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth| (0..depth).fold(json!({}), |inner, _| json!({ "f:a": inner }));
        assert!(decode(&nested(199)).is_some());
        assert!(decode(&nested(300)).is_none());
    }
}
