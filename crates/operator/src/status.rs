//! What is said of a profile: conditions with reasons that a script can match. Pure.

use api::{AgentProfileStatus, GuardStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::execute::{ExecuteError, Installed};
use crate::object::RequestError;
use crate::plan::Hold;
use crate::prove::{NotProven, Proven};
use crate::rollout::Count;

/// How old a proof may be in the status before it is written again. Proofs are made more often; a steady state writes nothing.
const REFRESH: SignedDuration = SignedDuration::from_hours(6);

/// Whether the guard is in force.
pub const ENFORCED: &str = "Enforced";
/// Whether something is still to be done.
pub const PROGRESSING: &str = "Progressing";
/// Whether something is wrong that somebody has to look at.
pub const DEGRADED: &str = "Degraded";
/// Whether what is ours to run runs.
pub const AVAILABLE: &str = "Available";

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// The guard was seen to refuse.
    GuardProven,
    /// `actions` has no Deny.
    TrialMode,
    /// `spec.pause` is in force.
    Paused,
    /// The API server serves no ValidatingAdmissionPolicy.
    PolicyNotServed,
    /// Tokens do not name their node, or not for long enough that every agent has one that does.
    NodeClaimMissing,
    /// A probe got through.
    ProbeAdmitted,
    /// What is legitimate is refused.
    AgentLockedOut,
    /// The guard was not seen to refuse, for another reason.
    NotProven,
    /// The prober says nothing of the guard as it stands.
    ProberSilent,
    /// An object of that name is somebody else's.
    NameTaken,
    /// Somebody else writes one of our objects too.
    Contested,
    /// The operator lacks a right.
    Forbidden,
    /// The API server refused a step.
    StepRefused,
    /// The API server does not answer, or does not do what it is asked.
    NoAnswer,
    /// The profile is not valid.
    InvalidProfile,
    /// Another profile is about the same account, or has guards of the same names.
    ProfileConflict,
    /// The account does not exist, or no pod uses it.
    AccountUnused,
    /// Everything is installed.
    Installed,
    /// A step is still to come.
    StepPending,
    /// Nothing is wrong.
    AsExpected,
    /// The programs are ready.
    Ready,
    /// Some are not.
    NotReady,
    /// There is none of ours to run.
    NothingToRun,
}

/// One condition, without its times.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Its type.
    pub of: &'static str,
    /// `None` is `Unknown`.
    pub holds: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

fn said(of: &'static str, holds: impl Into<Option<bool>>, reason: Reason, message: impl Into<String>) -> Said {
    Said { of, holds: holds.into(), reason, message: message.into() }
}

/// What keeps a guard from being what the profile asks for, although it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weakened {
    /// By `spec.pause`: until when, and why.
    Paused(String, String),
    /// Tokens do not name their node, says this text.
    NoClaims(String),
}

/// What came out of one look at a profile.
pub type Outcome = Result<Installed, ExecuteError>;

/// What to say of an outcome.
#[must_use]
pub fn conditions(outcome: &Outcome, weakened: Option<&Weakened>) -> Vec<Said> {
    let progress = match outcome {
        Ok(Installed { pending: Some(place), .. }) => {
            said(PROGRESSING, true, Reason::StepPending, format!("waits for {place}"))
        }
        Ok(installed) if installed.hold.is_some() => said(PROGRESSING, false, Reason::StepPending, held(installed)),
        Ok(_) => said(PROGRESSING, false, Reason::Installed, "everything is installed"),
        Err(error) => said(PROGRESSING, true, Reason::StepPending, error.to_string()),
    };
    let degraded = match outcome {
        Ok(_) => said(DEGRADED, false, Reason::AsExpected, ""),
        Err(error) => said(DEGRADED, true, cause(error), error.to_string()),
    };
    let available = outcome.as_ref().ok().map(|installed| available(installed.running));
    [enforced(outcome, weakened), progress, degraded].into_iter().chain(available).collect()
}

fn held(installed: &Installed) -> String {
    match installed.hold {
        Some(Hold::NotServed) if installed.holds_back => {
            "nothing that needs the guard is rolled out, nor another version of KubeVirt: the API server serves no policies".to_owned()
        }
        Some(Hold::NotServed) => "nothing that needs the guard is rolled out: the API server serves none".to_owned(),
        _ => "nothing is granted while the guard only records".to_owned(),
    }
}

/// Kubernetes 1.30 is the first that serves policies as `v1`.
const NOT_SERVED: &str =
    "the API server serves no ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1): Kubernetes 1.30 does";

fn enforced(outcome: &Outcome, weakened: Option<&Weakened>) -> Said {
    let (unguarded, hold) = match outcome {
        Ok(installed) => (installed.unguarded, installed.hold),
        Err(ExecuteError::Beyond { .. }) => (false, None),
        Err(ExecuteError::NotProven(error)) => return unproven(error),
        Err(error) => return said(ENFORCED, None, cause(error), error.to_string()),
    };
    match (weakened, proof(outcome)) {
        _ if unguarded => said(ENFORCED, false, Reason::PolicyNotServed, NOT_SERVED),
        (Some(Weakened::Paused(until, reason)), _) => {
            said(ENFORCED, false, Reason::Paused, format!("paused until {until}: {reason}"))
        }
        _ if hold.is_some() => {
            said(ENFORCED, false, Reason::TrialMode, "spec.actions has no Deny: the guard refuses nothing")
        }
        (Some(Weakened::NoClaims(why)), _) => said(ENFORCED, false, Reason::NodeClaimMissing, why),
        (None, Some(proven)) => said(ENFORCED, true, Reason::GuardProven, proven.evidence()),
        (None, None) => said(ENFORCED, None, Reason::NotProven, "the guard has not been probed"),
    }
}

