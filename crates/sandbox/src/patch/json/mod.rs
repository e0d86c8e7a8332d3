//! JSON patch, as the API server applies it (`gopkg.in/evanphx/json-patch.v4`): not to the letter of RFC 6902.
//!
//! `replace` of a field that is not there adds it, `test` of one passes for `null`, `copy` of one copies `null`,
//! negative indexes count from the end, and plain values are compared by their text: `1` is not `1.0`, and `"<"` is
//! not the `"\u003c"` that the server writes.

mod node;
mod operation;

use serde_json::Value;

use super::limits::{MAX_COPIED_BYTES, MAX_OPERATIONS};
use super::written::Written;
use super::{crashed, rejected};
use crate::failure::Failure;
use node::Node;
use operation::{Kind, Operation};

/// Why an operation does not apply. Clients do not learn more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Rejected,
    /// The API server breaks the request off.
    Crashed,
}

/// A JSON patch that was read.
#[derive(Clone, Debug)]
pub struct Patch {
    operations: Vec<Operation>,
    complaints: Vec<String>,
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    /// 400 with the parser's words, 413 for too many operations.
    pub fn read(body: &[u8]) -> Result<Self, Failure> {
        let undecodable = |error| Failure::bad_request(format!("error decoding patch: {error}"));
        let written = Written::parse(body).map_err(undecodable)?;
        let complaints = operation::check(&written).map_err(undecodable)?;
        let operations = operation::read_all(written);
        if operations.len() > MAX_OPERATIONS {
            return Err(too_many(operations.len()));
        }
        Ok(Self { operations, complaints })
    }

    /// Fields of operations that are unknown or stand twice: `json patch unknown field "[0].foo"`. They are warnings,
    /// or errors under strict field validation.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Applies the patch to an object.
    ///
    /// # Errors
    /// 422 without a cause, if an operation does not apply.
    pub fn apply(self, target: &Value) -> Result<Value, Failure> {
        let mut document = Document { root: Node::Kept(target.clone()), copied: 0 };
        document.root.unfold();
        for operation in self.operations {
            document.apply(operation).map_err(|fault| match fault {
                Fault::Rejected => rejected(),
                Fault::Crashed => crashed(),
            })?;
        }
        Ok(document.root.into_value())
    }
}

/// Reads a JSON patch and applies it.
///
/// # Errors
/// 400 for a body that is no patch, 413 for one with too many operations, 422 if an operation does not apply.
pub fn apply(body: &[u8], target: &Value) -> Result<Value, Failure> {
    Patch::read(body)?.apply(target)
}

fn too_many(operations: usize) -> Failure {
    Failure::too_large(format!(
        "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {operations}"
    ))
}

struct Document {
    root: Node,
    copied: usize,
}

impl Document {
    fn apply(&mut self, mut operation: Operation) -> Result<(), Fault> {
        let value = operation.value.take();
        match operation.kind {
            Kind::Add => self.add(operation.path()?, value.unwrap_or(Node::Nil)),
            Kind::Remove => self.take(operation.path()?).map(drop),
            Kind::Replace => self.replace(operation.path()?, value),
            Kind::Move => {
                let value = self.take(operation.from()?)?;
                self.add(operation.path()?, value)
            }
            Kind::Test => self.test(operation.path()?, value),
            Kind::Copy => self.copy(operation.from()?, operation.path()?),
            Kind::Unknown => Err(Fault::Rejected),
        }
    }

    fn add(&mut self, path: &str, value: Node) -> Result<(), Fault> {
        value.check_depth(levels(path))?;
        let (container, key) = self.root.find(path)?;
        container.add(key, value)
    }

    fn take(&mut self, path: &str) -> Result<Node, Fault> {
        let (container, key) = self.root.find(path)?;
        container.take(&key)
    }

    fn replace(&mut self, path: &str, value: Option<Node>) -> Result<(), Fault> {
        if path.is_empty() {
            return self.replace_root(value);
        }
        let levels = levels(path);
        let (container, key) = self.root.find(path)?;
        container.get(&key)?;
        let value = value.unwrap_or(Node::Nil);
        value.check_depth(levels)?;
        container.set(key, value)
    }

    fn replace_root(&mut self, value: Option<Node>) -> Result<(), Fault> {
        match value.ok_or(Fault::Crashed)? {
            root @ (Node::List(_) | Node::Object(_)) => {
                root.check_depth(0)?;
                self.root = root;
                Ok(())
            }
            _ => Err(Fault::Rejected),
        }
    }

    fn test(&mut self, path: &str, wanted: Option<Node>) -> Result<(), Fault> {
        let same = if path.is_empty() {
            self.root.is(&wanted.ok_or(Fault::Crashed)?)?
        } else {
            let (container, key) = self.root.find(path)?;
            match (container.get(&key)?, wanted) {
                (None, wanted) => matches!(wanted, None | Some(Node::Null)),
                (Some(_), None) => false,
                (Some(found), Some(wanted)) => found.is(&wanted)?,
            }
        };
        same.then_some(()).ok_or(Fault::Rejected)
    }

    fn copy(&mut self, from: &str, path: &str) -> Result<(), Fault> {
        let (container, key) = self.root.find(from)?;
        let text = container.get(&key)?.map(|node| node.to_json());
        self.root.find(path)?;
        let copy = match text {
            None => Node::Nil,
            Some(text) => {
                self.copied = self.copied.saturating_add(text.len());
                if self.copied > MAX_COPIED_BYTES {
                    return Err(Fault::Rejected);
                }
                Node::copied(&text)?
            }
        };
        self.add(path, copy)
    }
}

/// How deep below the root a path leads.
fn levels(path: &str) -> usize {
    path.matches('/').count()
}

#[cfg(test)]
mod tests;
