//! Reads recorded `AdmissionReview`s: JSON (one document, several, one a line, lists and arrays of them) or YAML.
//!
//! A document that cannot be read is reported with its line, and reading goes on behind it.

mod document;
mod problem;
mod scan;
mod yaml;

use std::collections::VecDeque;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use document::{Document, Problem};
pub use problem::{ReviewError, ReviewProblem};
use scan::{Elements, ScanError, ScanProblem};

use crate::request::AdmissionRequest;

/// A review of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// The place among the input's reviews, from 0; those that cannot be read count.
    pub index: usize,
    /// The line of the input that it begins in, from 1.
    pub line: usize,
    /// The request.
    pub request: AdmissionRequest,
    /// What stands beside the review in a line such as `{"review": {…}, "description": "…"}`.
    pub extra: Map<String, Json>,
}

/// Reads an input. It is JSON if it begins like an object or array, else YAML.
///
/// Documents are parsed one at a time, elements of arrays too, so that memory is needed for the largest of them only.
pub fn reviews(input: &[u8]) -> Reviews<'_> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let is_json = matches!(input.get(scan::skip_space(input, 0)), Some(b'{' | b'['));
    let source = if is_json { Source::Json(JsonReader::new(input)) } else { Source::yaml(input) };
    Reviews { source, next: 0 }
}

/// The reviews of an input.
#[derive(Debug)]
pub struct Reviews<'t> {
    source: Source<'t>,
    next: usize,
}

#[derive(Debug)]
enum Source<'t> {
    Json(JsonReader<'t>),
    Yaml { parts: VecDeque<(&'t str, usize)>, ready: VecDeque<Item> },
    Encoding { line: usize },
    End,
}

/// A review without its number.
type Item = Result<Found, Fault>;

/// A problem and its line.
type Fault = (usize, ReviewProblem);

/// Where a document is, and whether it is an element of an array.
type Part = (Range<usize>, bool);

#[derive(Debug)]
struct Found {
    line: usize,
    request: Box<AdmissionRequest>,
    extra: Map<String, Json>,
}

impl Iterator for Reviews<'_> {
    type Item = Result<Review, ReviewError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.source.next().or_else(|| {
            self.source = Source::End;
            (self.next == 0).then_some(Err((1, ReviewProblem::Empty)))
        })?;
        let index = self.next;
        self.next += 1;
        Some(match item {
            Ok(Found { line, request, extra }) => Ok(Review { index, line, request: *request, extra }),
            Err((line, problem)) => Err(ReviewError { index, line, problem }),
        })
    }
}

impl<'t> Source<'t> {
    fn yaml(input: &'t [u8]) -> Self {
        match std::str::from_utf8(input) {
            Ok(text) => {
                let parts = yaml::parts(text).into_iter().map(|part| (part.text, part.line)).collect();
                Self::Yaml { parts, ready: VecDeque::new() }
            }
            Err(error) => Self::Encoding { line: 1 + line_breaks(input, 0..error.valid_up_to()) },
        }
    }

    fn next(&mut self) -> Option<Item> {
        match self {
            Self::Json(reader) => reader.next(),
            Self::Yaml { parts, ready } => next_yaml(parts, ready),
            Self::Encoding { line } => {
                let line = *line;
                *self = Self::End;
                Some(Err((line, ReviewProblem::Encoding)))
            }
            Self::End => None,
        }
    }
}

fn next_yaml(parts: &mut VecDeque<(&str, usize)>, ready: &mut VecDeque<Item>) -> Option<Item> {
    while ready.is_empty() {
        let (text, line) = parts.pop_front()?;
        match yaml::to_json(text) {
            Ok(None) => {}
            Ok(Some(json)) => ready.extend(of_yaml(&json, first_content_line(text, line))),
            Err((within, problem)) => ready.push_back(Err((line + within.saturating_sub(1), problem))),
        }
    }
    ready.pop_front()
}

