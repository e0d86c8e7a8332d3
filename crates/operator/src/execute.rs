//! Does one step after the other, and looks afresh after each: what was interrupted goes on where it was.

use manifests::install::Part;
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::object::{Objects, Place, RequestError};
use crate::plan::{Foreign, Goal, Hold, Plan, Step, is_shared};
use crate::prove::{Claim, Connect, Ground, NotProven, Proven, prepare, probed, prove};
use crate::reported::{reported, reported_now};
use crate::rollout::{self, Count};
use crate::run::Clock;

/// How long a step may fail for what may pass: a definition that is not served yet, a conflict, a server in trouble.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// How often an object is written before it is somebody else's doing that it is not as it should be.
const TIMES: usize = 3;

/// What happens, for whoever looks.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A step begins.
    Begins(Step),
    /// So many probes in a row were refused.
    Refused(u32),
    /// The guard has been proven.
    Proven(Proven),
}

/// Why an installation did not come to its end. What was done before stays.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecuteError {
    /// A name is taken.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// Somebody writes an object too.
    #[error("{0} was written {TIMES} times and is not as it should be: somebody else writes it too")]
    Contested(Place),
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A request failed after the guard had been proven.
    #[error("{error}")]
    Beyond {
        /// The proof, which still counts: a step to a guard comes before every other one.
        proven: Box<Proven>,
        /// What failed.
        error: RequestError,
    },
    /// The guard was not proven.
    #[error("the guard is not proven, so nothing is granted: {0}")]
    NotProven(#[from] NotProven),
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The steps that were done.
    pub steps: Vec<Step>,
    /// The proof, where there is something to prove.
    pub proven: Option<Proven>,
    /// Why not everything is installed.
    pub hold: Option<Hold>,
    /// Whether the API server serves no policies.
    pub unguarded: bool,
    /// Whether a guarded product is kept at its version because of that.
    pub holds_back: bool,
    /// The pods of the programs.
    pub running: Count,
    /// A workload that did not come to its end in time; what comes after it is still to be done.
    pub pending: Option<Place>,
}

/// Who probes the guards.
pub enum Prover {
    /// Whoever installs: an administrator may speak for everybody.
    Itself {
        /// To new connections.
        connect: Connect,
        /// Whose node the probes claim to come from.
        claim: Claim,
    },
    /// The prober, which says in a Lease what it finds.
    Another {
        /// Tells whether that was said lately.
        clock: Clock,
    },
}

impl Prover {
    /// Whether an earlier proof counts: one of ours until it is time for another, that of the prober as long as it says so.
    pub(crate) async fn counts(
        &self,
        objects: &Objects,
        goal: &Goal,
        proven: Option<Proven>,
        is_due: bool,
    ) -> Option<Proven> {
        match self {
            Self::Itself { .. } => proven.filter(|_| !is_due),
            Self::Another { clock } if proven.is_some() && !is_due => {
                reported_now(objects, &goal.installation, clock).await.ok()
            }
            Self::Another { .. } => None,
        }
    }
}

/// The way to the cluster.
pub struct Executor {
    /// To the objects.
    pub objects: Objects,
    /// Who probes.
    pub prover: Prover,
    /// How long to wait for a workload.
    pub patience: Duration,
}

