//! What changed between two objects (`structured-merge-diff/typed/compare.go`).

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::form::{self, Form, ListForm, Place};
use super::path::{self, Element};
use super::set::{Node, Set};
use super::validate::Errors;
use crate::schema::Schema;

/// The fields that changed from one object to another. No field is in two of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the first object only.
    pub removed: Set,
    /// In both, with different values.
    pub modified: Set,
    /// In the second object only.
    pub added: Set,
}

impl Changes {
    /// Compares two objects of a type; `None` if an item of a list cannot be found by its keys.
    #[must_use]
    pub fn between(old: &Value, new: &Value, schema: Schema<'_>) -> Option<Self> {
        compare(old, new, Place::root(schema)).ok()
    }

    /// What changed or is new.
    #[must_use]
    pub fn written(&self) -> Set {
        self.modified.union(&self.added)
    }

    /// Without some fields and what is below them.
    #[must_use]
    pub fn without(self, ignored: &Set) -> Self {
        if ignored.is_empty() {
            return self;
        }
        let keep = |set: &Set| set.recursive_difference(ignored);
        Self { removed: keep(&self.removed), modified: keep(&self.modified), added: keep(&self.added) }
    }
}

/// Compares two objects of a type. The error is an item of a list that cannot be found by its keys.
pub(super) fn compare(old: &Value, new: &Value, place: Place<'_>) -> Result<Changes, Errors> {
    let change = between(Some(old), Some(new), place)?;
    Ok(Changes { removed: change.removed.children, modified: change.modified.children, added: change.added.children })
}

#[derive(Default)]
struct Change {
    removed: Node,
    modified: Node,
    added: Node,
}

impl Change {
    fn union(self, other: Self) -> Self {
        Self {
            removed: self.removed.union(other.removed),
            modified: self.modified.union(other.modified),
            added: self.added.union(other.added),
        }
    }

    /// A part is new or gone as a whole if one side does not have it.
    fn whole(&mut self, old: Option<&Value>, new: Option<&Value>) {
        self.added.member |= old.is_none();
        self.removed.member |= new.is_none();
    }
}

/// The changes of the entries or items of something.
#[derive(Default)]
struct Parts {
    removed: Vec<(Element, Node)>,
    modified: Vec<(Element, Node)>,
    added: Vec<(Element, Node)>,
}

impl Parts {
    fn push(&mut self, element: Element, change: Change) {
        let Change { removed, modified, added } = change;
        let sides = [(&mut self.removed, removed), (&mut self.modified, modified), (&mut self.added, added)];
        for (side, node) in sides.into_iter().filter(|(_, node)| !node.is_empty()) {
            side.push((element.clone(), node));
        }
    }

    fn collect(self) -> Change {
        let node = |parts: Vec<_>| Node { member: false, children: parts.into_iter().collect() };
        Change { removed: node(self.removed), modified: node(self.modified), added: node(self.added) }
    }
}

fn between(old: Option<&Value>, new: Option<&Value>, place: Place<'_>) -> Result<Change, Errors> {
    let forms = (place.form(old), place.form(new));
    let mut out = match (old, new) {
        (_, None) => in_form(forms.0, old, new, place)?,
        (None, _) => in_form(forms.1, old, new, place)?,
        _ if forms.0 == forms.1 => in_form(forms.1, old, new, place)?,
        _ => in_form(forms.0, old, new, place)?.union(in_form(forms.1, old, new, place)?),
    };
    out.whole(old, new);
    Ok(out)
}

fn in_form(form: Form<'_>, old: Option<&Value>, new: Option<&Value>, place: Place<'_>) -> Result<Change, Errors> {
    match form {
        Form::Scalar(_) | Form::Map { atomic: true } | Form::List(ListForm::Atomic) => Ok(leaf(old, new)),
        Form::Map { atomic: false } => in_maps(old, new, place),
        Form::List(list) => in_lists(list, old, new, place),
    }
}

/// The change of something that is owned as a whole.
fn leaf(old: Option<&Value>, new: Option<&Value>) -> Change {
    let mut out = Change::default();
    if let (Some(old), Some(new)) = (old, new) {
        out.modified.member = !path::same(old, new);
    }
    out
}

fn in_maps(old: Option<&Value>, new: Option<&Value>, place: Place<'_>) -> Result<Change, Errors> {
    let before = form::entries(old).filter(|entries| !entries.is_empty());
    let after = form::entries(new).filter(|entries| !entries.is_empty());
    if before.is_none() && after.is_none() {
        return Ok(leaf(old, new));
    }
    let names: BTreeSet<&String> = before.iter().chain(&after).flat_map(|entries| entries.keys()).collect();
    let mut parts = Parts::default();
    let mut errors = Errors::default();
    for name in names {
        let (old, new) = (before.and_then(|map| map.get(name)), after.and_then(|map| map.get(name)));
        match between(old, new, place.entry(name)) {
            Ok(change) => parts.push(Element::field(name), change),
            Err(below) => errors.extend(below.below(&Element::field(name))),
        }
    }
    if errors.is_empty() { Ok(parts.collect()) } else { Err(errors) }
}

