//! The operator: looks at every profile, brings the cluster to what it asks for, proves it, and says so; again whenever
//! somebody touches anything of it, and from time to time.

use k8s_openapi::jiff::Timestamp;
use manifests::install::{Installation, Part, Settings};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::effective::{Claims, Effective, in_force};
use crate::events::{News, tell};
use crate::execute::{Event, Executor, Installed};
use crate::object::{Objects, Place, RequestError};
use crate::plan::{Goal, Step};
use crate::prove::Proven;
use crate::status::{self, Outcome, Reason, Said};
use crate::survey::{self, Listed};

/// Between two looks, if nobody touches anything: API servers change, and pauses end.
const RECHECK: Duration = Duration::from_secs(60);
/// After a look that saw nothing.
const BLIND: Duration = Duration::from_secs(5);
/// Who touches one object often touches the next.
const SETTLE: Duration = Duration::from_millis(200);

/// What happens, for the log and the numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Whether this replica leads.
    Leading(bool),
    /// All profiles have been looked at: so many there are.
    Looked(usize),
    /// They cannot be looked at.
    Blind(String),
    /// A profile has gone. What was installed for it stays.
    Gone(String),
    /// So many guards are there whose profile has gone: nobody proves or repairs them.
    Orphaned(usize),
    /// A step is done.
    Does(String, String),
    /// A guard of this profile was proven.
    Proven(String),
    /// Somebody had changed this of what is installed.
    Repaired(String, Place),
    /// Whether a profile is enforced, and why; unknown is `None`.
    Enforced(String, Option<bool>, String),
    /// A status or an Event could not be written.
    Unsaid(String),
}

/// Tells the time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// What is known of a profile since it was looked at.
#[derive(Default)]
struct Known {
    goal: Option<Goal>,
    proven: Option<Proven>,
    /// Whether its guards were there.
    guarded: bool,
    due: Option<Instant>,
}

/// The operator, with the way to its cluster.
pub struct Operator {
    executor: Executor,
    settings: Settings,
    clock: Clock,
    every: Duration,
    chance: SmallRng,
    report: Box<dyn FnMut(Report) + Send>,
    known: BTreeMap<String, Known>,
}

impl Operator {
    /// One that proves each guard again after `every`, give or take a tenth.
    #[must_use]
    pub fn new(
        executor: Executor,
        settings: Settings,
        clock: Clock,
        every: Duration,
        seed: u64,
        report: Box<dyn FnMut(Report) + Send>,
    ) -> Self {
        let (chance, known) = (SmallRng::seed_from_u64(seed), BTreeMap::new());
        Self { executor, settings, clock, every, chance, report, known }
    }