impl Executor {
    /// Brings the cluster to what is wanted. It may be broken off at any moment, and begun again. An earlier proof counts
    /// as long as no guard has to be written.
    ///
    /// # Errors
    /// [`ExecuteError`]
    pub async fn install(
        &self,
        goal: &Goal,
        mut proven: Option<Proven>,
        mut tell: impl FnMut(Event),
    ) -> Result<Installed, ExecuteError> {
        let mut done: Vec<Step> = Vec::new();
        let mut waited: Option<Instant> = None;
        // A proof of another guard says nothing of this one.
        proven = proven.filter(|proven| proven.policy() == probed(&goal.installation.profile));
        loop {
            let found = self.objects.find(goal.looked_at()).await?;
            let Plan { steps, hold, unguarded } = goal.plan(&found, proven.as_ref())?;
            let hold_object = goal.installation.hold().map(|object| Place::of(&object));
            let holds_back = hold_object.is_some_and(|place| found.get(&place).is_some());
            let Some(step) = steps.into_iter().next() else {
                let running = rollout::running(goal.places(), &found);
                return Ok(Installed { steps: done, proven, hold, unguarded, holds_back, running, pending: None });
            };
            if let Step::Wait(place) = step {
                let patience = if is_shared(&place) { self.patience.max(PATIENCE) } else { self.patience };
                if waited.get_or_insert_with(Instant::now).elapsed() >= patience {
                    let running = rollout::running(goal.places(), &found);
                    return Ok(Installed {
                        steps: done,
                        proven,
                        hold,
                        unguarded,
                        holds_back,
                        running,
                        pending: Some(place),
                    });
                }
                tell(Event::Begins(Step::Wait(place)));
                sleep(PAUSE).await;
                continue;
            }
            waited = None;
            tell(Event::Begins(step.clone()));
            match &step {
                Step::Wait(_) => {}
                Step::Remove(place) => {
                    self.objects.delete(place).await.map_err(|error| beyond(proven.as_ref(), error))?
                }
                Step::Prove => {
                    let proof = self.prove(goal, |refusals| tell(Event::Refused(refusals))).await?;
                    tell(Event::Proven(proof.clone()));
                    proven = Some(proof);
                }
                Step::Apply { part, object, .. } => {
                    let place = Place::of(object);
                    if done.iter().filter(|step| step.place().as_ref() == Some(&place)).count() >= TIMES {
                        return Err(ExecuteError::Contested(place));
                    }
                    if *part == Part::Guards {
                        proven = None;
                    }
                    let written = self.write(object, found.get(&place)).await;
                    let counts = proven.as_ref().filter(|_| *part > Part::Guards);
                    written.map_err(|error| beyond(counts, error))?;
                }
            }
            done.push(step);
        }
    }

    async fn write(&self, object: &Value, found: Option<&Value>) -> Result<(), RequestError> {
        let end = Instant::now() + PATIENCE;
        loop {
            let written = match found {
                Some(there) if is_immovable(there, object) => self.objects.delete(&Place::of(object)).await,
                Some(there) if !is_added_to(&Place::of(object)) => self.objects.replace(there, object).await,
                _ => self.objects.apply(object).await,
            };
            match written {
                // It is another one by now: whoever plans looks again.
                Err(RequestError::Refused { code: 409, .. }) if found.is_some() => return Ok(()),
                Err(error) if error.may_pass() && Instant::now() < end => sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    async fn prove(&self, goal: &Goal, seen: impl FnMut(u32)) -> Result<Proven, NotProven> {
        let ground = self.ground(goal).await?;
        match (&self.prover, ground) {
            (Prover::Itself { connect, .. }, Some(ground)) => prove(connect, &ground, seen).await,
            (Prover::Another { clock }, _) => reported(&self.objects, &goal.installation, clock).await,
            (Prover::Itself { .. }, None) => Err(NotProven::Nothing("there is nothing to probe".to_owned())),
        }
    }

    /// What is probed, once it can be; another one finds it by itself, once it is there.
    async fn ground(&self, goal: &Goal) -> Result<Option<Ground>, NotProven> {
        let end = Instant::now() + PATIENCE;
        loop {
            let ground = match &self.prover {
                Prover::Itself { claim, .. } => Ground::find(&self.objects, &goal.installation, *claim).await.map(Some),
                Prover::Another { .. } => prepare(&self.objects, &goal.installation.profile).await.map(|()| None),
            };
            match ground {
                Err(NotProven::Request(error)) if error.may_pass() && Instant::now() < end => sleep(PAUSE).await,
                ground => return ground,
            }
        }
    }
}

fn beyond(proven: Option<&Proven>, error: RequestError) -> ExecuteError {
    match proven {
        Some(proven) => ExecuteError::Beyond { proven: Box::new(proven.clone()), error },
        None => error.into(),
    }
}

/// What others may add to: what is theirs stays.
fn is_added_to(place: &Place) -> bool {
    is_shared(place) || place.kind == "ServiceAccount"
}

/// What can only be made anew: whom a binding binds to which role, which pods a workload has.
fn is_immovable(there: &Value, object: &Value) -> bool {
    ["/roleRef", "/spec/selector"].iter().any(|field| there.pointer(field) != object.pointer(field))
}