#[derive(Default)]
struct Pair<'v> {
    old: Vec<&'v Value>,
    new: Vec<&'v Value>,
}

fn in_lists(list: ListForm<'_>, old: Option<&Value>, new: Option<&Value>, place: Place<'_>) -> Result<Change, Errors> {
    let (before, after) = (form::items(old), form::items(new));
    if before.is_empty() && after.is_empty() {
        return Ok(leaf(old, new));
    }
    let mut pairs: BTreeMap<Element, Pair<'_>> = BTreeMap::new();
    let mut errors = Errors::default();
    let sides = [before, after].into_iter().enumerate();
    for (side, index, item) in
        sides.flat_map(|(side, items)| items.iter().enumerate().map(move |(index, item)| (side, index, item)))
    {
        match place.element(list, item) {
            Ok(element) if side == 0 => pairs.entry(element).or_default().old.push(item),
            Ok(element) => pairs.entry(element).or_default().new.push(item),
            Err(message) => errors.extend(Errors::element(index, &message)),
        }
    }
    let mut parts = Parts::default();
    for (element, pair) in pairs {
        match in_pair(&pair, place.item()) {
            Ok(change) => parts.push(element, change),
            Err(below) => errors.extend(below.below(&element)),
        }
    }
    if errors.is_empty() { Ok(parts.collect()) } else { Err(errors) }
}

/// Items that are there more than once are owned as a whole, together.
fn in_pair(pair: &Pair<'_>, place: Place<'_>) -> Result<Change, Errors> {
    let mut out = Change::default();
    match (pair.old.as_slice(), pair.new.as_slice()) {
        (old @ ([] | [_]), new @ ([] | [_])) => return between(old.first().copied(), new.first().copied(), place),
        (old @ [_, _, ..], new @ [_, _, ..]) => {
            let same = old.len() == new.len() && old.iter().zip(new).all(|(old, new)| path::same(old, new));
            out.modified.member = !same;
        }
        ([_, _, ..], new) => {
            if let Some(new) = new.first() {
                out = between(None, Some(new), place)?;
            }
            out.removed.member = true;
        }
        (old, _) => {
            if let Some(old) = old.first() {
                out = between(Some(old), None, place)?;
            }
            out.added.member = true;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{List, ListMerge, PatchStrategy, Shape, Type, Types};
    use serde_json::json;

    fn shown(set: &Set) -> String {
        set.paths().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn changes_of_untyped_values() {
        let types = Types::default();
        let cases = [
            (json!({"a": 1, "b": 1}), json!({"a": 1.0, "c": {"d": 1}}), [".b", "", ".c .c.d"]),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), [".a.b", ".a", ""]),
            (json!({"a": [1]}), json!({"a": {"b": 1}}), ["", ".a", ".a.b"]),
            (json!({"a": null}), json!({"a": 1}), ["", ".a", ""]),
            (json!({"a": {}}), json!({"a": null}), ["", ".a", ""]),
            (json!({}), json!({"a": {}}), ["", "", ".a"]),
        ];
        for (old, new, expected) in cases {
            let changes = Changes::between(&old, &new, types.at(0)).unwrap();
            assert_eq!([&changes.removed, &changes.modified, &changes.added].map(shown), expected, "{old} {new}");
        }
    }

    #[test]
    fn repeated_items_are_compared_together() {
        let mut types = Types::default();
        let item = types.add(Type::default());
        let merge = ListMerge::Map(vec!["k".into()]);
        let list = Shape::List(List { item, merge, strategy: PatchStrategy::default() });
        let list = types.add(Type { shape: list, ..Type::default() });
        let root = types.add(Type { shape: Shape::Map { value: list, atomic: false }, ..Type::default() });
        let [one, other] = ["x", "y"].map(|value| json!({"k": 1, "v": value}));
        let cases = [
            (json!([one, one]), json!([one, other]), ["", ".l[k=1]", ""]),
            (json!([one, other]), json!([one, other]), ["", "", ""]),
            (json!([one, other]), json!([one]), [".l[k=1]", "", ".l[k=1] .l[k=1].k .l[k=1].v"]),
            (json!([one]), json!([one, other]), [".l[k=1] .l[k=1].k .l[k=1].v", "", ".l[k=1]"]),
        ];
        for (old, new, expected) in cases {
            let changes = Changes::between(&json!({ "l": old }), &json!({ "l": new }), types.at(root)).unwrap();
            assert_eq!([&changes.removed, &changes.modified, &changes.added].map(shown), expected, "{old} {new}");
        }
        assert_eq!(Changes::between(&json!({}), &json!({"l": [{}]}), types.at(root)), None);
    }
}