    /// Works while this replica leads, until the stop. Whatever is under way then goes on elsewhere.
    pub async fn run(mut self, wake: Arc<Notify>, mut leading: watch::Receiver<bool>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                led = leading.wait_for(|leads| *leads) => if led.is_err() { return },
                () = &mut stop => return,
            }
            (self.report)(Report::Leading(true));
            let mut lost = leading.clone();
            tokio::select! {
                () = self.rounds(&wake) => {}
                _ = lost.wait_for(|leads| !*leads) => {}
                () = &mut stop => return,
            }
            // Whoever led in between may have found it otherwise.
            self.known.clear();
            (self.report)(Report::Leading(false));
        }
    }

    async fn rounds(&mut self, wake: &Notify) {
        loop {
            let left = match self.look().await {
                Ok(profiles) => {
                    (self.report)(Report::Looked(profiles));
                    self.left()
                }
                Err(error) => {
                    (self.report)(Report::Blind(error.to_string()));
                    BLIND
                }
            };
            tokio::select! {
                () = wake.notified() => sleep(SETTLE).await,
                () = sleep(left.max(SETTLE)) => {}
            }
        }
    }

    /// Until a guard is to be proven again, or until it is time for another look.
    fn left(&self) -> Duration {
        let due = self.known.values().filter_map(|known| known.due).min();
        due.map_or(RECHECK, |due| due.saturating_duration_since(Instant::now()).min(RECHECK))
    }

    /// Looks at every profile once.
    ///
    /// # Errors
    /// The profiles cannot be listed.
    pub async fn look(&mut self) -> Result<usize, RequestError> {
        let listed = survey::profiles(&self.executor.objects).await?;
        let claims = claims(&self.executor.objects).await?;
        let server = self.executor.objects.version().await?;
        let conflicts = survey::conflicts(&listed, &self.settings);
        let mut all: Vec<(&Listed, Option<String>)> = listed.iter().zip(conflicts).collect();
        // Whoever is cut short each time does not leave the same ones undone.
        all.sort_by_key(|(listed, _)| is_enforced(listed));
        for (profile, conflict) in all {
            self.one(profile, conflict, claims, &server).await;
        }
        let names: Vec<&str> = listed.iter().map(Listed::name).collect();
        for name in self.known.keys().filter(|name| !names.contains(&name.as_str())) {
            (self.report)(Report::Gone(name.clone()));
        }
        self.known.retain(|name, _| names.contains(&name.as_str()));
        (self.report)(Report::Orphaned(survey::orphans(&self.executor.objects, &names).await?));
        Ok(listed.len())
    }

    /// Looks at one profile.
    async fn one(&mut self, listed: &Listed, conflict: Option<String>, claims: Claims, server: &str) {
        let now = (self.clock)();
        let (profile, object) = match &listed.profile {
            Ok(valid) => valid.clone(),
            Err(error) => {
                self.reject(listed, Reason::InvalidProfile, error, now).await;
                return;
            }
        };
        if let Some(conflict) = conflict {
            self.reject(listed, Reason::ProfileConflict, &conflict, now).await;
            return;
        }
        let before = object.status.clone();
        let Effective { profile, weakened, claims_since, rehearses } = in_force(profile, &object, claims, now);
        let installation = Installation { profile, settings: self.settings.clone() };
        let wanted = Goal { installation, adopt: false, profile_is_given: true, rehearses };
        // What was in force is ours, whoever took our label away.
        let was_ours = before.as_ref().is_some_and(|status| status.guard.is_some());
        let (outcome, repaired) = self.install(&wanted, was_ours).await;
        for place in repaired {
            let message = format!("somebody had changed {place}; it is repaired");
            let news = News { warning: true, reason: "GuardRepaired".to_owned(), message };
            self.tell(listed, &news, now).await;
            (self.report)(Report::Repaired(listed.name().to_owned(), place));
        }
        let mut all = status::conditions(&outcome, weakened.as_ref());
        if outcome.is_ok() && !wanted.installation.is_ours() {
            look_for_pods(&self.executor.objects, &wanted.installation, &mut all).await;
        }
        let mut after = status::merged(before.as_ref(), all, object.metadata.generation, now);
        after.operator_version = env!("CARGO_PKG_VERSION").to_owned();
        server.clone_into(&mut after.server_version);
        after.claims_since = claims_since.map(|since| since.to_string());
        let proven = status::proof(&outcome);
        if outcome.is_ok() || proven.is_some() {
            status::note(&mut after, proven, now);
        }
        self.say(listed, before.as_ref(), &after, now).await;
    }

    /// What came of it, and the guards that somebody had changed.
    async fn install(&mut self, wanted: &Goal, was_ours: bool) -> (Outcome, Vec<Place>) {
        let name = wanted.installation.profile.name().to_owned();
        let known = self.known.remove(&name).unwrap_or_default();
        let is_same = known.goal.as_ref() == Some(wanted);
        let goal = Goal { adopt: was_ours, ..wanted.clone() };
        let is_due = !is_same || known.due.is_none_or(|due| Instant::now() >= due);
        let proven = self.executor.prover.counts(&self.executor.objects, &goal, known.proven, is_due).await;
        let (mut last, report) = (None, &mut self.report);
        let outcome = self.executor.install(&goal, proven, |event| {
            match event {
                // A wait is begun anew twice a second.
                Event::Begins(step) if last.as_ref() != Some(&step) => {
                    report(Report::Does(name.clone(), step.to_string()));
                    last = Some(step);
                }
                Event::Proven(_) => report(Report::Proven(name.clone())),
                _ => {}
            }
        });
        let outcome = outcome.await;
        let proven = status::proof(&outcome).cloned();
        let (mut changed, mut guarded) = (Vec::new(), known.guarded);
        if let Ok(installed) = &outcome {
            changed.extend(repaired(installed).filter(|_| is_same && guarded));
            guarded = !installed.unguarded;
        }
        let due = if is_due { Some(Instant::now() + self.jittered()) } else { known.due };
        self.known.insert(name, Known { goal: Some(wanted.clone()), proven, guarded, due });
        (outcome, changed)
    }

    fn jittered(&mut self) -> Duration {
        self.every.mul_f64(self.chance.random_range(0.9..=1.1))
    }

    async fn reject(&mut self, listed: &Listed, reason: Reason, message: &str, now: Timestamp) {
        let before = serde_json::from_value::<api::AgentProfileStatus>(listed.object()["status"].clone()).ok();
        let all = status::rejected(reason, message, before.as_ref());
        let generation = listed.object()["metadata"]["generation"].as_i64();
        let after = status::merged(before.as_ref(), all, generation, now);
        self.say(listed, before.as_ref(), &after, now).await;
    }

    /// Writes the status, and an Event for each condition that became another one.
    async fn say(
        &mut self,
        listed: &Listed,
        before: Option<&api::AgentProfileStatus>,
        after: &api::AgentProfileStatus,
        now: Timestamp,
    ) {
        let name = listed.name().to_owned();
        if let Some(enforced) = status::condition(after, status::ENFORCED) {
            let holds = match enforced.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            };
            (self.report)(Report::Enforced(name.clone(), holds, enforced.reason.clone()));
        }
        if before == Some(after) {
            return;
        }
        let place = Place::of(listed.object());
        if let Err(error) = self.executor.objects.report(&place, &whole(json!(after))).await {
            (self.report)(Report::Unsaid(error.to_string()));
            return;
        }
        for news in news(before, after) {
            self.tell(listed, &news, now).await;
        }
    }

    async fn tell(&mut self, listed: &Listed, news: &News, now: Timestamp) {
        if let Err(error) = tell(&self.executor.objects, listed.object(), news, now).await {
            (self.report)(Report::Unsaid(error.to_string()));
        }
    }
}

