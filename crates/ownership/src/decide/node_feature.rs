//! NodeFeatures: Node Feature Discovery finds their Node by a label, so that label is what is bound.

use serde_json::Value;
use std::collections::BTreeSet;

use super::{Broken, Verdict, bad_values, must, none, own_node};
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
    none(Rule::Labels, foreign(profile, new)?)?;
    let (before, after) = (published(old), published(new));
    none(Rule::Values, bad_values(profile.labels(), before, after).collect())
}

fn labelled(object: Object<'_>, claim: &NodeClaim<'_>) -> bool {
    object.labels().get(NFD_NODE_NAME).is_some_and(|node| claim.names(node, None))
}

fn labels(object: Option<Object<'_>>) -> Option<&Value> {
    object?.field("spec")?.get("labels")
}

fn published(object: Option<Object<'_>>) -> Texts<'_> {
    Texts::new(labels(object)).unwrap_or_default()
}

/// Published labels that are not the profile's, or whose value is no text.
fn foreign(profile: &Profile, object: Option<Object<'_>>) -> Result<BTreeSet<String>, Broken> {
    let Some(labels) = labels(object) else { return Ok(BTreeSet::new()) };
    let labels = labels.as_object().ok_or(Broken { rule: Rule::Labels, keys: BTreeSet::new() })?;
    let strays = labels.iter().filter(|(key, value)| !profile.labels().owns(key) || !value.is_string());
    Ok(strays.map(|(key, _)| key.clone()).collect())
}

/// `spec.features` is absent, or each of its kinds is an empty map.
fn publishes_no_features(object: Object<'_>) -> bool {
    let Some(features) = object.field("spec").and_then(|spec| spec.get("features")) else { return true };
    let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    features.as_object().is_some_and(|kinds| kinds.values().all(empty))
}
