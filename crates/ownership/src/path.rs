//! Paths to fields of an object, as a profile writes them: `status.nodeName`, `metadata.labels['kubevirt.io/nodeName']`.

use serde_json::Value;
use std::fmt;
use thiserror::Error;

/// A path that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "write fields with dots, and keys that have dots or slashes as ['key'], for example metadata.labels['example.com/key']"
)]
pub struct PathError;

/// A path to a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A field, written with a dot.
    Field(String),
    /// A key of a map, written in brackets.
    Key(String),
}

impl Segment {
    /// The name of the field or key.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Field(name) | Self::Key(name) => name,
        }
    }
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`] if the text is no path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let (first, mut rest) = take_field(text)?;
        let mut segments = vec![first];
        while !rest.is_empty() {
            let (segment, after) = match rest.strip_prefix('.') {
                Some(field) => take_field(field)?,
                None => take_key(rest)?,
            };
            segments.push(segment);
            rest = after;
        }
        Ok(Self { segments })
    }

    /// Its steps; there is at least one.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The value at the path, if the object has it.
    #[must_use]
    pub fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(object, |value, segment| value.as_object()?.get(segment.name()))
    }

    /// The text at the path. A field that is missing, or no text, is empty.
    #[must_use]
    pub fn text<'a>(&self, object: &'a Value) -> &'a str {
        self.find(object).and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Field(name) if index == 0 => write!(f, "{name}")?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Key(key) => write!(f, "['{key}']")?,
            }
        }
        Ok(())
    }
}

fn take_field(text: &str) -> Result<(Segment, &str), PathError> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if is_field(name) { Ok((Segment::Field(name.to_owned()), rest)) } else { Err(PathError) }
}

/// The identifiers that the expression language takes without escaping, less its reserved words.
fn is_field(name: &str) -> bool {
    const RESERVED: [&str; 17] = [
        "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
        "null", "return", "true", "void",
    ];
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(letters) && !RESERVED.contains(&name)
}

fn take_key(text: &str) -> Result<(Segment, &str), PathError> {
    let inner = text.strip_prefix("['").ok_or(PathError)?;
    let (key, rest) = inner.split_once("']").ok_or(PathError)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(plain) {
        return Err(PathError);
    }
    Ok((Segment::Key(key.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_read_and_written_alike() {
        for text in ["status", "status.nodeName", "metadata.labels['kubevirt.io/nodeName']", "a['b.c'].d['e']"] {
            assert_eq!(FieldPath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in
            ["", ".a", "a.", "a..b", "['a']", "a['b", "a[b]", "a['']", "a['x'y']", "a b", "a.in", "a['\\']", "1a"]
        {
            assert_eq!(FieldPath::parse(text), Err(PathError), "{text}");
        }
    }

    #[test]
    fn a_missing_field_is_empty_text() {
        let object = json!({"status": {"nodeName": "n1", "n": 5, "null": null}});
        for (path, expected) in
            [("status.nodeName", "n1"), ("status.n", ""), ("status.nope.deeper", ""), ("status.nodeName.x", "")]
        {
            assert_eq!(FieldPath::parse(path).unwrap().text(&object), expected, "{path}");
        }
    }
}
