//! Verdicts as a table: one column of verdicts for one profile or policy, one for each of several, so that they can be
//! compared.

use std::io::{self, Write};

use super::paint::Paint;
use super::table::{Cell, Table};
use crate::opinion::{Opinion, Outcome};
use crate::verdicts::{Tally, Verdict};

/// A table of verdicts that is written while they come.
#[derive(Debug)]
pub(crate) struct VerdictTable {
    columns: Vec<String>,
    colour: bool,
    tally: Tally,
    table: Option<Table>,
}

impl VerdictTable {
    pub(crate) fn new(columns: &[String], colour: bool) -> Self {
        Self { columns: columns.to_vec(), colour, tally: Tally::new(columns.len()), table: None }
    }

    /// What the letters of the columns stand for, where there are several.
    pub(crate) fn legend(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.compares() {
            return Ok(());
        }
        for (column, name) in self.columns.iter().enumerate() {
            writeln!(out, "{}  {name}", letter(column))?;
        }
        writeln!(out)
    }

    /// Begins another source.
    pub(crate) fn begin(&mut self, out: &mut dyn Write, source: Option<&str>) -> io::Result<()> {
        self.end(out)?;
        if let Some(source) = source {
            let gap = if self.tally.total() > 0 { "\n" } else { "" };
            writeln!(out, "{gap}{}", Paint::Strong.on(&super::paint::harmless(source), self.colour))?;
        }
        let letters: Vec<String> = (0..self.columns.len()).map(letter).collect();
        let verdicts: Vec<&str> = if self.compares() {
            letters.iter().map(String::as_str).chain(["ONLY"]).collect()
        } else {
            vec!["VERDICT"]
        };
        let header: Vec<&str> = ["#"].into_iter().chain(verdicts).chain(["REQUEST", "WHAT", "WHY"]).collect();
        self.table = Some(Table::new(&header, self.colour));
        Ok(())
    }

    pub(crate) fn push(&mut self, out: &mut dyn Write, index: usize, verdict: &Verdict) -> io::Result<()> {
        let refusing = self.tally.add(verdict);
        let mut row = vec![Cell::new(&index.to_string(), Paint::Faint)];
        if self.compares() {
            row.extend((0..self.columns.len()).map(|column| opinion(verdict.in_column(column), true)));
            let only = match refusing.as_slice() {
                [column] => letter(*column),
                _ => String::new(),
            };
            row.push(Cell::new(&only, Paint::Strong));
        } else {
            row.push(opinion(verdict.decision(), false));
        }
        row.push(Cell::plain(&verdict.request));
        row.push(Cell::plain(&what(verdict)));
        row.push(Cell::plain(&why(verdict)));
        match &mut self.table {
            Some(table) => table.push(out, row),
            None => Ok(()),
        }
    }

    /// Ends the table of a source.
    pub(crate) fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.table.take().map_or(Ok(()), |table| table.finish(out))
    }

    /// The sums.
    pub(crate) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.end(out)?;
        let [allowed, denied, errors, unmatched] = self.tally.outcomes;
        let total = self.tally.total();
        let requests = if total == 1 { "request" } else { "requests" };
        writeln!(
            out,
            "\n{total} {requests}: {allowed} allowed, {denied} denied, {errors} errors, {unmatched} not matched"
        )?;
        if !self.compares() {
            return Ok(());
        }
        let mut table = Table::new(&["", "REFUSES", "ALONE"], self.colour);
        for (column, (all, alone)) in self.tally.refusals.iter().enumerate() {
            let name = self.columns.get(column).map_or("", String::as_str);
            let cells = [format!("{}  {name}", letter(column)), all.to_string(), alone.to_string()];
            table.push(out, cells.iter().map(|text| Cell::plain(text)).collect())?;
        }
        writeln!(out)?;
        table.finish(out)
    }

    fn compares(&self) -> bool {
        self.columns.len() > 1
    }
}

/// A, B, … Z, A1, B1, …
fn letter(column: usize) -> String {
    let letter = char::from_u32('A' as u32 + (column % 26) as u32).unwrap_or('?');
    if column < 26 { letter.to_string() } else { format!("{letter}{}", column / 26) }
}

fn opinion(opinion: Option<&Opinion>, with_rule: bool) -> Cell {
    let Some(opinion) = opinion else { return Cell::default() };
    let (word, paint) = match opinion.outcome {
        Outcome::Allow => ("allow", Paint::Good),
        Outcome::Deny => ("deny", Paint::Bad),
        Outcome::Error => ("error", Paint::Odd),
        Outcome::NotMatched if with_rule => ("-", Paint::Faint),
        Outcome::NotMatched => ("not matched", Paint::Faint),
    };
    match &opinion.rule {
        Some(rule) if with_rule => Cell::new(&format!("{word} {rule}"), paint),
        _ => Cell::new(word, paint),
    }
}

fn what(verdict: &Verdict) -> String {
    verdict.description.clone().or_else(|| verdict.kind.clone()).unwrap_or_default()
}

/// The message; a message of another's policy says which one it is from.
fn why(verdict: &Verdict) -> String {
    let Some(decision) = verdict.decision() else { return String::new() };
    match (&decision.message, &decision.rule) {
        (Some(message), Some(_)) => message.clone(),
        (Some(message), None) => format!("{}: {message}", decision.policy),
        (None, _) => String::new(),
    }
}
