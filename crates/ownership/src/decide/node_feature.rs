//! NodeFeatures: Node Feature Discovery finds their Node by a label, so that label is what is bound.

use serde_json::Value;
use std::collections::BTreeSet;

use super::{Verdict, bad_values, must, none, own_node};
use crate::guard::{NFD_NODE_NAME, Rule};
use crate::identity::NodeClaim;
use crate::profile::Profile;
use crate::request::{Object, Operation, Request, Texts};

/// The rules for one request; `None` for an operation that carries no NodeFeature.
pub(super) fn judge(profile: &Profile, request: &Request<'_>) -> Option<Verdict> {
    let (old, new) = match request.operation {
        Operation::Create { new } => (None, Some(new)),
        Operation::Update { old, new } => (Some(old), Some(new)),
        Operation::Delete { old } => (Some(old), None),
        Operation::Connect => return None,
    };
    Some(rules(profile, request, old, new))
}

fn rules(profile: &Profile, request: &Request<'_>, old: Option<Object<'_>>, new: Option<Object<'_>>) -> Verdict {
    let versions = [old, new];
    own_node(profile, request, |claim| versions.iter().flatten().all(|object| labelled(*object, claim)))?;
    must(Rule::Spec, new.is_none_or(|object| publishes_no_features(object)))?;
    must(Rule::Metadata, request.target.namespace == profile.service_account().namespace)?;
    let (before, after) = (published(old), published(new));
    none(Rule::Labels, foreign(profile, after))?;
    none(Rule::Values, bad_values(profile.labels(), before, after).collect())
}

fn labelled(object: Object<'_>, claim: &NodeClaim<'_>) -> bool {
    object.labels().get(NFD_NODE_NAME).is_some_and(|node| claim.names(node, None))
}

/// The labels that a NodeFeature publishes. What is no map of text publishes nothing.
fn published(object: Option<Object<'_>>) -> Texts<'_> {
    let labels = object.and_then(|object| object.field("spec")?.get("labels"));
    Texts::new(labels).unwrap_or_default()
}

fn foreign(profile: &Profile, labels: Texts<'_>) -> BTreeSet<String> {
    labels.iter().map(|(key, _)| key).filter(|key| !profile.labels().owns(key)).map(str::to_owned).collect()
}

/// `spec.features` is absent, or each of its kinds is an empty map.
fn publishes_no_features(object: Object<'_>) -> bool {
    let Some(features) = object.field("spec").and_then(|spec| spec.get("features")) else { return true };
    let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    features.as_object().is_some_and(|kinds| kinds.values().all(empty))
}
