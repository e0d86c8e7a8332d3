//! What came of an attack, for people.

use attack::matrix::{Cell as Square, Matrix, Row};
use attack::outcome::Outcome;
use attack::report::{Conclusion, Report, Status, Trial, worst};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::paint::{Paint, harmless};
use super::table::{Cell, Table};

/// The recipes without and with the guard side by side.
pub(crate) fn before_and_after(out: &mut dyn Write, before: &Report, after: &Report, colour: bool) -> io::Result<()> {
    let account = &after.account;
    writeln!(
        out,
        "{}",
        Paint::Strong.on(
            &format!("1. Root on {} has the token of {account}, which may do everything about nodes", after.node),
            colour
        )
    )?;
    let mut table = Table::new(&["", "ATTACK", "UNGUARDED", "GUARDED", "REFUSED BY"], colour);
    for group in groups(after, true) {
        let unguarded: Vec<&Trial> = before.trials.iter().filter(|trial| trial.recipe == group.recipe).collect();
        let cells = vec![
            Cell::new(letter(group.recipe), Paint::Faint),
            Cell::plain(group.title),
            share(&unguarded),
            share(&group.trials),
            Cell::new(&refusers(&group.trials), Paint::Faint),
        ];
        table.push(out, cells)?;
    }
    table.finish(out)?;
    writeln!(out)?;
    let mut table = Table::new(&["", "THE AGENT'S OWN WRITES", "UNGUARDED", "GUARDED", ""], colour);
    for group in groups(after, false) {
        let unguarded: Vec<&Trial> = before.trials.iter().filter(|trial| trial.recipe == group.recipe).collect();
        table.push(
            out,
            vec![Cell::plain(""), Cell::plain(group.title), share(&unguarded), share(&group.trials), Cell::plain("")],
        )?;
    }
    table.finish(out)?;
    writeln!(out, "\n{}\n", Paint::Strong.on(&after.sentence(), colour))
}

/// The trials of one recipe.
struct Group<'a> {
    recipe: &'a str,
    title: &'a str,
    trials: Vec<&'a Trial>,
}

fn groups(report: &Report, attack: bool) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for trial in report.trials.iter().filter(|trial| trial.attack == attack) {
        match groups.iter_mut().find(|group| group.recipe == trial.recipe) {
            Some(group) => group.trials.push(trial),
            None => groups.push(Group { recipe: &trial.recipe, title: &trial.title, trials: vec![trial] }),
        }
    }
    groups
}

fn letter(recipe: &str) -> &'static str {
    attack::attacks().iter().find(|known| known.id == recipe).and_then(|known| known.letter.as_deref()).unwrap_or("")
}

/// The outcome of several trials: of the worst, how many of how many.
fn share(trials: &[&Trial]) -> Cell {
    let Some(outcome) = worst(trials.iter().map(|trial| trial.outcome)) else { return Cell::plain("") };
    let counts = |trial: &&&Trial| trial.request.is_some() && trial.outcome != Outcome::Harmless;
    let made = trials.iter().filter(counts).count();
    let of = trials.iter().filter(|trial| trial.outcome == outcome).count();
    let text = match outcome {
        Outcome::Skipped => "n/a".to_owned(),
        outcome if of == made => format!("{} {of}", outcome.as_str()),
        outcome => format!("{} {of} of {made}", outcome.as_str()),
    };
    Cell::new(&text, paint(outcome))
}

fn paint(outcome: Outcome) -> Paint {
    match outcome {
        Outcome::Stopped | Outcome::Admitted => Paint::Good,
        Outcome::Breach | Outcome::Blocked | Outcome::Defect => Paint::Bad,
        Outcome::Residual | Outcome::Permitted | Outcome::Unproven => Paint::Odd,
        Outcome::Harmless | Outcome::Skipped => Paint::Faint,
    }
}

