//! From what an agent wants on its Node to the smallest patch, through types that each prove the step before.
//!
//! [`Claimed`] says which node a publication is for; [`Attributed`] that its speaker runs there; [`Permitted`] that the
//! profile owns every key of it and allows every value; [`NodePatch`] is what remains to be written.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::guard::{Guard, Rule};
use crate::identity::User;
use crate::key;
use crate::matcher::Owned;
use crate::profile::Profile;
use crate::request::{Object, Texts};
use crate::spec::OwnNode;

/// The labels and annotations that an agent wants on its Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The labels, by key.
    pub labels: BTreeMap<String, String>,
    /// The annotations, by key.
    pub annotations: BTreeMap<String, String>,
}

/// A publication with the node that it claims to be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    node: String,
    publication: Publication,
}

/// A publication of which the speaker was held against the node that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributed {
    node: String,
    publication: Publication,
}

/// A publication of which the profile owns every key and allows every value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    node: String,
    publication: Publication,
}

/// A key of a publication that was left out, and the rule that it broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The key.
    pub key: String,
    /// [`Rule::Labels`], [`Rule::Annotations`] or [`Rule::Values`].
    pub rule: Rule,
}

/// A publication whose speaker does not run on the node that it is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the publication for node {node} does not come from that node")]
pub struct NotFromThisNode {
    /// The node that the publication was for.
    pub node: String,
}

/// That a guard which binds the names of objects to those who write them was seen to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    profile: String,
}

/// A publication by way of an object whose guard was not seen to refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guard on the objects of profile {profile} has not been seen to refuse")]
pub struct NotGuarded {
    /// The profile.
    pub profile: String,
}

impl Guarded {
    /// By a refusal of a request that came from another node: it counts only by the policy and the rule that bind an
    /// object of the profile to its node.
    #[must_use]
    pub fn seen(profile: &Profile, guard: Guard, policy: &str, rule: Rule) -> Option<Self> {
        let proof = rule == Rule::OwnNode && policy == guard.policy_name(profile.name());
        proof.then(|| Self { profile: profile.name().to_owned() })
    }
}

impl Claimed {
    /// A publication for the node of that name.
    #[must_use]
    pub fn new(node: impl Into<String>, publication: Publication) -> Self {
        Self { node: node.into(), publication }
    }

    /// Holds the speaker against the node, as the rule `own-node` of `profile` asks.
    ///
    /// # Errors
    /// [`NotFromThisNode`], if the speaker's token does not name the node.
    pub fn attribute(self, profile: &Profile, speaker: &User) -> Result<Attributed, NotFromThisNode> {
        use crate::identity::NodeClaim;
        let claim = speaker.node_claim();
        let holds = match (profile.node(), claim) {
            (OwnNode::Any, _) | (OwnNode::OwnIfClaimed, NodeClaim::Absent) => true,
            (OwnNode::Own | OwnNode::OwnIfClaimed, _) => claim.names(&self.node, None),
        };
        let Self { node, publication } = self;
        let agent = speaker.username == profile.username();
        if holds && agent { Ok(Attributed { node, publication }) } else { Err(NotFromThisNode { node }) }
    }
}

impl Claimed {
    /// Takes the guard's word for it: only the agent of the node can have written the object of its name.
    ///
    /// # Errors
    /// [`NotGuarded`], if there is no proof that the guard of this profile works.
    pub fn vouched(self, profile: &Profile, guarded: Option<&Guarded>) -> Result<Attributed, NotGuarded> {
        let Self { node, publication } = self;
        match guarded {
            Some(guarded) if guarded.profile == profile.name() => Ok(Attributed { node, publication }),
            _ => Err(NotGuarded { profile: profile.name().to_owned() }),
        }
    }
}

impl Attributed {
    /// What of ours is on the Node already: it stays where there is nothing better.
    #[must_use]
    pub fn standing(node: Object<'_>, written: &Keys) -> Self {
        let kept = |present: Texts<'_>, keys: &BTreeSet<String>| {
            let kept = keys.iter().filter_map(|key| Some((key.clone(), present.get(key)?.to_owned())));
            kept.collect::<BTreeMap<_, _>>()
        };
        let publication = Publication {
            labels: kept(node.labels(), &written.labels),
            annotations: kept(node.annotations(), &written.annotations),
        };
        Self { node: node.name().to_owned(), publication }
    }

    /// Leaves out what the profile does not own or allow, and what no API server would accept.
    #[must_use]
    pub fn permit(self, profile: &Profile) -> (Permitted, Vec<Refusal>) {
        let Self { node, mut publication } = self;
        let mut refusals = Vec::new();
        let valid = |key: &str, value: &str| key::label_key(key).is_ok() && key::label_value(value).is_ok();
        keep_owned(&mut publication.labels, profile.labels(), Rule::Labels, valid, &mut refusals);
        let valid = |key: &str, _: &str| key::annotation_key(key).is_ok();
        keep_owned(&mut publication.annotations, profile.annotations(), Rule::Annotations, valid, &mut refusals);
        (Permitted { node, publication }, refusals)
    }
}

