//! The decision: whether one request keeps to a profile.
//!
//! The same rule is rendered as a ValidatingAdmissionPolicy by the crate `manifests`; a property test holds the two
//! against each other.

mod lease;
mod node_feature;
mod object;
mod resource;

use std::collections::BTreeSet;

use crate::guard::{Denial, Guard, HEARTBEATS, Rule};
use crate::identity::NodeClaim;
use crate::matcher::Owned;
use crate::profile::{Profile, Resource};
use crate::request::{Operation, Request, Texts};
use crate::spec::{Channel, OwnNode, ResourceOperation};

/// Metadata that the server changes on the agent's behalf.
const SERVER_MANAGED: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// What a profile says to a request. Exhaustive on purpose: a new outcome must break its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is not the agent's, or about objects that the profile does not guard.
    NotMatched,
    /// Every rule holds.
    Allow,
    /// A rule does not hold.
    Deny(Denial),
}

/// Judges one request.
#[must_use]
pub fn decide(profile: &Profile, request: &Request<'_>) -> Decision {
    if request.user.username != profile.username() {
        return Decision::NotMatched;
    }
    let Some((guard, verdict)) = judge(profile, request) else { return Decision::NotMatched };
    match verdict {
        Ok(()) => Decision::Allow,
        Err(Broken { rule, keys }) => Decision::Deny(Denial { guard, rule, keys }),
    }
}

fn judge(profile: &Profile, request: &Request<'_>) -> Option<(Guard, Verdict)> {
    let target = request.target;
    match (target.group, target.resource) {
        ("", "nodes") => Some((Guard::Nodes, object::judge(profile, request))),
        ("nodebound.io", "shadownodes") if profile.channel() == Channel::ShadowNode => {
            Some((Guard::ShadowNodes, object::judge(profile, request)))
        }
        ("coordination.k8s.io", "leases") if profile.beats_by_lease() && target.namespace == HEARTBEATS => {
            Some((Guard::Leases, lease::judge(profile, request)))
        }
        ("nfd.k8s-sigs.io", "nodefeatures") if profile.channel() == Channel::NodeFeature => {
            node_feature::judge(profile, request).map(|verdict| (Guard::NodeFeatures, verdict))
        }
        _ => {
            let resource = guarded(profile, request)?;
            Some((Guard::Resources, resource::judge(profile, resource, request)))
        }
    }
}

fn guarded<'p>(profile: &'p Profile, request: &Request<'_>) -> Option<&'p Resource> {
    let operation = match request.operation {
        Operation::Create { .. } => ResourceOperation::Create,
        Operation::Update { .. } => ResourceOperation::Update,
        Operation::Delete { .. } => ResourceOperation::Delete,
        Operation::Connect => return None,
    };
    profile.resources().iter().find(|resource| {
        resource.group == request.target.group
            && resource.resource == request.target.resource
            && resource.operations.contains(&operation)
    })
}

/// A rule that does not hold, with the offending keys.
#[derive(Debug)]
struct Broken {
    rule: Rule,
    keys: BTreeSet<String>,
}

type Verdict = Result<(), Broken>;

fn must(rule: Rule, holds: bool) -> Verdict {
    if holds { Ok(()) } else { Err(Broken { rule, keys: BTreeSet::new() }) }
}

fn none(rule: Rule, offending: BTreeSet<String>) -> Verdict {
    if offending.is_empty() { Ok(()) } else { Err(Broken { rule, keys: offending }) }
}

/// The rule `own-node`, given how a valid claim is held against the object.
fn own_node(profile: &Profile, request: &Request<'_>, claimed: impl Fn(&NodeClaim<'_>) -> bool) -> Verdict {
    let claim = request.user.node_claim();
    let holds = match (profile.node(), claim) {
        (OwnNode::Any, _) => true,
        (OwnNode::OwnIfClaimed, NodeClaim::Absent) => true,
        (OwnNode::Own | OwnNode::OwnIfClaimed, _) => claimed(&claim),
    };
    must(Rule::OwnNode, holds)
}

/// The UID that a claim must carry besides the name, if the profile asks for one.
fn required_uid<'a>(profile: &Profile, uid: &'a str) -> Option<&'a str> {
    profile.checks_node_uid().then_some(uid)
}

/// Foreign keys whose presence or value differs.
fn foreign_changes(owned: &Owned, old: Texts<'_>, new: Texts<'_>) -> BTreeSet<String> {
    let changes = new.changes_from(old).into_iter();
    changes.map(|(key, _)| key).filter(|key| !owned.owns(key)).map(str::to_owned).collect()
}

/// Keys that were added or changed and have a value that is not allowed.
fn bad_values<'a>(owned: &'a Owned, old: Texts<'a>, new: Texts<'a>) -> impl Iterator<Item = String> + 'a {
    let changes = new.changes_from(old).into_iter();
    changes.filter(|(key, now)| now.is_some_and(|value| !owned.allows(key, value))).map(|(key, _)| key.to_owned())
}
