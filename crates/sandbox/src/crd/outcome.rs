//! What the validation of a value by its schema found (`kube-openapi/pkg/validation/{validate/result,errors/schema}.go`).

use admission::quote::go_quoted;
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::{Value, json};

/// What one validation found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is wrong, each text once.
    pub problems: Vec<Problem>,
    /// How many checks passed; of several alternatives that fail, the one with the most is reported.
    pub matches: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Where, if it is about one field.
    place: Option<String>,
    kind: Kind,
    value: Option<Value>,
    text: String,
}

#[derive(Clone, Debug)]
enum Kind {
    Type,
    Required,
    Choice(Vec<Value>),
    TooLong(i64),
    TooMany(i64),
    Other,
}

impl Outcome {
    /// An outcome of one problem.
    pub fn failed(problem: Problem) -> Self {
        Self { problems: vec![problem], matches: 0 }
    }

    /// Whether nothing is wrong.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds a problem unless its text is there already.
    pub fn add(&mut self, problem: Problem) {
        if !self.problems.iter().any(|known| known.text == problem.text) {
            self.problems.push(problem);
        }
    }

    /// Adds all that another validation found.
    pub fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        other.problems.into_iter().for_each(|problem| self.add(problem));
    }

    /// The problems as errors about fields below a path.
    pub fn errors(&self, base: &FieldPath) -> Vec<FieldError> {
        self.problems.iter().map(|problem| problem.error(base)).collect()
    }
}

impl Problem {
    /// A value of the wrong type; `found` is a type, or the value of a wrong format.
    pub fn mistyped(path: &str, expected: &str, found: &str) -> Self {
        let text = format!("{path} in body must be of type {expected}: {}", go_quoted(found));
        Self::at(path, Kind::Type, Some(json!(found)), text)
    }

    /// A missing field.
    pub fn missing(path: &str) -> Self {
        Self::at(path, Kind::Required, None, format!("{path} in body is required"))
    }

    /// A value that is none of the allowed ones.
    pub fn unknown_choice(path: &str, value: &Value, choices: &[Value]) -> Self {
        let names: Vec<String> = choices.iter().map(plain).collect();
        let text = format!("{path} in body should be one of [{}]", names.join(" "));
        Self::at(path, Kind::Choice(choices.to_vec()), Some(value.clone()), text)
    }

    /// A text that is too long.
    pub fn too_long(path: &str, limit: i64) -> Self {
        let text = format!("{path} in body should be at most {limit} chars long");
        Self::at(path, Kind::TooLong(limit), None, text)
    }

    /// Too many `what`.
    pub fn too_many(path: &str, what: &str, actual: i64, limit: i64) -> Self {
        let text = format!("{path} in body should have at most {limit} {what}");
        Self::at(path, Kind::TooMany(limit), Some(json!(actual)), text)
    }

    /// A value that is wrong in another way.
    pub fn invalid(path: &str, value: Option<Value>, rule: impl AsRef<str>) -> Self {
        Self::at(path, Kind::Other, value, format!("{path} in body {}", rule.as_ref()))
    }

    /// A wrong value with a text of its own.
    pub fn declared(path: &str, value: Value, text: String) -> Self {
        Self::at(path, Kind::Other, Some(value), text)
    }

    /// What the server reports without a field.
    pub fn placeless(text: String) -> Self {
        Self { place: None, kind: Kind::Other, value: None, text }
    }

    fn at(path: &str, kind: Kind, value: Option<Value>, text: String) -> Self {
        Self { place: Some(path.to_owned()), kind, value, text }
    }

    fn error(&self, base: &FieldPath) -> FieldError {
        let path = named(&self.path(base));
        let value = self.value.clone().unwrap_or_else(|| json!(""));
        let of = |kind, value: Option<&Value>, detail: String| FieldError::of(&path, kind, value, detail);
        match &self.kind {
            Kind::Type => of(FieldErrorKind::TypeInvalid, Some(&value), self.text.clone()),
            Kind::Required => of(FieldErrorKind::Required, None, String::new()),
            Kind::Choice(choices) => of(FieldErrorKind::NotSupported, Some(&value), supported(choices)),
            Kind::TooLong(limit) => of(FieldErrorKind::TooLong, None, counted("may not be more than", *limit, "byte")),
            Kind::TooMany(limit) => {
                of(FieldErrorKind::TooMany, Some(&value), counted("must have at most", *limit, "item"))
            }
            Kind::Other => of(FieldErrorKind::Invalid, Some(&value), self.text.clone()),
        }
    }

    fn path(&self, base: &FieldPath) -> FieldPath {
        match self.place.as_deref().map(|place| place.strip_prefix('.').unwrap_or(place)) {
            None | Some("") => base.clone(),
            Some(place) => base.child(place),
        }
    }
}

/// The path as errors show it: the server's missing path has a name.
#[must_use]
pub fn named(path: &FieldPath) -> FieldPath {
    if *path == FieldPath::default() { FieldPath::root("<nil>") } else { path.clone() }
}

fn counted(words: &str, limit: i64, unit: &str) -> String {
    let plural = if limit == 1 { "" } else { "s" };
    format!("{words} {limit} {unit}{plural}")
}

fn supported(choices: &[Value]) -> String {
    let names: Vec<String> = choices.iter().map(|choice| go_quoted(&plain(choice))).collect();
    format!("supported values: {}", names.join(", "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