impl Permitted {
    /// With the mark of a silent node, where the profile has one.
    #[must_use]
    pub fn marked(mut self, profile: &Profile) -> Self {
        if let Some(liveness) = &profile.spec().liveness {
            self.publication.labels.insert(liveness.mark.label.clone(), liveness.mark.value.clone());
        }
        self
    }

    /// What is permitted.
    #[must_use]
    pub fn publication(&self) -> &Publication {
        &self.publication
    }
}

fn keep_owned(
    map: &mut BTreeMap<String, String>,
    owned: &Owned,
    rule: Rule,
    valid: impl Fn(&str, &str) -> bool,
    refusals: &mut Vec<Refusal>,
) {
    map.retain(|key, value| {
        let broken = match (owned.owns(key), owned.allows(key, value) && valid(key, value)) {
            (false, _) => Some(rule),
            (true, false) => Some(Rule::Values),
            (true, true) => None,
        };
        refusals.extend(broken.map(|rule| Refusal { key: key.clone(), rule }));
        broken.is_none()
    });
}

/// Keys of labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Label keys.
    pub labels: BTreeSet<String>,
    /// Annotation keys.
    pub annotations: BTreeSet<String>,
}

/// The smallest change that brings a Node to a permitted publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePatch {
    node: String,
    uid: String,
    labels: BTreeMap<String, Option<String>>,
    annotations: BTreeMap<String, Option<String>>,
    whole: Publication,
}

/// The patch from a Node's present metadata to `wanted`; `None` if there is nothing to write.
///
/// Removed are the keys in `written` (those that we wrote before) that the profile owns and the publication no longer
/// has. Keys that others wrote are never removed. A Node of another name than the publication's gives no patch.
#[must_use]
pub fn diff(profile: &Profile, wanted: &Permitted, node: Object<'_>, written: &Keys) -> Option<NodePatch> {
    if node.name() != wanted.node {
        return None;
    }
    let Publication { labels, annotations } = &wanted.publication;
    let patch = NodePatch {
        node: wanted.node.clone(),
        uid: node.uid().to_owned(),
        labels: changes(profile.labels(), labels, node.labels(), &written.labels),
        annotations: changes(profile.annotations(), annotations, node.annotations(), &written.annotations),
        whole: Publication {
            labels: whole(profile.labels(), labels, node.labels(), &written.labels),
            annotations: whole(profile.annotations(), annotations, node.annotations(), &written.annotations),
        },
    };
    (!patch.labels.is_empty() || !patch.annotations.is_empty()).then_some(patch)
}

fn changes(
    owned: &Owned,
    wanted: &BTreeMap<String, String>,
    present: Texts<'_>,
    written: &BTreeSet<String>,
) -> BTreeMap<String, Option<String>> {
    let set = wanted
        .iter()
        .filter(|(key, value)| present.get(key) != Some(value.as_str()))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let removed = written
        .iter()
        .filter(|key| owned.owns(key) && !wanted.contains_key(*key) && present.get(key).is_some())
        .map(|key| (key.clone(), None));
    set.chain(removed).collect()
}

/// What is ours after the patch. What the profile does not own any more, a patch of it cannot remove.
fn whole(
    owned: &Owned,
    wanted: &BTreeMap<String, String>,
    present: Texts<'_>,
    written: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let lost = written.iter().filter(|key| !owned.owns(key));
    let lost = lost.filter_map(|key| Some((key.clone(), present.get(key)?.to_owned())));
    wanted.iter().map(|(key, value)| (key.clone(), value.clone())).chain(lost).collect()
}

impl NodePatch {
    /// The name of the Node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The labels to set (`Some`) and to remove (`None`).
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, Option<String>> {
        &self.labels
    }

    /// The annotations to set (`Some`) and to remove (`None`).
    #[must_use]
    pub fn annotations(&self) -> &BTreeMap<String, Option<String>> {
        &self.annotations
    }

    /// The body of a JSON merge patch. It carries the Node's UID, so that it cannot hit another Node of that name, and
    /// leaves out a map in which nothing changes.
    #[must_use]
    pub fn merge_patch(&self) -> Value {
        let mut metadata = Map::new();
        if !self.uid.is_empty() {
            metadata.insert("uid".to_owned(), json!(self.uid));
        }
        for (field, map) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !map.is_empty() {
                metadata.insert(field.to_owned(), json!(map));
            }
        }
        json!({ "metadata": metadata })
    }

    /// The body of a server-side apply: everything that is ours afterwards, and the Node's UID. What we applied before and
    /// is not in it, the server removes, unless somebody else applied it too.
    #[must_use]
    pub fn apply_patch(&self) -> Value {
        let Publication { labels, annotations } = &self.whole;
        let metadata = json!({"name": self.node, "uid": self.uid, "labels": labels, "annotations": annotations});
        json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    }
}