/// The proof that counts, whatever came after it.
#[must_use]
pub fn proof(outcome: &Outcome) -> Option<&Proven> {
    match outcome {
        Ok(installed) => installed.proven.as_ref(),
        Err(ExecuteError::Beyond { proven, .. }) => Some(proven),
        Err(_) => None,
    }
}

fn unproven(error: &NotProven) -> Said {
    let (holds, reason) = match error {
        NotProven::LetIn { .. } => (Some(false), Reason::ProbeAdmitted),
        NotProven::LockedOut(_) => (Some(true), Reason::AgentLockedOut),
        NotProven::Otherwise { .. } => (Some(false), Reason::NotProven),
        NotProven::Unjudged(_) | NotProven::NoAnswer(_) => (None, Reason::NoAnswer),
        NotProven::Unsaid(_) => (None, Reason::ProberSilent),
        NotProven::Nothing(_) | NotProven::Request(_) => (None, Reason::NotProven),
    };
    said(ENFORCED, holds, reason, error.to_string())
}

fn cause(error: &ExecuteError) -> Reason {
    match error {
        ExecuteError::Foreign(_) => Reason::NameTaken,
        ExecuteError::Contested(_) => Reason::Contested,
        ExecuteError::NotProven(NotProven::LetIn { .. }) => Reason::ProbeAdmitted,
        ExecuteError::NotProven(NotProven::LockedOut(_)) => Reason::AgentLockedOut,
        ExecuteError::NotProven(NotProven::Unjudged(_) | NotProven::NoAnswer(_)) => Reason::NoAnswer,
        ExecuteError::NotProven(NotProven::Unsaid(_)) => Reason::ProberSilent,
        ExecuteError::NotProven(NotProven::Request(error))
        | ExecuteError::Request(error)
        | ExecuteError::Beyond { error, .. } => refused(error),
        ExecuteError::NotProven(_) => Reason::NotProven,
    }
}

fn refused(error: &RequestError) -> Reason {
    match error {
        RequestError::NoAnswer { .. } => Reason::NoAnswer,
        RequestError::Refused { code: 401 | 403, .. } => Reason::Forbidden,
        RequestError::Refused { .. } => Reason::StepRefused,
    }
}

fn available(running: Count) -> Said {
    let Count { wanted, ready } = running;
    match (wanted, ready) {
        (0, _) => said(AVAILABLE, true, Reason::NothingToRun, ""),
        _ if ready >= wanted => said(AVAILABLE, true, Reason::Ready, format!("{ready} of {wanted} pods are ready")),
        _ => said(AVAILABLE, false, Reason::NotReady, format!("{ready} of {wanted} pods are ready")),
    }
}

/// A profile that is not installed: what is wrong with it. What is in force of it stays, and nobody proves it.
#[must_use]
pub fn rejected(reason: Reason, message: &str, before: Option<&AgentProfileStatus>) -> Vec<Said> {
    let was_enforced =
        before.and_then(|status| condition(status, ENFORCED)).is_some_and(|known| known.status != "False");
    let enforced = match was_enforced {
        true => said(ENFORCED, None, reason, format!("what was in force is not proven any more: {message}")),
        false => said(ENFORCED, false, reason, message),
    };
    vec![said(DEGRADED, true, reason, message), enforced]
}

/// The status after this, with the times at which conditions changed.
#[must_use]
pub fn merged(
    before: Option<&AgentProfileStatus>,
    all: Vec<Said>,
    generation: Option<i64>,
    now: Timestamp,
) -> AgentProfileStatus {
    let mut status = before.cloned().unwrap_or_default();
    status.observed_generation = generation;
    for said in all {
        let condition = Condition {
            type_: said.of.to_owned(),
            status: said.holds.map_or("Unknown", |holds| if holds { "True" } else { "False" }).to_owned(),
            reason: format!("{:?}", said.reason),
            message: said.message,
            observed_generation: generation,
            last_transition_time: Time(whole_seconds(now)),
        };
        match status.conditions.iter_mut().find(|known| known.type_ == condition.type_) {
            Some(known) if known.status == condition.status => {
                *known = Condition { last_transition_time: known.last_transition_time.clone(), ..condition };
            }
            Some(known) => *known = condition,
            None => status.conditions.push(condition),
        }
    }
    status
}

/// Times in objects have no fractions.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Notes a proof, unless one is noted that says the same and is not old.
pub fn note(status: &mut AgentProfileStatus, proven: Option<&Proven>, now: Timestamp) {
    let Some(proven) = proven else {
        status.guard = None;
        return;
    };
    let (policy, evidence) = (proven.policy().to_owned(), proven.evidence());
    let is_known = status.guard.as_ref().is_some_and(|known| {
        let at: Option<Timestamp> = known.proven_at.parse().ok();
        let is_recent = at.is_some_and(|at| now.duration_since(at) < REFRESH);
        is_recent && known.policy == policy && known.evidence == evidence
    });
    if !is_known {
        status.guard = Some(GuardStatus { policy, proven_at: whole_seconds(now).to_string(), evidence });
    }
}

/// A condition by its type.
#[must_use]
pub fn condition<'s>(status: &'s AgentProfileStatus, of: &str) -> Option<&'s Condition> {
    status.conditions.iter().find(|condition| condition.type_ == of)
}
