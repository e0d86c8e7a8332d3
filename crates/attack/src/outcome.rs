//! What came of an attempt.

use serde::Serialize;

use crate::answer::Answer;
use crate::catalogue::Stopper;
use crate::exchange::NoAnswer;
use crate::expand::Aim;
use crate::layer::{Layer, Refusal};

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// An attack was refused by who may refuse it.
    Stopped,
    /// A legitimate write was admitted.
    Admitted,
    /// It got through, as the recipe says that it does, and no rule can help.
    Residual,
    /// It got through, because the profile permits it.
    Permitted,
    /// It got through, and changed nothing that matters.
    Harmless,
    /// An attack got through.
    Breach,
    /// A legitimate write was refused.
    Blocked,
    /// Refused because something failed, not because somebody decided so.
    Defect,
    /// The answer decides nothing: another layer was in the way, or there was no answer.
    Unproven,
    /// Not tried.
    Skipped,
}

impl Outcome {
    /// Every outcome, the worst last but the two that decide nothing.
    pub const ALL: [Self; 10] = [
        Self::Stopped,
        Self::Admitted,
        Self::Residual,
        Self::Permitted,
        Self::Harmless,
        Self::Breach,
        Self::Blocked,
        Self::Defect,
        Self::Unproven,
        Self::Skipped,
    ];

    /// As reports spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Admitted => "admitted",
            Self::Residual => "residual",
            Self::Permitted => "permitted",
            Self::Harmless => "harmless",
            Self::Breach => "got through",
            Self::Blocked => "blocked",
            Self::Defect => "defect",
            Self::Unproven => "unproven",
            Self::Skipped => "skipped",
        }
    }

    /// Whether somebody has to do something about it.
    #[must_use]
    pub fn is_finding(self) -> bool {
        matches!(self, Self::Breach | Self::Blocked | Self::Defect)
    }
}

/// An outcome with who refused and what there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The outcome.
    pub outcome: Outcome,
    /// Who refused, if somebody did.
    pub refusal: Option<Refusal>,
    /// Why it counts as that, where the outcome alone does not say it.
    pub note: String,
}

/// What there is to know of a request when its answer is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// RBAC may refuse it even if it is legitimate.
    pub optional: bool,
    /// It asks for a connection: whoever fails to connect was let through.
    pub connects: bool,
}

/// Judges an answer by what should have come of the request.
#[must_use]
pub fn judge(aim: &Aim, asked: Asked, answer: &Result<Answer, NoAnswer>) -> Judged {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return plain(Outcome::Unproven, error.to_string()),
    };
    if answer.is_success() {
        return admitted(aim);
    }
    match answer.refusal() {
        None if asked.connects && answer.code >= 500 => admitted(aim),
        Some(refusal) if asked.connects && matches!(refusal.layer, Layer::NotServed | Layer::Validation) => {
            Judged { refusal: Some(refusal), ..admitted(aim) }
        }
        None => plain(Outcome::Unproven, format!("the API server answered {}: {}", answer.code, answer.message())),
        Some(refusal) => refused(aim, asked.optional, refusal, answer),
    }
}

fn plain(outcome: Outcome, note: impl Into<String>) -> Judged {
    Judged { outcome, refusal: None, note: note.into() }
}

fn admitted(aim: &Aim) -> Judged {
    match aim {
        Aim::Admitted => plain(Outcome::Admitted, ""),
        Aim::Refused(_) => plain(Outcome::Breach, ""),
        Aim::Residual(reason) => plain(Outcome::Residual, reason.as_str()),
        Aim::Permitted(reason) => plain(Outcome::Permitted, reason.as_str()),
        Aim::Harmless(reason) => plain(Outcome::Harmless, reason.as_str()),
    }
}

fn refused(aim: &Aim, optional: bool, refusal: Refusal, answer: &Answer) -> Judged {
    let (outcome, note) = match (aim, refusal.layer) {
        (Aim::Refused(_), Layer::EvaluationError) if answer.code == 422 && is_somebody_elses(&refusal) => {
            (Outcome::Stopped, "refused because a policy of somebody else failed".to_owned())
        }
        (_, Layer::EvaluationError) => (Outcome::Defect, "a policy or webhook failed; nobody decided".to_owned()),
        (_, Layer::Authentication) => (Outcome::Unproven, "the credentials were not accepted".to_owned()),
        (Aim::Refused(stoppers), layer) => stopped(stoppers, layer, &refusal),
        (Aim::Residual(_) | Aim::Permitted(_) | Aim::Harmless(_), _) => (Outcome::Stopped, String::new()),
        (Aim::Admitted, Layer::Rbac) if optional => {
            (Outcome::Skipped, "no role grants it, and the agent can do without".to_owned())
        }
        (Aim::Admitted, Layer::NotServed | Layer::Validation) if answer.code != 422 => {
            (Outcome::Unproven, format!("the API server answered {}: {}", answer.code, answer.message()))
        }
        (Aim::Admitted, _) => (Outcome::Blocked, String::new()),
    };
    Judged { outcome, refusal: Some(refusal), note }
}

