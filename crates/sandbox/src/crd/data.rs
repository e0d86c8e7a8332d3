//! Objects as expressions see them, by their schemas (`apiserver/pkg/cel/common/valuesunstructured.go`).

use std::any::Any;

use admission::cel::Value;
use admission::cel::error::EvalError;
use admission::cel::map::Entries;
use admission::cel::value::Opaque;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value as Json};

use super::escape::escape;
use super::formats;
use super::scale::go_type;
use super::structural::Schema;

/// What begins the names of entries that expressions can only compare.
const HIDDEN: char = '\0';

/// Stands for data that does not fit its schema; whoever reads it fails.
#[derive(Debug)]
struct Misfit(String);

impl Opaque for Misfit {
    fn type_name(&self) -> &'static str {
        "error"
    }

    fn equals(&self, _: &dyn Opaque) -> Result<bool, EvalError> {
        Err(EvalError::new(self.0.clone()))
    }

    fn failure(&self) -> Option<EvalError> {
        Some(EvalError::new(self.0.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn misfit<'a>(text: impl Into<String>) -> Value<'a> {
    Value::opaque(Misfit(text.into()))
}

/// The value of data under a visible schema.
pub fn value<'a>(json: &'a Json, schema: &Schema) -> Value<'a> {
    if json.is_null() {
        let text = "invalid data, got null for schema with nullable=false";
        return if schema.nullable { Value::Null } else { misfit(text) };
    }
    if schema.extensions.int_or_string {
        let text = "invalid data, expected XIntOrString value to be either a string or integer";
        return if json.is_string() || json.is_i64() { Value::from_json(json) } else { misfit(text) };
    }
    match (schema.kind.as_str(), json) {
        ("object", Json::Object(fields)) => object(fields, schema),
        ("object", _) => misfit("invalid data, expected a map for the provided schema with type=object"),
        ("array", Json::Array(items)) => list(items, schema),
        ("array", _) => misfit("invalid data, expected an array for the provided schema with type=array"),
        ("string", Json::String(text)) => formatted(text, &schema.format),
        ("number", Json::Number(number)) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        ("integer", Json::Number(number)) if number.as_i64().is_some() => Value::from_json(json),
        ("boolean", Json::Bool(flag)) => Value::Bool(*flag),
        ("" | "null", _) if schema.preserves_unknown() => Value::from_json(json),
        (kind, json) => misfit(format!("invalid data, expected {}, got {}", expected(kind), go_type(json))),
    }
}

fn expected(kind: &str) -> &str {
    match kind {
        "number" => "float",
        "integer" => "int",
        "boolean" => "bool",
        other => other,
    }
}

fn object<'a>(fields: &'a Map<String, Json>, schema: &Schema) -> Value<'a> {
    if schema.properties.is_empty()
        && let Some(others) = schema.additional.schema()
    {
        let entries = fields.iter().map(|(name, json)| (Value::borrowed(name), value(json, others)));
        return Value::map(entries.collect());
    }
    Value::map(fields.iter().map(|(name, json)| field(name, json, schema)).collect::<Entries<'a>>())
}

/// An entry of a structure. Nulls, unknown fields and those without an identifier count, but cannot be named.
fn field<'a>(name: &'a str, json: &'a Json, schema: &Schema) -> (Value<'a>, Value<'a>) {
    match (schema.properties.get(name).filter(|_| !json.is_null()), escape(name)) {
        (Some(property), Some(escaped)) if escaped == name => (Value::borrowed(name), value(json, property)),
        (Some(property), Some(escaped)) => (Value::text(escaped), value(json, property)),
        (Some(property), None) => (Value::text(format!("{HIDDEN}{name}")), value(json, property)),
        (None, _) => (Value::text(format!("{HIDDEN}{name}")), Value::from_json(json)),
    }
}

fn list<'a>(items: &'a [Json], schema: &Schema) -> Value<'a> {
    let Some(item_schema) = schema.items.as_deref() else {
        return misfit("invalid array type, expected Items with a non-empty Schema");
    };
    let items = items.iter().map(|item| value(item, item_schema)).collect();
    match schema.extensions.list_type.as_deref() {
        Some("set") => Value::keyed(items, Vec::new()),
        Some("map") => {
            let keys = schema.extensions.list_map_keys.iter();
            Value::keyed(items, keys.map(|key| escape(key).unwrap_or_else(|| key.clone())).collect())
        }
        _ => Value::list(items),
    }
}

fn formatted<'a>(text: &'a str, format: &str) -> Value<'a> {
    let parsed = match format {
        "duration" => formats::parse_duration(text).map(Value::Duration),
        "date" => formats::parse_date(text).map(Value::Timestamp),
        "date-time" => formats::parse_date_time(text).map(Value::Timestamp),
        "byte" => URL_SAFE.decode(text).ok().map(|octets| Value::Bytes(octets.into())),
        _ => Some(Value::borrowed(text)),
    };
    parsed.unwrap_or_else(|| misfit(format!("Invalid {format} formatted string {text}")))
}
