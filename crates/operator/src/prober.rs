//! The prober: probes the guards of every profile, for ever, and says in a Lease of each what it found.
//!
//! It has an account of its own, which may speak for the agents and change nothing; the operator, which may change
//! everything that is installed, may not speak for them. What it finds is about the guards as they stood: a guard that
//! somebody writes has to be seen to refuse anew.

use api::finding::{Ending, Finding, Seen};
use manifests::install::{Installation, PROBER, Settings};
use ownership::Profile;
use ownership::spec::Action;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::effective::in_force;
use crate::object::{Objects, Place, RequestError};
use crate::prove::{Claim, Connect, ENOUGH, Ground, NotProven, PAUSE, Refused};
use crate::run::{Clock, claims};
use crate::survey;

/// The kind of a policy, and of its binding.
const POLICY: [&str; 2] = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];

/// Between two probes of a guard that does not refuse, and two looks whether there are heartbeats to probe with.
const SOON: Duration = Duration::from_secs(5);

/// What happens, for the log and the numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Whether this replica leads.
    Leading(bool),
    /// All profiles were probed.
    Probed,
    /// What was found of a profile has been said.
    Said(String, Finding),
    /// A probe of a profile was not judged: what was said before is left to run out.
    Unjudged(String, String),
    /// Something cannot be read or written.
    Failed(String),
    /// A profile has gone, or is in trial: it is not probed any more.
    Gone(String),
}

/// What is known of the guards of a profile.
#[derive(Default)]
struct Known {
    /// The guards as they stood when they refused.
    versions: Vec<[String; 2]>,
    refusals: u32,
    said: Option<(Finding, Instant)>,
    due: Option<Instant>,
}

/// What a prober knows.
struct Mind {
    known: BTreeMap<String, Known>,
    /// Profiles by UID and generation, and which of them cannot be beside which: that is asked only of new ones.
    conflicts: (Vec<String>, Vec<Option<String>>),
    chance: SmallRng,
}

/// The prober, with the way to its cluster.
pub struct Prober {
    /// To what it reads and says.
    pub objects: Objects,
    /// To new connections, for probes.
    pub connect: Connect,
    /// Where the programs are.
    pub settings: Settings,
    /// What tells this one from others.
    pub identity: String,
    /// Tells the time.
    pub clock: Clock,
    /// Between two probes of a guard that refuses, give or take a tenth.
    pub every: Duration,
    /// Is told what happens.
    pub report: Box<dyn FnMut(Report) + Send + Sync>,
}

impl Prober {
    /// Probes while this replica leads, for ever; whoever wakes it has seen that something changed.
    pub async fn run(mut self, wake: Arc<Notify>, mut leading: watch::Receiver<bool>, seed: u64) {
        let mut chance = SmallRng::seed_from_u64(seed);
        while leading.wait_for(|leads| *leads).await.is_ok() {
            (self.report)(Report::Leading(true));
            let mut lost = leading.clone();
            // What another replica saw in between is not known here.
            let mind = Mind {
                known: BTreeMap::new(),
                conflicts: Default::default(),
                chance: SmallRng::seed_from_u64(chance.random()),
            };
            tokio::select! {
                () = self.rounds(&wake, mind) => {}
                _ = lost.wait_for(|leads| !*leads) => {}
            }
            (self.report)(Report::Leading(false));
        }
    }

    async fn rounds(&mut self, wake: &Notify, mut mind: Mind) {
        loop {
            let left = match self.round(&mut mind).await {
                Ok(left) => {
                    (self.report)(Report::Probed);
                    left
                }
                Err(error) => {
                    (self.report)(Report::Failed(error.to_string()));
                    PAUSE
                }
            };
            // Whoever writes often does not make it probe more often.
            sleep(PAUSE).await;
            let _ = timeout(left.saturating_sub(PAUSE), wake.notified()).await;
        }
    }

    /// Probes every profile once whose time has come or whose guards have changed: until when there is nothing to do.
    async fn round(&mut self, mind: &mut Mind) -> Result<Duration, RequestError> {
        let profiles = self.profiles(mind).await?;
        mind.known.retain(|name, _| {
            let goes_on = profiles.iter().any(|profile| profile.name() == name);
            if !goes_on {
                (self.report)(Report::Gone(name.clone()));
            }
            goes_on
        });
        let mut left = self.every;
        for profile in profiles {
            let known = mind.known.entry(profile.name().to_owned()).or_default();
            let guards = 1 + usize::from(profile.beats_by_lease());
            self.one(profile, known).await;
            left = left.min(known.left(self.every.mul_f64(mind.chance.random_range(0.9..=1.1)), guards));
        }
        Ok(left)
    }

