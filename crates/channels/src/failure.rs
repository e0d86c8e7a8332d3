//! Why a publication did not reach the Node.

use kube::core::Status;
use ownership::guard::{Guard, Message, Rule};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use thiserror::Error;

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{cause}: {message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub cause: Cause,
    /// What the server or the connection said.
    pub message: String,
    /// When another try is worth it.
    pub after: Duration,
    /// Whether this is the first failure of this cause since the last success. The others need not be reported.
    pub first: bool,
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Somebody decided against it. It stays so until somebody changes a policy, a right or this agent.
    Refused(Refuser),
    /// There is no Node of that name.
    Gone,
    /// Somebody else was faster, or the Node is another one by now.
    Conflict,
    /// The server has too many requests.
    Busy,
    /// The server is in trouble.
    Server(u16),
    /// The server could not be reached.
    Unreachable,
    /// The server did not answer in time.
    Late,
}

/// Who decided against a publication.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refuser {
    /// Our guard.
    Guard {
        /// The policy.
        policy: String,
        /// The rule that was broken.
        rule: Rule,
        /// The keys that broke it.
        keys: BTreeSet<String>,
    },
    /// Somebody else's policy, or one whose expression failed.
    Policy(String),
    /// The account has no right to do it.
    Rbac,
    /// The server does not know who we are.
    Credentials,
    /// This channel itself: we are not the agent of that Node by what the server says about us.
    Channel,
    /// The server for another reason, with this code.
    Other(u16),
}

impl Cause {
    /// One word of a bounded set, for metrics and Events.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused(Refuser::Guard { .. }) => "guard",
            Self::Refused(Refuser::Policy(_)) => "policy",
            Self::Refused(Refuser::Rbac) => "rbac",
            Self::Refused(Refuser::Credentials) => "credentials",
            Self::Refused(Refuser::Channel) => "channel",
            Self::Refused(Refuser::Other(_)) => "refused",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Server(_) => "server",
            Self::Unreachable => "unreachable",
            Self::Late => "late",
        }
    }

    /// Whether somebody decided against it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What an answer with a failure means.
    pub(crate) fn of(status: &Status) -> Self {
        match status.code {
            404 => Self::Gone,
            409 => Self::Conflict,
            422 if concerns_uid(status) => Self::Conflict,
            408 | 504 => Self::Late,
            429 => Self::Busy,
            500.. => Self::Server(status.code),
            code => Self::Refused(Refuser::of(code, &status.message)),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refuser) => refuser.fmt(f),
            Self::Gone => f.write_str("there is no such Node"),
            Self::Conflict => f.write_str("the Node has changed meanwhile"),
            Self::Busy => f.write_str("the API server has too many requests"),
            Self::Server(code) => write!(f, "the API server is in trouble ({code})"),
            Self::Unreachable => f.write_str("the API server cannot be reached"),
            Self::Late => f.write_str("the API server did not answer in time"),
        }
    }
}

impl Refuser {
    fn of(code: u16, message: &str) -> Self {
        match (by_policy(message), code) {
            (Some(refuser), _) => refuser,
            (None, 401) => Self::Credentials,
            (None, 403) if is_rbac(message) => Self::Rbac,
            (None, code) => Self::Other(code),
        }
    }
}

impl fmt::Display for Refuser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { policy, rule, .. } => write!(f, "refused by the guard {policy}, rule {rule}"),
            Self::Policy(policy) => write!(f, "refused by the policy {policy}"),
            Self::Rbac => f.write_str("the service account may not do this"),
            Self::Credentials => f.write_str("the API server does not know this agent"),
            Self::Channel => f.write_str("not sent"),
            Self::Other(code) => write!(f, "refused by the API server ({code})"),
        }
    }
}

/// A merge patch with the UID of an earlier Node of that name would change a field that cannot change.
fn concerns_uid(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field == "metadata.uid")
}

/// `User "x" cannot patch resource "nodes" in API group "" at the cluster scope`.
fn is_rbac(message: &str) -> bool {
    message.contains("User \"") && message.contains("\" cannot ")
}

/// Takes `… is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: message` apart. It is our
/// guard if the policy has the name of the guard of the profile that the message names.
fn by_policy(text: &str) -> Option<Refuser> {
    let (_, rest) = text.split_once(" is forbidden: ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once('\'')?;
    let (_, message) = rest.split_once(" denied request: ")?;
    let ours = Message::parse(message).filter(|ours| Guard::ALL.iter().any(|g| g.policy_name(&ours.profile) == policy));
    let policy = policy.to_owned();
    Some(match ours {
        Some(Message { rule, keys, .. }) => Refuser::Guard { policy, rule, keys },
        None => Refuser::Policy(policy),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status { code, message: message.to_owned(), ..Status::default() }
    }

    fn vap(policy: &str, message: &str) -> String {
        format!(
            "nodes \"n\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding 'b' denied request: {message}"
        )
    }

    #[test]
    fn the_guard_is_not_taken_for_rbac_nor_for_a_namesake() {
        let guard = |rule, keys: &[&str]| {
            let keys = keys.iter().map(ToString::to_string).collect();
            Cause::Refused(Refuser::Guard { policy: "nodebound-p".to_owned(), rule, keys })
        };
        let policy = |name: &str| Cause::Refused(Refuser::Policy(name.to_owned()));
        let rbac = "nodes \"n\" is forbidden: User \"u\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope";
        let table = [
            (
                403,
                vap("nodebound-p", "nodebound/p: labels: not owned by this agent: a, b"),
                guard(Rule::Labels, &["b", "a"]),
            ),
            (
                403,
                vap("nodebound-p", "nodebound/p: own-node: the request does not come from this node"),
                guard(Rule::OwnNode, &[]),
            ),
            (403, vap("nodebound-q", "nodebound/p: spec: spec may not change"), policy("nodebound-q")),
            (422, vap("nodebound-p", "expression 'x' resulted in error: y"), policy("nodebound-p")),
            (403, rbac.to_owned(), Cause::Refused(Refuser::Rbac)),
            (403, "no reason".to_owned(), Cause::Refused(Refuser::Other(403))),
            (401, "Unauthorized".to_owned(), Cause::Refused(Refuser::Credentials)),
            (422, "Node \"n\" is invalid".to_owned(), Cause::Refused(Refuser::Other(422))),
            (404, String::new(), Cause::Gone),
            (409, String::new(), Cause::Conflict),
            (429, String::new(), Cause::Busy),
            (503, String::new(), Cause::Server(503)),
            (504, String::new(), Cause::Late),
        ];
        for (code, message, expected) in table {
            assert_eq!(Cause::of(&status(code, &message)), expected, "{code} {message}");
        }
    }
}
