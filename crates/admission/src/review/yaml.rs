//! YAML inputs: split into documents, each of which becomes JSON.

use serde_json::Value as Json;

use super::problem::ReviewProblem;
use super::scan::MAX_DEPTH;

/// Largest number of nodes of one document.
const MAX_NODES: usize = 20_000_000;
/// Largest total length of a document's scalars.
const MAX_SCALARS: usize = 1 << 30;

/// One document and the line that it begins in, from 1.
pub(super) struct Part<'t> {
    pub(super) text: &'t str,
    pub(super) line: usize,
}

/// Splits at the lines that separate documents; their markers always stand at the beginning of a line.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut first_line, mut at) = (0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_separator(line) {
            parts.extend(text.get(start..at).map(|text| Part { text, line: first_line }));
            (start, first_line) = (at, number);
        }
        at += line.len();
    }
    parts.extend(text.get(start..).map(|text| Part { text, line: first_line }));
    parts
}

fn is_separator(line: &str) -> bool {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// The document as JSON text; none if it is empty. An error comes with its line within the document.
pub(super) fn to_json(text: &str) -> Result<Option<Vec<u8>>, (usize, ReviewProblem)> {
    if text.lines().all(is_blank) {
        return Ok(None);
    }
    let value: Json = serde_saphyr::from_str_with_options(text, options()).map_err(|error| problem(&error))?;
    if value.is_null() {
        return Ok(None);
    }
    serde_json::to_vec(&value).map(Some).map_err(|error| (1, ReviewProblem::Yaml(error.to_string())))
}

fn is_blank(line: &str) -> bool {
    let content = line.trim();
    content.is_empty() || content.starts_with('#') || content == "---" || content == "..."
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_total_scalar_bytes: MAX_SCALARS,
        },
    }
}

fn problem(error: &serde_saphyr::Error) -> (usize, ReviewProblem) {
    let line = error.location().map_or(1, |location| usize::try_from(location.line()).unwrap_or(1));
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default();
    (line, ReviewProblem::Yaml(message.to_owned()))
}