fn is_somebody_elses(refusal: &Refusal) -> bool {
    refusal.policy.as_ref().is_some_and(|policy| !policy.starts_with("nodebound-"))
}

fn stopped(stoppers: &[Stopper], layer: Layer, refusal: &Refusal) -> (Outcome, String) {
    let named = stoppers.iter().any(|stopper| match stopper {
        Stopper::Rule(rule) => refusal.rule == Some(*rule),
        Stopper::Layer(named) => *named == layer,
    });
    match layer {
        _ if named => (Outcome::Stopped, String::new()),
        Layer::Rbac | Layer::Policy | Layer::Webhook | Layer::NodeRestriction => (Outcome::Stopped, String::new()),
        Layer::Guard => {
            let expected: Vec<&str> = stoppers.iter().filter_map(Stopper::rule_name).collect();
            let expected = if expected.is_empty() { "none".to_owned() } else { expected.join(" or ") };
            (
                Outcome::Defect,
                format!("refused by another rule than expected ({expected}): is the guard of another version?"),
            )
        }
        _ => (Outcome::Unproven, format!("refused before anybody could decide: {}", refusal.message)),
    }
}

impl Stopper {
    fn rule_name(&self) -> Option<&'static str> {
        match self {
            Self::Rule(rule) => Some(rule.as_str()),
            Self::Layer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::guard::Rule;
    use serde_json::json;

    fn answer(code: u16, message: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer { code, body: json!({"message": message}), warnings: Vec::new() })
    }

    fn denied(message: &str) -> String {
        format!(
            "nodes \"n\" is forbidden: ValidatingAdmissionPolicy 'nodebound-p' with binding 'b' denied request: {message}"
        )
    }

    #[test]
    fn answers_are_judged_by_the_aim() {
        let attack = Aim::Refused(vec![Stopper::Rule(Rule::Spec)]);
        let lie = Aim::Residual("why".to_owned());
        let spec = denied("nodebound/p: spec: spec may not change");
        let labels = denied("nodebound/p: labels: not owned by this agent: a");
        let error = denied("expression 'x' resulted in error: no such key");
        let rbac = "nodes \"n\" is forbidden: User \"u\" cannot patch resource \"nodes\"";
        let table = [
            (&attack, answer(403, &spec), Outcome::Stopped),
            (&attack, answer(403, &labels), Outcome::Defect),
            (&attack, answer(422, &error), Outcome::Defect),
            (&attack, answer(403, rbac), Outcome::Stopped),
            (&attack, answer(200, ""), Outcome::Breach),
            (&attack, answer(409, "conflict"), Outcome::Unproven),
            (&attack, answer(503, "no"), Outcome::Unproven),
            (&attack, answer(401, "Unauthorized"), Outcome::Unproven),
            (&attack, Err(NoAnswer::Late), Outcome::Unproven),
            (&Aim::Refused(Vec::new()), answer(403, rbac), Outcome::Stopped),
            (&lie, answer(200, ""), Outcome::Residual),
            (&lie, answer(403, &labels), Outcome::Stopped),
            (&Aim::Admitted, answer(200, ""), Outcome::Admitted),
            (&Aim::Admitted, answer(403, &labels), Outcome::Blocked),
            (&Aim::Admitted, answer(403, rbac), Outcome::Blocked),
            (&Aim::Admitted, answer(422, &error), Outcome::Defect),
            (&Aim::Admitted, answer(404, "not found"), Outcome::Unproven),
        ];
        for (aim, answer, expected) in table {
            assert_eq!(judge(aim, Asked::default(), &answer).outcome, expected, "{aim:?} {answer:?}");
        }
        assert_eq!(
            judge(&Aim::Admitted, Asked { optional: true, ..Asked::default() }, &answer(403, rbac)).outcome,
            Outcome::Skipped
        );
    }
}