/// Who refused: layers, and the rules of the guard.
fn refusers(trials: &[&Trial]) -> String {
    let refusals = trials.iter().filter_map(|trial| trial.refusal.as_ref());
    let names: BTreeSet<String> = refusals
        .map(|refusal| refusal.rule.map_or_else(|| refusal.layer.as_str().to_owned(), |rule| format!("guard: {rule}")))
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Every way to protect Nodes, against every recipe.
pub(crate) fn matrix(out: &mut dyn Write, matrix: &Matrix, colour: bool) -> io::Result<()> {
    writeln!(
        out,
        "{}",
        Paint::Strong.on(
            "2. The ways to protect nodes that KubeVirt's design weighs, each with the role that it would grant",
            colour
        )
    )?;
    let names: Vec<String> = matrix.recipes.iter().map(|heading| letter(&heading.recipe).to_owned()).collect();
    let header: Vec<&str> =
        ["", "OPTION"].into_iter().chain(names.iter().map(String::as_str)).chain(["WRITES"]).collect();
    let mut table = Table::new(&header, colour);
    matrix.options.iter().try_for_each(|row| table.push(out, squares(row)))?;
    table.finish(out)?;
    writeln!(
        out,
        "\n{}",
        Paint::Faint.on(
            "x got through   ~ believed, as it must be   . stopped   - not applicable   columns: the letters above",
            colour
        )
    )?;
    writeln!(out)?;
    let mut table = Table::new(&["", "OPTION", "WHAT ELSE IT OPENS"], colour);
    for row in &matrix.options {
        table.push(out, vec![Cell::plain(&row.number), Cell::plain(&row.name), Cell::plain(&row.opens)])?;
    }
    table.finish(out)
}

fn squares(row: &Row) -> Vec<Cell> {
    let (admitted, tried) = row.legitimate;
    let writes = if admitted * 2 < tried { "elsewhere".to_owned() } else { format!("{admitted}/{tried}") };
    let cells = row.cells.iter().map(square);
    [Cell::plain(&row.number), Cell::plain(&row.name)].into_iter().chain(cells).chain([Cell::plain(&writes)]).collect()
}

fn square(square: &Square) -> Cell {
    let text = match square.outcome {
        Outcome::Breach | Outcome::Permitted | Outcome::Blocked | Outcome::Defect => "x",
        Outcome::Residual => "~",
        Outcome::Stopped | Outcome::Admitted | Outcome::Harmless => ".",
        Outcome::Unproven => "?",
        Outcome::Skipped => "-",
    };
    Cell::new(text, paint(square.outcome))
}

/// One report: recipes, checks, what is wrong, the sentence.
pub(crate) fn report(out: &mut dyn Write, report: &Report, verbose: bool, colour: bool) -> io::Result<()> {
    summary(out, report, true, "ATTACK", colour)?;
    summary(out, report, false, "LEGITIMATE WRITE", colour)?;
    omitted(out, report, colour)?;
    checks(out, report, verbose, colour)?;
    details(out, report, verbose, colour)?;
    if !report.means.unproven.is_empty() {
        writeln!(out, "{}", harmless(&report.means.unproven))?;
    }
    let paint = match report.conclusion() {
        Conclusion::Holds => Paint::Good,
        Conclusion::Broken => Paint::Bad,
        Conclusion::Unproven => Paint::Odd,
    };
    writeln!(out, "{}", paint.on(&report.sentence(), colour))
}

fn summary(out: &mut dyn Write, report: &Report, attack: bool, title: &str, colour: bool) -> io::Result<()> {
    let mut table = Table::new(&["", title, "OUTCOME", "REFUSED BY"], colour);
    for group in groups(report, attack) {
        let refused = Cell::new(&refusers(&group.trials), Paint::Faint);
        table.push(
            out,
            vec![
                Cell::new(letter(group.recipe), Paint::Faint),
                Cell::plain(group.title),
                share(&group.trials),
                refused,
            ],
        )?;
    }
    table.finish(out)?;
    writeln!(out)
}

/// What was not tried, by the reasons.
fn omitted(out: &mut dyn Write, report: &Report, colour: bool) -> io::Result<()> {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for trial in report.trials.iter().filter(|trial| trial.outcome == Outcome::Skipped) {
        let letter = letter(&trial.recipe);
        let recipe = if letter.is_empty() { trial.recipe.as_str() } else { letter };
        reasons.entry(&trial.note).or_default().insert(recipe);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["NOT ALL TRIED", "BECAUSE"], colour);
    for (reason, recipes) in reasons {
        let recipes = recipes.into_iter().collect::<Vec<_>>().join(" ");
        table.push(out, vec![Cell::plain(&recipes), Cell::new(reason, Paint::Faint)])?;
    }
    table.finish(out)?;
    writeln!(out)
}

fn checks(out: &mut dyn Write, report: &Report, verbose: bool, colour: bool) -> io::Result<()> {
    let listed: Vec<_> = report.checks.iter().filter(|check| verbose || check.status != Status::Good).collect();
    if listed.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["CHECK", "", "FOUND"], colour);
    for check in listed {
        let (word, paint) = match check.status {
            Status::Good => ("ok", Paint::Good),
            Status::Bad => ("WRONG", Paint::Bad),
            Status::Unknown => ("unknown", Paint::Odd),
            Status::Noted => ("note", Paint::Faint),
        };
        table.push(out, vec![Cell::plain(&check.title), Cell::new(word, paint), Cell::plain(&check.text)])?;
    }
    table.finish(out)?;
    writeln!(out)
}

/// The trials that somebody has to look at, or all.
fn details(out: &mut dyn Write, report: &Report, verbose: bool, colour: bool) -> io::Result<()> {
    let wanted = |trial: &&Trial| verbose || trial.outcome.is_finding() || trial.outcome == Outcome::Unproven;
    let listed: Vec<&Trial> = report.trials.iter().filter(wanted).collect();
    if listed.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["OUTCOME", "RECIPE", "WHAT", "WHY"], colour);
    for trial in listed {
        let outcome = Cell::new(trial.outcome.as_str(), paint(trial.outcome));
        let why = why(trial, report.servers.len() > 1);
        table.push(out, vec![outcome, Cell::plain(&trial.recipe), Cell::plain(&trial.name), Cell::plain(&why)])?;
    }
    table.finish(out)?;
    writeln!(out)
}

/// Why it came to that, in one line.
pub(crate) fn why(trial: &Trial, several: bool) -> String {
    let refusal = trial.refusal.as_ref().map(|refusal| format!("{}: {}", refusal.brief(), refusal.message));
    let server = if several { trial.server.clone() } else { String::new() };
    let parts = [server, trial.note.clone(), refusal.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}
