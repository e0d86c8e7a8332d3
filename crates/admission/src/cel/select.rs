//! Selections: fields, indexes and presence tests, optional or not.

use std::sync::Arc;

use super::cost;
use super::declarations::Root;
use super::error::EvalError;
use super::evaluate::{Evaluator, Outcome, ends};
use super::plan::{Base, Key, Step};
use super::show::{go_type, show};
use super::value::Value;

type Found<'a> = Result<Option<Value<'a>>, EvalError>;

/// How a missing entry is reported.
enum Missing {
    Key(String),
    Index(String),
}

impl From<Missing> for EvalError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Key(key) => Self::no_such_key(key),
            Missing::Index(index) => Self::new(format!("index out of bounds: {index}")),
        }
    }
}

impl<'a> Evaluator<'a, '_> {
    /// Applies selections to a value; once one of them is optional, the rest and the result are.
    pub fn select(&mut self, base: Value<'a>, steps: &'a [Arc<Step>]) -> Outcome<'a> {
        let (mut value, mut optional) = match base {
            Value::Optional(None) => return Ok(Value::none()),
            Value::Optional(Some(value)) => (value.as_ref().clone(), true),
            other => (other, false),
        };
        for step in steps {
            optional = optional || step.optional;
            let found = if optional { self.step_if_present(&value, step)? } else { Some(self.step(&value, step)?) };
            match found {
                Some(next) => value = next,
                None => return Ok(Value::none()),
            }
        }
        Ok(if optional { Value::some(value) } else { value })
    }

    fn step(&mut self, value: &Value<'a>, step: &'a Step) -> Outcome<'a> {
        let outcome = self.required(value, step);
        if ends(&outcome) {
            return outcome;
        }
        self.charge(cost::SELECT)?;
        outcome
    }

    fn required(&mut self, value: &Value<'a>, step: &'a Step) -> Outcome<'a> {
        if step.test {
            return self.find(value, &step.key).map(|found| Value::Bool(found.is_some()));
        }
        match self.find(value, &step.key)? {
            Some(found) => Ok(found),
            None => Err(self.missing(value, &step.key).into()),
        }
    }

    fn step_if_present(&mut self, value: &Value<'a>, step: &'a Step) -> Found<'a> {
        let found = self.find(value, &step.key)?;
        if found.is_some() {
            self.charge(cost::SELECT)?;
        }
        Ok(found)
    }

    /// What a key selects from a value, if anything.
    fn find(&mut self, value: &Value<'a>, key: &'a Key) -> Found<'a> {
        let found = self.find_any(value, key)?;
        found.map(Value::usable).transpose()
    }

    fn find_any(&mut self, value: &Value<'a>, key: &'a Key) -> Found<'a> {
        match key {
            Key::Name(name) => self.find_name(value, name),
            Key::Constant(key) => self.find_value(value, key),
            Key::Computed(attribute) => {
                let key = self.resolve(attribute)?;
                valid_key(
                    &key,
                    matches!(attribute.base, Base::Root(root) if !matches!(root, Root::Variables | Root::This | Root::Old)),
                )?;
                let found = self.find_value(value, &key)?;
                if found.is_none() {
                    self.last_key = Some(key);
                }
                Ok(found)
            }
        }
    }

    fn find_name(&mut self, value: &Value<'a>, name: &str) -> Found<'a> {
        match value {
            Value::Map(map) => Ok(map.get_str(name)),
            Value::Variables => self.activation.variable(name).transpose(),
            Value::List(_) => Err(EvalError::new("unsupported index type 'string' in list")),
            _ => Ok(None),
        }
    }

    fn find_value(&mut self, value: &Value<'a>, key: &Value<'_>) -> Found<'a> {
        match (value, key) {
            (value, Value::String(name)) => self.find_name(value, name.as_str()),
            (Value::Map(map), key) => Ok(map.get(key)),
            (Value::List(list), key) => list_index(key).map(|index| index.and_then(|index| list.get(index))),
            (Value::Variables, _) => Err(EvalError::no_such_overload()),
            _ => Ok(None),
        }
    }

    fn missing(&mut self, value: &Value<'a>, key: &'a Key) -> Missing {
        let key = match key {
            Key::Name(name) => name.to_string(),
            Key::Constant(key) => show(key),
            Key::Computed(_) => self.last_key.take().map_or_else(String::new, |key| show(&key)),
        };
        if matches!(value, Value::List(_)) { Missing::Index(key) } else { Missing::Key(key) }
    }
}

/// Only texts, numbers and booleans can select. What comes straight from an object has another name in the message.
fn valid_key(key: &Value<'_>, from_object: bool) -> Result<(), EvalError> {
    let kind = match key {
        Value::String(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_) => return Ok(()),
        Value::Null if from_object => "<nil>",
        Value::List(_) if from_object => "[]interface {}",
        Value::Map(_) if from_object => "map[string]interface {}",
        other => go_type(other),
    };
    Err(EvalError::new(format!("invalid qualifier type: {kind}")))
}

/// The index that a number stands for; none where it is negative.
fn list_index(key: &Value<'_>) -> Result<Option<usize>, EvalError> {
    match key {
        Value::Int(index) => Ok(usize::try_from(*index).ok()),
        Value::Uint(index) if i64::try_from(*index).is_ok() => Ok(usize::try_from(*index).ok()),
        Value::Double(number) => whole(*number).ok_or_else(|| unsupported_value(key)),
        Value::Uint(_) => Err(unsupported_value(key)),
        other => Err(EvalError::new(format!("unsupported index type '{}' in list", other.type_name()))),
    }
}

fn unsupported_value(key: &Value<'_>) -> EvalError {
    EvalError::new(format!("unsupported index value {} in list", show(key)))
}

/// The index in a double without fraction; the inner option is none where it is negative.
#[expect(clippy::cast_possible_truncation, reason = "the range is tested first")]
fn whole(number: f64) -> Option<Option<usize>> {
    let fits = number.fract() == 0.0 && number.abs() < 9e18;
    fits.then(|| usize::try_from(number as i64).ok())
}
