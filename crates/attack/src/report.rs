//! What an attack came to, as data: the source of tables, JUnit, SARIF and the page for a browser.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::exchange::Sent;
use crate::ground::Speaker;
use crate::inspect::held_to_its_node;
use crate::layer::Refusal;
use crate::outcome::Outcome;
use crate::survey::Survey;

/// The whole result of an attack on a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The profile.
    pub profile: String,
    /// The agent's account, as `namespace/name`.
    pub account: String,
    /// The version of Kubernetes.
    pub version: String,
    /// The node that the attack was made from.
    pub node: String,
    /// The pod whose token was used or imitated.
    pub pod: String,
    /// As whom the requests were made.
    pub means: Means,
    /// The API servers that were asked.
    pub servers: Vec<String>,
    /// What was looked up rather than tried.
    pub checks: Vec<Check>,
    /// What was tried, in the order of the catalogue, server by server.
    pub trials: Vec<Trial>,
}

/// As whom the requests were made.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Means {
    /// Whether with a token of the account that is bound to its pod, rather than by impersonation.
    pub token: bool,
    /// What that leaves unproven; empty if nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unproven: String,
}

/// Something that was looked up.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its identifier, which stays.
    pub id: String,
    /// What is asked.
    pub title: String,
    /// The answer.
    pub status: Status,
    /// What was found, and what to do.
    pub text: String,
}

/// The answer of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// It could not be found out.
    Unknown,
    /// Worth knowing, and nothing to be done.
    Noted,
}

/// One request, and what came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The recipe.
    pub recipe: String,
    /// What the recipe does.
    pub title: String,
    /// What it gains an attacker; empty for legitimate writes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gain: String,
    /// Who described it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Whether it is an attack, rather than what the agent must stay able to do.
    pub attack: bool,
    /// What was done.
    pub name: String,
    /// As whom.
    pub speaker: String,
    /// The API server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Who refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Why it counts as that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The request, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Sent>,
    /// The answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Told>,
    /// How to repeat the request, with `$SERVER` and `$TOKEN` set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub curl: String,
}

/// What the API server told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The HTTP code.
    pub code: u16,
    /// The reason of a Status.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The message of a Status.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Conclusion {
    /// Every attack was refused, every legitimate write admitted, every check good.
    Holds,
    /// Something is wrong.
    Broken,
    /// Nothing wrong was found, but not everything could be proven.
    Unproven,
}

impl Report {
    /// How many trials came to each outcome.
    #[must_use]
    pub fn count(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for trial in &self.trials {
            *counts.entry(trial.outcome).or_insert(0) += 1;
        }
        counts
    }

    /// What it all comes to.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let broken = self.trials.iter().any(|trial| trial.outcome.is_finding())
            || self.checks.iter().any(|check| check.status == Status::Bad);
        if broken { Conclusion::Broken } else { self.without_findings() }
    }

    fn without_findings(&self) -> Conclusion {
        let open = self.trials.iter().any(|trial| trial.outcome == Outcome::Unproven)
            || self.checks.iter().any(|check| check.status == Status::Unknown)
            || !self.means.unproven.is_empty()
            || !self.trials.iter().any(|trial| trial.attack && trial.outcome == Outcome::Stopped);
        if open { Conclusion::Unproven } else { Conclusion::Holds }
    }

    /// The conclusion in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let counts = self.count();
        let of = |outcome| counts.get(&outcome).copied().unwrap_or(0);
        let facts = format!(
            "{} attacks stopped, {} got through; {} legitimate writes admitted, {} blocked",
            of(Outcome::Stopped),
            of(Outcome::Breach),
            of(Outcome::Admitted),
            of(Outcome::Blocked)
        );
        let account = &self.account;
        match self.conclusion() {
            Conclusion::Holds => format!("{account} is bound to its node and to what it owns: {facts}"),
            Conclusion::Broken => format!("{account} is not bound as the profile {} says: {facts}", self.profile),
            Conclusion::Unproven => {
                format!("nothing got through for {account}, but not everything was proven: {facts}")
            }
        }
    }

    /// The outcome of a recipe: the worst of its trials.
    #[must_use]
    pub fn of_recipe(&self, recipe: &str) -> Option<Outcome> {
        worst(self.trials.iter().filter(|trial| trial.recipe == recipe).map(|trial| trial.outcome))
    }
}

impl Report {
    /// Puts together what was found, looked up and tried.
    #[must_use]
    pub fn new(survey: &Survey, servers: Vec<String>, mut checks: Vec<Check>, trials: Vec<Trial>) -> Self {
        let ground = &survey.ground;
        checks.extend(held_to_its_node(ground, &trials));
        let token = survey.keys.tokens.contains_key(&Speaker::Agent);
        let unproven = if token { String::new() } else { format!("{BORROWED} ({})", survey.no_token) };
        Self {
            profile: ground.profile.name().to_owned(),
            account: crate::survey::text_of(&ground.profile),
            version: survey.version.clone(),
            node: ground.pod.node.clone(),
            pod: ground.pod.name.clone(),
            means: Means { token, unproven },
            servers,
            checks,
            trials,
        }
    }
}

const BORROWED: &str = "no token of the agent could be had, so its identity was borrowed: that its own tokens say which \
    node they belong to was assumed";

/// The outcome that stands for several.
#[must_use]
pub fn worst(outcomes: impl Iterator<Item = Outcome>) -> Option<Outcome> {
    let order = [
        Outcome::Breach,
        Outcome::Blocked,
        Outcome::Defect,
        Outcome::Unproven,
        Outcome::Permitted,
        Outcome::Residual,
        Outcome::Stopped,
        Outcome::Admitted,
        Outcome::Harmless,
        Outcome::Skipped,
    ];
    outcomes.min_by_key(|outcome| order.iter().position(|known| known == outcome))
}

impl Told {
    pub(crate) fn of(code: u16, body: &Value) -> Self {
        let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { code, reason: text("reason"), message: text("message") }
    }
}
