//! Bounds of numbers (`kube-openapi/pkg/validation/validate/{validator,values}.go`): limits are doubles, values are
//! compared as what they are.

use serde_json::{Value, json};

use super::outcome::{Outcome, Problem};
use super::structural::Bounds;

/// The type that a number is checked against, if it is exactly one.
#[derive(Clone, Copy, Debug)]
pub struct NumberType<'s> {
    /// `integer`, `number`, or empty.
    pub name: &'s str,
    /// A format that the type knows, or empty.
    pub format: &'s str,
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Double(f64),
}

impl Number {
    fn read(value: &Value) -> Self {
        value.as_i64().map_or_else(|| Self::Double(value.as_f64().unwrap_or(f64::NAN)), Self::Whole)
    }

    #[expect(clippy::cast_precision_loss, reason = "the loss is the server's too")]
    fn as_double(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Double(double) => double,
        }
    }

    fn json(self) -> Value {
        match self {
            Self::Whole(whole) => json!(whole),
            Self::Double(double) => json!(double),
        }
    }

    fn shown(self) -> String {
        admission::quote::go_value(&self.json())
    }
}

/// Checks a number; problems come in the server's order: range, factor, minimum, maximum.
pub fn check(value: &Value, bounds: &Bounds, kind: NumberType<'_>, path: &str) -> Outcome {
    let number = Number::read(value);
    let mut outcome = Outcome::default();
    outcome.problems.extend(out_of_range(number, kind, "Checked", path));
    let parts = [
        bounds.multiple_of.map(|factor| multiple(number, factor, kind, path)),
        bounds.minimum.map(|limit| limited(number, limit, Side::Least(bounds.above), kind, path)),
        bounds.maximum.map(|limit| limited(number, limit, Side::Most(bounds.below), kind, path)),
    ];
    parts.into_iter().flatten().for_each(|part| outcome.merge(part));
    outcome.matches += 1;
    outcome
}

/// A side that a number is limited on, and whether the limit itself is out.
#[derive(Clone, Copy)]
enum Side {
    Least(bool),
    Most(bool),
}

impl Side {
    fn name(self) -> &'static str {
        if matches!(self, Self::Least(_)) { "Minimum boundary" } else { "Maximum boundary" }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Least(false) => "greater than or equal to",
            Self::Least(true) => "greater than",
            Self::Most(false) => "less than or equal to",
            Self::Most(true) => "less than",
        }
    }

    fn admits(self, order: Option<std::cmp::Ordering>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self {
            Self::Least(out) => order != Some(Less) && !(out && order == Some(Equal)),
            Self::Most(out) => order != Some(Greater) && !(out && order == Some(Equal)),
        }
    }
}

fn limited(number: Number, limit: f64, side: Side, kind: NumberType<'_>, path: &str) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.problems.extend(out_of_range(Number::Double(limit), kind, side.name(), path));
    let (number, limit) = comparable(number, limit, outcome.is_valid());
    let order = match (number, limit) {
        (Number::Whole(number), Number::Whole(limit)) => Some(number.cmp(&limit)),
        (number, limit) => number.as_double().partial_cmp(&limit.as_double()),
    };
    if !side.admits(order) {
        let rule = format!("should be {} {}", side.words(), limit.shown());
        outcome.add(Problem::invalid(path, Some(number.json()), rule));
    }
    outcome
}

/// An integer is compared with the limit's whole part, if the limit fits the type.
#[expect(clippy::cast_possible_truncation, reason = "the server truncates the limit")]
fn comparable(number: Number, limit: f64, limit_fits: bool) -> (Number, Number) {
    match number {
        Number::Whole(_) if limit_fits => (number, Number::Whole(limit as i64)),
        _ => (Number::Double(number.as_double()), Number::Double(limit)),
    }
}

fn multiple(number: Number, factor: f64, kind: NumberType<'_>, path: &str) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.problems.extend(out_of_range(Number::Double(factor), kind, "MultipleOf", path));
    let (number, factor) = comparable(number, factor, outcome.is_valid());
    if factor.as_double() <= 0.0 {
        let text = format!("factor MultipleOf declared for {path} must be positive: {}", factor.shown());
        outcome.add(Problem::declared(path, factor.json(), text));
    } else if !is_multiple(number, factor) {
        let rule = format!("should be a multiple of {}", factor.shown());
        outcome.add(Problem::invalid(path, Some(number.json()), rule));
    }
    outcome
}

fn is_multiple(number: Number, factor: Number) -> bool {
    match (number, factor) {
        (Number::Whole(number), Number::Whole(factor)) => number.checked_rem(factor) == Some(0),
        (number, factor) => {
            let (number, factor) = (number.as_double(), factor.as_double());
            is_whole(if factor < 1.0 { 1.0 / factor * number } else { number / factor })
        }
    }
}

/// Whether a double counts as an integer: within the exactly represented range, up to a relative error of 1e-9
/// (`go-openapi/swag/conv`).
pub fn is_whole(double: f64) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    if !double.is_finite() || double.abs() > LARGEST {
        return false;
    }
    let rounded = double.round();
    (double - rounded).abs() == 0.0 || (rounded != 0.0 && (double - rounded).abs() < 1e-9 * rounded.abs())
}

/// The first double beyond 64-bit integers.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The problem of a number that the type cannot hold.
fn out_of_range(number: Number, kind: NumberType<'_>, what: &str, path: &str) -> Option<Problem> {
    let fits = match (kind.name, kind.format) {
        ("integer", "int32") => whole_of(number).is_some_and(|whole| i32::try_from(whole).is_ok()),
        ("integer", _) => whole_of(number).is_some(),
        (_, "float") => number.as_double().abs() <= f64::from(f32::MAX),
        _ => true,
    };
    let NumberType { name, format } = kind;
    let as_what = if format.is_empty() { String::from("(default format)") } else { format!("with format {format}") };
    (!fits).then(|| Problem::placeless(format!("{what} value must be of type {name} {as_what} in {path}")))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is tested first")]
fn whole_of(number: Number) -> Option<i64> {
    match number {
        Number::Whole(whole) => Some(whole),
        Number::Double(double) if double.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&double) => {
            Some(double as i64)
        }
        Number::Double(_) => None,
    }
}
