//! Other resources: objects that belong to the agent's own node.

use serde_json::Value;
use std::collections::BTreeSet;

use super::object::unchanged_but;
use super::{SERVER_MANAGED, Verdict, must, none, own_node};
use crate::equality::equal;
use crate::guard::Rule;
use crate::identity::NodeClaim;
use crate::path::FieldPath;
use crate::profile::{Profile, Resource};
use crate::request::{Object, Operation, Request};
use crate::spec::OwnNode;

pub(super) fn judge(profile: &Profile, resource: &Resource, request: &Request<'_>) -> Verdict {
    let (judged, change) = match request.operation {
        Operation::Create { new } => (new, None),
        Operation::Delete { old } => (old, None),
        Operation::Update { old, new } => (old, Some((old, new))),
        Operation::Connect => return must(Rule::OwnNode, false),
    };
    own_node(profile, request, |claim| belongs(resource, judged, claim))?;
    let Some((old, new)) = change else { return Ok(()) };
    none(Rule::NodeField, moved(profile, resource, old, new))?;
    none(Rule::Introduce, introduced(resource, old, new))?;
    if may_change(resource, old, new) {
        return Ok(());
    }
    none(Rule::Fields, names(&resource.may_change))
}

/// A claim on any node will do for an object that names none.
fn belongs(resource: &Resource, object: Object<'_>, claim: &NodeClaim<'_>) -> bool {
    let NodeClaim::Node { name, .. } = claim else { return false };
    resource.node.is_empty() || resource.node.iter().any(|path| path.text(object.raw()) == *name)
}

/// Fields naming a node that hold nothing of what such a field held before; the claimed node is among that, by the rule
/// `own-node`. A missing field holds empty text.
fn moved(profile: &Profile, resource: &Resource, old: Object<'_>, new: Object<'_>) -> BTreeSet<String> {
    if profile.node() == OwnNode::Any {
        return BTreeSet::new();
    }
    let fields = || resource.node.iter().chain(&resource.node_references);
    let known = |value: &Value| fields().any(|path| equal(held(path, old), value));
    names(fields().filter(|path| !known(held(path, new))))
}

fn introduced(resource: &Resource, old: Object<'_>, new: Object<'_>) -> BTreeSet<String> {
    let empty = |path: &FieldPath, object: Object<'_>| match held(path, object) {
        Value::Null => true,
        value => value.as_str() == Some(""),
    };
    names(resource.may_not_introduce.iter().filter(|path| empty(path, old) && !empty(path, new)))
}

fn held<'a>(path: &FieldPath, object: Object<'a>) -> &'a Value {
    static EMPTY: Value = Value::String(String::new());
    path.find(object.raw()).unwrap_or(&EMPTY)
}

fn names<'a>(paths: impl IntoIterator<Item = &'a FieldPath>) -> BTreeSet<String> {
    paths.into_iter().map(ToString::to_string).collect()
}

fn may_change(resource: &Resource, old: Object<'_>, new: Object<'_>) -> bool {
    if resource.may_change.is_empty() {
        return true;
    }
    let paths: Vec<(&str, Option<&str>)> = resource.may_change.iter().filter_map(top_and_field).collect();
    let mut tops: Vec<&str> = paths.iter().map(|(top, _)| *top).collect();
    tops.push("metadata");
    unchanged_but(&tops, Some(old.raw()), Some(new.raw()))
        && unchanged_but(&SERVER_MANAGED, old.field("metadata"), new.field("metadata"))
        && tops.iter().filter(|top| **top != "metadata").all(|top| within_top(&paths, top, old, new))
}

fn within_top(paths: &[(&str, Option<&str>)], top: &str, old: Object<'_>, new: Object<'_>) -> bool {
    let listed: Vec<Option<&str>> = paths.iter().filter(|(t, _)| *t == top).map(|(_, field)| *field).collect();
    if listed.contains(&None) {
        return true;
    }
    let listed: Vec<&str> = listed.into_iter().flatten().collect();
    unchanged_but(&listed, old.field(top), new.field(top))
}

fn top_and_field(path: &FieldPath) -> Option<(&str, Option<&str>)> {
    match path.segments() {
        [top] => Some((top.name(), None)),
        [top, field] => Some((top.name(), Some(field.name()))),
        _ => None,
    }
}
