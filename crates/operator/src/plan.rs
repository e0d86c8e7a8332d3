//! From what is there and what is wanted to the next steps. Nothing here waits or writes.

use manifests::install::{Installation, MANAGED_BY, OF_PROFILE, Part};
use ownership::parse::KIND;
use ownership::spec::{Action, Enforcement};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

use crate::object::{Found, Place};
use crate::prove::Proven;
use crate::{former, rollout};

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is not there.
    Create,
    /// It is ours, and not as it should be.
    Repair,
    /// It is there without our label: somebody else made it, or took the label away.
    Adopt,
    /// It is ours and grants more than it has to any more.
    Revoke,
}

impl Change {
    /// As people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Repair => "repair",
            Self::Adopt => "adopt",
            Self::Revoke => "revoke what is not needed any more in",
        }
    }
}

/// One step of an installation.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// An object is brought to what it should be.
    Apply {
        /// The part to which it belongs.
        part: Part,
        /// What is done.
        change: Change,
        /// The object as it should be.
        object: Value,
    },
    /// The guard is probed until it is seen to refuse.
    Prove,
    /// A workload comes to its end before anything is taken from its former pods; or what is on its way out goes, before it is
    /// made again.
    Wait(Place),
    /// An object of ours that is not wanted any more is deleted.
    Remove(Place),
}

impl Step {
    /// The object that is changed, if one is.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Apply { object, .. } => Some(Place::of(object)),
            Self::Wait(place) | Self::Remove(place) => Some(place.clone()),
            Self::Prove => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply { change, object, .. } => write!(f, "{} {}", change.word(), Place::of(object)),
            Self::Prove => f.write_str("probe until the guard refuses"),
            Self::Wait(place) => write!(f, "wait for {place}"),
            Self::Remove(place) => write!(f, "delete {place}"),
        }
    }
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is to be installed.
    pub installation: Installation,
    /// Whether objects that somebody else made may be taken over.
    pub adopt: bool,
    /// Whether the AgentProfile itself is somebody else's to write, and the prober to install: so it is for the operator.
    pub profile_is_given: bool,
    /// Whether it is recorded what a stricter guard would refuse, [`Installation::rehearsal`].
    pub rehearses: bool,
}

/// Why a plan ends before everything is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// The guard refuses nothing, so that nothing may be granted.
    Trial,
    /// The API server serves no policies, and the profile is `Strict`.
    NotServed,
}

/// The next steps, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is to be done.
    pub steps: Vec<Step>,
    /// Why nothing comes after that.
    pub hold: Option<Hold>,
    /// Whether there is no policy to be proven.
    pub unguarded: bool,
}

/// An object of that name is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is there and not ours (no label {label}={value}); take it over with --adopt, or remove it", label = MANAGED_BY.0, value = MANAGED_BY.1)]
pub struct Foreign(pub Place);

/// A kind without which clusters protect as well.
const OPTIONAL: &str = "PodDisruptionBudget";
/// What a namespace is labelled with whose pods may do what agents do.
const POD_SECURITY: (&str, &str) = ("pod-security.kubernetes.io/enforce", "privileged");
/// A kind without which nothing is refused.
const POLICY: &str = "ValidatingAdmissionPolicy";

