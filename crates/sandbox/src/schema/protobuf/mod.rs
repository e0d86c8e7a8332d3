//! Objects in protocol buffers, which Go's typed clients send (`k8s.io/apimachinery/pkg/runtime/serializer/protobuf`).
//!
//! The numbers of the fields are in `builtin.numbers`, from the `generated.proto` files of `k8s.io/api` and
//! `k8s.io/apimachinery`: a type to a line, then `NUMBER=FIELD`, or `NUMBER>TYPE` for a message whose fields are the
//! outer type's own in JSON. What the fields are is in `builtin.types`.

mod wire;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

use self::wire::{Datum, Fields};
use super::{Schema, Shape, base64_text, builtin, decode};

/// What every object begins with: `k8s` and a zero byte.
const PREFIX: &[u8] = b"k8s\0";

const NO_PREFIX: &str = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";

/// Deepest nesting of messages; the types of the server nest less.
const MAX_DEPTH: usize = 64;

/// An object that has not been read yet (`runtime.Unknown`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The group and version that the sender names.
    pub api_version: String,
    /// The kind that the sender names.
    pub kind: String,
    /// The object's own message.
    pub raw: Vec<u8>,
}

impl Envelope {
    /// Opens a body.
    ///
    /// # Errors
    /// It is no object in protocol buffers, in the server's words.
    pub fn open(body: &[u8]) -> Result<Self, String> {
        let message = body.strip_prefix(PREFIX).ok_or(NO_PREFIX)?;
        let mut envelope = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, Datum::Bytes(named)) => envelope.take_names(named)?,
                (2, Datum::Bytes(raw)) => envelope.raw = raw.to_vec(),
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn take_names(&mut self, message: &[u8]) -> Result<(), String> {
        for field in Fields::of(message) {
            match field? {
                (1, Datum::Bytes(version)) => self.api_version = text(version),
                (2, Datum::Bytes(kind)) => self.kind = text(kind),
                _ => {}
            }
        }
        Ok(())
    }

    /// The type that the sender names; none if no such kind is served.
    #[must_use]
    pub fn schema(&self) -> Option<Schema<'static>> {
        let (group, version) = self.api_version.rsplit_once('/').unwrap_or(("", &self.api_version));
        let id = match self.kind.as_str() {
            "DeleteOptions" => builtin::types().named("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
            kind => builtin::kind_type(group, version, kind),
        };
        id.map(|id| builtin::types().at(id))
    }

    /// The object.
    ///
    /// # Errors
    /// The message is broken, or no type says how to read it.
    pub fn read(&self) -> Result<Value, String> {
        let Self { api_version, kind, raw } = self;
        let unknown = || format!("no kind {kind:?} is registered for version {api_version:?}");
        let mut object = message(self.schema().ok_or_else(unknown)?, raw, 0)?;
        object.insert("apiVersion".to_owned(), json!(api_version));
        object.insert("kind".to_owned(), json!(kind));
        Ok(Value::Object(object))
    }
}

/// Reads a body whole.
///
/// # Errors
/// As [`Envelope::open`] and [`Envelope::read`].
pub fn decode(body: &[u8]) -> Result<Value, String> {
    Envelope::open(body)?.read()
}

/// Whether a body is of a type whose fields have numbers here; what is no such object at all is told by reading it.
#[must_use]
pub fn is_readable(body: &[u8]) -> bool {
    let schema = Envelope::open(body).ok().and_then(|envelope| envelope.schema());
    schema.is_none_or(|schema| numbers_of(schema.ty().name.as_deref().unwrap_or_default()).is_some())
}

