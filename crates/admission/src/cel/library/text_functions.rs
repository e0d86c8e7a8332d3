//! Functions on text that count in code points, with the edge cases of cel-go's string extension.

use crate::cel::error::EvalError;

/// Texts larger than this are not made; the server would run out of memory instead.
const MAX_RESULT: usize = 64 << 20;

fn out_of_range(index: i64) -> EvalError {
    EvalError::new(format!("index out of range: {index}"))
}

/// The offset in octets of a code point, or of the end.
fn position(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    let ends = std::iter::once(text.len());
    text.char_indices().map(|(position, _)| position).chain(ends).nth(index)
}

fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// The code point at an index; empty right behind the last one.
pub(super) fn char_at(text: &str, index: i64) -> Result<String, EvalError> {
    let (_, rest) = text.split_at(position(text, index).ok_or_else(|| out_of_range(index))?);
    Ok(rest.chars().take(1).collect())
}

/// The first index of a part at or behind an offset, -1 if there is none.
pub(super) fn index_of(text: &str, part: &str, offset: i64) -> Result<i64, EvalError> {
    if part.is_empty() {
        return Ok(offset);
    }
    if offset < 0 {
        return Err(out_of_range(offset));
    }
    let (before, rest) = text.split_at(position(text, offset).unwrap_or(text.len()));
    let found = rest.find(part).map(|found| rest.split_at(found).0);
    Ok(found.map_or(-1, |between| count(before) + count(between)))
}

/// The last index of a part, -1 if there is none.
pub(super) fn last_index_of(text: &str, part: &str) -> Result<i64, EvalError> {
    match (part, count(text)) {
        ("", length) => Ok(length),
        (_, 0) => Ok(-1),
        (_, length) => last_index_before(text, part, length - 1),
    }
}

/// The last index of a part at or before an offset, -1 if there is none.
pub(super) fn last_index_before(text: &str, part: &str, offset: i64) -> Result<i64, EvalError> {
    if part.is_empty() {
        return Ok(offset);
    }
    if offset < 0 {
        return Err(out_of_range(offset));
    }
    let length = count(text);
    if offset >= length {
        return Ok(-1);
    }
    let end = offset.saturating_add(count(part)).min(length);
    let (searched, _) = text.split_at(position(text, end).unwrap_or(text.len()));
    let found = searched.rfind(part).map(|found| searched.split_at(found).0);
    Ok(found.map_or(-1, count))
}

/// The text from an index on.
pub(super) fn substring(text: &str, start: i64) -> Result<&str, EvalError> {
    let position = position(text, start).ok_or_else(|| out_of_range(start))?;
    Ok(text.split_at(position).1)
}

/// The text between two indexes.
pub(super) fn substring_between(text: &str, start: i64, end: i64) -> Result<&str, EvalError> {
    if start > end {
        return Err(EvalError::new(format!("invalid substring range. start: {start}, end: {end}")));
    }
    let first = position(text, start).ok_or_else(|| out_of_range(start))?;
    let last = position(text, end).ok_or_else(|| out_of_range(end))?;
    Ok(text.get(first..last).unwrap_or_default())
}

/// The text with a part replaced, so many times at most if the limit is not negative.
pub(super) fn replace(text: &str, old: &str, new: &str, limit: i64) -> Result<String, EvalError> {
    let found = text.matches(old).count();
    let times = usize::try_from(limit).map_or(found, |limit| limit.min(found));
    let size = times.saturating_mul(new.len()).saturating_add(text.len());
    check_size(size)?;
    Ok(text.replacen(old, new, times))
}

/// An error if a text of this size would be too large to be made.
pub(super) fn check_size(size: usize) -> Result<(), EvalError> {
    if size > MAX_RESULT { Err(EvalError::new("the resulting text is too large to be made here")) } else { Ok(()) }
}

/// The parts between separators, so many at most if the limit is not negative.
pub(super) fn split<'t>(text: &'t str, separator: &str, limit: i64) -> Vec<&'t str> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match separator {
        _ if limit == 0 => Vec::new(),
        "" => characters(text, limit),
        _ => text.splitn(limit, separator).collect(),
    }
}

fn characters(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if parts.len() + 1 == limit {
            parts.push(rest);
            break;
        }
        let (first, after) = rest.split_at(character.len_utf8());
        parts.push(first);
        rest = after;
    }
    parts
}

