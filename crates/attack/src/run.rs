//! Makes the attempts, and judges the answers.

use api::cases::{Change, Operation, Resolved, Suite};
use futures_util::{StreamExt, stream};
use kube::Client;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::answer::Answer;
use crate::catalogue::{self, Recipe, Way};
use crate::exchange::{Credentials, NoAnswer, Sent, send};
use crate::expand::{Aim, Attempt, Omitted, expand};
use crate::ground::{Ground, Speaker};
use crate::outcome::{Asked, Outcome, judge};
use crate::report::{Told, Trial};

/// So many requests are under way at once.
const AT_ONCE: usize = 4;
/// So often a replacement is tried again when the object has changed meanwhile.
const RETRIES: usize = 3;

/// One API server, and how to be somebody there.
#[derive(Clone)]
pub struct Server {
    /// Its address, for reports.
    pub address: String,
    /// A client with the operator's credentials.
    pub operator: Client,
    /// A client without any.
    pub nobody: Client,
}

/// What is known of the account's credentials.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Tokens.
    pub tokens: BTreeMap<Speaker, String>,
    /// Whether the operator may impersonate the account with any claims.
    pub impersonation: bool,
}

impl Keys {
    fn credentials(&self, speaker: Speaker, ground: &Ground) -> Result<Credentials, &'static str> {
        match self.tokens.get(&speaker) {
            Some(token) => Ok(Credentials::Token(token.clone())),
            None if self.impersonation => Ok(Credentials::Impersonated(Box::new(ground.identity(speaker)))),
            None if speaker.has_token() => Err("no such token may be minted, and the account may not be impersonated"),
            None => Err("there are no such tokens, and the account may not be impersonated"),
        }
    }
}

/// Everything that is tried on a ground: the trials that need requests, and those that are skipped.
#[derive(Debug, Default)]
pub struct Plan {
    attempts: Vec<Planned>,
}

#[derive(Debug)]
enum Planned {
    Attempt(Box<Attempt>),
    Omitted(&'static Recipe, bool, Omitted),
}

impl Plan {
    /// The whole catalogue on a ground.
    #[must_use]
    pub fn new(ground: &Ground) -> Self {
        let attacks = catalogue::attacks().iter().map(|recipe| (recipe, true));
        let legitimate = catalogue::legitimate().iter().map(|recipe| (recipe, false));
        let mut plan = Self::default();
        for (recipe, attack) in attacks.chain(legitimate) {
            let (attempts, omitted) = expand(recipe, ground, attack);
            plan.attempts.extend(attempts.into_iter().map(Box::new).map(Planned::Attempt));
            plan.attempts.extend(omitted.into_iter().map(|omitted| Planned::Omitted(recipe, attack, omitted)));
        }
        plan
    }

    /// How many trials there will be.
    #[must_use]
    pub fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Whether there will be none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// The attempts, as cases of a suite.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter_map(|planned| match planned {
            Planned::Attempt(attempt) => Some(attempt.as_ref()),
            Planned::Omitted(..) => None,
        })
    }

    /// Tries everything on one API server. `seen` is called after each trial.
    pub async fn run(&self, server: &Server, ground: &Ground, keys: &Keys, mut seen: impl FnMut()) -> Vec<Trial> {
        let trials = stream::iter(&self.attempts).map(|planned| async move {
            match planned {
                Planned::Attempt(attempt) => attempt.run(server, ground, keys).await,
                Planned::Omitted(recipe, attack, omitted) => skipped(recipe, *attack, omitted, server),
            }
        });
        let mut trials = trials.buffered(AT_ONCE);
        let mut done = Vec::new();
        while let Some(trial) = trials.next().await {
            done.push(trial);
            seen();
        }
        done
    }
}

fn skipped(recipe: &Recipe, attack: bool, omitted: &Omitted, server: &Server) -> Trial {
    Trial {
        name: omitted.name.clone(),
        outcome: Outcome::Skipped,
        note: omitted.reason.clone(),
        ..blank(recipe, attack, server)
    }
}

