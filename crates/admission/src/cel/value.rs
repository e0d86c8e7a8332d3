//! Values of expressions, borrowing from the JSON objects that a request brings.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use super::equality::equal;
use super::error::EvalError;
use super::map::{Entries, Map};
use super::time::{Duration, Timestamp};

/// A value. `'a` is the life of the request's objects and of the program's constants.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Null.
    Null,
    /// Boolean.
    Bool(bool),
    /// Signed integer.
    Int(i64),
    /// Unsigned integer.
    Uint(u64),
    /// Double.
    Double(f64),
    /// Text.
    String(Text<'a>),
    /// Octets.
    Bytes(Arc<[u8]>),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
    /// A span of time.
    Duration(Duration),
    /// A point in time.
    Timestamp(Timestamp),
    /// The name of a type used as a value, such as `string`, `map` or `google.protobuf.Timestamp`.
    Type(Arc<str>),
    /// An optional value.
    Optional(Option<Arc<Value<'a>>>),
    /// A value of a function library.
    Opaque(Arc<dyn Opaque>),
    /// The map of a policy's variables, whose entries are computed at first use.
    Variables,
}

/// A value whose kind a function library defines.
pub trait Opaque: fmt::Debug + Send + Sync {
    /// The full type name, such as `kubernetes.Quantity`.
    fn type_name(&self) -> &'static str;
    /// Whether the two are equal; with a value of another type the comparison fails.
    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError>;
    /// The size where the type has one (`size()` of the cost model), else none.
    fn cost_size(&self) -> Option<u64> {
        None
    }
    /// Why there is no value here, if this stands for data that does not fit its declared type.
    fn failure(&self) -> Option<EvalError> {
        None
    }
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
}

/// The other operand of a comparison, if it is of the same kind; the server has no overload otherwise.
pub fn same_kind<T: 'static>(other: &dyn Opaque) -> Result<&T, EvalError> {
    other.as_any().downcast_ref().ok_or_else(EvalError::no_such_overload)
}

