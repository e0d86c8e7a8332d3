//! The string extension: searching, cutting, replacing, joining and quoting text.

use super::cost::{self};
use super::text_format;
use super::text_functions as functions;
use super::{argument, integer_argument, no_such_call, text_argument};
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::Value;

/// The release whose expressions know `format` and `strings.quote` first.
const FORMAT_SINCE: KubeVersion = KubeVersion::minor(29);

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    [searching(), cutting(), changing(), joining()].into_iter().flatten().chain(formatting()).collect()
}

fn texts(count: usize, integers: usize) -> Vec<Type> {
    let integers = std::iter::repeat_n(Type::Int, integers);
    std::iter::repeat_n(Type::String, count).chain(integers).collect()
}

fn searching() -> Vec<Overload> {
    vec![
        Overload::member("charAt", "string_char_at_int", texts(1, 1), Type::String, char_at),
        Overload::member("indexOf", "string_index_of_string", texts(2, 0), Type::Int, index_of).cost(cost::walk),
        Overload::member("indexOf", "string_index_of_string_int", texts(2, 1), Type::Int, index_of).cost(cost::walk),
        Overload::member("lastIndexOf", "string_last_index_of_string", texts(2, 0), Type::Int, last_index_of)
            .cost(cost::walk),
        Overload::member("lastIndexOf", "string_last_index_of_string_int", texts(2, 1), Type::Int, last_index_of)
            .cost(cost::walk),
    ]
}

fn cutting() -> Vec<Overload> {
    let parts = Type::list(Type::String);
    vec![
        Overload::member("substring", "string_substring_int", texts(1, 1), Type::String, substring)
            .cost(cost::first_argument),
        Overload::member("substring", "string_substring_int_int", texts(1, 2), Type::String, substring)
            .cost(cost::first_argument),
        Overload::member("trim", "string_trim", texts(1, 0), Type::String, trim).cost(cost::first_argument),
        Overload::member("split", "string_split_string", texts(2, 0), parts.clone(), split)
            .cost(cost::first_argument_twice),
        Overload::member("split", "string_split_string_int", texts(2, 1), parts, split)
            .cost(cost::first_argument_twice),
    ]
}

fn changing() -> Vec<Overload> {
    vec![
        Overload::member("lowerAscii", "string_lower_ascii", texts(1, 0), Type::String, lower)
            .cost(cost::first_argument),
        Overload::member("upperAscii", "string_upper_ascii", texts(1, 0), Type::String, upper)
            .cost(cost::first_argument),
        Overload::member("replace", "string_replace_string_string", texts(3, 0), Type::String, replace)
            .cost(cost::first_argument_twice),
        Overload::member("replace", "string_replace_string_string_int", texts(3, 1), Type::String, replace)
            .cost(cost::first_argument_twice),
    ]
}

fn joining() -> Vec<Overload> {
    let list = || Type::list(Type::String);
    vec![
        Overload::member("join", "list_join", vec![list()], Type::String, join).cost(cost::result_twice),
        Overload::member("join", "list_join_string", vec![list(), Type::String], Type::String, join)
            .cost(cost::result_twice),
    ]
}

fn formatting() -> [Overload; 2] {
    let arguments = vec![Type::String, Type::list(Type::Dyn)];
    [
        Overload::member("format", "string_format", arguments, Type::String, format),
        Overload::global("strings.quote", "strings_quote", texts(1, 0), Type::String, quote),
    ]
    .map(|overload| overload.cost(cost::first_argument).since(FORMAT_SINCE))
}

fn char_at<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    functions::char_at(text_argument(arguments, 0)?, integer_argument(arguments, 1)?).map(Value::text)
}

fn optional_integer(arguments: &[Value<'_>], index: usize) -> Result<Option<i64>, EvalError> {
    arguments.get(index).map(Value::as_int).transpose()
}

fn index_of<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let offset = optional_integer(arguments, 2)?.unwrap_or(0);
    functions::index_of(text_argument(arguments, 0)?, text_argument(arguments, 1)?, offset).map(Value::Int)
}