    /// Those whose guards are to refuse, as they are in force now.
    async fn profiles(&self, mind: &mut Mind) -> Result<Vec<Profile>, RequestError> {
        let listed = survey::profiles(&self.objects).await?;
        let (claims, now) = (claims(&self.objects).await?, (self.clock)());
        let versions: Vec<String> = listed.iter().map(|listed| version(listed.object())).collect();
        if mind.conflicts.0 != versions {
            mind.conflicts = (versions, survey::conflicts(&listed, &self.settings));
        }
        let alone = listed.into_iter().zip(&mind.conflicts.1).filter(|(_, conflict)| conflict.is_none());
        let valid = alone.filter_map(|(listed, _)| listed.profile.ok());
        let profiles = valid.map(|(profile, object)| in_force(profile, &object, claims, now).profile);
        Ok(profiles.filter(|profile| profile.actions().contains(&Action::Deny)).collect())
    }

    async fn one(&mut self, profile: Profile, known: &mut Known) {
        let name = profile.name().to_owned();
        let installation = Installation { profile, settings: self.settings.clone() };
        match self.probe(&installation, known).await {
            Ok(Some(finding)) => self.say(&name, finding, known).await,
            Ok(None) => {}
            Err(error) => (self.report)(Report::Unjudged(name, error.to_string())),
        }
    }

    /// What one more probe shows, if it is worth saying.
    async fn probe(&self, installation: &Installation, known: &mut Known) -> Result<Option<Finding>, NotProven> {
        let ground = match Ground::find(&self.objects, installation, Claim::Elsewhere).await {
            Err(NotProven::Nothing(why)) => return Ok(Some(known.without(Ending::Nothing, why))),
            ground => ground?,
        };
        let policies: Vec<String> = ground.policies().map(str::to_owned).collect();
        let versions = versions(&self.objects, &policies).await?;
        if versions != known.versions {
            (known.refusals, known.versions) = (0, versions);
        } else if known.refusals >= ENOUGH && known.due.is_some_and(|due| Instant::now() < due) {
            return Ok(None);
        }
        let client = (self.connect)().map_err(NotProven::Nothing)?;
        match ground.probe(&client).await {
            Ok(refused) => {
                known.refusals = (known.refusals + 1).min(ENOUGH);
                let is_proven = known.refusals == ENOUGH;
                Ok(is_proven.then(|| known.refused(&policies, &refused, ground.object())))
            }
            Err(NotProven::LetIn { object, .. }) => Ok(Some(known.without(Ending::LetIn, object))),
            Err(NotProven::Otherwise { instead, .. }) => Ok(Some(known.without(Ending::Otherwise, instead))),
            Err(error) => Err(error),
        }
    }

    /// Says it, if it is news, or if it was last said long ago.
    async fn say(&mut self, profile: &str, finding: Finding, known: &mut Known) {
        let again = self.every.mul_f64(0.8);
        let is_said = known.said.as_ref().is_some_and(|(said, at)| *said == finding && at.elapsed() < again);
        if is_said {
            return;
        }
        let lease = finding.lease(&self.settings.namespace, profile, &self.identity, (self.clock)());
        match self.objects.apply_as(PROBER, &json!(lease)).await {
            Ok(()) => {
                known.said = Some((finding.clone(), Instant::now()));
                (self.report)(Report::Said(profile.to_owned(), finding));
            }
            Err(error) => (self.report)(Report::Failed(error.to_string())),
        }
    }
}

impl Known {
    /// Until it is to be looked at again: a guard that refuses, after `every`.
    fn left(&mut self, every: Duration, guards: usize) -> Duration {
        let pause = match self.refusals {
            ENOUGH.. => every,
            1.. => PAUSE,
            0 => SOON,
        };
        let now = Instant::now();
        let due = self.due.filter(|due| self.refusals >= ENOUGH && *due > now).unwrap_or(now + pause);
        self.due = Some(due);
        let left = due.saturating_duration_since(now);
        if self.versions.len() < guards { left.min(SOON) } else { left }
    }

    fn refused(&self, policies: &[String], refused: &[Refused], object: &str) -> Finding {
        let guards = policies.iter().zip(refused).zip(&self.versions).map(|((policy, refused), versions)| Seen {
            policy: policy.clone(),
            rule: refused.rule.clone(),
            versions: versions.clone(),
        });
        Finding { ending: Ending::Refused, message: object.to_owned(), guards: guards.collect() }
    }

    /// Whatever was proven is not any more.
    fn without(&mut self, ending: Ending, message: String) -> Finding {
        self.refusals = 0;
        Finding { ending, message, guards: Vec::new() }
    }
}

/// UID and generation of each policy and of its binding, as they stand; of what is not there, nothing.
pub(crate) async fn versions(objects: &Objects, policies: &[String]) -> Result<Vec<[String; 2]>, RequestError> {
    let place = |kind: &str, name: &String| Place {
        api_version: "admissionregistration.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.clone(),
    };
    let mut all = Vec::new();
    for policy in policies {
        let places = POLICY.map(|kind| place(kind, policy));
        let found = objects.find(places.clone()).await?;
        all.push(places.map(|place| found.get(&place).map_or_else(String::new, version)));
    }
    Ok(all)
}

fn version(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{}/{}", metadata["uid"].as_str().unwrap_or_default(), metadata["generation"])
}
