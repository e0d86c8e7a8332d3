//! Nodes and ShadowNodes: metadata only, owned keys only.

use serde_json::{Map, Value};

use super::{Verdict, bad_values, foreign_changes, must, none, own_node, required_uid};
use crate::equality::equal_fields;
use crate::guard::Rule;
use crate::matcher::Owned;
use crate::profile::Profile;
use crate::request::{Object, Operation, Request, Texts};
use crate::spec::Limits;

/// Metadata that an agent, or the server on its behalf, may change.
const CHANGEABLE: [&str; 5] = ["labels", "annotations", "managedFields", "resourceVersion", "generation"];

pub(super) fn judge(profile: &Profile, request: &Request<'_>) -> Verdict {
    let Operation::Update { old, new } = request.operation else { return must(Rule::Operation, false) };
    own_node(profile, request, |claim| claim.names(old.name(), required_uid(profile, old.uid())))?;
    must(Rule::Spec, equal_fields(old.field("spec"), new.field("spec")))?;
    must(Rule::Status, equal_fields(old.field("status"), new.field("status")))?;
    must(Rule::Metadata, unchanged_but(&CHANGEABLE, old.field("metadata"), new.field("metadata")))?;
    none(Rule::Labels, foreign_changes(profile.labels(), old.labels(), new.labels()))?;
    none(Rule::Annotations, foreign_changes(profile.annotations(), old.annotations(), new.annotations()))?;
    let labels = bad_values(profile.labels(), old.labels(), new.labels());
    let annotations = bad_values(profile.annotations(), old.annotations(), new.annotations());
    none(Rule::Values, labels.chain(annotations).collect())?;
    must(Rule::Limits, within(profile, old, new))
}

/// Whether two values have the same fields but for some. What is no map has no fields.
pub(super) fn unchanged_but(fields: &[&str], old: Option<&Value>, new: Option<&Value>) -> bool {
    let [old, new] = [old, new].map(|value| value.and_then(Value::as_object));
    let keys = old.into_iter().chain(new).flat_map(Map::keys);
    keys.filter(|key| !fields.contains(&key.as_str()))
        .all(|key| equal_fields(old.and_then(|map| map.get(key)), new.and_then(|map| map.get(key))))
}

fn within(profile: &Profile, old: Object<'_>, new: Object<'_>) -> bool {
    let limits = profile.limits();
    if limits == Limits::default() {
        return true;
    }
    let (labels, annotations) = (profile.labels(), profile.annotations());
    let before = Extent::of(labels, old.labels()) + Extent::of(annotations, old.annotations());
    let after = Extent::of(labels, new.labels()) + Extent::of(annotations, new.annotations());
    let removed =
        removed(labels, old.labels(), new.labels()) + removed(annotations, old.annotations(), new.annotations());
    let grows_past = |limit: Option<u32>, before: u64, after: u64| {
        limit.is_some_and(|limit| after > u64::from(limit) && after > before)
    };
    limits.removed_keys.is_none_or(|limit| removed <= u64::from(limit))
        && !grows_past(limits.owned_keys, before.keys, after.keys)
        && !grows_past(limits.owned_bytes, before.bytes, after.bytes)
}

/// How much owned metadata an object has.
#[derive(Clone, Copy, Default)]
struct Extent {
    keys: u64,
    bytes: u64,
}

impl Extent {
    fn of(owned: &Owned, texts: Texts<'_>) -> Self {
        texts
            .iter()
            .filter(|(key, _)| owned.owns(key))
            .fold(Self::default(), |sum, (key, value)| sum + Self { keys: 1, bytes: (key.len() + value.len()) as u64 })
    }
}

impl std::ops::Add for Extent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { keys: self.keys + other.keys, bytes: self.bytes + other.bytes }
    }
}

fn removed(owned: &Owned, old: Texts<'_>, new: Texts<'_>) -> u64 {
    old.iter().filter(|(key, _)| new.get(key).is_none() && owned.owns(key)).count() as u64
}