/// Everything in a YAML document is said to be in the line where it begins.
fn of_yaml(json: &[u8], line: usize) -> Vec<Item> {
    let mut reader = JsonReader::new(json);
    let items = std::iter::from_fn(|| reader.next());
    items
        .map(|item| match item {
            Ok(found) => Ok(Found { line, ..found }),
            Err((_, problem)) => Err((line, problem)),
        })
        .collect()
}

fn first_content_line(text: &str, line: usize) -> usize {
    line + usize::from(text.starts_with("---") && text.lines().count() > 1)
}

/// Walks through JSON documents, and through the arrays among them.
#[derive(Debug)]
struct JsonReader<'t> {
    text: &'t [u8],
    at: usize,
    /// A position of which the line is known.
    counted: (usize, usize),
    arrays: Vec<Elements>,
}

impl<'t> JsonReader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, counted: (0, 1), arrays: Vec::new() }
    }

    fn next(&mut self) -> Option<Item> {
        loop {
            let (range, nested) = match self.next_range()? {
                Ok(part) => part,
                Err(problem) => return Some(Err(problem)),
            };
            match document::read(self.text, &range) {
                Ok(Document::List(start)) => self.arrays.push(Elements::new(start)),
                Ok(Document::Review { request, extra }) => {
                    return Some(Ok(Found { line: self.line(range.start), request, extra }));
                }
                Err(problem) => return Some(Err(self.failed(problem, &range, nested))),
            }
        }
    }

    /// The next element of the innermost array, or the next document.
    fn next_range(&mut self) -> Option<Result<Part, Fault>> {
        while let Some(elements) = self.arrays.last_mut() {
            match elements.next(self.text) {
                Some(Ok(range)) => return Some(Ok((range, true))),
                Some(Err(error)) => return Some(Err(self.broken_array(error))),
                None => self.end_array(),
            }
        }
        let start = scan::skip_space(self.text, self.at);
        if *self.text.get(start)? == b'[' {
            // An array is read as far as it goes; its end is not looked for beforehand.
            return Some(Ok((start..self.text.len(), false)));
        }
        Some(self.next_value(start))
    }

    fn next_value(&mut self, start: usize) -> Result<Part, Fault> {
        match scan::value_end(self.text, start) {
            Ok(end) => {
                self.at = end;
                Ok((start..end, false))
            }
            Err(error) => {
                self.at = self.next_document(start);
                // A document without an end is at fault where it begins; the input's end says nothing.
                let at = if error.problem == ScanProblem::Ends { start } else { error.at };
                Err((self.line(at), error.problem.into()))
            }
        }
    }

    fn end_array(&mut self) {
        if let Some(elements) = self.arrays.pop() {
            self.at = self.at.max(elements.position());
        }
    }

    fn broken_array(&mut self, error: ScanError) -> Fault {
        if let Some(elements) = self.arrays.first() {
            self.at = self.at.max(self.next_document(elements.position()));
        }
        self.arrays.clear();
        (self.line(error.at), error.problem.into())
    }

    /// A document that is not even JSON may have swallowed those behind it; reading goes on where a line begins with
    /// a brace.
    fn failed(&mut self, problem: Problem, range: &Range<usize>, nested: bool) -> Fault {
        let Problem { at, problem } = problem;
        let is_document = matches!(self.text.get(range.start), Some(b'{'));
        if !nested && (!is_document || matches!(problem, ReviewProblem::Json(_))) {
            self.at = self.next_document(range.start);
        }
        (self.line(at), problem)
    }

    fn next_document(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let begins = |pair: &[u8]| matches!(pair, [b'\n', b'{']);
        rest.windows(2).position(begins).map_or(self.text.len(), |offset| from + offset + 1)
    }

    fn line(&mut self, at: usize) -> usize {
        let (known, line) = self.counted;
        if at < known {
            return line.saturating_sub(line_breaks(self.text, at..known));
        }
        let line = line + line_breaks(self.text, known..at);
        self.counted = (at, line);
        line
    }
}

fn line_breaks(text: &[u8], range: Range<usize>) -> usize {
    let end = range.end.min(text.len());
    text.get(range.start..end).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
}