/// Text, borrowed where possible.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// From a request object or a constant.
    Borrowed(&'a str),
    /// Computed.
    Shared(Arc<str>),
}

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// A list, borrowed where possible.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// A JSON array.
    Json(&'a Vec<Json>),
    /// Computed elements.
    Items(Arc<Vec<Value<'a>>>),
    /// Elements without order, found by their keys.
    Keyed(Arc<Keyed<'a>>),
}

/// A list that a schema calls a set, or a map by keys of its elements
/// (`apiserver/pkg/cel/common/valuesunstructured.go`).
#[derive(Clone, Debug)]
pub struct Keyed<'a> {
    /// The elements in order.
    pub items: Vec<Value<'a>>,
    /// The fields that tell elements apart; none for a set.
    pub keys: Vec<String>,
}

impl<'a> Keyed<'a> {
    /// The element of another list's element's key.
    pub fn find(&self, like: &Value<'_>) -> Option<&Value<'a>> {
        self.items.iter().find(|item| self.same_key(item, like))
    }

    fn same_key(&self, left: &Value<'_>, right: &Value<'_>) -> bool {
        match (left, right) {
            (Value::Map(left), Value::Map(right)) if !self.keys.is_empty() => {
                self.keys.iter().all(|key| match (left.get_str(key), right.get_str(key)) {
                    (Some(left), Some(right)) => equal(&left, &right),
                    (left, right) => left.is_none() && right.is_none(),
                })
            }
            _ => equal(left, right),
        }
    }

    /// The elements with those of another list added: those of known keys replace what is there.
    #[must_use]
    pub fn merged(&self, other: &List<'a>) -> Self {
        let mut merged = self.clone();
        for item in other.iter() {
            match merged.items.iter().position(|known| self.same_key(known, &item)) {
                Some(place) => merged.items.splice(place..=place, [item]).for_each(drop),
                None => merged.items.push(item),
            }
        }
        merged
    }
}

impl<'a> List<'a> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Items(items) => items.len(),
            Self::Keyed(keyed) => keyed.items.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at an index.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items) => items.get(index).map(Value::from_json),
            Self::Items(items) => items.get(index).cloned(),
            Self::Keyed(keyed) => keyed.items.get(index).cloned(),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Value<'a> {
    /// The value of a JSON value, without a copy. Numbers that are integers become ints, others doubles.
    pub fn from_json(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Self::Int(value),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::String(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(entries) => Self::Map(Map::Json(entries)),
        }
    }

    /// A computed text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Shared(text.into()))
    }

    /// A text borrowed for the whole evaluation.
    pub fn borrowed(text: &'a str) -> Self {
        Self::String(Text::Borrowed(text))
    }

    /// A computed list.
    pub fn list(items: Vec<Value<'a>>) -> Self {
        Self::List(List::Items(Arc::new(items)))
    }

    /// A computed map; a later entry replaces an earlier one of an equal key.
    pub fn map(entries: Entries<'a>) -> Self {
        Self::Map(Map::Entries(Arc::new(entries)))
    }

    /// A library's value.
    pub fn opaque(value: impl Opaque + 'static) -> Self {
        Self::Opaque(Arc::new(value))
    }

    /// An optional that has a value.
    pub fn some(value: Value<'a>) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// The optional without a value.
    pub fn none() -> Self {
        Self::Optional(None)
    }

    /// A list without order; without keys it is a set.
    pub fn keyed(items: Vec<Value<'a>>, keys: Vec<String>) -> Self {
        Self::List(List::Keyed(Arc::new(Keyed { items, keys })))
    }

    /// The value, unless it stands for data that does not fit its type.
    pub fn usable(self) -> Result<Self, EvalError> {
        match &self {
            Self::Opaque(value) => value.failure().map_or(Ok(self), Err),
            _ => Ok(self),
        }
    }

    /// The text, or `no such overload`.
    pub fn as_str(&self) -> Result<&str, EvalError> {
        match self {
            Self::String(text) => Ok(text.as_str()),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The integer, or `no such overload`.
    pub fn as_int(&self) -> Result<i64, EvalError> {
        match self {
            Self::Int(value) => Ok(*value),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The boolean, or `no such overload`.
    pub fn as_bool(&self) -> Result<bool, EvalError> {
        match self {
            Self::Bool(value) => Ok(*value),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The list, or `no such overload`.
    pub fn as_list(&self) -> Result<&List<'a>, EvalError> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The library value of this kind, or `no such overload`.
    pub fn downcast<T: 'static>(&self) -> Result<&T, EvalError> {
        match self {
            Self::Opaque(value) => value.as_any().downcast_ref().ok_or_else(EvalError::no_such_overload),
            _ => Err(EvalError::no_such_overload()),
        }
    }

    /// The name of the run-time type, as `type(x)` gives it and messages print it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Type(_) => "type",
            Self::Optional(_) => super::types::OPTIONAL,
            Self::Opaque(value) => value.type_name(),
            Self::Variables => VARIABLES_TYPE,
        }
    }

    /// The size that the cost model charges for: code points, octets, elements, entries, or 1.
    pub fn cost_size(&self) -> u64 {
        match self {
            Self::String(text) => count(text.as_str().chars().count()),
            Self::Bytes(octets) => count(octets.len()),
            Self::List(list) => count(list.len()),
            Self::Map(map) => count(map.len()),
            Self::Optional(Some(value)) => value.cost_size(),
            Self::Opaque(value) => value.cost_size().unwrap_or(1),
            _ => 1,
        }
    }
}

/// The declared type of `variables` (its name on the server).
pub const VARIABLES_TYPE: &str = "kubernetes.variables";

fn count(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every node of an expression hands one on.
    #[test]
    fn outcomes_are_as_small_as_texts() {
        let text = size_of::<Text<'_>>();
        assert_eq!(text, 3 * size_of::<usize>());
        assert_eq!(size_of::<Value<'_>>(), text);
        assert_eq!(size_of::<Result<Value<'_>, EvalError>>(), text);
        assert_eq!(size_of::<Result<Option<Value<'_>>, EvalError>>(), text);
    }
}
