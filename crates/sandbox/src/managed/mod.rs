//! Who owns which fields of an object (`metadata.managedFields`), and server-side apply.
//!
//! Facts: `sigs.k8s.io/structured-merge-diff/v6` and `k8s.io/apimachinery/pkg/util/managedfields`. Differences: fields
//! that were written in another API version are compared as they are, without a conversion, and entries of versions
//! that are not served any more stay. A type deduced from the value ([`crate::schema::Shape::Any`]) has granular maps
//! and atomic lists.

mod apply;
mod blank;
mod compare;
mod conflict;
mod entries;
mod field_set;
pub mod fields_v1;
mod form;
mod gotext;
mod last_applied;
mod merge;
mod path;
mod reconcile;
mod remove;
mod set;
mod times;
mod update;
mod validate;

#[cfg(test)]
mod cases;

pub use apply::{apply, expect_kind};
pub use blank::blank;
pub use compare::Changes;
pub use path::{Element, Path, compare_values, same};
pub use set::{Node, Set};
pub use times::settle_times;
pub use update::update;

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By server-side apply: it says each time what it wants.
    Apply,
    /// By a create, an update or another patch.
    Update,
}

impl Operation {
    /// The name in managed fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Apply, Self::Update].into_iter().find(|operation| operation.as_str() == text)
    }
}

/// Who writes, and how. Two entries of the same manager are never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// The name that the client gave, or the one made from its user agent.
    pub name: String,
    /// How it writes.
    pub operation: Operation,
    /// The API version in which it writes.
    pub api_version: String,
    /// The subresource it writes to; empty for the object itself.
    pub subresource: String,
}

impl Manager {
    /// A manager without a name is called `unknown` (`buildmanagerinfo.go`).
    fn named(&self) -> Self {
        let name = if self.name.is_empty() { "unknown" } else { &self.name };
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// What tells it from others; an applier is the same one in all versions (`BuildManagerIdentifier`).
    fn identity(&self) -> String {
        let version = if self.operation == Operation::Apply { "" } else { &self.api_version };
        let fields = [
            ("manager", self.name.as_str()),
            ("operation", self.operation.as_str()),
            ("apiVersion", version),
            ("subresource", &self.subresource),
        ];
        let mut out = "{".to_owned();
        for (name, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
            if out.len() > 1 {
                out.push(',');
            }
            gotext::push_json_text(&mut out, name, true);
            out.push(':');
            gotext::push_json_text(&mut out, text, true);
        }
        out.push('}');
        out
    }
}
