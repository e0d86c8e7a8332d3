//! Finds where JSON values begin and end, without looking at more than brackets and strings. What is between is
//! judged by the real parser; this one only keeps a large input from being parsed as a whole, and bounds its depth.

use std::ops::Range;

/// Deepest nesting of a document that is read.
pub(super) const MAX_DEPTH: usize = 128;

/// Why no end was found, and where that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanError {
    pub(super) at: usize,
    pub(super) problem: ScanProblem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanProblem {
    /// The text ends within a value.
    Ends,
    /// A line ends within a string.
    LineBreakInString,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Something else was expected here.
    Unexpected(&'static str),
}

type Scan<T> = Result<T, ScanError>;

/// The first position from `at` on that holds no white space (nor a record separator between documents).
pub(super) fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x1e);
    at + rest.iter().take_while(|byte| space(byte)).count()
}

/// The end of the value that begins at `at`.
pub(super) fn value_end(text: &[u8], at: usize) -> Scan<usize> {
    match text.get(at) {
        None => fail(at, ScanProblem::Ends),
        Some(b'"') => string_end(text, at),
        Some(b'{' | b'[') => container_end(text, at),
        Some(b'}' | b']' | b',' | b':') => fail(at, ScanProblem::Unexpected("a value")),
        Some(_) => Ok(scalar_end(text, at)),
    }
}

fn fail<T>(at: usize, problem: ScanProblem) -> Scan<T> {
    Err(ScanError { at, problem })
}

fn container_end(text: &[u8], start: usize) -> Scan<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' if depth == MAX_DEPTH => return fail(at, ScanProblem::TooDeep),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Ok(at + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    fail(at, ScanProblem::Ends)
}

fn string_end(text: &[u8], start: usize) -> Scan<usize> {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            b'\n' => return fail(at, ScanProblem::LineBreakInString),
            _ => at += 1,
        }
    }
    fail(text.len(), ScanProblem::Ends)
}

fn scalar_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let part =
        |byte: &u8| !matches!(byte, b',' | b':' | b']' | b'}' | b'{' | b'[' | b'"') && !byte.is_ascii_whitespace();
    start + rest.iter().take_while(|byte| part(byte)).count().max(1)
}

/// One entry of an object: the key as it is written, and where the value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The entries of the object that begins at `start`.
pub(super) fn entries(text: &[u8], start: usize) -> Scan<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = skip_space(text, start + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(entries);
    }
    loop {
        at = expect(text, at, b'"', "a key in double quotes")? - 1;
        let key = at..string_end(text, at)?;
        let colon = expect(text, key.end, b':', "a colon")?;
        let start = skip_space(text, colon);
        let value = start..value_end(text, start)?;
        at = skip_space(text, value.end);
        entries.push(Entry { key, value });
        match text.get(at) {
            Some(b'}') => return Ok(entries),
            _ => at = expect(text, at, b',', "a comma or a closing brace")?,
        }
    }
}

/// The position after `byte`, which must come next.
fn expect(text: &[u8], at: usize, byte: u8, what: &'static str) -> Scan<usize> {
    let at = skip_space(text, at);
    match text.get(at) {
        Some(found) if *found == byte => Ok(at + 1),
        Some(_) => fail(at, ScanProblem::Unexpected(what)),
        None => fail(at, ScanProblem::Ends),
    }
}

/// Walks through the elements of an array, one at a time.
#[derive(Clone, Debug)]
pub(super) struct Elements {
    at: usize,
    first: bool,
    done: bool,
}

impl Elements {
    /// The elements of the array that begins at `start`.
    pub(super) fn new(start: usize) -> Self {
        Self { at: start + 1, first: true, done: false }
    }

    /// How far the walk has come: behind the array once there are no more elements.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next element; nothing more comes after an error.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<Scan<Range<usize>>> {
        if self.done {
            return None;
        }
        let found = self.find(text).transpose();
        self.done = !matches!(found, Some(Ok(_)));
        found
    }

    fn find(&mut self, text: &[u8]) -> Scan<Option<Range<usize>>> {
        let mut at = skip_space(text, self.at);
        if text.get(at) == Some(&b']') {
            self.at = at + 1;
            return Ok(None);
        }
        if !self.first {
            at = skip_space(text, expect(text, at, b',', "a comma or a closing bracket")?);
        }
        self.first = false;
        self.at = value_end(text, at)?;
        Ok(Some(at..self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_values() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let deeper = format!("[{deep}]");
        let cases: [(&str, Result<usize, ScanProblem>); 13] = [
            ("{}x", Ok(2)),
            (r#"{"a}":["]"]} "#, Ok(12)),
            (r#""a\"b" c"#, Ok(6)),
            ("12,", Ok(2)),
            ("true}", Ok(4)),
            ("}", Err(ScanProblem::Unexpected("a value"))),
            ("", Err(ScanProblem::Ends)),
            ("{", Err(ScanProblem::Ends)),
            (r#"{"a"#, Err(ScanProblem::Ends)),
            (r#"{"a\"#, Err(ScanProblem::Ends)),
            ("[\"a\n\"]", Err(ScanProblem::LineBreakInString)),
            (&deep, Ok(2 * MAX_DEPTH)),
            (&deeper, Err(ScanProblem::TooDeep)),
        ];
        for (text, expected) in cases {
            assert_eq!(value_end(text.as_bytes(), 0).map_err(|error| error.problem), expected, "{text}");
        }
    }

    fn texts(text: &str) -> Result<Vec<(&str, &str)>, ScanProblem> {
        let found = entries(text.as_bytes(), 0).map_err(|error| error.problem)?;
        Ok(found.into_iter().map(|entry| (&text[entry.key], &text[entry.value])).collect())
    }

    #[test]
    fn entries_of_objects() {
        assert_eq!(texts("{ }"), Ok(vec![]));
        assert_eq!(texts(r#"{"a" : 1 , "b":{"c":[]}}"#), Ok(vec![("\"a\"", "1"), ("\"b\"", r#"{"c":[]}"#)]));
        assert_eq!(texts("{a:1}"), Err(ScanProblem::Unexpected("a key in double quotes")));
        assert_eq!(texts(r#"{"a" 1}"#), Err(ScanProblem::Unexpected("a colon")));
        assert_eq!(texts(r#"{"a":1 "b":2}"#), Err(ScanProblem::Unexpected("a comma or a closing brace")));
        assert_eq!(texts(r#"{"a":1,"#), Err(ScanProblem::Ends));
    }

    #[test]
    fn elements_of_arrays() {
        let text = "[1, {\"a\":2} ,[3]]".as_bytes();
        let mut elements = Elements::new(0);
        let found: Vec<_> = std::iter::from_fn(|| elements.next(text)).map(|range| &text[range.unwrap()]).collect();
        assert_eq!(found, [&b"1"[..], b"{\"a\":2}", b"[3]"]);
        let mut broken = Elements::new(0);
        assert_eq!(broken.next(b"[1 2]"), Some(Ok(1..2)));
        assert!(broken.next(b"[1 2]").unwrap().is_err());
        assert_eq!(broken.next(b"[1 2]"), None);
    }
}
