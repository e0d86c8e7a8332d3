//! Values in messages.

use super::functions::display_double;
use super::value::Value;

/// A value as messages print it.
pub(super) fn show(value: &Value<'_>) -> String {
    match value {
        // The server prints the number behind its null.
        Value::Null => String::from("0"),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => display_double(*number),
        Value::String(text) => text.as_str().to_owned(),
        Value::Bytes(octets) => format!("{octets:?}").replace(',', ""),
        Value::List(list) => format!("[{}]", joined(list.iter().map(|element| show(&element)))),
        Value::Map(map) => {
            format!("{{{}}}", joined(map.iter().map(|(key, value)| format!("{}: {}", show(&key), show(&value)))))
        }
        Value::Duration(span) => span.to_string(),
        Value::Timestamp(moment) => moment.to_string(),
        Value::Type(name) => name.as_ref().to_owned(),
        Value::Optional(Some(value)) => format!("optional({})", show(value)),
        Value::Optional(None) => String::from("optional.none()"),
        Value::Opaque(value) => value.type_name().to_owned(),
        Value::Variables => super::value::VARIABLES_TYPE.to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// The name of a value's type in the server's own language, which a few of its messages show.
pub(super) fn go_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::List(_) => "*types.baseList",
        Value::Map(_) => "*types.baseMap",
        Value::Duration(_) => "types.Duration",
        Value::Timestamp(_) => "types.Timestamp",
        Value::Type(_) => "*types.Type",
        Value::Optional(_) => "*types.Optional",
        Value::Opaque(value) => value.type_name(),
        Value::Variables => "*lazy.MapValue",
    }
}
