//! cel-go's list extension: cutting, flattening, reversing and sorting lists.

use super::cost::{self, Outcome};
use super::order::{is_ordered, sorted_indexes};
use super::{argument, integer_argument};
use crate::cel::environment::KubeVersion;
use crate::cel::equality::equal;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::program::EXPRESSION_COST_LIMIT;
use crate::cel::types::Type;
use crate::cel::value::{List, Value};

/// The release whose expressions know the extension first.
const SINCE: KubeVersion = KubeVersion::minor(34);

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let all = cutting().into_iter().chain(flattening()).chain(SORTS.iter().flat_map(sorting));
    all.map(|overload| overload.since(SINCE)).collect()
}

fn any_list() -> Type {
    Type::list(Type::Param("T"))
}

fn cutting() -> [Overload; 6] {
    let optional = || Type::optional(Type::Param("T"));
    [
        Overload::member("slice", "list_slice", vec![any_list(), Type::Int, Type::Int], any_list(), slice)
            .cost(output_cost),
        Overload::global("lists.range", "lists_range", vec![Type::Int], Type::list(Type::Int), range).cost(range_cost),
        Overload::member("reverse", "list_reverse", vec![any_list()], any_list(), reverse).cost(output_cost),
        Overload::member("distinct", "list_distinct", vec![any_list()], any_list(), distinct).cost(distinct_cost),
        Overload::member("first", "list_first", vec![any_list()], optional(), first),
        Overload::member("last", "list_last", vec![any_list()], optional(), last),
    ]
}

fn flattening() -> [Overload; 2] {
    let dynamic = || Type::list(Type::Dyn);
    [
        Overload::member("flatten", "list_flatten", vec![Type::list(any_list())], any_list(), flatten),
        Overload::member("flatten", "list_flatten_int", vec![dynamic(), Type::Int], dynamic(), flatten),
    ]
    .map(|overload| overload.cost(flatten_cost))
}

const SORTS: [(&str, &str, Type); 8] = [
    ("list_int_sort", "list_int_sortByAssociatedKeys", Type::Int),
    ("list_uint_sort", "list_uint_sortByAssociatedKeys", Type::Uint),
    ("list_double_sort", "list_double_sortByAssociatedKeys", Type::Double),
    ("list_bool_sort", "list_bool_sortByAssociatedKeys", Type::Bool),
    ("list_google.protobuf.Duration_sort", "list_google.protobuf.Duration_sortByAssociatedKeys", Type::Duration),
    ("list_google.protobuf.Timestamp_sort", "list_google.protobuf.Timestamp_sortByAssociatedKeys", Type::Timestamp),
    ("list_string_sort", "list_string_sortByAssociatedKeys", Type::String),
    ("list_bytes_sort", "list_bytes_sortByAssociatedKeys", Type::Bytes),
];

fn sorting((sort_id, by_keys_id, element): &(&'static str, &'static str, Type)) -> [Overload; 2] {
    let list = || Type::list(element.clone());
    [
        Overload::member("sort", sort_id, vec![list()], list(), sort).cost(sort_cost),
        Overload::member("@sortByAssociatedKeys", by_keys_id, vec![any_list(), list()], any_list(), sort_by_keys)
            .cost(sort_by_keys_cost),
    ]
}

fn output_cost<'a>(_: &[Value<'a>], outcome: &Outcome<'a>) -> u64 {
    cost::list_making(1.0, outcome.as_ref().map_or(1, Value::cost_size))
}

/// A range that was cut costs what it would have cost.
fn range_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    let size = arguments.first().and_then(|size| size.as_int().ok()).unwrap_or(1);
    cost::list_making(1.0, u64::try_from(size).unwrap_or(0))
}

fn flatten_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    let depth = arguments.get(1).and_then(|depth| depth.as_int().ok()).unwrap_or(1);
    #[expect(clippy::cast_precision_loss, reason = "the server computes costs in doubles")]
    let weight = depth as f64;
    let charged = cost::list_making(weight.max(0.0), cost::size_of(arguments, 0));
    charged.saturating_sub(cost::size_of(arguments, 0).saturating_mul(depth.min(0).unsigned_abs()))
}

fn distinct_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    self_comparison(arguments.first())
}

fn sort_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    self_comparison(arguments.first())
}

fn sort_by_keys_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    self_comparison(arguments.get(1))
}

