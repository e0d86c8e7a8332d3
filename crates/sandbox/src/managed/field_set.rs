//! The fields that an object has (`structured-merge-diff/typed/tofieldset.go`, `fieldpath/set.go`).

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::form::{Form, ListForm, Place};
use super::path::Element;
use super::set::{Node, Set};

/// The fields of an object: its leaves, the items of its lists, the entries of its maps.
pub(super) fn fields_of(value: &Value, place: Place<'_>) -> Set {
    node_of(value, place).children
}

fn node_of(value: &Value, place: Place<'_>) -> Node {
    match (place.form(Some(value)), value) {
        (Form::Scalar(_) | Form::Map { atomic: true } | Form::List(ListForm::Atomic), _) => Node::leaf(),
        (Form::Map { .. }, Value::Object(entries)) => Node { member: false, children: of_entries(entries, place) },
        (Form::List(list), Value::Array(items)) => Node { member: false, children: of_items(list, items, place) },
        _ => Node::default(),
    }
}

fn of_entries(entries: &Map<String, Value>, place: Place<'_>) -> Set {
    let of_entry = |(name, value): (&String, &Value)| {
        let mut node = node_of(value, place.entry(name));
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        node.member |= empty || !place.declares(name);
        (Element::field(name), node)
    };
    entries.iter().map(of_entry).collect()
}

fn of_items(list: ListForm<'_>, items: &[Value], place: Place<'_>) -> Set {
    let mut nodes: BTreeMap<Element, Option<&Value>> = BTreeMap::new();
    for item in items {
        if let Ok(element) = place.element(list, item) {
            nodes.entry(element).and_modify(|known| *known = None).or_insert(Some(item));
        }
    }
    let of_item = |item: Option<&Value>| {
        let node = item.map(|item| node_of(item, place.item())).unwrap_or_default();
        Node { member: true, ..node }
    };
    nodes.into_iter().map(|(element, item)| (element, of_item(item))).collect()
}

/// The set with those fields of structures as members that lead to members.
pub(super) fn with_named_fields(set: &Set, place: Place<'_>) -> Set {
    let named = |(element, node): (&Element, &Node)| {
        let declared = matches!(element, Element::Field(name) if place.declares(name));
        let children = with_named_fields(&node.children, place.at(element));
        (element.clone(), Node { member: node.member || declared, children })
    };
    set.nodes().map(named).collect()
}
