//! Comprehensions over lists and maps.

use std::ops::ControlFlow;

use super::cost;
use super::error::EvalError;
use super::evaluate::{Evaluator, Outcome, ends};
use super::map::Map;
use super::plan::{Fold, Quantifier};
use super::show::go_type;
use super::value::{List, Value};

/// Whether a loop goes on.
type Flow = Result<ControlFlow<()>, EvalError>;

/// The places of a comprehension's variables.
#[derive(Clone, Copy)]
struct Places {
    first: usize,
    second: Option<usize>,
}

impl<'a> Evaluator<'a, '_> {
    /// Whether all elements satisfy a predicate, or any; one that decides absorbs failures of others.
    pub fn quantifier(&mut self, quantifier: &'a Quantifier) -> Outcome<'a> {
        let decided_by = quantifier.decided_by;
        let range = self.eval(&quantifier.range)?;
        let places = Places { first: quantifier.variable, second: quantifier.second };
        // The condition reads the accumulator and tests it, after a negation if true decides.
        let condition_cost = if decided_by { 3 } else { 2 };
        let mut so_far = Ok(!decided_by);
        self.each(range, places, |evaluator| {
            evaluator.charge_each(condition_cost)?;
            if so_far == Ok(decided_by) {
                return Ok(ControlFlow::Break(()));
            }
            evaluator.charge(cost::SELECT)?;
            let found = evaluator.eval(&quantifier.predicate);
            if let Some(next) = decide(found, decided_by, so_far.is_err())? {
                so_far = next;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.charge(cost::SELECT)?;
        so_far.map(Value::Bool)
    }

    /// A comprehension that changes its accumulator with each element.
    pub fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let range = self.eval(&fold.range)?;
        self.set_lazily(fold.accumulator, &fold.initial);
        let places = Places { first: fold.variable, second: fold.second };
        self.each(range, places, |evaluator| {
            match evaluator.eval(&fold.condition) {
                Ok(Value::Bool(false)) => return Ok(ControlFlow::Break(())),
                Err(error) if !error.is_absorbable() => return Err(error),
                _ => {}
            }
            let outcome = evaluator.eval(&fold.step);
            if ends(&outcome) {
                return outcome.map(|_| ControlFlow::Break(()));
            }
            evaluator.set(fold.accumulator, outcome);
            Ok(ControlFlow::Continue(()))
        })?;
        self.eval(&fold.result)
    }

    /// Runs a body with the variables set to each element of a range.
    fn each(
        &mut self,
        range: Value<'a>,
        places: Places,
        mut body: impl FnMut(&mut Self) -> Flow,
    ) -> Result<(), EvalError> {
        match (range, places.second) {
            (Value::List(list), second) => self.each_element(&list, places.first, second, body),
            (Value::Map(map), Some(second)) => {
                for (key, value) in map.iter() {
                    self.set(places.first, Ok(key));
                    self.set(second, Ok(value));
                    if body(self)?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
            (Value::Map(map), None) => self.each_key(&map, places.first, body),
            (other, None) => Err(EvalError::new(format!("got '{}', expected iterable type", go_type(&other)))),
            (other, Some(_)) => {
                Err(EvalError::new(format!("unsupported comprehension range type: {}", go_type(&other))))
            }
        }
    }

    fn each_element(
        &mut self,
        list: &List<'a>,
        first: usize,
        second: Option<usize>,
        mut body: impl FnMut(&mut Self) -> Flow,
    ) -> Result<(), EvalError> {
        for (index, element) in list.iter().enumerate() {
            match second {
                Some(second) => {
                    self.set(first, Ok(Value::Int(i64::try_from(index).unwrap_or(i64::MAX))));
                    self.set(second, Ok(element));
                }
                None => self.set(first, Ok(element)),
            }
            if body(self)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn each_key(
        &mut self,
        map: &Map<'a>,
        place: usize,
        mut body: impl FnMut(&mut Self) -> Flow,
    ) -> Result<(), EvalError> {
        for key in map.keys() {
            self.set(place, Ok(key));
            if body(self)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The accumulator after one element, or none where it stays; the first failure is kept.
fn decide(
    found: Outcome<'_>,
    decided_by: bool,
    has_failed: bool,
) -> Result<Option<Result<bool, EvalError>>, EvalError> {
    match found {
        Ok(Value::Bool(value)) if value == decided_by => Ok(Some(Ok(decided_by))),
        Ok(Value::Bool(_)) => Ok(None),
        Err(error) if !error.is_absorbable() => Err(error),
        _ if has_failed => Ok(None),
        Ok(_) => Ok(Some(Err(EvalError::no_such_overload()))),
        Err(error) => Ok(Some(Err(error))),
    }
}
