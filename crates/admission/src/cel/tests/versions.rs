//! Which functions and macros a release has, for new and for stored expressions.

use super::super::{Environment, KubeVersion, Mode, Type};

/// Expressions with the first release where a new policy may use them.
const CASES: &[(&str, u16)] = &[
    ("has(object.a) && [1].all(x, x > 0)", 28),
    ("'a'.startsWith('a')", 28),
    ("object.?a.orValue(1) == 1", 29),
    ("dyn(1) < dyn(2) && 1 < 1.5", 29),
    ("optional.of(1).optMap(x, x).hasValue()", 29),
    ("[1].all(i, v, v > i)", 33),
    ("{'a': 1}.transformMap(k, v, v) == {'a': 1}", 33),
    ("[3, 1].sortBy(x, x) == [1, 3]", 35),
];

fn accepts(release: u16, mode: Mode, text: &str) -> bool {
    Environment::new(KubeVersion::minor(release), mode).admission(false, false).compile(text, &[Type::Bool]).is_ok()
}

#[test]
fn new_expressions_may_use_what_the_release_before_had() {
    for (text, first) in CASES {
        for release in 28..=36 {
            assert_eq!(accepts(release, Mode::New, text), release >= *first, "{text} in 1.{release}");
        }
    }
}

#[test]
fn stored_expressions_may_use_one_release_more() {
    for (text, first) in CASES.iter().filter(|(_, first)| *first > 28) {
        assert!(accepts(first - 1, Mode::Stored, text), "{text}");
        assert!(*first == 29 || !accepts(first - 2, Mode::Stored, text), "{text}");
    }
}

#[test]
fn some_macros_of_the_language_are_in_no_release() {
    for text in ["cel.bind(x, 1, x == 1)", "[1].existsOne(x, x == 1)"] {
        assert!(!accepts(36, Mode::Stored, text), "{text}");
    }
}
