//! Tables for people: columns as wide as the first rows need, the last one as wide as it likes.

use std::io::{self, Write};

use super::paint::{Paint, harmless};

/// So many rows are kept back to find the widths.
const SAMPLE: usize = 500;

/// One field of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub(crate) fn new(text: &str, paint: Paint) -> Self {
        Self { text: harmless(text).into_owned(), paint }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(text, Paint::Plain)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// A table that is written while its rows come.
#[derive(Debug)]
pub(crate) struct Table {
    colour: bool,
    kept: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(crate) fn new(header: &[&str], colour: bool) -> Self {
        let header = header.iter().map(|text| Cell::new(text, Paint::Faint)).collect();
        Self { colour, kept: vec![header], widths: None }
    }

    pub(crate) fn push(&mut self, out: &mut dyn Write, row: Vec<Cell>) -> io::Result<()> {
        match &self.widths {
            Some(widths) => write_row(out, &row, widths, self.colour),
            None => {
                self.kept.push(row);
                if self.kept.len() > SAMPLE { self.write_kept(out) } else { Ok(()) }
            }
        }
    }

    pub(crate) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write_kept(out)
    }

    fn write_kept(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.kept);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        rows.iter().try_for_each(|row| write_row(out, row, &widths, self.colour))?;
        self.widths = Some(widths);
        Ok(())
    }
}

fn write_row(out: &mut dyn Write, row: &[Cell], widths: &[usize], colour: bool) -> io::Result<()> {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    for (index, (cell, width)) in row.iter().zip(widths).take(last + 1).enumerate() {
        let gap = if index == last { 0 } else { width.saturating_sub(cell.width()) + 2 };
        write!(out, "{}{:gap$}", cell.paint.on(&cell.text, colour), "")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: usize) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(&["A", "B", ""], false);
        for index in 0..rows {
            let row = [format!("{index}"), String::new(), "last".to_owned()];
            table.push(&mut out, row.iter().map(|text| Cell::plain(text)).collect()).unwrap();
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        assert_eq!(written(2), "A  B\n0     last\n1     last\n");
        assert_eq!(written(0), "A  B\n");
    }

    #[test]
    fn rows_beyond_the_sample_are_written_too() {
        assert_eq!(written(SAMPLE * 3).lines().count(), SAMPLE * 3 + 1);
    }
}