/// Every element against every other; text counts a little more.
fn self_comparison(list: Option<&Value<'_>>) -> u64 {
    let Some(Value::List(list)) = list else { return 1 };
    let size = u64::try_from(list.len()).unwrap_or(u64::MAX);
    let weight = match list.get(0) {
        Some(Value::String(_) | Value::Bytes(_)) => 2.1,
        _ => 2.0,
    };
    cost::list_making(weight, size.wrapping_mul(size))
}

fn list_argument<'v, 'a>(arguments: &'v [Value<'a>], index: usize) -> Result<&'v List<'a>, EvalError> {
    argument(arguments, index)?.as_list()
}

fn slice<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = list_argument(arguments, 0)?;
    let (start, end) = (integer_argument(arguments, 1)?, integer_argument(arguments, 2)?);
    let refused = |reason: String| EvalError::new(format!("cannot slice({start}, {end}), {reason}"));
    let (Ok(first), Ok(last)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(refused(String::from("negative indexes not supported")));
    };
    if first > last {
        return Err(refused(String::from("start index must be less than or equal to end index")));
    }
    if last > list.len() {
        return Err(refused(format!("list is length {}", list.len())));
    }
    Ok(Value::list((first..last).filter_map(|index| list.get(index)).collect()))
}

/// A list so long that its cost alone exceeds the limit is cut: nobody gets to see it.
fn range<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let limit = i64::try_from(EXPRESSION_COST_LIMIT).unwrap_or(i64::MAX);
    let size = integer_argument(arguments, 0)?.min(limit);
    Ok(Value::list((0..size).map(Value::Int).collect()))
}

fn reverse<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let mut items: Vec<Value<'a>> = list_argument(arguments, 0)?.iter().collect();
    items.reverse();
    Ok(Value::list(items))
}

fn distinct<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let mut unique: Vec<Value<'a>> = Vec::new();
    for item in list_argument(arguments, 0)?.iter() {
        if !unique.iter().any(|other| equal(&item, other)) {
            unique.push(item);
        }
    }
    Ok(Value::list(unique))
}

fn first<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = list_argument(arguments, 0)?;
    Ok(list.get(0).map_or_else(Value::none, Value::some))
}

fn last<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = list_argument(arguments, 0)?;
    let index = list.len().checked_sub(1);
    Ok(index.and_then(|index| list.get(index)).map_or_else(Value::none, Value::some))
}

/// Lists yet to be walked: the elements left of each, and the levels below it that are flattened.
struct Pending<'a> {
    list: List<'a>,
    next: usize,
    depth: i64,
}

fn flatten<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = list_argument(arguments, 0)?.clone();
    let depth = if arguments.len() > 1 { integer_argument(arguments, 1)? } else { 1 };
    if depth < 0 {
        return Err(EvalError::new("level must be non-negative"));
    }
    let mut out = Vec::new();
    let mut pending = vec![Pending { list, next: 0, depth }];
    while let Some(current) = pending.last_mut() {
        let depth = current.depth;
        match current.list.get(current.next) {
            None => drop(pending.pop()),
            Some(item) => {
                current.next += 1;
                match item {
                    Value::List(list) if depth > 0 => pending.push(Pending { list, next: 0, depth: depth - 1 }),
                    item => out.push(item),
                }
            }
        }
    }
    Ok(Value::list(out))
}

fn sort<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = list_argument(arguments, 0)?;
    sorted(list, list)
}

fn sort_by_keys<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    sorted(list_argument(arguments, 0)?, list_argument(arguments, 1)?)
}

