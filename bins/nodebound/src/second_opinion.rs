//! The rule in Rust beside the rendered policy: on every case they must agree.

use admission::{AdmissionRequest, Operation as Requested};
use ownership::guard::Message;
use ownership::identity::User;
use ownership::request::{Object, Operation, Request, Target};
use ownership::{Decision, Profile, decide};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::opinion::{Opinion, Outcome};

/// How the rule and the guards of a profile differ on a request; `None` if they agree. An object that no API server
/// would show to admission has no second opinion.
pub(crate) fn differs(profile: &Profile, request: &AdmissionRequest, opinions: &[Opinion]) -> Option<String> {
    let user = User { username: request.user_info.username.clone(), extra: request.user_info.extra.clone() };
    let old = request.old_object.as_deref();
    let operation = operation(request.operation, old, request.object.as_deref())?;
    let target =
        Target { group: &request.resource.group, resource: &request.resource.resource, namespace: &request.namespace };
    let rule = of_rule(profile, decide(profile, &Request { user: &user, target, operation }));
    let guards = of_guards(opinions);
    (rule != guards).then(|| format!("the rule and the rendered policies differ: {rule:?} and {guards:?}"))
}

fn operation<'a>(requested: Requested, old: Option<&'a Value>, new: Option<&'a Value>) -> Option<Operation<'a>> {
    let object = |value: Option<&'a Value>| value.and_then(|value| Object::new(value).ok());
    Some(match requested {
        Requested::Create => Operation::Create { new: object(new)? },
        Requested::Update => Operation::Update { old: object(old)?, new: object(new)? },
        Requested::Delete => Operation::Delete { old: object(old)? },
        Requested::Connect => Operation::Connect,
    })
}

/// Outcome, rule and the keys that a message has room for.
type Gist = (Outcome, Option<String>, BTreeSet<String>);

fn of_rule(profile: &Profile, decision: Decision) -> Gist {
    match decision {
        Decision::NotMatched => (Outcome::NotMatched, None, BTreeSet::new()),
        Decision::Allow => (Outcome::Allow, None, BTreeSet::new()),
        Decision::Deny(denial) => {
            let keys = Message::parse(&denial.message(profile)).map(|message| message.keys).unwrap_or_default();
            (Outcome::Deny, Some(denial.rule.to_string()), keys)
        }
    }
}

/// At most one guard of a profile concerns a request.
fn of_guards(opinions: &[Opinion]) -> Gist {
    let concerned = |opinion: &&Opinion| opinion.guard && opinion.outcome != Outcome::NotMatched;
    match opinions.iter().find(concerned) {
        None => (Outcome::NotMatched, None, BTreeSet::new()),
        Some(opinion) => (opinion.outcome, opinion.rule.clone(), opinion.keys.clone()),
    }
}
