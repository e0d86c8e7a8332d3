//! Parts of timestamps and durations.

use super::super::error::EvalError;
use super::super::function::Function;
use super::super::overload::{Implementation, Overload};
use super::super::time::{Calendar, Timestamp};
use super::super::types::Type;
use super::super::value::Value;
use super::overloaded;

type Outcome<'a> = Result<Value<'a>, EvalError>;

pub(super) fn functions() -> Vec<Function> {
    vec![
        calendar("getFullYear", full_year),
        calendar("getMonth", month),
        calendar("getDayOfYear", day_of_year),
        calendar("getDayOfMonth", day_of_month),
        calendar("getDate", date),
        calendar("getDayOfWeek", day_of_week),
        with_duration(calendar("getHours", hours), hours),
        with_duration(calendar("getMinutes", minutes), minutes),
        with_duration(calendar("getSeconds", seconds), seconds),
        with_duration(calendar("getMilliseconds", milliseconds), milliseconds),
    ]
}

fn calendar(name: &'static str, implementation: Implementation) -> Function {
    let zoned = vec![Type::Timestamp, Type::String];
    overloaded(
        name,
        vec![
            Overload::member(name, "timestamp", vec![Type::Timestamp], Type::Int, implementation),
            Overload::member(name, "timestamp_with_tz", zoned, Type::Int, implementation),
        ],
    )
}

fn with_duration(mut function: Function, implementation: Implementation) -> Function {
    let overload = Overload::member(function.name, "duration", vec![Type::Duration], Type::Int, implementation);
    function.overloads.push(overload);
    function
}

/// A part of a timestamp in UTC or in the zone that the second argument names.
fn part<'a>(arguments: &[Value<'a>], part: fn(&Calendar) -> i64) -> Outcome<'a> {
    let (moment, zone): (&Timestamp, &str) = match arguments {
        [Value::Timestamp(moment)] => (moment, "UTC"),
        [Value::Timestamp(moment), Value::String(zone)] => (moment, zone.as_str()),
        _ => return Err(EvalError::no_such_overload()),
    };
    Ok(Value::Int(part(&moment.calendar(zone)?)))
}

/// A part of a timestamp, or a duration in whole units.
fn part_or_total<'a>(arguments: &[Value<'a>], unit: i64, of: fn(&Calendar) -> i64) -> Outcome<'a> {
    match arguments {
        [Value::Duration(span)] => Ok(Value::Int(span.nanoseconds / unit)),
        _ => part(arguments, of),
    }
}

fn full_year<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.year)
}

fn month<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.month - 1)
}

fn day_of_year<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.day_of_year - 1)
}

fn day_of_month<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.day - 1)
}

fn date<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.day)
}

fn day_of_week<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part(arguments, |calendar| calendar.day_of_week)
}

fn hours<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part_or_total(arguments, 3_600_000_000_000, |calendar| calendar.hour)
}

fn minutes<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part_or_total(arguments, 60_000_000_000, |calendar| calendar.minute)
}

fn seconds<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part_or_total(arguments, 1_000_000_000, |calendar| calendar.second)
}

fn milliseconds<'a>(arguments: &[Value<'a>]) -> Outcome<'a> {
    part_or_total(arguments, 1_000_000, |calendar| calendar.nanosecond / 1_000_000)
}
