//! YAML that every reader of Kubernetes takes: no block scalars, and quotes around whatever YAML 1.1 would not take for
//! text.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// Writes documents one after the other.
pub(crate) fn documents(out: &mut dyn Write, values: &[Value]) -> io::Result<()> {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            writeln!(out, "---")?;
        }
        out.write_all(text(value)?.as_bytes())?;
    }
    Ok(())
}

/// Writes one document.
pub(crate) fn document(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    out.write_all(text(value)?.as_bytes())
}

/// Writes one element of a list.
pub(crate) fn element(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    out.write_all(text(&[value])?.as_bytes())
}

fn text(value: &impl Serialize) -> io::Result<String> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_stays_text() {
        let texts = vec![
            "true",
            "y",
            "no",
            "on",
            "null",
            "~",
            "1e3",
            "0x10",
            "012",
            "1.0",
            "2026-01-02",
            "12:30:45",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "- a",
            "'a'",
            "\"",
            "\\u0041",
            "a\tb",
            "é",
            "{a}",
            "[a]",
            "!a",
            "&a",
            "*a",
            "%a",
            "@a",
            "`a",
            "<<",
            "=",
            ".inf",
            "a\nb",
            "object.spec == 'x' ? {} : [\"y\"]",
        ];
        let value = json!({"texts": texts, "empty": {}, "none": [], "numbers": [1, -2, 1.5], "flag": true});
        let written = text(&value).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&written).unwrap(), value, "{written}");
        for bare in ["- true\n", "- y\n", "- no\n", "- on\n", "- 1e3\n", "- 012\n", "- 12:30:45\n", "- 2026-01-02\n"] {
            assert!(!written.contains(bare), "{bare}{written}");
        }
    }
}
