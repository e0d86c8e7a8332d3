//! Names of fields as expressions write them (`apiserver/pkg/cel/escaping.go`).

use admission::names::RESERVED;

/// The identifier for a field, if there can be one.
#[must_use]
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(symbol) = rest.chars().next() {
        let taken = if rest.starts_with("__") { 2 } else { symbol.len_utf8() };
        match symbol {
            '_' if taken == 2 => escaped.push_str("__underscores__"),
            '.' => escaped.push_str("__dot__"),
            '-' => escaped.push_str("__dash__"),
            '/' => escaped.push_str("__slash__"),
            symbol if symbol.is_ascii_alphanumeric() || symbol == '_' => escaped.push(symbol),
            _ => return None,
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        let cases = [
            ("a", Some("a")),
            ("a_b", Some("a_b")),
            ("a-b", Some("a__dash__b")),
            ("x.y/z", Some("x__dot__y__slash__z")),
            ("__u", Some("__underscores__u")),
            ("a___b", Some("a__underscores___b")),
            ("namespace", Some("__namespace__")),
            ("1a", None),
            ("", None),
            ("a b", None),
            ("é", None),
        ];
        for (name, escaped) in cases {
            assert_eq!(escape(name).as_deref(), escaped, "{name}");
        }
    }
}