/// The text in double quotes, with the escapes of the expression language.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        let escape = match character {
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\u{c}' => 'f',
            '\n' => 'n',
            '\r' => 'r',
            '\t' => 't',
            '\u{b}' => 'v',
            '\\' | '"' => character,
            _ => {
                out.push(character);
                continue;
            }
        };
        out.extend(['\\', escape]);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: ToString>(result: Result<T, EvalError>) -> String {
        result.map_or_else(|error| format!("error: {error}"), |value| value.to_string())
    }

    #[test]
    fn characters_are_found_by_index() {
        let cases = [("tacocat", 0, "t"), ("tacocat", 7, ""), ("aéb", 1, "é"), ("", 0, "")];
        for (from, index, expected) in cases {
            assert_eq!(text(char_at(from, index)), expected);
        }
        assert_eq!(text(char_at("tacocat", 8)), "error: index out of range: 8");
        assert_eq!(text(char_at("tacocat", -1)), "error: index out of range: -1");
    }

    #[test]
    fn parts_are_found_forwards() {
        let cases = [
            ("tacocat", "ac", 0, "1"),
            ("tacocat", "ac", 2, "-1"),
            ("ééa", "a", 0, "2"),
            ("abc", "", 10, "10"),
            ("abc", "", -3, "-3"),
            ("abc", "c", 9, "-1"),
            ("abc", "c", -1, "error: index out of range: -1"),
            ("abc", "c", i64::MAX, "-1"),
        ];
        for (from, part, offset, expected) in cases {
            assert_eq!(text(index_of(from, part, offset)), expected, "{from} {part} {offset}");
        }
    }

    #[test]
    fn parts_are_found_backwards() {
        let cases = [
            ("tacocat", "at", 6, "5"),
            ("tacocat", "at", 5, "5"),
            ("tacocat", "at", 4, "-1"),
            ("aéa", "a", 2, "2"),
            ("abc", "", -5, "-5"),
            ("abc", "abcd", 2, "-1"),
            ("abc", "c", 3, "-1"),
            ("abc", "c", -5, "error: index out of range: -5"),
        ];
        for (from, part, offset, expected) in cases {
            assert_eq!(text(last_index_before(from, part, offset)), expected, "{from} {part} {offset}");
        }
        assert_eq!(text(last_index_of("ab", "abc")), "-1");
        assert_eq!(text(last_index_of("", "a")), "-1");
        assert_eq!(text(last_index_of("aéa", "")), "3");
    }

    #[test]
    fn substrings_keep_to_the_text() {
        assert_eq!(text(substring("aéb", 1)), "éb");
        assert_eq!(text(substring("ab", 2)), "");
        assert_eq!(text(substring("hello", 6)), "error: index out of range: 6");
        assert_eq!(text(substring_between("hello", 1, 3)), "el");
        assert_eq!(text(substring_between("hello", 2, 1)), "error: invalid substring range. start: 2, end: 1");
        assert_eq!(text(substring_between("hello", 0, 9)), "error: index out of range: 9");
        assert_eq!(text(substring_between("hello", -1, 3)), "error: index out of range: -1");
    }

    #[test]
    fn replacements_are_counted() {
        let cases = [
            ("aaa", "a", "b", -1, "bbb"),
            ("aaa", "a", "b", 2, "bba"),
            ("abc", "", "-", -1, "-a-b-c-"),
            ("abc", "", "-", 2, "-a-bc"),
            ("éa", "", "-", -1, "-é-a-"),
            ("abc", "b", "x", 0, "abc"),
            ("", "", "x", -1, "x"),
        ];
        for (from, old, new, limit, expected) in cases {
            assert_eq!(text(replace(from, old, new, limit)), expected, "{from} {old} {limit}");
        }
    }

    #[test]
    fn replacements_do_not_explode() {
        let long = "a".repeat(100_000);
        assert!(replace(&long, "", &long, -1).is_err());
    }

    #[test]
    fn parts_are_split() {
        let cases: [(&str, &str, i64, &[&str]); 9] = [
            ("a,b,c", ",", -1, &["a", "b", "c"]),
            ("a,b,c", ",", 0, &[]),
            ("a,b,c", ",", 1, &["a,b,c"]),
            ("a,b,c", ",", 2, &["a", "b,c"]),
            ("", ",", -1, &[""]),
            ("", "", -1, &[]),
            ("aéb", "", -1, &["a", "é", "b"]),
            ("abc", "", 2, &["a", "bc"]),
            ("abc", "", 9, &["a", "b", "c"]),
        ];
        for (from, separator, limit, expected) in cases {
            assert_eq!(split(from, separator, limit), expected, "{from} {separator} {limit}");
        }
    }

    #[test]
    fn quotes_leave_other_control_characters_alone() {
        assert_eq!(quote("a\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"é\0"), "\"a\\a\\b\\f\\n\\r\\t\\v\\\\\\\"é\0\"");
    }
}
