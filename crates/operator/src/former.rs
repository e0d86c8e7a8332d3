//! What the other channels of a profile need, and this one does not: kept while pods of before run, then taken away. Pure.

use manifests::install::{Installation, Part};
use ownership::Profile;
use ownership::spec::Channel;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::object::{Found, Place};
use crate::plan::{Foreign, Goal, Step, is_of_another, is_ours};
use crate::rollout;

/// What the same profile would have installed by another channel, or without liveness.
fn variants(installation: &Installation) -> Vec<Installation> {
    let profile = &installation.profile;
    let mut variants = Vec::new();
    for channel in [Channel::Direct, Channel::ShadowNode] {
        for liveness in [profile.spec().liveness.clone(), None] {
            let mut spec = profile.spec().clone();
            (spec.channel, spec.liveness) = (channel, liveness);
            let profile = Profile::new(profile.name(), spec).ok();
            variants.extend(profile.map(|profile| Installation { profile, settings: installation.settings.clone() }));
        }
    }
    variants
}

/// By place, the objects of the other channels; definitions, namespaces and accounts stay.
fn objects(installation: &Installation) -> BTreeMap<Place, (Part, Vec<Value>)> {
    let mut all: BTreeMap<Place, (Part, Vec<Value>)> = BTreeMap::new();
    for variant in variants(installation) {
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Ground) {
            for object in variant.objects(part) {
                all.entry(Place::of(&object)).or_insert((part, Vec::new())).1.push(object);
            }
        }
    }
    // What is there only as long as the guard, or as strict a guard as was asked for, cannot be had.
    for object in installation.rehearsal().into_iter().chain(installation.hold()) {
        all.insert(Place::of(&object), (Part::Guards, Vec::new()));
    }
    all
}

/// Where something may be left.
pub(crate) fn places(installation: &Installation) -> impl Iterator<Item = Place> + use<> {
    objects(installation).into_keys()
}

/// A role with the rules that another channel needs, as long as they are there and pods of before may use them.
pub(crate) fn with_rights_of_both(goal: &Goal, mut object: Value, found: &Found) -> Value {
    let place = Place::of(&object);
    let Some(there) = found.get(&place).filter(|_| matches!(&*place.kind, "Role" | "ClusterRole")) else {
        return object;
    };
    if rollout::unsettled(goal.places(), found).is_none() && is_latest(goal, found) {
        return object;
    }
    let former = objects(&goal.installation).remove(&place).map(|(_, variants)| variants).unwrap_or_default();
    let of_former: Vec<&Value> = former.iter().filter_map(|variant| variant["rules"].as_array()).flatten().collect();
    let kept: Vec<Value> =
        there["rules"].as_array().into_iter().flatten().filter(|rule| of_former.contains(rule)).cloned().collect();
    if let Some(rules) = object["rules"].as_array_mut() {
        for rule in kept {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        // In one order, whatever was there first: what is written is what will be compared.
        if let Some(known) = there["rules"].as_array().filter(|known| is_same(known, rules)) {
            rules.clone_from(known);
        }
    }
    object
}

fn is_same(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len() && one.iter().all(|rule| other.contains(rule))
}

/// Whether the workloads that are there are those that are wanted.
fn is_latest(goal: &Goal, found: &Found) -> bool {
    let workloads =
        goal.objects().filter(|(_, object)| matches!(object["kind"].as_str(), Some("DaemonSet" | "Deployment")));
    workloads.into_iter().all(|(_, object)| {
        found.get(&Place::of(&object)).is_some_and(|there| crate::plan::is_as_wanted(&object, there))
    })
}

/// What is to be taken away, when everything else is there: agents' rights first, their guards last.
pub(crate) fn steps(goal: &Goal, found: &Found) -> Result<Vec<Step>, Foreign> {
    let wanted: Vec<Place> = goal.places().collect();
    let mut steps = Vec::new();
    for (part, object) in goal.objects().filter(|(part, _)| matches!(part, Part::ProbeRights | Part::Rights)) {
        steps.extend(goal.step(part, object, found)?);
    }
    let mut left: Vec<(Part, Place)> = objects(&goal.installation)
        .into_iter()
        .filter(|(place, _)| {
            let is_removable = |object: &Value| is_ours(object) && !is_of_another(object, &goal.installation);
            !wanted.contains(place) && found.get(place).is_some_and(is_removable)
        })
        .map(|(place, (part, _))| (part, place))
        .collect();
    left.sort_by(|one, other| other.cmp(one));
    steps.extend(left.into_iter().map(|(_, place)| Step::Remove(place)));
    Ok(steps)
}