fn sorted<'a>(list: &List<'a>, keys: &List<'a>) -> Result<Value<'a>, EvalError> {
    let (length, count) = (list.len(), keys.len());
    if length != count {
        return Err(EvalError::new(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {length} and {count} elements respectively"
        )));
    }
    let keys: Vec<Value<'a>> = keys.iter().collect();
    if keys.first().is_some_and(|first| !is_ordered(first)) {
        return Err(EvalError::new("list elements must be comparable"));
    }
    let kind = keys.first().map(Value::type_name);
    if keys.iter().any(|key| Some(key.type_name()) != kind) {
        return Err(EvalError::new("list elements must have the same type"));
    }
    Ok(Value::list(sorted_indexes(&keys).into_iter().filter_map(|index| list.get(index)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::overload::Implementation;
    use crate::cel::show::show;

    fn integers(numbers: &[i64]) -> Value<'static> {
        Value::list(numbers.iter().map(|number| Value::Int(*number)).collect())
    }

    fn shown(function: Implementation, arguments: &[Value<'static>]) -> String {
        function(arguments).map_or_else(|error| format!("error: {error}"), |value| show(&value))
    }

    #[test]
    fn slices_keep_to_the_list() {
        let cases = [
            (1, 3, "[2, 3]"),
            (4, 4, "[]"),
            (-1, 3, "error: cannot slice(-1, 3), negative indexes not supported"),
            (3, 1, "error: cannot slice(3, 1), start index must be less than or equal to end index"),
            (1, 5, "error: cannot slice(1, 5), list is length 4"),
        ];
        for (start, end, expected) in cases {
            let arguments = [integers(&[1, 2, 3, 4]), Value::Int(start), Value::Int(end)];
            assert_eq!(shown(slice, &arguments), expected, "{start} {end}");
        }
    }

    #[test]
    fn ranges_end_at_the_cost_limit() {
        assert_eq!(shown(range, &[Value::Int(3)]), "[0, 1, 2]");
        assert_eq!(shown(range, &[Value::Int(-3)]), "[]");
        let endless = [Value::Int(i64::MAX)];
        assert!(range(&endless).is_ok());
        assert!(range_cost(&endless, &Ok(Value::Null)) > EXPRESSION_COST_LIMIT);
    }

    #[test]
    fn lists_are_flattened_to_a_level() {
        let nested = || Value::list(vec![Value::Int(0), Value::list(vec![integers(&[1]), Value::Int(2)])]);
        assert_eq!(shown(flatten, &[nested()]), "[0, [1], 2]");
        assert_eq!(shown(flatten, &[nested(), Value::Int(0)]), "[0, [[1], 2]]");
        assert_eq!(shown(flatten, &[nested(), Value::Int(2)]), "[0, 1, 2]");
        assert_eq!(shown(flatten, &[nested(), Value::Int(i64::MAX)]), "[0, 1, 2]");
        assert_eq!(shown(flatten, &[nested(), Value::Int(-1)]), "error: level must be non-negative");
    }

    #[test]
    fn elements_are_made_distinct_in_order() {
        let list = Value::list(vec![Value::Int(2), Value::Int(1), Value::Double(2.0), Value::Int(1)]);
        assert_eq!(shown(distinct, &[list]), "[2, 1]");
        assert_eq!(shown(reverse, &[integers(&[1, 2, 3])]), "[3, 2, 1]");
    }

    #[test]
    fn ends_are_optional() {
        assert_eq!(shown(first, &[integers(&[1, 2])]), "optional(1)");
        assert_eq!(shown(last, &[integers(&[1, 2])]), "optional(2)");
        assert_eq!(shown(first, &[integers(&[])]), "optional.none()");
        assert_eq!(shown(last, &[integers(&[])]), "optional.none()");
    }

    #[test]
    fn lists_are_sorted_by_keys_of_one_kind() {
        assert_eq!(shown(sort, &[integers(&[3, 1, 2])]), "[1, 2, 3]");
        assert_eq!(shown(sort, &[integers(&[])]), "[]");
        assert_eq!(shown(sort_by_keys, &[integers(&[1, 2, 3]), integers(&[0, -1, -2])]), "[3, 2, 1]");
        let incomparable = Value::list(vec![Value::Null]);
        assert_eq!(shown(sort, &[incomparable]), "error: list elements must be comparable");
        let mixed = Value::list(vec![Value::Int(1), Value::borrowed("a")]);
        assert_eq!(shown(sort, &[mixed]), "error: list elements must have the same type");
        let expected = "error: @sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got 1 and 2 elements respectively";
        assert_eq!(shown(sort_by_keys, &[integers(&[1]), integers(&[1, 2])]), expected);
    }

    #[test]
    fn costs_are_those_of_the_server() {
        let none = Ok(Value::Null);
        assert_eq!(sort_cost(&[integers(&[3, 1, 2])], &none), 29);
        let texts = Value::list(["b", "b", "c", "a"].map(Value::borrowed).into());
        assert_eq!(distinct_cost(&[texts], &none), 44);
        assert_eq!(flatten_cost(&[integers(&[1, 2])], &none), 13);
        assert_eq!(flatten_cost(&[integers(&[1]), Value::Int(2)], &none), 13);
        assert_eq!(flatten_cost(&[integers(&[1]), Value::Int(0)], &none), 11);
        assert_eq!(flatten_cost(&[integers(&[1]), Value::Int(-1)], &none), 10);
        assert_eq!(output_cost(&[], &Ok(integers(&[1, 2]))), 13);
        assert_eq!(output_cost(&[], &Err(EvalError::no_such_overload())), 12);
    }
}