/// Where the content of a numbered field belongs.
#[derive(Debug)]
enum Place {
    Field(&'static str),
    /// To the outer type's fields; how it is numbered itself.
    Inline(String),
}

type Numbers = BTreeMap<u64, Place>;

fn numbers_of(name: &str) -> Option<&'static Numbers> {
    static NUMBERS: LazyLock<BTreeMap<String, Numbers>> = LazyLock::new(|| {
        let lines = include_str!("builtin.numbers").lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        lines.map(|(name, words)| (builtin::full_name(name), words.split(' ').filter_map(place).collect())).collect()
    });
    NUMBERS.get(name)
}

fn place(word: &'static str) -> Option<(u64, Place)> {
    let (number, place) = match word.split_once('=') {
        Some((number, field)) => (number, Place::Field(field)),
        None => word.split_once('>').map(|(number, name)| (number, Place::Inline(builtin::full_name(name))))?,
    };
    Some((number.parse().ok()?, place))
}

fn message(schema: Schema<'_>, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    let name = schema.ty().name.as_deref().unwrap_or_default();
    read_into(&mut object, schema, name, bytes, depth)?;
    Ok(object)
}

/// Reads a message whose fields are those of a type, as another type may number them.
fn read_into(
    object: &mut Map<String, Value>,
    schema: Schema<'_>,
    numbered: &str,
    bytes: &[u8],
    depth: usize,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("proto: exceeded max recursion depth".to_owned());
    }
    let numbers = numbers_of(numbered).ok_or_else(|| format!("{numbered} cannot be read from protocol buffers"))?;
    for field in Fields::of(bytes) {
        let (number, datum) = field?;
        match (numbers.get(&number), datum) {
            (Some(Place::Field(name)), _) => {
                let Some((_, ty)) = schema.field(name) else { continue };
                let slot = object.entry(*name).or_insert(Value::Null);
                put(slot, ty, datum, depth + 1).map_err(|error| with_field(error, name))?;
            }
            (Some(Place::Inline(inner)), Datum::Bytes(bytes)) => read_into(object, schema, inner, bytes, depth + 1)?,
            _ => {}
        }
    }
    Ok(())
}

/// Puts one occurrence of a field to what came before.
fn put(slot: &mut Value, schema: Schema<'_>, datum: Datum<'_>, depth: usize) -> Result<(), String> {
    match (schema.shape(), datum) {
        (Shape::List(list), _) => push(slot, value(schema.at(list.item), datum, depth)?),
        (Shape::Map { value, .. }, Datum::Bytes(bytes)) => insert(slot, schema.at(*value), bytes, depth)?,
        (Shape::Struct(_), Datum::Bytes(bytes)) => {
            let mut object = slot.as_object_mut().map(std::mem::take).unwrap_or_default();
            let name = schema.ty().name.as_deref().unwrap_or_default();
            read_into(&mut object, schema, name, bytes, depth)?;
            *slot = Value::Object(object);
        }
        _ => *slot = value(schema, datum, depth)?,
    }
    Ok(())
}

fn push(slot: &mut Value, item: Value) {
    match slot {
        Value::Array(items) => items.push(item),
        _ => *slot = json!([item]),
    }
}

fn insert(slot: &mut Value, ty: Schema<'_>, entry: &[u8], depth: usize) -> Result<(), String> {
    let (mut key, mut content) = (String::new(), Datum::Bytes(&[]));
    for field in Fields::of(entry) {
        match field? {
            (1, Datum::Bytes(name)) => key = text(name),
            (2, datum) => content = datum,
            _ => {}
        }
    }
    let content = value(ty, content, depth)?;
    match slot {
        Value::Object(map) => {
            map.insert(key, content);
        }
        _ => *slot = json!({ key: content }),
    }
    Ok(())
}

