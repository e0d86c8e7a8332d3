//! From the text of a request's body to a value.

use serde_json::Value;

use super::conform::Unknown;
use super::go_json::{Note, Parser};

/// What a JSON text says, and the paths of keys that it has twice (the later one counts): `metadata.name`.
///
/// # Errors
/// The text is no JSON, in the words of Go's `encoding/json`. Nesting deeper than 256 is refused; the server goes to
/// 10,000.
pub fn decode_json(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    let (value, notes) = Parser::new(bytes).document()?;
    Ok((value, notes.into_iter().map(|(Note::Watched(path) | Note::Duplicate(path))| path).collect()))
}

/// What strict decoding of a JSON text complains of, in the order of the text, as the server does. Without the text,
/// [`Unknown::complaints`] gives the same in another order.
#[must_use]
pub fn complaints(bytes: &[u8], unknown: &Unknown) -> Vec<String> {
    let Ok((_, notes)) = Parser::new(bytes).watching(&unknown.0).document() else { return Vec::new() };
    let notes = notes.into_iter().filter_map(|note| match note {
        Note::Watched(path) => Some(format!("unknown field {path:?}")),
        Note::Duplicate(path) if unknown.covers(&path) => None,
        Note::Duplicate(path) => Some(format!("duplicate field {path:?}")),
    });
    notes.collect()
}

/// Deepest nesting of YAML, and the largest number of its nodes.
const MAX_DEPTH: usize = 256;
const MAX_NODES: usize = 1_000_000;

/// What a YAML text says, as JSON; the first document if there are several. Of a key that is there twice the later one
/// counts; the complaints are those of strict decoding.
///
/// # Errors
/// The text is no YAML.
pub fn decode_yaml(bytes: &[u8]) -> Result<(Value, Vec<String>), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "yaml: invalid leading UTF-8 octet".to_owned())?;
    let text = first_document(text);
    let mut value = read_yaml(text, false).map_err(|error| problem(&error))?;
    make_whole(&mut value);
    let complaint = read_yaml(text, true).err().as_ref().map(problem);
    Ok((value, complaint.into_iter().collect()))
}

/// The text up to the line that begins another document.
fn first_document(text: &str) -> &str {
    let (mut at, mut begun) = (0, false);
    for line in text.split_inclusive('\n') {
        let separates = line.trim_end() == "---" || line.starts_with("--- ");
        if separates && begun {
            return text.get(..at).unwrap_or(text);
        }
        let content = line.trim();
        begun |= separates || !(content.is_empty() || content.starts_with(['#', '%']));
        at += line.len();
    }
    text
}

fn read_yaml(text: &str, strict: bool) -> Result<Value, serde_saphyr::Error> {
    use serde_saphyr::options::DuplicateKeyPolicy;
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        duplicate_keys: if strict { DuplicateKeyPolicy::Error } else { DuplicateKeyPolicy::LastWins },
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES, max_events: 2 * MAX_NODES },
    };
    serde_saphyr::from_str_with_options(text, options)
}

fn problem(error: &serde_saphyr::Error) -> String {
    let line = error.location().map_or(1, |location| location.line());
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
        return format!("line {line}: key {:?} already set in map", key.as_deref().unwrap_or_default());
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let reason = first.split_once(" at line ").map_or(first, |(reason, _)| reason);
    format!("yaml: line {line}: {reason}")
}

/// On its way through JSON, which the server sends YAML, a whole number loses its point.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let written = number.as_f64().filter(|_| number.as_i64().is_none()).map(|float| float.to_string());
            if let Some(read) = written.and_then(|text| decode_json(text.as_bytes()).ok()) {
                *value = read.0;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(map) => map.values_mut().for_each(make_whole),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_as_the_server_reads_it() {
        let cases = [
            (
                "{a: yes, b: on, c: 0x10, d: 010, e: 1_000, f: 1e3, g: 2026-01-01, h: ~}",
                json!({"a": true, "b": true, "c": 16, "d": 8, "e": 1000, "f": 1000, "g": "2026-01-01", "h": null}),
            ),
            (
                "{k: \"yes\", l: n, s: 1:30, t: 1.0, u: .5}",
                json!({"k": "yes", "l": false, "s": "1:30", "t": 1, "u": 0.5}),
            ),
            ("---\na: 1\n---\nb: 2", json!({"a": 1})),
            ("# c\n---\na: |\n  x\n", json!({"a": "x\n"})),
            ("a: &z {b: 1}\nc: {<<: *z, d: 2}", json!({"a": {"b": 1}, "c": {"b": 1, "d": 2}})),
            ("{\"a\": [1, 2]}", json!({"a": [1, 2]})),
            ("", Value::Null),
        ];
        for (text, expected) in cases {
            assert_eq!(decode_yaml(text.as_bytes()), Ok((expected, Vec::new())), "{text}");
        }
    }

    #[test]
    fn the_first_duplicate_of_yaml_is_noted() {
        let (value, complaints) = decode_yaml(b"m:\n  name: a\n  name: b\n").unwrap();
        assert_eq!(value, json!({"m": {"name": "b"}}));
        assert_eq!(complaints, ["line 3: key \"name\" already set in map"]);
    }

    #[test]
    fn broken_or_deep_yaml_is_refused() {
        for text in ["a: [", "a: b: c", "%", "a: *x", &"[".repeat(5_000)] {
            assert!(decode_yaml(text.as_bytes()).is_err_and(|error| error.starts_with("yaml: ")), "{text}");
        }
    }
}
