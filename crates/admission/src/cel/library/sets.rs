//! `sets.contains`, `sets.equivalent` and `sets.intersects`.

use super::argument;
use super::cost::{self, Outcome};
use crate::cel::environment::KubeVersion;
use crate::cel::equality::equal;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::{List, Value};

/// The release whose expressions know sets first.
const SINCE: KubeVersion = KubeVersion::minor(29);

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let lists = || vec![Type::list(Type::Param("T")), Type::list(Type::Param("T"))];
    let all = [
        Overload::global("sets.contains", "list_sets_contains_list", lists(), Type::Bool, contains).cost(single_cost),
        Overload::global("sets.equivalent", "list_sets_equivalent_list", lists(), Type::Bool, equivalent)
            .cost(double_cost),
        Overload::global("sets.intersects", "list_sets_intersects_list", lists(), Type::Bool, intersects)
            .cost(single_cost),
    ];
    all.map(|overload| overload.since(SINCE)).into()
}

fn single_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    cost::comparisons(1.0, cost::size_of(arguments, 0), cost::size_of(arguments, 1))
}

fn double_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    cost::comparisons(2.0, cost::size_of(arguments, 0), cost::size_of(arguments, 1))
}

fn has(list: &List<'_>, item: &Value<'_>) -> bool {
    list.iter().any(|element| equal(item, &element))
}

fn has_all(list: &List<'_>, items: &List<'_>) -> bool {
    items.iter().all(|item| has(list, &item))
}

fn operands<'v, 'a>(arguments: &'v [Value<'a>]) -> Result<(&'v List<'a>, &'v List<'a>), EvalError> {
    Ok((argument(arguments, 0)?.as_list()?, argument(arguments, 1)?.as_list()?))
}

fn contains<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operands(arguments).map(|(list, items)| Value::Bool(has_all(list, items)))
}

fn equivalent<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operands(arguments).map(|(left, right)| Value::Bool(has_all(left, right) && has_all(right, left)))
}

fn intersects<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operands(arguments).map(|(left, right)| Value::Bool(left.iter().any(|item| has(right, &item))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(numbers: &[f64]) -> Value<'static> {
        Value::list(numbers.iter().map(|number| Value::Double(*number)).collect())
    }

    #[test]
    fn relations_ignore_order_repetition_and_kind_of_number() {
        let integers = Value::list(vec![Value::Int(1), Value::Uint(2)]);
        let cases = [
            (list(&[]), list(&[]), [true, true, false]),
            (list(&[]), list(&[1.0]), [false, false, false]),
            (list(&[1.0]), list(&[1.0, 1.0]), [true, true, true]),
            (list(&[1.0, 2.0]), list(&[2.0]), [true, false, true]),
            (list(&[2.0, 1.0, 2.0]), integers, [true, true, true]),
            (list(&[1.0]), list(&[2.0]), [false, false, false]),
        ];
        for (left, right, expected) in cases {
            let arguments = [left, right];
            let results = [contains, equivalent, intersects].map(|relation| relation(&arguments).unwrap());
            assert_eq!(results.map(|result| result.as_bool().unwrap()), expected, "{arguments:?}");
        }
    }

    #[test]
    fn costs_are_products_of_sizes() {
        let arguments = [list(&[1.0]), list(&[1.0, 1.0])];
        assert_eq!(single_cost(&arguments, &Ok(Value::Null)), 3);
        assert_eq!(double_cost(&arguments, &Ok(Value::Null)), 5);
    }
}
