//! Ways to protect Nodes side by side: what each stops, what gets through, what else it opens.

use serde::Serialize;

use crate::catalogue::{Recipe, attacks};
use crate::outcome::Outcome;
use crate::report::{Report, worst};

/// Ways to protect Nodes, against every recipe.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Matrix {
    /// The recipes: identifier and title, in the order of the columns.
    pub recipes: Vec<Heading>,
    /// The ways to protect.
    pub options: Vec<Row>,
}

/// A recipe as a heading.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heading {
    /// Its identifier.
    pub recipe: String,
    /// What it does.
    pub title: String,
}

/// One way to protect Nodes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The number that design proposals give it; empty if it is none of theirs.
    pub number: String,
    /// What it is.
    pub name: String,
    /// What it installs, in words.
    pub installs: String,
    /// What else it opens, or why it was ruled out.
    pub opens: String,
    /// One for each recipe.
    pub cells: Vec<Cell>,
    /// Legitimate writes that are admitted, of so many that were tried.
    pub legitimate: (usize, usize),
}

/// What one way does about one recipe.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// What came of the recipe; `Skipped` where it does not apply.
    pub outcome: Outcome,
    /// How many of its attempts got through, of so many that were made.
    pub through: (usize, usize),
    /// Who refused, or why nothing was tried.
    pub note: String,
}

impl Matrix {
    /// A matrix without ways.
    #[must_use]
    pub fn new() -> Self {
        let recipes = attacks().iter().map(|recipe| Heading { recipe: recipe.id.clone(), title: recipe.title.clone() });
        Self { recipes: recipes.collect(), options: Vec::new() }
    }
}

impl Default for Matrix {
    fn default() -> Self {
        Self::new()
    }
}

/// The cells of a report.
#[must_use]
pub fn cells(report: &Report) -> Vec<Cell> {
    attacks().iter().map(|recipe| cell(report, recipe)).collect()
}

fn cell(report: &Report, recipe: &Recipe) -> Cell {
    let trials: Vec<_> = report.trials.iter().filter(|trial| trial.recipe == recipe.id).collect();
    let outcome = worst(trials.iter().map(|trial| trial.outcome)).unwrap_or(Outcome::Skipped);
    let made = trials.iter().filter(|trial| trial.request.is_some()).count();
    let through = trials
        .iter()
        .filter(|trial| matches!(trial.outcome, Outcome::Breach | Outcome::Permitted | Outcome::Residual))
        .count();
    let told = trials.iter().filter(|trial| trial.outcome == outcome);
    let note =
        told.map(|trial| trial.refusal.as_ref().map_or_else(|| trial.note.clone(), crate::layer::Refusal::brief));
    Cell { outcome, through: (through, made), note: note.into_iter().next().unwrap_or_default() }
}
