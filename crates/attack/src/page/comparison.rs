//! The same attack before and after, recipe by recipe.

use maud::{Markup, html};

use super::badge;
use super::recipe::{Group, refusers};
use super::text::{Plain, prose};
use crate::report::{Report, Trial};

pub(super) fn section(before: &Report, groups: &[Group<'_>]) -> Markup {
    html! {
        section #comparison aria-labelledby="comparison-title" {
            h2 #comparison-title { "Before and after" }
            p.lead { strong { "Before: " } (prose(&before.sentence())) "." }
            (table("Attacks", before, groups.iter().filter(|group| group.attack)))
            (table("What the agent must stay able to do", before, groups.iter().filter(|group| !group.attack)))
        }
    }
}

fn table<'a>(caption: &str, before: &Report, groups: impl Iterator<Item = &'a Group<'a>>) -> Markup {
    html! {
        table.comparison {
            caption { (caption) }
            thead {
                tr {
                    th scope="col" { "Recipe" }
                    th scope="col" { "Before" }
                    th scope="col" { "After" }
                    th scope="col" { "Refused by" }
                }
            }
            tbody { @for group in groups { (row(before, group)) } }
        }
    }
}

fn row(before: &Report, group: &Group<'_>) -> Markup {
    let earlier: Vec<&Trial> = before.trials.iter().filter(|trial| trial.recipe == group.recipe).collect();
    html! {
        tr {
            th scope="row" {
                div.titled {
                    span.letter { (group.letter()) }
                    a href={ "#" (group.anchor()) } { (Plain(group.title)) }
                }
            }
            td data-label="Before" { (badge::share(&earlier)) }
            td data-label="After" { (badge::share(&group.trials)) }
            td data-label="Refused by" { (Plain(&refusers(&group.trials))) }
        }
    }
}
