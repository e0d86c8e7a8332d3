//! The operations of a JSON patch.

use super::Fault;
use super::node::Node;
use crate::patch::written::{Written, complain, unquoted};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Remove,
    Replace,
    Move,
    Test,
    Copy,
    Unknown,
}

/// One operation. What it lacks matters only when it is needed.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub kind: Kind,
    path: Option<String>,
    from: Option<String>,
    pub value: Option<Node>,
}

impl Operation {
    pub fn path(&self) -> Result<&str, Fault> {
        self.path.as_deref().ok_or(Fault::Rejected)
    }

    pub fn from(&self) -> Result<&str, Fault> {
        self.from.as_deref().ok_or(Fault::Rejected)
    }

    fn read(written: Written) -> Self {
        let mut operation = Self { kind: Kind::Unknown, path: None, from: None, value: None };
        let Written::Object(fields) = written else { return operation };
        for (name, field) in fields {
            match name.as_str() {
                "op" => operation.kind = text(&field).map_or(Kind::Unknown, |op| Kind::named(&op)),
                "path" => operation.path = text(&field),
                "from" => operation.from = text(&field),
                "value" => operation.value = Some(Node::given(field)),
                _ => {}
            }
        }
        operation
    }
}

impl Kind {
    fn named(name: &str) -> Self {
        match name {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "replace" => Self::Replace,
            "move" => Self::Move,
            "test" => Self::Test,
            "copy" => Self::Copy,
            _ => Self::Unknown,
        }
    }
}

fn text(written: &Written) -> Option<String> {
    match written {
        Written::Plain(text) => match &**text {
            [b'"', inner @ .., b'"'] => Some(unquoted(inner)),
            _ => None,
        },
        _ => None,
    }
}

/// The operations of a patch that [`check`] found no error in.
pub(super) fn read_all(written: Written) -> Vec<Operation> {
    match written {
        Written::List(items) => items.into_iter().map(Operation::read).collect(),
        _ => Vec::new(),
    }
}

/// Checks types as the server does (`handlers.jsonPatchOp`): the first error, or what is worth a warning.
pub(super) fn check(written: &Written) -> Result<Vec<String>, String> {
    let mut complaints = Vec::new();
    match written {
        Written::Null => {}
        Written::List(items) => {
            for (index, item) in items.iter().enumerate() {
                check_operation(item, index, &mut complaints)?;
            }
        }
        other => return Err(mistyped(other, "Go value of type []handlers.jsonPatchOp")),
    }
    Ok(complaints.into_iter().map(|complaint| format!("json patch {complaint}")).collect())
}

fn check_operation(written: &Written, index: usize, complaints: &mut Vec<String>) -> Result<(), String> {
    let fields = match written {
        Written::Null => return Ok(()),
        Written::Object(fields) => fields,
        other => return Err(mistyped(other, "Go value of type handlers.jsonPatchOp")),
    };
    let mut seen: Vec<&str> = Vec::new();
    for (name, field) in fields {
        let path = format!("[{index}].{name}");
        match name.as_str() {
            "op" | "path" | "from" if field.kind() != "string" && field.kind() != "null" => {
                return Err(mistyped(field, &format!("Go struct field jsonPatchOp.{name} of type string")));
            }
            "value" => check_value(field, &path, complaints)?,
            "op" | "path" | "from" => {}
            _ => {
                complain(complaints, format!("unknown field {path:?}"));
                continue;
            }
        }
        if seen.contains(&name.as_str()) {
            complain(complaints, format!("duplicate field {path:?}"));
        }
        seen.push(name);
    }
    Ok(())
}

fn check_value(written: &Written, path: &str, complaints: &mut Vec<String>) -> Result<(), String> {
    if let Some(number) = written.unrepresentable() {
        return Err(format!(
            "json: cannot unmarshal number {number} into Go struct field jsonPatchOp.value of type float64"
        ));
    }
    let mut duplicates = Vec::new();
    written.collect_duplicates(path, &mut duplicates);
    duplicates.into_iter().for_each(|path| complain(complaints, format!("duplicate field {path:?}")));
    Ok(())
}

fn mistyped(written: &Written, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into {wanted}", written.kind())
}
