//! Which keys a profile owns, and what their values may be.
//!
//! A key is owned if any matcher matches. For its value only the most specific matcher counts: the exact key, then
//! the longest prefix, then the longest domain. There is no substring match.

use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::spec::Format;

/// How a matcher finds its keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// One exact key.
    Key(String),
    /// Every key that begins with this text, which ends in the one slash that a key may have.
    Prefix(String),
    /// Every key whose prefix part is this DNS name or ends in a dot and this name.
    Domain(String),
}

impl Pattern {
    /// Whether `key` is one of the pattern's keys.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        match self {
            Self::Key(exact) => key == exact,
            Self::Prefix(prefix) => key.starts_with(prefix.as_str()),
            Self::Domain(domain) => crate::key::prefix_of(key).is_some_and(|p| within(p, domain)),
        }
    }

    /// Orders patterns from the most to the least specific: exact keys, then prefixes, then domains, longer first.
    fn rank(&self) -> (u8, std::cmp::Reverse<usize>) {
        match self {
            Self::Key(text) => (0, std::cmp::Reverse(text.len())),
            Self::Prefix(text) => (1, std::cmp::Reverse(text.len())),
            Self::Domain(text) => (2, std::cmp::Reverse(text.len())),
        }
    }

    /// A key of the pattern, to show a person.
    #[must_use]
    pub fn example(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Prefix(prefix) => format!("{prefix}example"),
            Self::Domain(domain) => format!("{domain}/example"),
        }
    }
}

fn within(prefix: &str, domain: &str) -> bool {
    match prefix.strip_suffix(domain) {
        Some("") => true,
        Some(rest) => rest.ends_with('.'),
        None => false,
    }
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Anything.
    Any,
    /// One of these.
    OneOf(BTreeSet<String>),
    /// Text of this form.
    Formatted(Format),
}

impl Values {
    /// Whether `value` is allowed.
    #[must_use]
    pub fn allow(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(list) => list.contains(value),
            Self::Formatted(format) => expression(*format).is_match(value),
        }
    }
}

fn expression(format: Format) -> &'static Regex {
    static FORMS: LazyLock<[Regex; 3]> = LazyLock::new(|| {
        [Format::Boolean, Format::Decimal, Format::Timestamp]
            .map(|f| Regex::new(f.pattern()).expect("the patterns are literals of this crate"))
    });
    let [boolean, decimal, timestamp] = &*FORMS;
    match format {
        Format::Boolean => boolean,
        Format::Decimal => decimal,
        Format::Timestamp => timestamp,
    }
}

/// A pattern with what the values of its keys may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// Which keys.
    pub pattern: Pattern,
    /// Which values.
    pub values: Values,
}

/// The matchers of the labels, or of the annotations, of a profile; the most specific first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    matchers: Vec<Matcher>,
}

impl Owned {
    /// Puts the matchers in the order in which they are asked.
    #[must_use]
    pub fn new(mut matchers: Vec<Matcher>) -> Self {
        matchers.sort_by(|a, b| a.pattern.rank().cmp(&b.pattern.rank()).then_with(|| a.pattern.cmp(&b.pattern)));
        Self { matchers }
    }

    /// The matchers, the most specific first.
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// Whether the profile owns `key`.
    #[must_use]
    pub fn owns(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Whether `key` may have `value`. A key that is not owned is not judged here.
    #[must_use]
    pub fn allows(&self, key: &str, value: &str) -> bool {
        self.find(key).is_none_or(|matcher| matcher.values.allow(value))
    }

    fn find(&self, key: &str) -> Option<&Matcher> {
        self.matchers.iter().find(|matcher| matcher.pattern.matches(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Pattern {
        Pattern::Domain(name.to_owned())
    }

    #[test]
    fn a_domain_is_whole_dns_parts_of_the_prefix() {
        let table = [
            ("kubevirt.io/x", true),
            ("any.sub.kubevirt.io/x", true),
            ("kubevirt.io/", true),
            ("kubevirt.io", false),
            ("notkubevirt.io/x", false),
            ("kubevirt.io.example.org/x", false),
            ("node-role.kubernetes.io/kubevirt.io", false),
            ("example.org/kubevirt.io/x", false),
            ("example.org/x.kubevirt.io/x", false),
            ("xkubevirt.io/x", false),
            ("Kubevirt.io/x", false),
            (".kubevirt.io/x", true),
            ("", false),
            ("/", false),
        ];
        for (key, expected) in table {
            assert_eq!(domain("kubevirt.io").matches(key), expected, "{key}");
        }
    }

    #[test]
    fn a_prefix_and_a_key_are_exact() {
        let prefix = Pattern::Prefix("a.io/".to_owned());
        assert!(prefix.matches("a.io/x") && !prefix.matches("b.a.io/x") && !prefix.matches("a.io"));
        let key = Pattern::Key("cpumanager".to_owned());
        assert!(key.matches("cpumanager") && !key.matches("cpumanager2") && !key.matches("a/cpumanager"));
    }

    fn matcher(pattern: Pattern, value: &str) -> Matcher {
        Matcher { pattern, values: Values::OneOf([value.to_owned()].into()) }
    }

    #[test]
    fn the_most_specific_matcher_decides_the_value() {
        let owned = Owned::new(vec![
            matcher(domain("io"), "short domain"),
            matcher(domain("a.io"), "long domain"),
            matcher(Pattern::Prefix("a.io/".into()), "prefix"),
            matcher(Pattern::Key("a.io/k".into()), "key"),
        ]);
        for (key, value) in
            [("b.io/k", "short domain"), ("b.a.io/k", "long domain"), ("a.io/x", "prefix"), ("a.io/k", "key")]
        {
            for other in ["short domain", "long domain", "prefix", "key"] {
                assert_eq!(owned.allows(key, other), other == value, "{key} {other}");
            }
        }
        assert!(owned.allows("foreign", "anything"));
    }

    #[test]
    fn formats_are_anchored() {
        let table = [
            (Format::Boolean, "true", true),
            (Format::Boolean, "false", true),
            (Format::Boolean, "True", false),
            (Format::Boolean, "true\n", false),
            (Format::Boolean, "untrue", false),
            (Format::Decimal, "0", true),
            (Format::Decimal, "1234567890123456789", true),
            (Format::Decimal, "12345678901234567890", false),
            (Format::Decimal, "", false),
            (Format::Decimal, "-1", false),
            (Format::Decimal, "٣", false),
            (Format::Timestamp, "2026-11-22T12:00:00Z", true),
            (Format::Timestamp, "2026-11-22T12:00:00.123456789+02:00", true),
            (Format::Timestamp, "2026-11-22T12:00:00.Z", false),
            (Format::Timestamp, "2026-11-22 12:00:00Z", false),
            (Format::Timestamp, "x2026-11-22T12:00:00Z", false),
            (Format::Timestamp, "garbage", false),
        ];
        for (format, value, expected) in table {
            assert_eq!(Values::Formatted(format).allow(value), expected, "{format:?} {value:?}");
        }
    }
}
