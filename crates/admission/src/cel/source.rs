//! Source text: positions, and findings rendered with the line that they are about.

use super::error::{CompileError, Finding};

/// How many findings are rendered; the rest is only counted.
const MAX_FINDINGS: usize = 100;
/// A longer line (in octets) is not repeated in a message.
const MAX_SNIPPET: usize = 16_384;

/// An expression's text with the starts of its lines.
pub(super) struct Source<'s> {
    text: &'s str,
    line_starts: Vec<usize>,
}

impl<'s> Source<'s> {
    pub fn new(text: &'s str) -> Self {
        let starts = text.chars().enumerate().filter(|(_, symbol)| *symbol == '\n').map(|(index, _)| index + 1);
        Self { text, line_starts: std::iter::once(0).chain(starts).collect() }
    }

    /// A finding at an offset in code points.
    pub fn finding(&self, offset: usize, message: String) -> Finding {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(0);
        Finding { line, column: offset - start + 1, message }
    }

    /// All findings as one error, in the order of their places.
    pub fn error(&self, mut findings: Vec<Finding>) -> CompileError {
        findings.sort_by_key(|finding| (finding.line, finding.column));
        let mut parts: Vec<String> = findings.iter().take(MAX_FINDINGS).map(|finding| self.render(finding)).collect();
        if findings.len() > MAX_FINDINGS {
            parts.push(format!("{} more errors were truncated", findings.len() - MAX_FINDINGS));
        }
        CompileError::Findings { text: parts.join("\n"), findings }
    }

    fn render(&self, finding: &Finding) -> String {
        let head = format!("ERROR: <input>:{}:{}: {}", finding.line, finding.column, finding.message);
        match finding.line.checked_sub(1).and_then(|index| self.text.split('\n').nth(index)) {
            Some(line) if line.len() <= MAX_SNIPPET => format!("{head}{}", marked(line, finding.column)),
            _ => head,
        }
    }
}

fn marked(line: &str, column: usize) -> String {
    let line = line.replace('\t', " ");
    let mut symbols = line.chars();
    let dots: String = symbols
        .by_ref()
        .take(column.saturating_sub(1))
        .map(|symbol| if symbol.len_utf8() > 1 { '\u{ff0e}' } else { '.' })
        .collect();
    let mark = if symbols.next().is_some_and(|symbol| symbol.len_utf8() > 1) { '\u{ff3e}' } else { '^' };
    format!("\n | {line}\n | {dots}{mark}")
}
