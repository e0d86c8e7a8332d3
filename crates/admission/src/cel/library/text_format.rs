//! `format`: clauses for text, numbers, lists and maps.

use std::fmt::Write as _;

use super::format_clauses::Clause;
use super::localized;
use super::quoting::quote;
use crate::cel::error::EvalError;
use crate::cel::functions::display_double;
use crate::cel::show::show;
use crate::cel::value::{List, Value};

/// Lists within lists deeper than this are not printed; values never nest so deep.
const MAX_DEPTH: usize = 1_000;

/// What `join` says about an element that is no text.
pub(super) fn invalid_part(item: &Value<'_>) -> EvalError {
    EvalError::new(format!("join: invalid input: {}", show(item)))
}

/// The text with its clauses replaced by the items in order.
pub(super) fn format(text: &str, items: &List<'_>) -> Result<String, EvalError> {
    let mut out = String::new();
    let mut index = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let item = items.get(index).ok_or_else(|| EvalError::new(format!("index {index} out of range")))?;
        let (clause, after) = Clause::parse(after).map_err(EvalError::new)?;
        let printed = print(clause, &item)?;
        out.push_str(&printed);
        index += 1;
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn prefixed(reason: impl std::fmt::Display) -> EvalError {
    EvalError::new(format!("error during formatting: {reason}"))
}

fn print(clause: Clause, item: &Value<'_>) -> Result<String, EvalError> {
    let printed = match clause {
        Clause::Text => return text(item, MAX_DEPTH),
        Clause::Decimal => decimal(item),
        Clause::Fixed(precision) => double(item).map(|value| localized::fixed(value, precision)),
        Clause::Scientific(precision) => double(item).map(|value| localized::scientific(value, precision)),
        Clause::Binary => binary(item),
        Clause::Hexadecimal => hexadecimal(item),
        Clause::UpperHexadecimal => hexadecimal(item).map(|digits| digits.to_ascii_uppercase()),
        Clause::Octal => octal(item),
    };
    printed.ok_or_else(|| EvalError::new(clause.refusal(item.type_name())))
}

fn text(item: &Value<'_>, depth: usize) -> Result<String, EvalError> {
    match item {
        Value::List(list) => list_text(list, depth),
        Value::Map(_) => map_text(item, depth),
        Value::Null => Ok(String::from("null")),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Int(number) => Ok(number.to_string()),
        Value::Uint(number) => Ok(number.to_string()),
        Value::Double(value) => Ok(display_double(*value)),
        Value::String(text) => Ok(String::from(text.as_str())),
        Value::Bytes(octets) => utf8(octets),
        Value::Duration(span) => Ok(span.to_string()),
        Value::Timestamp(moment) => Ok(moment.to_string()),
        Value::Type(name) => Ok(String::from(name.as_ref())),
        _ => Err(EvalError::new(Clause::Text.refusal(item.type_name()))),
    }
}

fn utf8(octets: &[u8]) -> Result<String, EvalError> {
    let text = std::str::from_utf8(octets).map(String::from);
    let reason = "could not convert argument \"invalid UTF-8 in bytes, cannot convert to string\" to string";
    text.map_err(|_| prefixed(reason))
}

fn list_text(list: &List<'_>, depth: usize) -> Result<String, EvalError> {
    let below = depth.checked_sub(1).ok_or(EvalError::Depth)?;
    let elements: Result<Vec<String>, EvalError> = list.iter().map(|item| element(&item, below)).collect();
    Ok(format!("[{}]", elements?.join(", ")))
}

fn map_text(item: &Value<'_>, depth: usize) -> Result<String, EvalError> {
    let below = depth.checked_sub(1).ok_or(EvalError::Depth)?;
    let Value::Map(map) = item else { return Err(EvalError::no_such_overload()) };
    let mut pairs = map
        .iter()
        .map(|(key, value)| Ok((key_text(&key)?, element(&value, below)?)))
        .collect::<Result<Vec<_>, EvalError>>()?;
    pairs.sort_by(|(left, _), (right, _)| left.cmp(right));
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
    Ok(format!("{{{}}}", pairs.join(", ")))
}

fn key_text(key: &Value<'_>) -> Result<String, EvalError> {
    match key {
        Value::String(text) => Ok(quote(text.as_str())),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Int(number) => Ok(number.to_string()),
        Value::Uint(number) => Ok(number.to_string()),
        _ => Err(prefixed(format_args!("no formatting function for map key of type {}", key.type_name()))),
    }
}

/// An element of a list or a map, as a literal of the expression language.
fn element(item: &Value<'_>, depth: usize) -> Result<String, EvalError> {
    match item {
        Value::String(text) => Ok(quote(text.as_str())),
        Value::Bytes(octets) => utf8(octets).map(|text| format!("b{}", quote(&text))),
        Value::Double(value) if value.is_finite() => Ok(localized::plain(*value)),
        Value::Double(value) => Ok(quote(&localized::plain(*value))),
        Value::Duration(span) => Ok(format!("duration({})", quote(&span.to_string()))),
        Value::Timestamp(moment) => Ok(format!("timestamp({})", quote(&moment.to_string()))),
        Value::Optional(_) | Value::Opaque(_) | Value::Variables => {
            Err(prefixed(format_args!("no formatting function for {}", item.type_name())))
        }
        _ => text(item, depth),
    }
}

fn decimal(item: &Value<'_>) -> Option<String> {
    match item {
        Value::Int(value) => Some(value.to_string()),
        Value::Uint(value) => Some(value.to_string()),
        _ => None,
    }
}

fn double(item: &Value<'_>) -> Option<f64> {
    match item {
        Value::Double(value) => Some(*value),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn signed(value: i64, digits: String) -> String {
    if value < 0 { format!("-{digits}") } else { digits }
}

fn binary(item: &Value<'_>) -> Option<String> {
    match item {
        Value::Int(value) => Some(signed(*value, format!("{:b}", value.unsigned_abs()))),
        Value::Uint(value) => Some(format!("{value:b}")),
        Value::Bool(value) => Some(String::from(if *value { "1" } else { "0" })),
        _ => None,
    }
}

fn octal(item: &Value<'_>) -> Option<String> {
    match item {
        Value::Int(value) => Some(signed(*value, format!("{:o}", value.unsigned_abs()))),
        Value::Uint(value) => Some(format!("{value:o}")),
        _ => None,
    }
}

fn hexadecimal(item: &Value<'_>) -> Option<String> {
    match item {
        Value::Int(value) => Some(signed(*value, format!("{:x}", value.unsigned_abs()))),
        Value::Uint(value) => Some(format!("{value:x}")),
        Value::String(text) => Some(octets(text.as_str().as_bytes())),
        Value::Bytes(bytes) => Some(octets(bytes)),
        _ => None,
    }
}

fn octets(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut out, octet| {
        write!(out, "{octet:02x}").expect("writing to a String cannot fail");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::map::Entries;
    use crate::cel::time::{Duration, Timestamp};

    fn formatted(text: &str, items: Vec<Value<'_>>) -> String {
        let Value::List(items) = Value::list(items) else { panic!("a list") };
        format(text, &items).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn clauses_print_scalars() {
        let text = Value::borrowed;
        let cases: Vec<(&str, Value<'_>, &str)> = vec![
            ("%s!", text("x"), "x!"),
            ("%%%s", text("x"), "%x"),
            ("é%sé", Value::Int(1), "é1é"),
            ("%s", Value::Null, "null"),
            ("%s", Value::Bool(true), "true"),
            ("%s", Value::Double(1.5), "1.5"),
            ("%s", Value::Bytes((*b"abc").into()), "abc"),
            ("%s", Value::Type("int".into()), "int"),
            ("%s", Value::Duration(Duration { nanoseconds: 5_400_000_000_000 }), "5400s"),
            ("%.3s", Value::Double(1.0), "1"),
            ("%d", Value::Int(-5), "-5"),
            ("%x", text("abcé"), "616263c3a9"),
            ("%X", Value::Bytes((*b"\xab\x01").into()), "AB01"),
            ("%x", Value::Int(-255), "-ff"),
            ("%x", Value::Int(i64::MIN), "-8000000000000000"),
            ("%o", Value::Int(-8), "-10"),
            ("%b", Value::Int(-5), "-101"),
            ("%b", Value::Bool(true), "1"),
            ("%.3f", Value::Double(1.2345), "1.234"),
            ("%f", text("-Infinity"), "-∞"),
            ("%e", Value::Double(1_052.032_911_275), "1.052033×10⁰³"),
        ];
        for (clause, item, expected) in cases {
            assert_eq!(formatted(clause, vec![item]), expected, "{clause}");
        }
    }

    #[test]
    fn unfit_clauses_and_items_are_refused() {
        let cases: Vec<(&str, Value<'_>, &str)> = vec![
            ("%z", Value::Int(1), "could not parse formatting clause: unrecognized formatting clause \"z\""),
            ("%é", Value::Int(1), "could not parse formatting clause: unrecognized formatting clause \"Ã\""),
            ("%", Value::Int(1), "unexpected end of string"),
            ("%s%s", Value::Int(1), "index 1 out of range"),
            (
                "%.1",
                Value::Int(1),
                "could not parse formatting clause: error while parsing precision: could not find end of precision specifier",
            ),
            (
                "%.f",
                Value::Int(1),
                "could not parse formatting clause: error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing \"\": invalid syntax",
            ),
            (
                "%.99999999999999999999f",
                Value::Int(1),
                "could not parse formatting clause: error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing \"99999999999999999999\": value out of range",
            ),
            (
                "%d",
                Value::Double(1.5),
                "error during formatting: decimal clause can only be used on integers, was given double",
            ),
            (
                "%f",
                Value::Int(1),
                "error during formatting: fixed-point clause can only be used on doubles, was given int",
            ),
            (
                "%e",
                Value::borrowed("s"),
                "error during formatting: scientific clause can only be used on doubles, was given string",
            ),
            (
                "%x",
                Value::Bool(true),
                "error during formatting: only integers, byte buffers, and strings can be formatted as hex, was given bool",
            ),
            (
                "%o",
                Value::Double(8.0),
                "error during formatting: octal clause can only be used on integers, was given double",
            ),
            (
                "%b",
                Value::borrowed("s"),
                "error during formatting: only integers and bools can be formatted as binary, was given string",
            ),
            (
                "%s",
                Value::none(),
                "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given optional_type",
            ),
            (
                "%s",
                Value::list(vec![Value::none()]),
                "error during formatting: no formatting function for optional_type",
            ),
            (
                "%s",
                Value::Bytes((*b"\xff").into()),
                "error during formatting: could not convert argument \"invalid UTF-8 in bytes, cannot convert to string\" to string",
            ),
        ];
        for (clause, item, expected) in cases {
            assert_eq!(formatted(clause, vec![item]), format!("error: {expected}"), "{clause}");
        }
        assert_eq!(formatted("%", Vec::new()), "error: index 0 out of range");
    }

    #[test]
    fn lists_hold_literals() {
        let moment = Timestamp::new(1_577_934_245, 600_000_000, 0).unwrap();
        let items = Value::list(vec![
            Value::Double(1.5),
            Value::Double(f64::NAN),
            Value::Double(f64::NEG_INFINITY),
            Value::borrowed("q\"\n"),
            Value::Bytes((*b"x").into()),
            Value::Timestamp(moment),
            Value::Duration(Duration { nanoseconds: 1_000_000_000 }),
            Value::Type("string".into()),
            Value::Null,
            Value::list(Vec::new()),
        ]);
        let expected = r#"[1.500000, "NaN", "-Inf", "q\"\n", b"x", timestamp("2020-01-02T03:04:05.6Z"), duration("1s"), string, null, []]"#;
        assert_eq!(formatted("%s", vec![items]), expected);
    }

    #[test]
    fn maps_are_sorted_by_printed_key() {
        let mut entries = Entries::new();
        entries.insert(Value::Int(1), Value::Int(2));
        entries.insert(Value::borrowed("a"), Value::Bytes((*b"x").into()));
        entries.insert(Value::Bool(true), Value::Null);
        entries.insert(Value::Uint(3), Value::Uint(4));
        assert_eq!(formatted("%s", vec![Value::map(entries)]), r#"{"a":b"x", 1:2, 3:4, true:null}"#);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = (0..2 * MAX_DEPTH).fold(Value::list(Vec::new()), |inner, _| Value::list(vec![inner]));
        let Value::List(items) = Value::list(vec![deep]) else { panic!("a list") };
        assert_eq!(format("%s", &items), Err(EvalError::Depth));
    }
}