impl Goal {
    /// Every object that there is to be, with its part.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (Part, Value)> + use<> {
        let mut objects = Vec::new();
        for part in Part::ALL {
            let rehearsal = (part == Part::Guards && self.rehearses).then(|| self.installation.rehearsal());
            let of_part = match self.profile_is_given {
                true => self.installation.objects(part),
                false => self.installation.objects_without_operator(part),
            };
            let of_part = of_part.into_iter().chain(rehearsal.into_iter().flatten());
            objects.extend(of_part.map(|object| (part, object)));
        }
        if self.profile_is_given {
            objects.retain(|(_, object)| object["kind"] != KIND);
        }
        objects.into_iter()
    }

    /// Every place in which there is to be something.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.objects().map(|(_, object)| Place::of(&object))
    }

    /// The places that matter: where there is to be something, and where something may be left of another channel.
    pub fn looked_at(&self) -> impl Iterator<Item = Place> {
        self.places().chain(former::places(&self.installation))
    }

    /// Whether nothing is refused, so that nothing may be granted.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        !self.installation.profile.actions().contains(&Action::Deny)
    }

    /// The steps from what is there to what is wanted, in their order. Without the proof, there is none after it: what
    /// grants anything is granted to those who were seen to be held.
    ///
    /// # Errors
    /// [`Foreign`]
    pub fn plan(&self, found: &Found, proven: Option<&Proven>) -> Result<Plan, Foreign> {
        let unguarded = found.unserved.iter().any(|kind| kind.starts_with(POLICY));
        let hold = self.hold(unguarded);
        let is_free = unguarded || proven.is_some();
        let mut steps = Vec::new();
        let objects: Vec<(Part, Value)> = self.objects().collect();
        let upgrades = rollout::upgrades(&objects, found);
        let awaited = rollout::unsettled_agents(&objects, found).filter(|_| upgrades);
        for (part, object) in rollout::ordered(objects, upgrades) {
            if (part >= Part::ProbeRights && hold.is_some()) || (part >= Part::Rights && !is_free) {
                continue;
            }
            if let (Part::Controller, Some(agents)) = (part, &awaited) {
                steps.push(Step::Wait(agents.clone()));
                break;
            }
            let object = rollout::next(former::with_rights_of_both(self, object, found), found);
            let step = self.step(part, object, found)?;
            let has_to_go = matches!(step, Some(Step::Wait(_)));
            steps.extend(step);
            if has_to_go {
                return Ok(Plan { steps, hold, unguarded });
            }
        }
        match hold {
            Some(Hold::NotServed) => steps.extend(self.hold_back(found)?),
            Some(Hold::Trial) => {}
            None if is_free => steps.extend(self.end(found, steps.is_empty())?),
            None => steps.push(Step::Prove),
        }
        Ok(Plan { steps, hold, unguarded })
    }

    /// What comes when everything is there: pods that are not those of before, then less rights, then less objects.
    fn end(&self, found: &Found, is_there: bool) -> Result<Vec<Step>, Foreign> {
        let unsettled = rollout::unsettled(self.places(), found);
        let former = former::steps(self, found)?;
        Ok(match unsettled {
            Some(place) if !former.is_empty() || rollout::is_under_way(&place, found) => vec![Step::Wait(place)],
            _ if is_there => former,
            _ => Vec::new(),
        })
    }

    /// No other version of the product comes while there is no guard, if that was asked for.
    fn hold_back(&self, found: &Found) -> Result<Option<Step>, Foreign> {
        let object = self.installation.hold().filter(|_| self.installation.settings.hold_upgrades);
        Ok(object.map(|object| self.step(Part::Guards, object, found)).transpose()?.flatten())
    }

    fn hold(&self, unguarded: bool) -> Option<Hold> {
        match (self.is_trial(), unguarded, self.installation.profile.enforcement()) {
            (_, true, Enforcement::Strict) => Some(Hold::NotServed),
            (true, ..) => Some(Hold::Trial),
            _ => None,
        }
    }

    /// The same with everything that comes after the proof, for people.
    ///
    /// # Errors
    /// [`Foreign`]
    pub fn whole(&self, found: &Found) -> Result<Plan, Foreign> {
        let mut plan = self.plan(found, None)?;
        if plan.steps.last() == Some(&Step::Prove) {
            for (part, object) in self.objects().filter(|(part, _)| *part >= Part::Rights) {
                plan.steps.extend(self.step(part, object, found)?);
            }
        }
        Ok(plan)
    }

    /// The steps to these objects, whatever else there is to be.
    ///
    /// # Errors
    /// [`Foreign`]
    pub fn steps(&self, objects: impl IntoIterator<Item = Value>, found: &Found) -> Result<Vec<Step>, Foreign> {
        let steps = objects.into_iter().map(|object| self.step(Part::Ground, object, found));
        steps.filter_map(Result::transpose).collect()
    }

    pub(crate) fn step(&self, part: Part, object: Value, found: &Found) -> Result<Option<Step>, Foreign> {
        let place = Place::of(&object);
        let object = with_level_of(object, found.get(&place));
        let change = match found.get(&place) {
            None if found.unserved.contains(&place.kind) && is_dispensable(&place) => return Ok(None),
            None => Change::Create,
            Some(there) if is_shared(&place) && !there["metadata"]["deletionTimestamp"].is_null() => {
                return Ok(Some(Step::Wait(place)));
            }
            Some(there) if is_as_wanted(&object, there) => return Ok(None),
            Some(there) if is_ours(there) && grants_more(there, &object) => Change::Revoke,
            // Namespaces and definitions may be there for another profile, or by another hand: they are not taken away.
            // The profile is what its user says, whoever wrote it before.
            Some(there) if is_ours(there) || is_shared(&place) || place.kind == KIND => Change::Repair,
            Some(_) if self.adopt => Change::Adopt,
            Some(_) => return Err(Foreign(place)),
        };
        Ok(Some(Step::Apply { part, change, object }))
    }
}

