//! From one JSON document to a review, or to the list of documents that it is.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::problem::ReviewProblem;
use super::scan::{self, Entry, ScanError};
use crate::request::{AdmissionRequest, Operation};

const KIND: &str = "AdmissionReview";
const GROUP: &str = "admission.k8s.io/";
const VERSION: &str = "admission.k8s.io/v1";

/// What a document turned out to be.
pub(super) enum Document {
    /// A review, with what stands beside it in its line.
    Review { request: Box<AdmissionRequest>, extra: Map<String, Json> },
    /// An array of documents, which begins here.
    List(usize),
}

/// A problem and where in the text it is.
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) problem: ReviewProblem,
}

type Parsed<T> = Result<T, Problem>;

impl From<ScanError> for Problem {
    fn from(error: ScanError) -> Self {
        Self { at: error.at, problem: error.problem.into() }
    }
}

/// Reads the document that takes up this part of the text.
pub(super) fn read(text: &[u8], range: &Range<usize>) -> Parsed<Document> {
    match text.get(range.start) {
        Some(b'[') => return Ok(Document::List(range.start)),
        Some(b'{') => {}
        _ => return fail(range.start, ReviewProblem::NotAReview("it is no object".to_owned())),
    }
    let object = Object::new(text, range.start)?;
    if let Some(items) = object.list() {
        return Ok(Document::List(items));
    }
    match object.range("review").filter(|review| text.get(review.start) == Some(&b'{')) {
        None => Ok(Document::Review { request: Box::new(object.request()?), extra: Map::new() }),
        Some(review) => {
            let request = Box::new(Object::new(text, review.start)?.request()?);
            Ok(Document::Review { request, extra: object.others("review")? })
        }
    }
}

fn fail<T>(at: usize, problem: ReviewProblem) -> Parsed<T> {
    Err(Problem { at, problem })
}

/// The entries of an object, not parsed yet.
struct Object<'t> {
    text: &'t [u8],
    start: usize,
    entries: Vec<(String, Entry)>,
}

impl<'t> Object<'t> {
    fn new(text: &'t [u8], start: usize) -> Parsed<Self> {
        let named = |entry: Entry| Ok((json(text, &entry.key, ReviewProblem::Json)?, entry));
        let entries = scan::entries(text, start)?.into_iter().map(named).collect::<Parsed<_>>()?;
        Ok(Self { text, start, entries })
    }

    /// Where a value is; of a key that occurs twice, the last one.
    fn range(&self, key: &str) -> Option<&Range<usize>> {
        self.entries.iter().rev().find(|(name, _)| name == key).map(|(_, entry)| &entry.value)
    }

    /// A text field; none if it is absent or something else.
    fn text(&self, key: &str) -> Option<String> {
        self.range(key).and_then(|range| serde_json::from_slice(self.text.get(range.clone())?).ok())
    }

    /// Where the items begin, if this is a list of the API (`List`, `AdmissionReviewList`).
    fn list(&self) -> Option<usize> {
        let items = self.range("items").filter(|items| self.text.get(items.start) == Some(&b'['))?;
        self.text("kind").is_some_and(|kind| kind.ends_with("List")).then_some(items.start)
    }

    fn request(&self) -> Parsed<AdmissionRequest> {
        self.check_kind()?;
        let request = self.range("request").filter(|range| self.text.get(range.start) != Some(&b'n'));
        let Some(range) = request else {
            return fail(self.start, ReviewProblem::NoRequest);
        };
        let parsed = json(self.text, range, ReviewProblem::Request)?;
        check(&parsed).map_err(|problem| Problem { at: range.start, problem })?;
        Ok(parsed)
    }

    fn check_kind(&self) -> Parsed<()> {
        let kind = self.text("kind");
        let version = self.text("apiVersion").unwrap_or_default();
        let problem = match kind.as_deref() {
            Some(KIND) if version == VERSION => return Ok(()),
            Some(KIND) if version.starts_with(GROUP) => ReviewProblem::UnknownVersion(version),
            Some(kind) => ReviewProblem::NotAReview(format!("it is a {kind:?} of {version:?}")),
            None => ReviewProblem::NotAReview("it has no kind".to_owned()),
        };
        fail(self.start, problem)
    }

    fn others(&self, key: &str) -> Parsed<Map<String, Json>> {
        let others = self.entries.iter().filter(|(name, _)| name != key);
        others.map(|(name, entry)| Ok((name.clone(), json(self.text, &entry.value, ReviewProblem::Json)?))).collect()
    }
}

/// Parses a part of the text. A syntax error is always broken JSON, another one is what the caller says.
fn json<T: DeserializeOwned>(text: &[u8], range: &Range<usize>, other: fn(String) -> ReviewProblem) -> Parsed<T> {
    let part = text.get(range.clone()).unwrap_or_default();
    serde_json::from_slice(part).map_err(|error| {
        let at = range.start + offset(part, error.line(), error.column());
        let message = without_position(&error);
        let problem = if error.is_data() { other(message) } else { ReviewProblem::Json(message) };
        Problem { at, problem }
    })
}

/// The parser counts lines from the beginning of the part; the reader counts them from that of the input.
fn offset(part: &[u8], line: usize, column: usize) -> usize {
    let breaks = part.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = std::iter::once(0).chain(breaks).nth(line.saturating_sub(1)).unwrap_or(0);
    start.saturating_add(column.saturating_sub(1)).min(part.len())
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

fn check(request: &AdmissionRequest) -> Result<(), ReviewProblem> {
    let names = [
        ("kind.kind", &request.kind.kind),
        ("kind.version", &request.kind.version),
        ("resource.resource", &request.resource.resource),
        ("resource.version", &request.resource.version),
    ];
    if let Some((field, _)) = names.into_iter().find(|(_, name)| name.is_empty()) {
        return Err(ReviewProblem::EmptyField { field });
    }
    let (needs_object, needs_old) = match request.operation {
        Operation::Create => (true, false),
        Operation::Update => (true, true),
        Operation::Delete => (false, true),
        Operation::Connect => (false, false),
    };
    let operation = request.operation.as_str();
    check_object("object", request.object.as_deref(), needs_object, operation)?;
    check_object("oldObject", request.old_object.as_deref(), needs_old, operation)
}

fn check_object(
    field: &'static str,
    object: Option<&Json>,
    needed: bool,
    operation: &'static str,
) -> Result<(), ReviewProblem> {
    match object {
        None if needed => Err(ReviewProblem::MissingObject { field, operation }),
        Some(object) if !object.is_object() => Err(ReviewProblem::NotAnObject { field }),
        _ => Ok(()),
    }
}
