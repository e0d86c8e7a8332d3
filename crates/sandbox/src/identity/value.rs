//! Reading of stored objects, and text as the server renders it.

use chrono::DateTime;
use serde_json::Value;

/// The string at a JSON pointer; empty if there is none.
#[must_use]
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the list at a JSON pointer.
#[must_use]
pub fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings of the list at a JSON pointer.
pub fn texts<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v str> {
    list(value, pointer).iter().filter_map(Value::as_str)
}

/// Whether there is something other than null at a JSON pointer.
#[must_use]
pub fn is_set(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(|found| !found.is_null())
}

/// Seconds since 1970 as objects have them: `2026-11-22T17:46:00Z`.
#[must_use]
pub fn timestamp(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

/// A string in double quotes, as Go's `%q` has it.
#[must_use]
pub fn quoted(text: &str) -> String {
    admission::quote::go_quoted(text)
}

/// Strings in brackets, as Go's `%q` has a slice: `["a" "b"]`.
#[must_use]
pub fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", quoted.join(" "))
}

/// Several errors as one text (`k8s.io/apimachinery/pkg/util/errors`, `NewAggregate`): repetitions count once.
#[must_use]
pub fn aggregated(errors: &[String]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for error in errors {
        if !seen.contains(&error.as_str()) {
            seen.push(error);
        }
    }
    match seen.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        many => format!("[{}]", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_aggregated() {
        let cases = [(vec![], ""), (vec!["a"], "a"), (vec!["a", "a"], "a"), (vec!["a", "b", "a"], "[a, b]")];
        for (errors, expected) in cases {
            let errors: Vec<String> = errors.into_iter().map(str::to_owned).collect();
            assert_eq!(aggregated(&errors), expected);
        }
    }

    #[test]
    fn text_is_gos() {
        assert_eq!(quoted("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(quoted_list(&["a", "b"]), r#"["a" "b"]"#);
        assert_eq!(timestamp(1_795_369_560), "2026-11-22T17:46:00Z");
    }
}
