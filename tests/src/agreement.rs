//! The rule exists twice; here both are asked, in one form of answer.

use admission::request::{Operation, UserInfo};
use admission::{AdmissionRequest, Binding, KubeVersion, NoCluster, Policy, Verdict};
use ownership::guard::{Message, Rule};
use ownership::identity::User;
use ownership::request::{MalformedObject, Object, Request, Target};
use ownership::{Decision, Profile, decide};
use serde_json::Value;
use std::collections::BTreeSet;

/// The answer to a request, whoever gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No guard is about the request.
    NotMatched,
    /// Every rule holds.
    Allow,
    /// A rule does not hold.
    Deny {
        /// The policy.
        policy: String,
        /// The rule.
        rule: Rule,
        /// The keys of the message.
        keys: BTreeSet<String>,
        /// The reason of the refusal.
        reason: String,
    },
    /// An expression failed.
    Error(String),
}

/// The answer of [`decide`].
///
/// # Errors
/// [`MalformedObject`] for a request that no API server would make.
pub fn by_decision(profile: &Profile, request: &AdmissionRequest) -> Result<Answer, MalformedObject> {
    let user = user(&request.user_info);
    let target =
        Target { group: &request.resource.group, resource: &request.resource.resource, namespace: &request.namespace };
    let operation = operation(request)?;
    Ok(match decide(profile, &Request { user: &user, target, operation }) {
        Decision::NotMatched => Answer::NotMatched,
        Decision::Allow => Answer::Allow,
        Decision::Deny(denial) => {
            let policy = denial.guard.policy_name(profile.name());
            denied(policy, &denial.message(profile), "Forbidden")
        }
    })
}

fn user(info: &UserInfo) -> User {
    User { username: info.username.clone(), extra: info.extra.clone() }
}

fn operation(request: &AdmissionRequest) -> Result<ownership::request::Operation<'_>, MalformedObject> {
    use ownership::request::Operation as O;
    let new = || Object::new(request.object.as_deref().unwrap_or(&Value::Null));
    let old = || Object::new(request.old_object.as_deref().unwrap_or(&Value::Null));
    Ok(match request.operation {
        Operation::Create => O::Create { new: new()? },
        Operation::Update => O::Update { old: old()?, new: new()? },
        Operation::Delete => O::Delete { old: old()? },
        Operation::Connect => O::Connect,
    })
}

fn denied(policy: String, message: &str, reason: &str) -> Answer {
    match Message::parse(message) {
        Some(Message { rule, keys, .. }) => Answer::Deny { policy, rule, keys, reason: reason.to_owned() },
        None => Answer::Error(format!("a message that is not ours: {message}")),
    }
}

/// The guards of a profile, compiled.
#[derive(Debug)]
pub struct Guards {
    policies: Vec<Policy>,
    bindings: Vec<Binding>,
}

impl Guards {
    /// Renders and compiles the guards of a profile.
    ///
    /// # Panics
    /// If a rendered guard does not compile.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        Self::compile(&manifests::guards(profile))
    }

    /// Compiles guards.
    ///
    /// # Panics
    /// If one does not compile.
    #[must_use]
    pub fn compile(guards: &[manifests::Guarding]) -> Self {
        let release = KubeVersion::minor(30);
        let policies = guards.iter().map(|g| Policy::compile(&g.policy, release).expect("a rendered policy compiles"));
        let bindings = guards.iter().map(|g| Binding::check(&g.binding).expect("a rendered binding is valid"));
        Self { policies: policies.collect(), bindings: bindings.collect() }
    }

    /// The answer of the rendered policies.
    #[must_use]
    pub fn answer(&self, request: &AdmissionRequest) -> Answer {
        let mut answer = Answer::NotMatched;
        for policy in &self.policies {
            match admission::evaluate(policy, &self.bindings, request, &NoCluster).verdict {
                Verdict::NotMatched(_) => {}
                Verdict::Allow => answer = Answer::Allow,
                Verdict::Deny(denial) => return denied(denial.policy, &denial.message, denial.reason.as_str()),
                Verdict::Error(error) => return Answer::Error(error.message),
            }
        }
        answer
    }
}