/// A value that stands for itself.
fn value(schema: Schema<'_>, datum: Datum<'_>, depth: usize) -> Result<Value, String> {
    match (schema.shape(), datum) {
        (Shape::Boolean, Datum::Number(number)) => Ok(json!(number != 0)),
        (Shape::Integer("int32"), Datum::Number(number)) => Ok(json!(low(number))),
        (Shape::Integer(_), Datum::Number(number)) => Ok(json!(number.cast_signed())),
        (Shape::Number, Datum::Double(bits)) => Ok(json!(f64::from_bits(bits))),
        (Shape::Text(format), Datum::Bytes(bytes)) => written(schema, format, bytes),
        (Shape::IntOrString, Datum::Bytes(bytes)) => int_or_string(bytes),
        (Shape::Any, Datum::Bytes(bytes)) => any(bytes),
        (Shape::Struct(_), Datum::Bytes(bytes)) => Ok(Value::Object(message(schema, bytes, depth + 1)?)),
        (Shape::List(list), Datum::Bytes(bytes)) => items(schema.at(list.item), bytes, depth + 1),
        (_, Datum::Number(_)) => Err(WRONG.replace('N', "0")),
        (_, Datum::Double(_)) => Err(WRONG.replace('N', "1")),
        (_, Datum::Bytes(_)) => Err(WRONG.replace('N', "2")),
    }
}

const WRONG: &str = "proto: wrong wireType = N for field ?";

/// Names the field in the complaint about it, as Go does: with a capital letter.
fn with_field(error: String, name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    error.strip_suffix('?').map(|start| format!("{start}{}", first.chain(letters).collect::<String>())).unwrap_or(error)
}

/// The lower half, which is all that Go keeps of an `int32`.
fn low(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn written(schema: Schema<'_>, format: &str, bytes: &[u8]) -> Result<Value, String> {
    let precise = schema.ty().name.as_deref().is_some_and(|name| name.ends_with(".MicroTime"));
    match format {
        "byte" => Ok(json!(base64_text::of_bytes(bytes))),
        "quantity" => Ok(json!(text(first(bytes)?))),
        "date-time" => time(bytes, precise),
        _ => Ok(json!(text(bytes))),
    }
}

/// What the field with number 1 carries.
fn first(message: &[u8]) -> Result<&[u8], String> {
    let mut found: &[u8] = &[];
    for field in Fields::of(message) {
        if let (1, Datum::Bytes(bytes)) = field? {
            found = bytes;
        }
    }
    Ok(found)
}

/// Seconds and nanoseconds since 1970; nothing at all is the zero time.
fn time(message: &[u8], precise: bool) -> Result<Value, String> {
    if message.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(message) {
        match field? {
            (1, Datum::Number(number)) => seconds = number.cast_signed(),
            (2, Datum::Number(number)) => nanos = number,
            _ => {}
        }
    }
    let nanos = if precise { u32::try_from(nanos).unwrap_or_default() } else { 0 };
    let moment = DateTime::from_timestamp(seconds, nanos).ok_or("the time is out of range")?;
    let precision = if precise { SecondsFormat::Micros } else { SecondsFormat::Secs };
    Ok(json!(moment.to_rfc3339_opts(precision, true)))
}

fn int_or_string(message: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut number, mut words) = (false, 0, String::new());
    for field in Fields::of(message) {
        match field? {
            (1, Datum::Number(kind)) => is_text = kind == 1,
            (2, Datum::Number(value)) => number = low(value),
            (3, Datum::Bytes(bytes)) => words = text(bytes),
            _ => {}
        }
    }
    Ok(if is_text { json!(words) } else { json!(number) })
}

/// JSON in a message of its own.
fn any(message: &[u8]) -> Result<Value, String> {
    match first(message)? {
        [] => Ok(Value::Null),
        json => decode::decode_json(json).map(|(value, _)| value),
    }
}

/// A list in a message of its own, which the values of maps are.
fn items(item: Schema<'_>, message: &[u8], depth: usize) -> Result<Value, String> {
    let mut items = Vec::new();
    for field in Fields::of(message) {
        if let (1, datum) = field? {
            items.push(value(item, datum, depth)?);
        }
    }
    Ok(json!(items))
}

#[cfg(test)]
mod tests;
