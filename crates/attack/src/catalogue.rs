//! The catalogue: recipes as data, read once.

use api::cases::Operation;
use ownership::guard::Rule;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::sync::LazyLock;

use crate::ground::Speaker;
use crate::layer::Layer;

/// One class of attack, or one kind of legitimate write.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Recipe {
    /// Its identifier, which stays.
    pub id: String,
    /// Its letter in tables.
    pub letter: Option<String>,
    /// What is done.
    pub title: String,
    /// What it gains an attacker.
    #[serde(default)]
    pub gain: String,
    /// Who described it.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Whether an agent can do without it: RBAC may refuse it.
    #[serde(default)]
    pub optional: bool,
    pub(crate) attempts: Vec<Template>,
}

/// Attempts that differ only in keys, values and the way in which a change is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Template {
    pub name: String,
    #[serde(rename = "as", default = "agent")]
    pub speaker: Speaker,
    pub target: Target,
    #[serde(default)]
    pub operation: Operation,
    #[serde(default)]
    pub subresource: String,
    #[serde(default)]
    pub collection: bool,
    /// One attempt for each of these.
    pub each: Option<Each>,
    /// Only for the first of them.
    #[serde(default)]
    pub first: bool,
    pub needs: Option<Each>,
    #[serde(default = "merge")]
    pub ways: Vec<Way>,
    pub change: Option<Value>,
    pub set: Option<Set>,
    pub new: Option<Value>,
    /// Who may refuse besides RBAC.
    #[serde(default)]
    pub stopped: Vec<Stopper>,
    /// It gets through, and why nothing here can help.
    pub residual: Option<String>,
    /// It gets through, and why that does no harm.
    pub harmless: Option<String>,
    pub unless: Option<Unless>,
}

fn agent() -> Speaker {
    Speaker::Agent
}

fn merge() -> Vec<Way> {
    vec![Way::Merge]
}

/// A field that is set, by its path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    pub at: String,
    pub to: String,
}

/// What is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    Own,
    Other,
    Scratch,
    Victim,
    ObjectOwn,
    ObjectOther,
    Policy,
}

/// What one attempt is made for each of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Each {
    OwnedLabels,
    OwnedAnnotations,
    OwnedPairs,
    AllOwnedLabels,
    PresentOwnedLabels,
    ForeignLabels,
    ForeignAnnotations,
    LookAlikeLabels,
    LookAlikeAnnotations,
    ForbiddenLabels,
    ForbiddenAnnotations,
    TooManyLabels,
    NodeFields,
}

/// How a change is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// JSON merge patch.
    Merge,
    /// Strategic merge patch.
    Strategic,
    /// JSON patch.
    Json,
    /// Server-side apply.
    Apply,
    /// The whole object.
    Put,
}

impl Way {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge patch",
            Self::Strategic => "strategic merge patch",
            Self::Json => "JSON patch",
            Self::Apply => "server-side apply",
            Self::Put => "PUT",
        }
    }
}

/// Profiles that permit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unless {
    AnyNode,
    AnyNodeOrUnclaimed,
}

/// Who may refuse an attempt: a rule of the guard, or a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopper {
    /// A rule of the guard.
    Rule(Rule),
    /// A layer.
    Layer(Layer),
}

impl<'de> Deserialize<'de> for Stopper {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(rule) = Rule::named(&text) {
            return Ok(Self::Rule(rule));
        }
        Layer::deserialize(Value::String(text)).map(Self::Layer).map_err(serde::de::Error::custom)
    }
}

static ATTACKS: LazyLock<Vec<Recipe>> = LazyLock::new(|| read(include_str!("../catalogue/attacks.yaml")));
static LEGITIMATE: LazyLock<Vec<Recipe>> = LazyLock::new(|| read(include_str!("../catalogue/legitimate.yaml")));

fn read(text: &str) -> Vec<Recipe> {
    serde_saphyr::from_str(text).expect("the catalogue is a file of this crate, which a test reads")
}

/// What an attacker can try, in the order of reports.
#[must_use]
pub fn attacks() -> &'static [Recipe] {
    &ATTACKS
}

/// What the agent must stay able to do.
#[must_use]
pub fn legitimate() -> &'static [Recipe] {
    &LEGITIMATE
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn recipes_have_identifiers_of_their_own_and_say_what_they_are() {
        let all: Vec<&Recipe> = attacks().iter().chain(legitimate()).collect();
        let ids: BTreeSet<&str> = all.iter().map(|recipe| recipe.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        let letters: String = attacks().iter().filter_map(|recipe| recipe.letter.as_deref()).collect();
        assert_eq!(letters, "ABCDEFGHIJKLMNOPQRSTU");
        for recipe in attacks() {
            assert!(!recipe.gain.is_empty() && !recipe.sources.is_empty(), "{}", recipe.id);
        }
    }

    #[test]
    fn an_attempt_is_stopped_or_says_why_not() {
        for template in attacks().iter().flat_map(|recipe| &recipe.attempts) {
            let explained = template.residual.is_some() || template.harmless.is_some();
            assert!(!explained || template.stopped.is_empty(), "{}", template.name);
            let body = [template.change.is_some(), template.set.is_some(), template.new.is_some()];
            let expected = usize::from(matches!(template.operation, Operation::Create | Operation::Update));
            assert_eq!(body.into_iter().filter(|given| *given).count(), expected, "{}", template.name);
        }
    }
}
