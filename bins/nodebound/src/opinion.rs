//! What one policy says about one request, in the words of our reports.

use admission::verdict::Finding;
use admission::{PolicyReport, Reason, Verdict};
use ownership::guard::Message;
use serde::Serialize;
use std::collections::BTreeSet;

/// The four outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// Judged, and let through.
    Allow,
    /// Refused.
    Deny,
    /// Could not be judged.
    Error,
    /// Not concerned.
    NotMatched,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
            Self::NotMatched => "notMatched",
        }
    }
}

/// What one policy says about one request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Opinion {
    pub(crate) outcome: Outcome,
    pub(crate) policy: String,
    pub(crate) binding: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) code: Option<u16>,
    pub(crate) keys: BTreeSet<String>,
    #[serde(skip)]
    pub(crate) column: usize,
    #[serde(skip)]
    pub(crate) guard: bool,
    #[serde(skip)]
    pub(crate) refuses: bool,
}

impl Opinion {
    pub(crate) fn new(report: PolicyReport, column: usize, guard: bool) -> Self {
        let refuses = !report.verdict.admits();
        let outcome = match report.verdict {
            Verdict::Allow => Outcome::Allow,
            Verdict::Deny(_) => Outcome::Deny,
            Verdict::Error(_) => Outcome::Error,
            Verdict::NotMatched(_) => Outcome::NotMatched,
        };
        let mut opinion = Self {
            outcome,
            policy: report.policy,
            binding: None,
            rule: None,
            message: None,
            reason: None,
            code: None,
            keys: BTreeSet::new(),
            column,
            guard,
            refuses,
        };
        opinion.explain(report.verdict, report.findings);
        opinion
    }

    /// Takes over why; of a policy that lets through but warns or records, what it warns of.
    fn explain(&mut self, verdict: Verdict, findings: Vec<Finding>) {
        let finding = match verdict {
            Verdict::Deny(denial) => Some(Finding::Denial(denial)),
            Verdict::Error(error) => Some(Finding::Error(error)),
            Verdict::Allow => findings.into_iter().next(),
            Verdict::NotMatched(_) => None,
        };
        let (binding, message, reason) = match finding {
            None => return,
            Some(Finding::Denial(denial)) => (Some(denial.binding), denial.message, denial.reason),
            Some(Finding::Error(error)) => (error.binding, error.message, Reason::Invalid),
        };
        if let Some(parsed) = Message::parse(&message) {
            self.rule = Some(parsed.rule.to_string());
            self.keys = parsed.keys;
        }
        self.binding = binding;
        self.message = Some(message);
        if self.refuses {
            self.reason = Some(reason.as_str());
            self.code = Some(reason.code());
        }
    }

    /// How much it weighs among the opinions of all policies.
    fn weight(&self) -> u8 {
        match self.outcome {
            _ if self.refuses => 0,
            Outcome::Error => 1,
            Outcome::Deny | Outcome::Allow => 2,
            Outcome::NotMatched => 3,
        }
    }
}

/// The opinion that decides: the first that refuses, else the first error, else the first that was evaluated.
pub(crate) fn deciding(opinions: &[Opinion]) -> Option<&Opinion> {
    opinions.iter().min_by_key(|opinion| opinion.weight())
}

#[cfg(test)]
mod tests {
    use super::*;
    use admission::verdict::{Action, ErrorKind};
    use admission::{Denial, Mismatch, PolicyError};
    use std::collections::BTreeMap;

    fn opinion(verdict: Verdict) -> Opinion {
        let report = PolicyReport {
            policy: "p".to_owned(),
            verdict,
            findings: Vec::new(),
            costs: Vec::new(),
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        };
        Opinion::new(report, 0, true)
    }

    fn deny(message: &str) -> Verdict {
        Verdict::Deny(Denial {
            policy: "p".to_owned(),
            binding: "b".to_owned(),
            validation: 0,
            expression: String::new(),
            message: message.to_owned(),
            reason: Reason::Forbidden,
            actions: vec![Action::Deny],
        })
    }

    fn error(admitted: bool) -> Verdict {
        let (policy, message) = ("p".to_owned(), "no such key: x".to_owned());
        Verdict::Error(PolicyError {
            policy,
            binding: None,
            validation: None,
            kind: ErrorKind::Evaluation,
            message,
            admitted,
        })
    }

    #[test]
    fn our_messages_are_taken_apart_and_others_are_not() {
        let ours = opinion(deny("nodebound/p: labels: not owned by this agent: a/b, c/d"));
        assert_eq!(ours.rule.as_deref(), Some("labels"));
        assert_eq!(ours.keys, ["a/b", "c/d"].map(str::to_owned).into());
        assert_eq!((ours.reason, ours.code, ours.refuses), (Some("Forbidden"), Some(403), true));
        let theirs = opinion(deny("not allowed: a/b"));
        assert_eq!((theirs.rule, theirs.keys.len()), (None, 0));
    }

    #[test]
    fn the_first_refusal_decides() {
        let order = [Verdict::NotMatched(Mismatch::NoBinding), Verdict::Allow, error(true), deny("x"), error(false)];
        let opinions: Vec<Opinion> = order.map(opinion).into();
        let outcome = |range: std::ops::Range<usize>| deciding(&opinions[range]).unwrap().outcome;
        assert_eq!(outcome(0..1), Outcome::NotMatched);
        assert_eq!(outcome(0..2), Outcome::Allow);
        assert_eq!(outcome(0..3), Outcome::Error);
        assert_eq!(outcome(0..5), Outcome::Deny);
        assert_eq!(outcome(4..5), Outcome::Error);
        assert_eq!((opinions[4].code, opinions[2].code), (Some(422), None));
    }
}
