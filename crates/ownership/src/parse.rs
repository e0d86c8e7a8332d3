//! Profiles from YAML or JSON text, through one path for files and cluster objects, with errors that name field and line.

use schemars::JsonSchema;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::fmt;
use thiserror::Error;

use crate::profile::{FieldError, Profile};
use crate::spec::AgentProfileSpec;

/// The `apiVersion` of an AgentProfile.
pub const API_VERSION: &str = "nodebound.io/v1alpha1";
/// The `kind` of an AgentProfile.
pub const KIND: &str = "AgentProfile";

/// Text that is no profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The text is neither YAML nor JSON.
    #[error("no valid YAML or JSON: {0}")]
    Syntax(String),
    /// Fields that cannot be accepted, each with its line.
    #[error("{}", list(.0))]
    Fields(Vec<LocatedError>),
}

/// A field error with the line in which the field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocatedError {
    /// The line, from 1; 0 where there is none.
    pub line: u64,
    /// The field, and what is wrong with it.
    pub error: FieldError,
}

fn list(errors: &[LocatedError]) -> String {
    let lines: Vec<String> = errors.iter().map(|e| format!("line {}: {}", e.line, e.error)).collect();
    lines.join("\n")
}

/// The object around a spec.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: AgentProfileSpec,
}

/// Of the metadata only the name counts; an object read back from a cluster has more.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Metadata {
    name: String,
}

/// Reads a profile from YAML or JSON.
///
/// # Errors
/// [`ParseError`], with every field that cannot be accepted.
pub fn profile(text: &str) -> Result<Profile, ParseError> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let root: Spanned<Node> =
        serde_saphyr::from_str_with_options(text, options).map_err(|e| ParseError::Syntax(brief(&e.to_string())))?;
    let file = typed(&root)?;
    let checked = match envelope(&file) {
        None => Profile::new(&file.metadata.name, file.spec),
        Some(error) => Err(vec![error]),
    };
    checked.map_err(|errors| located(&root, errors))
}

fn typed(root: &Spanned<Node>) -> Result<File, ParseError> {
    serde_path_to_error::deserialize(root.value.to_json()).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        located(root, vec![FieldError { path: if path == "." { "document".to_owned() } else { path }, message }])
    })
}

fn envelope(file: &File) -> Option<FieldError> {
    let error = |path: &str, message: String| Some(FieldError { path: path.to_owned(), message });
    if file.kind != KIND {
        return error("kind", format!("is `{}`; this version reads {KIND}", file.kind));
    }
    if file.api_version != API_VERSION {
        return error("apiVersion", format!("is `{}`; this version reads {API_VERSION}", file.api_version));
    }
    None
}

fn located(root: &Spanned<Node>, errors: Vec<FieldError>) -> ParseError {
    let locate = |error: FieldError| LocatedError { line: line_of(root, &error.path), error };
    ParseError::Fields(errors.into_iter().map(locate).collect())
}

/// The first line of a parser's message; the rest is a picture of the source.
fn brief(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

/// The line of the deepest part of `path` that the document has.
fn line_of(root: &Spanned<Node>, path: &str) -> u64 {
    let mut at = root;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        match at.value.child(step) {
            Some(child) => at = child,
            None => break,
        }
    }
    at.referenced.line()
}

/// A document of which every node knows its line.
#[derive(Debug)]
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl Node {
    fn child(&self, step: &str) -> Option<&Spanned<Self>> {
        match self {
            Self::Scalar(_) => None,
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            Self::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, node)| node),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Map(entries) => {
                Value::Object(entries.iter().map(|(k, v)| (k.clone(), v.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML or JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::value::{BytesDeserializer, Error};

    #[test]
    fn what_no_document_can_hold_is_refused() {
        let error = Node::deserialize(BytesDeserializer::<Error>::new(b"x")).unwrap_err();
        assert_eq!(error.to_string(), "invalid type: byte array, expected a YAML or JSON value");
    }
}
