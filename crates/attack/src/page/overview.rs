//! The top of the page: the verdict, what it rests on, and what needs a look.

use maud::{Markup, html};

use super::badge::{self, Tone, badge, icon};
use super::recipe::Group;
use super::text::{Plain, anchor, capital, count, prose};
use super::{Story, verdict};
use crate::outcome::Outcome;
use crate::report::{Check, Report, Status};

/// The title, the verdict and the table of contents.
pub(super) fn banner(story: &Story<'_>) -> Markup {
    let tone = Tone::of_conclusion(story.report.conclusion());
    html! {
        header.banner {
            h1 { (Plain(story.title)) }
            @if !story.made.is_empty() { p.made { (Plain(story.made)) } }
            div.verdict.(tone.as_str()) {
                span.seal { (icon(tone)) }
                div {
                    p.word { (capital(verdict(story.report.conclusion()))) }
                    p.sentence { (prose(&capital(&story.report.sentence()))) "." }
                }
            }
            (contents(story))
        }
    }
}

fn contents(story: &Story<'_>) -> Markup {
    let entries = [
        ("summary", "Summary", true),
        ("comparison", "Before and after", story.before.is_some()),
        ("options", "Ways to protect", story.matrix.is_some()),
        ("checks", "Checks", !story.report.checks.is_empty()),
        ("attacks", "Attacks", true),
        ("legitimate", "Legitimate writes", true),
    ];
    html! {
        nav aria-label="Contents" {
            ul { @for (id, name, _) in entries.iter().filter(|entry| entry.2) { li { a href={ "#" (id) } { (name) } } } }
        }
    }
}

/// Numbers, facts, and what needs a look.
pub(super) fn section(story: &Story<'_>, groups: &[Group<'_>]) -> Markup {
    html! {
        section #summary aria-labelledby="summary-title" {
            h2 #summary-title { "Summary" }
            (tiles(story.report))
            (concerns(story.report, groups))
            (facts(story.report))
            (words(story.report))
        }
    }
}

/// How many of each outcome; four of them also where there are none.
fn tiles(report: &Report) -> Markup {
    let counts = report.count();
    let always = [Outcome::Stopped, Outcome::Breach, Outcome::Admitted, Outcome::Blocked];
    let others = Outcome::ALL.into_iter().filter(|outcome| !always.contains(outcome) && counts.contains_key(outcome));
    html! {
        ul.tiles {
            @for outcome in always.into_iter().chain(others) {
                (tile(outcome, counts.get(&outcome).copied().unwrap_or(0)))
            }
        }
    }
}

fn tile(outcome: Outcome, number: usize) -> Markup {
    let tone = if number == 0 { Tone::Faint } else { Tone::of_outcome(outcome) };
    html! {
        li.(tone.as_str()) {
            span.figure { (number) }
            span.what { @if number > 0 { (icon(tone)) } (subject(outcome)) }
        }
    }
}

/// An outcome with what it is said of.
fn subject(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "attacks stopped",
        Outcome::Breach => "attacks got through",
        Outcome::Admitted => "legitimate writes admitted",
        Outcome::Blocked => "legitimate writes blocked",
        Outcome::Residual => "residual: no rule can tell",
        Outcome::Permitted => "permitted by the profile",
        Outcome::Harmless => "harmless",
        Outcome::Defect => "defects",
        Outcome::Unproven => "unproven",
        Outcome::Skipped => "skipped",
    }
}

/// Everything because of which the verdict is not better.
fn concerns(report: &Report, groups: &[Group<'_>]) -> Markup {
    let checks: Vec<&Check> = report.checks.iter().filter(|check| is_concern(check.status)).collect();
    let outcomes = [Outcome::Breach, Outcome::Blocked, Outcome::Defect, Outcome::Unproven];
    let recipes: Vec<_> = outcomes
        .into_iter()
        .flat_map(|outcome| groups.iter().map(move |group| (outcome, group, group.of(outcome))))
        .filter(|(_, _, number)| *number > 0)
        .collect();
    html! {
        @if !(checks.is_empty() && recipes.is_empty() && report.means.unproven.is_empty()) {
            h3 { "What needs a look" }
            ul.concerns {
                @if !report.means.unproven.is_empty() {
                    li { (badge(Tone::Odd, "unproven")) " " (prose(&capital(&report.means.unproven))) }
                }
                @for check in checks {
                    li { (badge::status(check.status)) " " a href={ "#check-" (anchor(&check.id)) } { (prose(&capital(&check.title))) } }
                }
                @for (outcome, group, number) in recipes {
                    li {
                        (badge::outcome(outcome)) " " a href={ "#" (group.anchor()) } { (prose(group.title)) }
                        " " span.number { (number) " of " (group.trials.len()) }
                    }
                }
            }
        }
    }
}

fn is_concern(status: Status) -> bool {
    matches!(status, Status::Bad | Status::Unknown)
}

fn facts(report: &Report) -> Markup {
    let means = if report.means.token {
        "as the account itself, by tokens bound to its pod"
    } else {
        "by impersonation of the account"
    };
    let facts = [
        ("Account", report.account.as_str()),
        ("Profile", &report.profile),
        ("Kubernetes", &report.version),
        ("Attacked from node", &report.node),
        ("As pod", &report.pod),
        ("Requests made", means),
    ];
    html! {
        h3 { "What was attacked" }
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (prose(value)) } } }
            @if !report.servers.is_empty() {
                div {
                    dt { (count(report.servers.len(), "API server", "API servers")) }
                    @for server in &report.servers { dd { (prose(server)) } }
                }
            }
        }
    }
}

/// What the words of this page mean.
fn words(report: &Report) -> Markup {
    let counts = report.count();
    html! {
        details.words {
            summary { "What the outcomes mean" }
            dl {
                @for outcome in Outcome::ALL.into_iter().filter(|outcome| counts.contains_key(outcome)) {
                    div { dt { (badge::outcome(outcome)) } dd { (badge::meaning(outcome)) } }
                }
            }
        }
    }
}