fn is_enforced(listed: &Listed) -> bool {
    let status = listed.profile.as_ref().ok().and_then(|(_, object)| object.status.as_ref());
    status
        .and_then(|status| status::condition(status, status::ENFORCED))
        .is_some_and(|enforced| enforced.status == "True")
}

/// Says so where nobody uses the account.
async fn look_for_pods(objects: &Objects, installation: &Installation, all: &mut [Said]) {
    let Ok(Some((reason, message))) = survey::unused(objects, &installation.profile).await else { return };
    for said in all.iter_mut().filter(|said| said.of == status::DEGRADED) {
        *said = Said { of: said.of, holds: Some(true), reason, message: message.clone() };
    }
}

/// A merge leaves what is not named as it is.
fn whole(mut status: Value) -> Value {
    for field in ["guard", "claimsSince"] {
        if status.get(field).is_none() {
            status[field] = Value::Null;
        }
    }
    status
}

/// Guards that were there and had to be written.
fn repaired(installed: &Installed) -> impl Iterator<Item = Place> {
    installed.steps.iter().filter_map(|step| match step {
        Step::Apply { part: Part::Guards, .. } => step.place(),
        _ => None,
    })
}

/// The conditions that became others: enforcement and degradation, for whoever has to know.
fn news(before: Option<&api::AgentProfileStatus>, after: &api::AgentProfileStatus) -> Vec<News> {
    let of = [status::ENFORCED, status::DEGRADED];
    let changed = of.into_iter().filter_map(|of| {
        let now = status::condition(after, of)?;
        let was = before.and_then(|status| status::condition(status, of));
        let is_new = was.is_none_or(|was| (&was.status, &was.reason) != (&now.status, &now.reason));
        let good = if of == status::ENFORCED { "True" } else { "False" };
        // That nothing is wrong is news only if something was.
        let matters = of == status::ENFORCED || now.status != good || was.is_some();
        (is_new && matters).then(|| News {
            warning: now.status != good,
            reason: now.reason.clone(),
            message: format!("{of}={}: {}", now.status, now.message),
        })
    });
    changed.collect()
}

pub(crate) async fn claims(objects: &Objects) -> Result<Claims, RequestError> {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}});
    match objects.create(&review).await {
        Ok(answer) => Ok(Claims::seen_in(&answer)),
        Err(RequestError::Refused { code: 404 | 403, .. }) => Ok(Claims::Unknown),
        Err(error) => Err(error),
    }
}