fn blank(recipe: &Recipe, attack: bool, server: &Server) -> Trial {
    Trial {
        recipe: recipe.id.clone(),
        title: recipe.title.clone(),
        gain: recipe.gain.clone(),
        sources: recipe.sources.clone(),
        attack,
        name: String::new(),
        speaker: Speaker::Agent.describe().to_owned(),
        server: server.address.clone(),
        outcome: Outcome::Skipped,
        refusal: None,
        note: String::new(),
        request: None,
        answer: None,
        curl: String::new(),
    }
}

impl Attempt {
    /// Whether it is an attack.
    #[must_use]
    pub fn is_attack(&self) -> bool {
        self.aim != Aim::Admitted
    }

    /// The request, with everything that its case says.
    ///
    /// # Errors
    /// What is wrong with the case.
    pub fn resolved(&self) -> Result<Resolved, String> {
        suite().resolve(&self.case)
    }

    async fn run(&self, server: &Server, ground: &Ground, keys: &Keys) -> Trial {
        let trial = Trial {
            name: self.case.name.clone(),
            speaker: self.speaker.describe().to_owned(),
            ..blank(self.recipe, self.is_attack(), server)
        };
        let (resolved, credentials) = match (self.resolved(), keys.credentials(self.speaker, ground)) {
            (Ok(resolved), Ok(credentials)) => (resolved, credentials),
            (Err(note), _) => return Trial { outcome: Outcome::Unproven, note, ..trial },
            (_, Err(reason)) => return Trial { note: reason.to_owned(), ..trial },
        };
        let (sent, answer) = self.ask(server, &credentials, resolved).await;
        self.told(trial, &credentials, sent, &answer)
    }

    fn told(&self, trial: Trial, credentials: &Credentials, sent: Sent, answer: &Result<Answer, NoAnswer>) -> Trial {
        // An agent patches; that it may also replace is not needed.
        let optional = self.recipe.optional || self.way == Some(Way::Put);
        let connects = self.case.operation == Operation::Connect;
        let judged = judge(&self.aim, Asked { optional, connects }, answer);
        Trial {
            outcome: judged.outcome,
            refusal: judged.refusal,
            note: judged.note,
            curl: sent.curl(credentials),
            request: Some(sent),
            answer: answer.as_ref().ok().map(|answer| Told::of(answer.code, &answer.body)),
            ..trial
        }
    }

    /// Sends the request; again if the object that it replaces has changed meanwhile.
    async fn ask(
        &self,
        server: &Server,
        credentials: &Credentials,
        mut case: Resolved,
    ) -> (Sent, Result<Answer, NoAnswer>) {
        let client = if matches!(credentials, Credentials::Token(_)) { &server.nobody } else { &server.operator };
        let mut retries = RETRIES;
        loop {
            let sent = Sent::dry_run(&case, self.collection);
            let answer = send(client, credentials, &sent).await;
            let outdated = answer.as_ref().is_ok_and(|answer| answer.code == 409) && self.way == Some(Way::Put);
            if !outdated || retries == 0 || !renew(server, &mut case).await {
                return (sent, answer);
            }
            retries -= 1;
        }
    }
}

/// Makes the same change to the object as it is now.
async fn renew(server: &Server, case: &mut Resolved) -> bool {
    let (Some(old), Change::Object(new)) = (&case.old, &case.change) else { return false };
    let change = json_patch::diff(old, new);
    let mut path = Sent::dry_run(case, false).path;
    path.truncate(path.find('?').unwrap_or(path.len()));
    if !case.subresource.is_empty() {
        path.truncate(path.len().saturating_sub(case.subresource.len() + 1));
    }
    let Ok(answer) = send(&server.operator, &Credentials::Own, &Sent::bare("GET", path)).await else { return false };
    let mut renewed = answer.body.clone();
    let applied = answer.is_success() && json_patch::patch(&mut renewed, &change).is_ok();
    if applied {
        case.old = Some(answer.body);
        case.change = Change::Object(renewed);
    }
    applied
}

/// Attempts carry everything themselves.
fn suite() -> Suite {
    Suite {
        name: "catalogue".to_owned(),
        profile: None,
        policies: Vec::new(),
        users: BTreeMap::new(),
        objects: BTreeMap::<String, Value>::new(),
        cases: Vec::new(),
    }
}
