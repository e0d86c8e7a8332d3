//! `find` and `findAll`.

use regex::Regex;

use super::cost;
use super::re2::compile;
use super::{integer_argument, text_argument};
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::Value;

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let texts = || vec![Type::String, Type::String];
    let limited = vec![Type::String, Type::String, Type::Int];
    let found = Type::list(Type::String);
    [
        Overload::member("find", "string_find_string", texts(), Type::String, find).pattern(1, find_compiled),
        Overload::member("findAll", "string_find_all_string", texts(), found.clone(), find_all)
            .pattern(1, find_all_compiled),
        Overload::member("findAll", "string_find_all_string_int", limited, found, find_all)
            .pattern(1, find_all_compiled),
    ]
    .map(|overload| overload.cost(cost::pattern_call))
    .into()
}

fn compiled(arguments: &[Value<'_>]) -> Result<Regex, EvalError> {
    compile(text_argument(arguments, 1)?).map_err(|error| EvalError::new(format!("Illegal regex: {error}")))
}

fn find<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    find_compiled(&compiled(arguments)?, arguments)
}

fn find_compiled<'a>(pattern: &Regex, arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let found = pattern.find(text_argument(arguments, 0)?);
    Ok(Value::text(found.map_or("", |found| found.as_str())))
}

fn find_all<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    find_all_compiled(&compiled(arguments)?, arguments)
}

fn find_all_compiled<'a>(pattern: &Regex, arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let limit = if arguments.len() > 2 { integer_argument(arguments, 2)? } else { -1 };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = pattern.find_iter(text_argument(arguments, 0)?).take(limit);
    Ok(Value::list(found.map(|found| Value::text(found.as_str())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &'static str, pattern: &'static str, limit: Option<i64>) -> Vec<String> {
        let arguments = [Value::borrowed(text), Value::borrowed(pattern)].into_iter().chain(limit.map(Value::Int));
        let found = find_all(&arguments.collect::<Vec<_>>()).unwrap();
        found.as_list().unwrap().iter().map(|item| String::from(item.as_str().unwrap())).collect()
    }

    #[test]
    fn all_matches_are_found_empty_ones_included() {
        assert_eq!(all("a1b2", "[0-9]*", None), ["", "1", "2"]);
        assert_eq!(all("éa", "", None), ["", "", ""]);
        assert_eq!(all("abc", "x*", None), ["", "", "", ""]);
        assert_eq!(all("aaa", "a{2}", None), ["aa"]);
    }

    #[test]
    fn limits_count_unless_negative() {
        assert_eq!(all("a1b2", "[0-9]", Some(1)), ["1"]);
        assert_eq!(all("a1b2", "[0-9]", Some(0)), Vec::<String>::new());
        assert_eq!(all("a1b2", "[0-9]", Some(-5)), ["1", "2"]);
    }

    #[test]
    fn no_match_is_empty_text() {
        let found = find(&[Value::borrowed("abc"), Value::borrowed("x")]).unwrap();
        assert_eq!(found.as_str().unwrap(), "");
    }

    #[test]
    fn wrong_patterns_fail() {
        let error = find(&[Value::borrowed("abc"), Value::borrowed("[")]).unwrap_err();
        assert_eq!(error.to_string(), "Illegal regex: error parsing regexp: missing closing ]: `[`");
    }
}
