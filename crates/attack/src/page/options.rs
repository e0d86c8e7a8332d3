//! Ways to protect Nodes side by side.

use maud::{Markup, html};

use super::badge::{Tone, badge, icon};
use super::recipe::{Group, letter};
use super::text::{Plain, anchor, capital, prose};
use crate::matrix::{Cell, Heading, Matrix, Row};
use crate::outcome::Outcome;

pub(super) fn section(matrix: &Matrix, groups: &[Group<'_>]) -> Markup {
    html! {
        section.wide #options aria-labelledby="options-title" {
            h2 #options-title { "Ways to protect nodes" }
            p.lead {
                "Each way was set up and attacked in the same manner. A cell says what came of a recipe, and how many of its "
                "requests got through."
            }
            (legend())
            div.scroll tabindex="0" role="region" aria-labelledby="options-caption" { (table(matrix, groups)) }
            (cards(matrix))
        }
    }
}

fn legend() -> Markup {
    let words = [
        (Tone::Good, "stopped", "every request was refused"),
        (Tone::Bad, "through", "an attack got through"),
        (Tone::Odd, "believed", "got through as it must: no rule can tell whether it is true"),
        (Tone::Faint, "n/a", "not applicable, or nothing to try it on"),
    ];
    html! {
        ul.legend {
            @for (tone, word, meaning) in words { li { (badge(tone, word)) " " (meaning) } }
            li { strong { "elsewhere" } " the agent writes to another object than the Node" }
        }
    }
}

fn table(matrix: &Matrix, groups: &[Group<'_>]) -> Markup {
    html! {
        table.matrix {
            caption #options-caption { "Ways to protect nodes, against every recipe" }
            thead {
                tr {
                    th.corner scope="col" { "Way" }
                    th.total scope="col" { "Recipes with an attack through" }
                    th.total scope="col" { "Agent’s writes to Nodes admitted" }
                    @for heading in &matrix.recipes { (column(heading, groups)) }
                }
            }
            tbody { @for row in &matrix.options { (line(row)) } }
        }
    }
}

/// A column is headed by the identifier, which is shorter than the title.
fn column(heading: &Heading, groups: &[Group<'_>]) -> Markup {
    let short = heading.recipe.replace('-', " ");
    let group = groups.iter().find(|group| group.recipe == heading.recipe);
    html! {
        th.attack scope="col" abbr=(Plain(&short)) title=(Plain(&heading.title)) {
            @match group {
                Some(group) => a.upright href={ "#" (group.anchor()) } { (Plain(&short)) },
                None => span.upright { (Plain(&short)) },
            }
            span.letter { (letter(&heading.recipe)) }
            span.unseen { ": " (Plain(&heading.title)) }
        }
    }
}

fn line(row: &Row) -> Markup {
    let open = row.cells.iter().filter(|cell| shown(cell.outcome).0 == Tone::Bad).count();
    let tried = row.cells.iter().filter(|cell| cell.outcome != Outcome::Skipped).count();
    html! {
        tr {
            th scope="row" { a href={ "#" (card_anchor(row)) } { (name(row)) } }
            td.total { strong { (open) } " of " (tried) }
            td.total { (legitimate(row)) }
            @for cell in &row.cells { (square(cell)) }
        }
    }
}

fn square(cell: &Cell) -> Markup {
    let (through, made) = cell.through;
    let (tone, word) = shown(cell.outcome);
    html! {
        td.cell.(tone.as_str()) title=(Plain(&cell.note)) {
            (icon(tone)) span.word { (word) }
            @if made > 0 { span.number { (through) "/" (made) } }
        }
    }
}

/// What a cell says of an outcome. What a way permits by design is a hole of that way.
fn shown(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Breach | Outcome::Permitted => (Tone::Bad, "through"),
        Outcome::Residual => (Tone::Odd, "believed"),
        Outcome::Skipped => (Tone::Faint, "n/a"),
        other => (Tone::of_outcome(other), other.as_str()),
    }
}

/// Where most of its writes to Nodes are refused, the agent is meant to write to something else.
fn legitimate(row: &Row) -> Markup {
    let (admitted, tried) = row.legitimate;
    html! {
        @if admitted < tried.div_ceil(2) {
            "elsewhere" span.number { " (" (admitted) " of " (tried) ")" }
        } @else {
            strong { (admitted) } " of " (tried)
        }
    }
}

/// A number that is none is left out.
fn name(row: &Row) -> Markup {
    let number = row.number.trim_matches('-');
    html! {
        @if !number.is_empty() { span.letter { (Plain(number)) } }
        (Plain(&capital(&row.name)))
    }
}

fn card_anchor(row: &Row) -> String {
    format!("way-{}", anchor(&row.name))
}

/// What the table has no room for.
fn cards(matrix: &Matrix) -> Markup {
    html! {
        h3 { "What each way installs, and what else it opens" }
        ul.cards { @for row in &matrix.options { (card(row, &matrix.recipes)) } }
    }
}

fn card(row: &Row, recipes: &[Heading]) -> Markup {
    html! {
        li id=(card_anchor(row)) {
            h4 { (name(row)) }
            dl {
                div { dt { "Installs" } dd { (prose(&capital(&row.installs))) } }
                div { dt { "Opens" } dd { (prose(&capital(&row.opens))) } }
            }
            details {
                summary { "Recipe by recipe" }
                ul.notes { @for (cell, heading) in row.cells.iter().zip(recipes) { (note(cell, heading)) } }
            }
        }
    }
}

fn note(cell: &Cell, heading: &Heading) -> Markup {
    let (tone, word) = shown(cell.outcome);
    html! {
        li {
            (badge(tone, word)) " " (Plain(&heading.title))
            @if !cell.note.is_empty() { span.note { (prose(&cell.note)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_way_permits_is_a_hole_of_that_way() {
        let outcomes = [Outcome::Permitted, Outcome::Stopped, Outcome::Residual, Outcome::Skipped];
        let cell = |outcome| Cell { outcome, through: (1, 2), note: String::new() };
        let row = Row {
            number: "-".to_owned(),
            name: "a way".to_owned(),
            installs: String::new(),
            opens: String::new(),
            cells: outcomes.map(cell).to_vec(),
            legitimate: (3, 7),
        };
        let shown = line(&row).into_string();
        for part in [
            "<strong>1</strong> of 3",
            ">through<",
            ">stopped<",
            ">believed<",
            ">n/a<",
            "elsewhere",
            "(3 of 7)",
            ">A way<",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
