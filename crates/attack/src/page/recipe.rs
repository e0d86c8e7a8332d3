//! The recipes, each with its trials.

use maud::{Markup, html};
use ownership::guard::Rule;
use std::collections::{BTreeMap, BTreeSet};

use super::text::{Plain, anchor, capital, prose, word};
use super::trial::{self, Place};
use super::{badge, filter, source};
use crate::outcome::Outcome;
use crate::report::{Report, Trial};

/// The trials of one recipe, on all API servers.
pub(super) struct Group<'a> {
    pub recipe: &'a str,
    pub title: &'a str,
    pub gain: &'a str,
    pub sources: &'a [String],
    pub attack: bool,
    pub trials: Vec<&'a Trial>,
}

/// The recipes of a report, in the order in which they were first tried.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for trial in &report.trials {
        let known = groups.iter_mut().find(|group| group.recipe == trial.recipe && group.attack == trial.attack);
        match known {
            Some(group) => group.trials.push(trial),
            None => groups.push(Group::of_one(trial)),
        }
    }
    groups
}

impl<'a> Group<'a> {
    fn of_one(trial: &'a Trial) -> Self {
        Self {
            recipe: &trial.recipe,
            title: &trial.title,
            gain: &trial.gain,
            sources: &trial.sources,
            attack: trial.attack,
            trials: vec![trial],
        }
    }

    pub(super) fn anchor(&self) -> String {
        format!("{}-{}", if self.attack { "attack" } else { "legitimate" }, anchor(self.recipe))
    }

    /// How many trials came to an outcome.
    pub(super) fn of(&self, outcome: Outcome) -> usize {
        self.trials.iter().filter(|trial| trial.outcome == outcome).count()
    }

    pub(super) fn letter(&self) -> &'static str {
        letter(self.recipe)
    }
}

/// The letter of a recipe in lists of attacks on node agents; empty if it has none.
pub(super) fn letter(recipe: &str) -> &'static str {
    let known = crate::catalogue::attacks().iter().find(|known| known.id == recipe);
    known.and_then(|known| known.letter.as_deref()).unwrap_or_default()
}

/// Who refused: layers, and the rules of the guard.
pub(super) fn refusers(trials: &[&Trial]) -> String {
    let mut layers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for refusal in trials.iter().filter_map(|trial| trial.refusal.as_ref()) {
        layers.entry(refusal.layer.as_str()).or_default().extend(refusal.rule.map(Rule::as_str));
    }
    let named = layers.into_iter().map(|(layer, rules)| match rules.len() {
        0 => layer.to_owned(),
        _ => format!("{layer} ({})", rules.into_iter().collect::<Vec<_>>().join(", ")),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Everything that was tried, with the filters before it.
pub(super) fn section(report: &Report, groups: &[Group<'_>]) -> Markup {
    let parts = [("attacks", "Attacks", true), ("legitimate", "What the agent must stay able to do", false)];
    html! {
        section #tried aria-labelledby="tried-title" {
            h2 #tried-title { "Everything that was tried" }
            (preparation(report))
            (filter::form(report))
            @for (id, title, attack) in parts {
                section.part id=(id) aria-labelledby={ (id) "-title" } {
                    h3 id={ (id) "-title" } { (title) }
                    @for group in groups.iter().filter(|group| group.attack == attack) { (entry(group, report)) }
                }
            }
        }
    }
}

fn entry(group: &Group<'_>, report: &Report) -> Markup {
    let refusers = refusers(&group.trials);
    html! {
        details.recipe id=(group.anchor()) {
            summary {
                span.letter { (group.letter()) }
                span.title { h4 { (prose(group.title)) } @if !refusers.is_empty() { span.by { "refused by " (Plain(&refusers)) } } }
                (badge::share(&group.trials))
            }
            div.about {
                @if !group.gain.is_empty() { p { strong { "What it gains: " } (prose(&capital(group.gain))) } }
                (source::list(group.sources))
            }
            (trials(group, report.servers.len() > 1))
        }
    }
}

fn trials(group: &Group<'_>, several_servers: bool) -> Markup {
    let anchor = group.anchor();
    let place = |index| Place::of(index, &group.trials, &anchor, several_servers);
    html! {
        ul.trials {
            @for (index, trial) in group.trials.iter().enumerate() {
                @if let Some(place) = place(index) { (trial::entry(trial, &place)) }
            }
        }
    }
}

/// What the commands of all trials have in common.
fn preparation(report: &Report) -> Markup {
    let text = if report.means.token { with_token(report) } else { WITHOUT_TOKEN.to_owned() };
    html! {
        details.preparation {
            summary { "How to repeat a request with curl" }
            div {
                @if report.servers.is_empty() {
                    p { "The API server was part of the program that made this page, and is gone. On a cluster of yours:" }
                }
                p { "Every request is a dry run on the server: nothing is written. Run this once, then the command of a request." }
                (trial::command(&text, "Preparation"))
                @if !report.means.token {
                    p { "The requests imitate the account, so they are sent with your own credentials, which kubectl adds." }
                }
            }
        }
    }
}

const WITHOUT_TOKEN: &str = "kubectl proxy --port=8001 &\nSERVER=http://127.0.0.1:8001";

fn with_token(report: &Report) -> String {
    let (namespace, name) = report.account.split_once('/').unwrap_or(("default", &report.account));
    format!(
        "SERVER=$(kubectl config view --minify -o jsonpath='{{.clusters[0].cluster.server}}')\n\
         kubectl config view --minify --raw \\\n  \
         -o jsonpath='{{.clusters[0].cluster.certificate-authority-data}}' | base64 -d > ca.crt\n\
         export CURL_CA_BUNDLE=ca.crt\n\
         TOKEN=$(kubectl -n {} create token {} \\\n  \
         --bound-object-kind Pod --bound-object-name {})",
        word(namespace),
        word(name),
        word(&report.pod)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Means;

    #[test]
    fn the_preparation_quotes_what_a_cluster_calls_things() {
        let mut report = Report {
            profile: String::new(),
            account: "a b/c".to_owned(),
            version: String::new(),
            node: String::new(),
            pod: "p;$(q)".to_owned(),
            means: Means { token: true, unproven: String::new() },
            servers: Vec::new(),
            checks: Vec::new(),
            trials: Vec::new(),
        };
        let text = with_token(&report);
        assert!(text.contains("-n 'a b' create token c ") && text.ends_with("--bound-object-name 'p;$(q)')"), "{text}");
        report.means.token = false;
        assert!(preparation(&report).into_string().contains("kubectl proxy"));
    }
}
