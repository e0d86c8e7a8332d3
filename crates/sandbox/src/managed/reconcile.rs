//! Sets that were written when a type was another one (`structured-merge-diff/typed/reconcile_schema.go`).

use super::form::{Form, ListForm, Place};
use super::path::Element;
use super::set::{Node, Set};

/// The set with whatever is owned as a whole by now owned as a whole.
pub(super) fn reconcile(set: Set, place: Place<'_>) -> Set {
    let whole = owned_in_parts(&set, place);
    if whole.is_empty() { set } else { set.recursive_difference(&whole).union(&whole) }
}

/// Where the set has parts of something that is owned as a whole.
fn owned_in_parts(set: &Set, place: Place<'_>) -> Set {
    let unknown = |element: &Element| matches!(element, Element::Field(name) if !place.allows(name));
    let parts = set.nodes().filter(|(element, node)| !node.children.is_empty() && !unknown(element));
    let part = |(element, node): (&Element, &Node)| {
        let place = place.at(element);
        let found = match place.form(None) {
            _ if place.is_untyped() => Node::default(),
            Form::Map { atomic: true } | Form::List(ListForm::Atomic) => Node::leaf(),
            Form::Scalar(_) => Node::default(),
            _ => Node { member: false, children: owned_in_parts(&node.children, place) },
        };
        (element.clone(), found)
    };
    parts.map(part).collect()
}
