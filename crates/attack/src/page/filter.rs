//! The controls that hide trials. Without a script they would do nothing, so the script shows them.

use maud::{Markup, html};
use std::collections::BTreeMap;

use super::badge::{Tone, icon};
use crate::outcome::Outcome;
use crate::report::{Report, Trial};

pub(super) fn form(report: &Report) -> Markup {
    html! {
        form #filters hidden role="search" aria-label="Filter what was tried" {
            div.search {
                label for="filter-text" { "Text" }
                input #filter-text type="search" name="text" autocomplete="off" spellcheck="false"
                    placeholder="a key, a rule, a path, a word of the answer";
            }
            (kinds(&report.trials))
            (outcomes(report))
            (layers(&report.trials))
            div.actions {
                button type="reset" { "Clear filters" }
                button type="button" data-unfold="true" { "Unfold all" }
                button type="button" data-unfold="false" { "Fold all" }
            }
        }
        p #found role="status" aria-live="polite" {}
        p #copying .unseen role="status" {}
    }
}

fn kinds(trials: &[Trial]) -> Markup {
    let attacks = trials.iter().filter(|trial| trial.attack).count();
    let kinds = [("attack", "attacks", attacks), ("legitimate", "legitimate writes", trials.len() - attacks)];
    html! {
        fieldset {
            legend { "Kind" }
            @for (value, name, number) in kinds { (choice("kind", value, html! { (name) }, number)) }
        }
    }
}

fn outcomes(report: &Report) -> Markup {
    let counts = report.count();
    let present = Outcome::ALL.into_iter().filter_map(|outcome| Some((outcome, *counts.get(&outcome)?)));
    html! {
        fieldset {
            legend { "Outcome" }
            @for (outcome, number) in present {
                (choice("outcome", outcome.as_str(), html! { (icon(Tone::of_outcome(outcome))) (outcome.as_str()) }, number))
            }
        }
    }
}

fn layers(trials: &[Trial]) -> Markup {
    let mut layers = BTreeMap::new();
    for trial in trials {
        *layers.entry(trial.refusal.as_ref().map(|refusal| refusal.layer)).or_insert(0) += 1;
    }
    html! {
        fieldset {
            legend { "Refused by" }
            @for (layer, number) in layers {
                @let name = layer.map_or("nobody", |layer| layer.as_str());
                (choice("layer", name, html! { (name) }, number))
            }
        }
    }
}

/// One value of a filter. None chosen means all.
fn choice(name: &str, value: &str, text: Markup, number: usize) -> Markup {
    html! {
        label.choice {
            input type="checkbox" name=(name) value=(value);
            span { (text) " " span.number { (number) } }
        }
    }
}
