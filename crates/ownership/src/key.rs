//! The grammar of label and annotation keys and of label values, as kube-apiserver validates them
//! (`k8s.io/apimachinery/pkg/util/validation`, `IsQualifiedName` and `IsValidLabelValue`).

use thiserror::Error;

/// Longest name part of a key, and longest label value, in bytes.
pub const MAX_NAME: usize = 63;
/// Longest prefix part of a key, in bytes.
pub const MAX_PREFIX: usize = 253;

/// Why kube-apiserver would refuse a key or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// More than one slash.
    #[error("a key has at most one '/'")]
    Slashes,
    /// Nothing before the slash.
    #[error("the part before the '/' is empty")]
    EmptyPrefix,
    /// The prefix exceeds [`MAX_PREFIX`].
    #[error("the part before the '/' is longer than 253 bytes")]
    LongPrefix,
    /// The prefix is no lower-case RFC 1123 subdomain.
    #[error(
        "the part before the '/' is no DNS name (lower case letters, digits, '-' and '.', each part beginning and ending with a letter or digit)"
    )]
    Prefix,
    /// Nothing after the slash, or nothing at all.
    #[error("the name is empty")]
    EmptyName,
    /// The name exceeds [`MAX_NAME`].
    #[error("the name is longer than 63 bytes")]
    LongName,
    /// The name has other characters than letters, digits, `-`, `_`, `.`, or begins or ends with one of the last three.
    #[error(
        "the name has other characters than letters, digits, '-', '_' and '.', or does not begin and end with a letter or digit"
    )]
    Name,
    /// A label value exceeds [`MAX_NAME`].
    #[error("the value is longer than 63 bytes")]
    LongValue,
    /// A label value is neither empty nor shaped like a name.
    #[error(
        "the value has other characters than letters, digits, '-', '_' and '.', or does not begin and end with a letter or digit"
    )]
    Value,
}

/// Checks a label key.
///
/// # Errors
/// The first reason for which kube-apiserver would refuse it.
pub fn label_key(key: &str) -> Result<(), KeyError> {
    match key.split_once('/') {
        None => name(key),
        Some((_, rest)) if rest.contains('/') => Err(KeyError::Slashes),
        Some((prefix, rest)) => subdomain(prefix).and_then(|()| name(rest)),
    }
}

/// Checks an annotation key: a label key, except that the server lower-cases it first, so that a prefix in
/// capitals passes (`ValidateAnnotations`).
///
/// # Errors
/// The first reason for which kube-apiserver would refuse it.
pub fn annotation_key(key: &str) -> Result<(), KeyError> {
    label_key(&key.to_lowercase())
}

/// Checks a label value.
///
/// # Errors
/// [`KeyError::LongValue`] or [`KeyError::Value`].
pub fn label_value(value: &str) -> Result<(), KeyError> {
    if value.len() > MAX_NAME {
        return Err(KeyError::LongValue);
    }
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    Err(KeyError::Value)
}

/// Checks the part of a key before the slash: a lower-case RFC 1123 subdomain of at most [`MAX_PREFIX`] bytes.
///
/// # Errors
/// [`KeyError::EmptyPrefix`], [`KeyError::LongPrefix`] or [`KeyError::Prefix`].
pub fn subdomain(prefix: &str) -> Result<(), KeyError> {
    if prefix.is_empty() {
        return Err(KeyError::EmptyPrefix);
    }
    if prefix.len() > MAX_PREFIX {
        return Err(KeyError::LongPrefix);
    }
    if prefix.split('.').all(is_dns_part) {
        return Ok(());
    }
    Err(KeyError::Prefix)
}

fn name(name: &str) -> Result<(), KeyError> {
    if name.is_empty() {
        return Err(KeyError::EmptyName);
    }
    if name.len() > MAX_NAME {
        return Err(KeyError::LongName);
    }
    if is_name(name) {
        return Ok(());
    }
    Err(KeyError::Name)
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_dns_part(part: &str) -> bool {
    let bytes = part.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.first().is_some_and(plain) && bytes.last().is_some_and(plain) && bytes.iter().all(|b| plain(b) || *b == b'-')
}

/// The part of a key before its first slash, if it has one.
#[must_use]
pub fn prefix_of(key: &str) -> Option<&str> {
    key.split_once('/').map(|(prefix, _)| prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_as_the_server_judges_them() {
        let long_name = "a".repeat(64);
        let long_prefix = format!("{}/x", "a".repeat(254));
        let longest = format!("{}/{}", "a".repeat(253), "b".repeat(63));
        let table: &[(&str, Result<(), KeyError>)] = &[
            ("simple", Ok(())),
            ("123-abc", Ok(())),
            ("My_Name.x", Ok(())),
            ("example.com/MyName", Ok(())),
            ("1.2.3.4/5678", Ok(())),
            ("a-b.c/d", Ok(())),
            (&longest, Ok(())),
            ("", Err(KeyError::EmptyName)),
            ("a b", Err(KeyError::Name)),
            ("-a", Err(KeyError::Name)),
            ("a.", Err(KeyError::Name)),
            ("é", Err(KeyError::Name)),
            ("a\n", Err(KeyError::Name)),
            (&long_name, Err(KeyError::LongName)),
            ("/x", Err(KeyError::EmptyPrefix)),
            ("x/", Err(KeyError::EmptyName)),
            ("a/b/c", Err(KeyError::Slashes)),
            ("Foo.io/x", Err(KeyError::Prefix)),
            ("a..b/x", Err(KeyError::Prefix)),
            ("-a.b/x", Err(KeyError::Prefix)),
            ("a.b-/x", Err(KeyError::Prefix)),
            ("a_b/x", Err(KeyError::Prefix)),
            (&long_prefix, Err(KeyError::LongPrefix)),
        ];
        for (key, expected) in table {
            assert_eq!(label_key(key), *expected, "{key}");
        }
    }

    #[test]
    fn annotation_keys_may_have_capitals_in_the_prefix() {
        assert_eq!(annotation_key("Foo.io/x"), Ok(()));
        assert_eq!(annotation_key("Foo_.io/x"), Err(KeyError::Prefix));
    }

    #[test]
    fn label_values_are_empty_or_names() {
        let (longest, long) = ("v".repeat(63), "v".repeat(64));
        let table: &[(&str, Result<(), KeyError>)] = &[
            ("", Ok(())),
            ("true", Ok(())),
            ("a_b.c-d", Ok(())),
            (&longest, Ok(())),
            ("a b", Err(KeyError::Value)),
            ("2026-11-22T12:00:00Z", Err(KeyError::Value)),
            (".a", Err(KeyError::Value)),
            (&long, Err(KeyError::LongValue)),
        ];
        for (value, expected) in table {
            assert_eq!(label_value(value), *expected, "{value}");
        }
    }
}
