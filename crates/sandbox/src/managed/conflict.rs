//! Fields that somebody else owns (`apimachinery/pkg/util/managedfields/internal/conflict.go`).

use serde_json::{Value, json};

use super::compare::Changes;
use super::entries::Entries;
use super::gotext::quoted;
use super::path::Path;
use super::set::Set;
use super::{Manager, Operation};
use crate::failure::Failure;

/// A field that would be taken from its owner.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    manager: Manager,
    path: Path,
}

/// What an applier would take from others, by owner and path.
pub(super) fn conflicts(entries: &Entries, changes: &Changes, applier: &Manager) -> Vec<Conflict> {
    let (identity, written) = (applier.identity(), changes.written());
    let others = entries.iter().filter(|(other, _)| **other != identity);
    let taken = others.flat_map(|(_, entry)| {
        let paths = entry.fields.intersection(&written).paths();
        paths.into_iter().map(|path| Conflict { manager: entry.manager.clone(), path })
    });
    taken.collect()
}

/// The conflicts about fields that are not in a set.
pub(super) fn outside(conflicts: Vec<Conflict>, allowed: &Set) -> Vec<Conflict> {
    conflicts.into_iter().filter(|conflict| !allowed.has(&conflict.path)).collect()
}

fn owner(manager: &Manager) -> String {
    let mut out = quoted(&manager.name);
    if !manager.subresource.is_empty() {
        out += &format!(" with subresource {}", quoted(&manager.subresource));
    }
    if manager.operation == Operation::Update {
        out += &format!(" using {}", manager.api_version);
    }
    out
}

/// The answer to an apply with conflicts: 409 with a cause for each.
pub(super) fn failure(conflicts: &[Conflict]) -> Failure {
    let cause = |conflict: &Conflict| {
        let message = format!("conflict with {}", owner(&conflict.manager));
        json!({"reason": "FieldManagerConflict", "message": message, "field": conflict.path.to_string()})
    };
    let causes: Vec<Value> = conflicts.iter().map(cause).collect();
    let mut failure = Failure::new(409, "Conflict", message(conflicts));
    failure.details.get_or_insert_default().insert("causes".to_owned(), Value::Array(causes));
    failure
}

fn message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {}: {}", owner(&only.manager), only.path);
    }
    let mut lines = Vec::new();
    for of_one in conflicts.chunk_by(|left, right| left.manager == right.manager) {
        lines.extend(of_one.first().map(|first| format!("conflicts with {}:", owner(&first.manager))));
        lines.extend(of_one.iter().map(|conflict| format!("- {}", conflict.path)));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}
