//! What can be wrong with an input of reviews.

use thiserror::Error;

use super::scan::{MAX_DEPTH, ScanProblem};

/// A part of an input that is no review, or no sound one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct ReviewError {
    /// The place among the input's reviews, from 0.
    pub index: usize,
    /// The line of the input, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: ReviewProblem,
}

/// What is wrong with a part of an input.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReviewProblem {
    /// There is nothing in the input.
    #[error("no AdmissionReview in the input")]
    Empty,
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    Encoding,
    /// Not JSON.
    #[error("broken JSON: {0}")]
    Json(String),
    /// Not YAML.
    #[error("broken YAML: {0}")]
    Yaml(String),
    /// Nested deeper than is read.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Another kind of object, or none.
    #[error("not an AdmissionReview: {0}")]
    NotAReview(String),
    /// An AdmissionReview of a version that is not known.
    #[error("AdmissionReview of version {0:?}, known is \"admission.k8s.io/v1\"")]
    UnknownVersion(String),
    /// An AdmissionReview that asks nothing.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A field of the request is missing or of the wrong type.
    #[error("request: {0}")]
    Request(String),
    /// An object that the operation brings is missing.
    #[error("request.{field} is missing, which {operation} brings")]
    MissingObject {
        /// The field.
        field: &'static str,
        /// The operation.
        operation: &'static str,
    },
    /// An object is something else, such as a list.
    #[error("request.{field} is not an object")]
    NotAnObject {
        /// The field.
        field: &'static str,
    },
    /// A name that cannot be empty is.
    #[error("request.{field} is empty")]
    EmptyField {
        /// The field.
        field: &'static str,
    },
}

impl From<ScanProblem> for ReviewProblem {
    fn from(problem: ScanProblem) -> Self {
        match problem {
            ScanProblem::Ends => Self::Json("the input ends within a value".to_owned()),
            ScanProblem::LineBreakInString => Self::Json("a line ends within a string".to_owned()),
            ScanProblem::TooDeep => Self::TooDeep,
            ScanProblem::Unexpected(what) => Self::Json(format!("expected {what}")),
        }
    }
}