/// The pods of another profile may need more of their namespace.
fn with_level_of(mut object: Value, there: Option<&Value>) -> Value {
    let is_privileged =
        |object: &Value| object["metadata"]["labels"].get(POD_SECURITY.0).is_some_and(|level| level == POD_SECURITY.1);
    if object["kind"] == "Namespace" && there.is_some_and(|there| is_ours(there) && is_privileged(there)) {
        object["metadata"]["labels"][POD_SECURITY.0] = Value::from(POD_SECURITY.1);
    }
    object
}

fn grants_more(there: &Value, wanted: &Value) -> bool {
    match (there["rules"].as_array(), wanted["rules"].as_array()) {
        (Some(there), Some(wanted)) => there.len() > wanted.len() && wanted.iter().all(|rule| there.contains(rule)),
        _ => false,
    }
}

/// Where it is not served, there is none: the plan says what that means.
fn is_dispensable(place: &Place) -> bool {
    place.kind == OPTIONAL || place.kind.starts_with(POLICY)
}

pub(crate) fn is_shared(place: &Place) -> bool {
    matches!(place.kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

/// Whether it has our label.
#[must_use]
pub fn is_ours(object: &Value) -> bool {
    let label = object["metadata"]["labels"].get(MANAGED_BY.0);
    label.and_then(Value::as_str) == Some(MANAGED_BY.1)
}

/// Whether it is another profile's. What several share has no such label.
pub(crate) fn is_of_another(object: &Value, installation: &Installation) -> bool {
    let profile = object["metadata"]["labels"].get(OF_PROFILE).and_then(Value::as_str);
    profile.is_some_and(|profile| profile != installation.profile.name())
}

/// What makes an object what it is, beside its metadata. All that is installed carries every default, so that what is more
/// is somebody's doing: an exemption in a policy, a verb in a role.
const WHOLE: [&str; 7] = ["spec", "data", "rules", "roleRef", "subjects", "aggregationRule", "webhooks"];

pub(crate) fn is_as_wanted(wanted: &Value, there: &Value) -> bool {
    let labels = |object: &Value| object["metadata"]["labels"].clone();
    if is_shared(&Place::of(wanted)) {
        // Who made it may call it his own, as Helm does.
        let level = |object: &Value| labels(object)[POD_SECURITY.0].clone();
        return covers(&level(there), &level(wanted)) && covers(&there["spec"], &wanted["spec"]);
    }
    let whole = WHOLE.into_iter().all(|field| there.get(field) == wanted.get(field));
    covers(&labels(there), &labels(wanted)) && whole
}

/// Whether everything that is wanted is there, whatever else is.
fn covers(there: &Value, wanted: &Value) -> bool {
    match (wanted, there) {
        (Value::Null, _) => true,
        (Value::Object(wanted), Value::Object(there)) => wanted
            .iter()
            .all(|(key, value)| there.get(key).is_some_and(|there| covers(there, value)) || is_nothing(value)),
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| covers(there, wanted))
        }
        // Servers write whole numbers without a point.
        (Value::Number(wanted), Value::Number(there)) => wanted.as_f64() == there.as_f64(),
        (wanted, there) => wanted == there,
    }
}

/// What a server leaves out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
