//! Verdicts on recorded reviews, and what they come to.

use admission::{AdmissionRequest, Review, reviews};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Exit;
use crate::bench::Bench;
use crate::opinion::{Opinion, Outcome, deciding};
use crate::recording::Piece;

/// What all policies say about one request.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) uid: String,
    /// The request in short: `UPDATE nodes/n1`.
    pub(crate) request: String,
    /// What the recording says about it.
    pub(crate) description: Option<String>,
    /// How the recording classes it.
    pub(crate) kind: Option<String>,
    /// One for each policy; there is at least one.
    pub(crate) opinions: Vec<Opinion>,
}

/// A verdict as a record for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    source: &'a str,
    index: usize,
    uid: &'a str,
    #[serde(flatten)]
    decision: Option<&'a Opinion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    policies: &'a [Opinion],
}

/// The verdict on a review, or what is wrong with it, in its line.
pub(crate) type Judged = Result<Verdict, String>;

/// Judges the reviews of a piece of a recording.
pub(crate) fn judge(bench: &Bench, piece: &Piece) -> Vec<Judged> {
    let blank = piece.lines > 0 && piece.bytes.iter().all(u8::is_ascii_whitespace);
    let found = reviews(&piece.bytes).take_while(|_| !blank);
    found
        .map(|review| match review {
            Ok(review) => Ok(Verdict::new(bench, review)),
            Err(error) => Err(format!("line {}: {}", piece.lines + error.line, error.problem)),
        })
        .collect()
}

impl Verdict {
    fn new(bench: &Bench, review: Review) -> Self {
        let opinions = bench.judge(&review.request);
        let text = |name: &str| take_text(&review.extra, name);
        Self {
            request: summary(&review.request),
            description: text("description"),
            kind: text("kind"),
            opinions,
            uid: review.request.uid,
        }
    }

    pub(crate) fn record<'a>(&'a self, source: &'a str, index: usize) -> Record<'a> {
        Record {
            source,
            index,
            uid: &self.uid,
            decision: self.decision(),
            description: self.description.as_deref(),
            kind: self.kind.as_deref(),
            policies: &self.opinions,
        }
    }

    pub(crate) fn decision(&self) -> Option<&Opinion> {
        deciding(&self.opinions)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.decision().map_or(Outcome::NotMatched, |decision| decision.outcome)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self.outcome() {
            Outcome::Allow | Outcome::NotMatched => Exit::Fine,
            Outcome::Deny | Outcome::Error => Exit::Finding,
        }
    }

    /// The opinion that decides in a column.
    pub(crate) fn in_column(&self, column: usize) -> Option<&Opinion> {
        let weight = |opinion: &&Opinion| (!opinion.refuses, opinion.outcome == Outcome::NotMatched);
        self.opinions.iter().filter(|opinion| opinion.column == column).min_by_key(weight)
    }
}

fn take_text(extra: &Map<String, Value>, name: &str) -> Option<String> {
    extra.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn summary(request: &AdmissionRequest) -> String {
    let resource = &request.requested_resource().resource;
    let metadata_name = |object: &Value| Some(object.pointer("/metadata/name")?.as_str()?.to_owned());
    let name = if request.name.is_empty() {
        request.old_object.iter().chain(&request.object).find_map(|object| metadata_name(object)).unwrap_or_default()
    } else {
        request.name.clone()
    };
    let mut text = format!("{} {resource}", request.operation);
    for part in [&request.namespace, &name, &request.sub_resource].into_iter().filter(|part| !part.is_empty()) {
        text.push('/');
        text.push_str(part);
    }
    text
}

/// How many requests came out how, over all and by column.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests by outcome: allow, deny, error, notMatched.
    pub(crate) outcomes: [usize; 4],
    /// By column: how many it refuses, and how many only it refuses.
    pub(crate) refusals: Vec<(usize, usize)>,
}

impl Tally {
    pub(crate) fn new(columns: usize) -> Self {
        Self { outcomes: [0; 4], refusals: vec![(0, 0); columns] }
    }

    /// Counts a verdict; says which columns refuse it.
    pub(crate) fn add(&mut self, verdict: &Verdict) -> Vec<usize> {
        let index = match verdict.outcome() {
            Outcome::Allow => 0,
            Outcome::Deny => 1,
            Outcome::Error => 2,
            Outcome::NotMatched => 3,
        };
        self.outcomes.iter_mut().skip(index).take(1).for_each(|count| *count += 1);
        let refuses = |column: &usize| verdict.in_column(*column).is_some_and(|opinion| opinion.refuses);
        let refusing: Vec<usize> = (0..self.refusals.len()).filter(refuses).collect();
        for column in &refusing {
            if let Some((all, alone)) = self.refusals.get_mut(*column) {
                *all += 1;
                *alone += usize::from(refusing.len() == 1);
            }
        }
        refusing
    }

    /// How many requests were judged.
    pub(crate) fn total(&self) -> usize {
        self.outcomes.iter().sum()
    }
}
