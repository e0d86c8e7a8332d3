//! Values that are known only once a server gave them, and patterns for those that no test can know.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Captured values by name.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// Takes values out of an answer.
    pub fn capture(&mut self, names: &BTreeMap<String, String>, body: &Value) -> Result<(), String> {
        for (name, pointer) in names {
            let value = body.pointer(pointer).ok_or_else(|| format!("    there is no {pointer} in {body}"))?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.0.insert(name.clone(), text);
        }
        Ok(())
    }

    /// A text with the values that it names.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    /// A value with the values that its texts name.
    pub fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (self.fill(name), self.filled(value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    /// Whether a value is the expected one.
    pub fn fits(&self, expected: &Value, actual: &Value) -> bool {
        match (expected, actual) {
            (Value::String(expected), Value::String(actual)) => self.text_fits(expected, actual),
            (Value::Array(expected), Value::Array(actual)) => {
                expected.len() == actual.len() && expected.iter().zip(actual).all(|(one, other)| self.fits(one, other))
            }
            (Value::Object(expected), Value::Object(actual)) => {
                expected.len() == actual.len()
                    && expected
                        .iter()
                        .all(|(name, value)| actual.get(&self.fill(name)).is_some_and(|other| self.fits(value, other)))
            }
            (expected, actual) => expected == actual,
        }
    }

    fn text_fits(&self, expected: &str, actual: &str) -> bool {
        let filled = self.fill(expected);
        let pattern = ["<uid>", "<time>", "<version>"].into_iter().find(|pattern| filled.contains(pattern));
        let Some((pattern, (before, after))) = pattern.and_then(|it| Some((it, filled.split_once(it)?))) else {
            return filled == actual;
        };
        let middle = actual.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        middle.is_some_and(|middle| match pattern {
            "<uid>" => shape(middle) == "h8-h4-h4-h4-h12",
            "<time>" => middle.starts_with("20") && middle.ends_with('Z') && middle.contains('T'),
            _ => !middle.is_empty() && middle.chars().all(|letter| letter.is_ascii_digit()),
        })
    }
}

/// The lengths of the hexadecimal parts of an identifier.
fn shape(text: &str) -> String {
    let parts = text.split('-').map(|part| match part.chars().all(|letter| letter.is_ascii_hexdigit()) {
        true => format!("h{}", part.len()),
        false => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("-")
}
