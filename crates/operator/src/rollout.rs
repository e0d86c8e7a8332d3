//! Workloads that change: one pod first, then the others; and whether pods of before are left. Pure.

use manifests::install::Part;
use semver::Version;
use serde_json::{Value, json};

use crate::object::{Found, Place};

/// Pods: how many there should be, and how many are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// How many there should be.
    pub wanted: u64,
    /// How many are ready.
    pub ready: u64,
}

/// How many agents may be away at first, until one of the new ones is ready.
const CANARY: &str = "/spec/updateStrategy/rollingUpdate/maxUnavailable";

/// The objects in the order in which they are written: agents before the controller when it becomes newer, so that it
/// never waits for what they do not publish yet; after it otherwise.
pub(crate) fn ordered(mut objects: Vec<(Part, Value)>, upgrades: bool) -> Vec<(Part, Value)> {
    if upgrades {
        objects.sort_by_key(|(part, _)| match part {
            Part::Controller => 2,
            Part::Agents => 1,
            _ => 0,
        });
    }
    objects
}

/// Whether the controller is there, and older than it is to be.
pub(crate) fn upgrades(objects: &[(Part, Value)], found: &Found) -> bool {
    let mut controllers =
        objects.iter().filter(|(part, object)| *part == Part::Controller && object["kind"] == "Deployment");
    controllers.any(|(_, object)| found.get(&Place::of(object)).is_some_and(|there| version(there) < version(object)))
}

/// The agents of which not every pod is a new one.
pub(crate) fn unsettled_agents(objects: &[(Part, Value)], found: &Found) -> Option<Place> {
    unsettled(objects.iter().filter(|(part, _)| *part == Part::Agents).map(|(_, object)| Place::of(object)), found)
}

/// The version that a workload's image is tagged with.
fn version(workload: &Value) -> Option<Version> {
    let image = workload.pointer("/spec/template/spec/containers/0/image")?.as_str()?;
    let tag = image.rsplit_once(':')?.1;
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// What is to be written next: agents whose pods change do so one at a time, until one of them is ready.
pub(crate) fn next(mut object: Value, found: &Found) -> Value {
    let Some(there) = found.get(&Place::of(&object)).filter(|_| object["kind"] == "DaemonSet") else { return object };
    let is_canary = there.pointer(CANARY) == Some(&json!(1));
    let same = there.pointer("/spec/template") == object.pointer("/spec/template");
    if (!same || (is_canary && !has_sung(there)))
        && let Some(most) = object.pointer_mut(CANARY)
    {
        *most = json!(1);
    }
    object
}

/// Whether one of the new pods has become ready.
fn has_sung(set: &Value) -> bool {
    let updated = number(set, "updatedNumberScheduled");
    is_observed(set) && (updated >= 2 || number(set, "numberUnavailable") == 0) && (updated >= 1 || wanted(set) == 0)
}

fn number(workload: &Value, field: &str) -> u64 {
    workload["status"][field].as_u64().unwrap_or(0)
}

fn wanted(workload: &Value) -> u64 {
    match workload["kind"].as_str() {
        Some("DaemonSet") => number(workload, "desiredNumberScheduled"),
        _ => workload["spec"]["replicas"].as_u64().unwrap_or(1),
    }
}

fn is_observed(workload: &Value) -> bool {
    workload["status"]["observedGeneration"] == workload["metadata"]["generation"]
}

/// Whether every pod is one of the new ones, and ready.
fn is_settled(workload: &Value) -> bool {
    let (updated, ready) = match workload["kind"].as_str() {
        Some("DaemonSet") => ("updatedNumberScheduled", "numberReady"),
        _ => ("updatedReplicas", "readyReplicas"),
    };
    let all = wanted(workload);
    is_observed(workload) && number(workload, updated) >= all && number(workload, ready) >= all
}

fn is_workload(place: &Place) -> bool {
    matches!(place.kind.as_str(), "DaemonSet" | "Deployment")
}

/// The first workload with pods that are not as they should be.
pub(crate) fn unsettled(mut places: impl Iterator<Item = Place>, found: &Found) -> Option<Place> {
    places.find(|place| is_workload(place) && !found.get(place).is_some_and(is_settled))
}

/// Whether the new pods of this workload come one at a time: it does not end by itself.
pub(crate) fn is_under_way(place: &Place, found: &Found) -> bool {
    let there = found.get(place);
    there.is_some_and(|there| there.pointer(CANARY) == Some(&json!(1)) && !has_sung(there))
}

/// How many pods there should be, and how many are ready, in all workloads.
#[must_use]
pub fn running(places: impl Iterator<Item = Place>, found: &Found) -> Count {
    let mut running = Count::default();
    for there in places.filter(is_workload).filter_map(|place| found.get(&place)) {
        running.wanted += wanted(there);
        running.ready += number(there, if there["kind"] == "DaemonSet" { "numberReady" } else { "readyReplicas" });
    }
    running
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