fn last_index_of<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (text, part) = (text_argument(arguments, 0)?, text_argument(arguments, 1)?);
    match optional_integer(arguments, 2)? {
        Some(offset) => functions::last_index_before(text, part, offset).map(Value::Int),
        None => functions::last_index_of(text, part).map(Value::Int),
    }
}

fn substring<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (text, start) = (text_argument(arguments, 0)?, integer_argument(arguments, 1)?);
    match optional_integer(arguments, 2)? {
        Some(end) => functions::substring_between(text, start, end).map(Value::text),
        None => functions::substring(text, start).map(Value::text),
    }
}

fn trim<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::text(text_argument(arguments, 0)?.trim()))
}

fn split<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let limit = optional_integer(arguments, 2)?.unwrap_or(-1);
    let parts = functions::split(text_argument(arguments, 0)?, text_argument(arguments, 1)?, limit);
    Ok(Value::list(parts.into_iter().map(Value::text).collect()))
}

fn lower<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::text(text_argument(arguments, 0)?.to_ascii_lowercase()))
}

fn upper<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::text(text_argument(arguments, 0)?.to_ascii_uppercase()))
}

fn replace<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let limit = optional_integer(arguments, 3)?.unwrap_or(-1);
    let (text, old, new) = (text_argument(arguments, 0)?, text_argument(arguments, 1)?, text_argument(arguments, 2)?);
    functions::replace(text, old, new, limit).map(Value::text)
}

fn join<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let list = argument(arguments, 0)?.as_list()?;
    let separator = arguments.get(1).map_or(Ok(""), Value::as_str)?;
    if list.get(0).is_some_and(|first| first.as_str().is_err()) {
        return Err(no_such_call("join", arguments));
    }
    let mut out = String::new();
    for (index, item) in list.iter().enumerate() {
        let part = item.as_str().map_err(|_| text_format::invalid_part(&item))?;
        functions::check_size(out.len().saturating_add(separator.len()).saturating_add(part.len()))?;
        out.push_str(if index == 0 { "" } else { separator });
        out.push_str(part);
    }
    Ok(Value::text(out))
}

fn format<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let items = argument(arguments, 1)?.as_list()?;
    text_format::format(text_argument(arguments, 0)?, items).map(Value::text)
}

fn quote<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::text(functions::quote(text_argument(arguments, 0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&'static str]) -> Value<'static> {
        Value::list(items.iter().map(|item| Value::borrowed(item)).collect())
    }

    fn text(result: Result<Value<'_>, EvalError>) -> String {
        match result {
            Ok(value) => String::from(value.as_str().unwrap()),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lists_of_text_are_joined() {
        assert_eq!(text(join(&[list(&["a", "b"])])), "ab");
        assert_eq!(text(join(&[list(&["a", "b", ""]), Value::borrowed(", ")])), "a, b, ");
        assert_eq!(text(join(&[list(&[])])), "");
    }

    #[test]
    fn other_elements_are_refused() {
        let numbers = Value::list(vec![Value::Int(1)]);
        let mixed = Value::list(vec![Value::borrowed("a"), Value::Int(1)]);
        assert_eq!(text(join(&[numbers, Value::borrowed(",")])), "error: no such overload: join(list, string)");
        assert_eq!(text(join(&[mixed])), "error: join: invalid input: 1");
    }

    #[test]
    fn only_ascii_changes_case() {
        assert_eq!(text(lower(&[Value::borrowed("ABCÉ")])), "abcÉ");
        assert_eq!(text(upper(&[Value::borrowed("abcé")])), "ABCé");
    }

    #[test]
    fn unicode_space_is_trimmed() {
        assert_eq!(text(trim(&[Value::borrowed("\u{a0} a\u{2003}\u{200b}")])), "a\u{2003}\u{200b}");
    }
}
