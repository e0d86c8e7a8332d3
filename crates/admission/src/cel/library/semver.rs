//! `semver()` and its functions, with the grammar and messages of `blang/semver` that the server uses.

use std::any::Any;
use std::cmp::Ordering;

use thiserror::Error;

use super::cost;
use super::quoting::quote;
use super::text_argument;
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::{Opaque, Value, same_kind};

/// The type's name on the server.
const NAME: &str = "kubernetes.Semver";

/// The release whose expressions know versions first.
const SINCE: KubeVersion = KubeVersion::minor(33);

/// Why a text is no version.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
enum VersionError {
    #[error("Version string empty")]
    Empty,
    #[error("No Major.Minor.Patch elements found")]
    Parts,
    #[error("Invalid character(s) found in {part} {}", quote(.text))]
    Characters { part: &'static str, text: String },
    #[error("{part} must not contain leading zeroes {}", quote(.text))]
    LeadingZeroes { part: &'static str, text: String },
    #[error("strconv.ParseUint: parsing {}: {reason}", quote(.text))]
    Number { text: String, reason: &'static str },
    #[error("Prerelease is empty")]
    EmptyPrerelease,
    #[error("Build meta data is empty")]
    EmptyBuild,
    #[error("short version cannot contain PreRelease/Build meta data")]
    ShortWithExtras,
}

/// A version. The build metadata is checked and dropped: it counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: Prerelease,
}

/// The parts of a pre-release version; without any, the version is the later one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prerelease(Vec<Identifier>);

impl Ord for Prerelease {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.is_empty().cmp(&other.0.is_empty()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Prerelease {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A part of a pre-release version; numbers come before names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Name(String),
}

impl Version {
    fn parse(text: &str, normalize: bool) -> Result<Self, VersionError> {
        if normalize { Self::parse_strictly(&normalized(text)?) } else { Self::parse_strictly(text) }
    }

    fn parse_strictly(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VersionError::Parts);
        };
        let major = number(major, "major number", "Major number")?;
        let minor = number(minor, "minor number", "Minor number")?;
        let (rest, build) = split_at_first(rest, '+');
        let (patch, prerelease) = split_at_first(rest, '-');
        let patch = number(patch, "patch number", "Patch number")?;
        let identifiers = prerelease.into_iter().flat_map(|text| text.split('.'));
        let prerelease = Prerelease(identifiers.map(identifier).collect::<Result<_, _>>()?);
        build.into_iter().flat_map(|text| text.split('.')).try_for_each(check_build)?;
        Ok(Self { major, minor, patch, prerelease })
    }
}

fn split_at_first(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn number(text: &str, part: &'static str, capitalized: &'static str) -> Result<u64, VersionError> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(VersionError::Characters { part, text: String::from(text) });
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(VersionError::LeadingZeroes { part: capitalized, text: String::from(text) });
    }
    let reason = if text.is_empty() { "invalid syntax" } else { "value out of range" };
    text.parse().map_err(|_| VersionError::Number { text: String::from(text), reason })
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

fn identifier(text: &str) -> Result<Identifier, VersionError> {
    match text {
        "" => Err(VersionError::EmptyPrerelease),
        _ if text.bytes().all(|octet| octet.is_ascii_digit()) => {
            number(text, "prerelease", "Numeric PreRelease version").map(Identifier::Number)
        }
        _ if is_name(text) => Ok(Identifier::Name(String::from(text))),
        _ => Err(VersionError::Characters { part: "prerelease", text: String::from(text) }),
    }
}

fn check_build(text: &str) -> Result<(), VersionError> {
    match text {
        "" => Err(VersionError::EmptyBuild),
        _ if is_name(text) => Ok(()),
        _ => Err(VersionError::Characters { part: "build meta data", text: String::from(text) }),
    }
}

/// Without a `v` in front, without leading zeros, and with minor and patch numbers.
fn normalized(text: &str) -> Result<String, VersionError> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_leading_zeros).collect();
    let is_short = parts.len() < 3;
    if is_short && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
        return Err(VersionError::ShortWithExtras);
    }
    parts.resize(3, String::from("0"));
    Ok(parts.join("."))
}

fn without_leading_zeros(part: &str) -> String {
    let rest = if part.len() > 1 { part.trim_start_matches('0') } else { part };
    if part.len() > 1 && !rest.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("0{rest}");
    }
    String::from(rest)
}

impl Opaque for Version {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        same_kind(other).map(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let all = parsers().into_iter().chain(accessors()).chain(comparisons());
    all.map(|overload| overload.since(SINCE)).collect()
}

fn version() -> Type {
    Type::opaque(NAME)
}

fn parsers() -> [Overload; 4] {
    let with_flag = || vec![Type::String, Type::Bool];
    [
        Overload::global("semver", "string_to_semver", vec![Type::String], version(), parse),
        Overload::global("semver", "string_bool_to_semver", with_flag(), version(), parse),
        Overload::global("isSemver", "is_semver_string", vec![Type::String], Type::Bool, is_version),
        Overload::global("isSemver", "is_semver_string_bool", with_flag(), Type::Bool, is_version),
    ]
    .map(|overload| overload.cost(cost::first_argument))
}

fn accessors() -> [Overload; 3] {
    [
        Overload::member("major", "semver_major", vec![version()], Type::Int, major),
        Overload::member("minor", "semver_minor", vec![version()], Type::Int, minor),
        Overload::member("patch", "semver_patch", vec![version()], Type::Int, patch),
    ]
}

fn comparisons() -> [Overload; 3] {
    let operands = || vec![version(), version()];
    [
        Overload::member("isGreaterThan", "semver_is_greater_than", operands(), Type::Bool, is_greater_than),
        Overload::member("isLessThan", "semver_is_less_than", operands(), Type::Bool, is_less_than),
        Overload::member("compareTo", "semver_compare_to", operands(), Type::Int, compare_to),
    ]
}

fn parsed(arguments: &[Value<'_>]) -> Result<Result<Version, VersionError>, EvalError> {
    let normalize = arguments.get(1).map_or(Ok(false), Value::as_bool)?;
    Ok(Version::parse(text_argument(arguments, 0)?, normalize))
}

fn operand<'v>(arguments: &'v [Value<'_>], index: usize) -> Result<&'v Version, EvalError> {
    arguments.get(index).ok_or_else(EvalError::no_such_overload)?.downcast()
}

fn parse<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    parsed(arguments)?.map(Value::opaque).map_err(|error| EvalError::new(error.to_string()))
}

fn is_version<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Bool(parsed(arguments)?.is_ok()))
}

/// Numbers beyond the signed range wrap, as on the server.
fn wrapped<'a>(number: u64) -> Value<'a> {
    Value::Int(number.cast_signed())
}

fn major<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|version| wrapped(version.major))
}

fn minor<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|version| wrapped(version.minor))
}

fn patch<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|version| wrapped(version.patch))
}

fn compare(arguments: &[Value<'_>]) -> Result<Ordering, EvalError> {
    Ok(operand(arguments, 0)?.cmp(operand(arguments, 1)?))
}

fn is_greater_than<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Bool(order.is_gt()))
}

fn is_less_than<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Bool(order.is_lt()))
}

fn compare_to<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Int(order as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &[(&str, bool, &str)] = &[
        ("", false, "Version string empty"),
        ("1.2", false, "No Major.Minor.Patch elements found"),
        ("a.1.1", false, r#"Invalid character(s) found in major number "a""#),
        ("01.1.1", false, r#"Major number must not contain leading zeroes "01""#),
        ("1.a.1", false, r#"Invalid character(s) found in minor number "a""#),
        ("1.01.1", false, r#"Minor number must not contain leading zeroes "01""#),
        ("1.1.01", false, r#"Patch number must not contain leading zeroes "01""#),
        ("1.1.a", false, r#"Invalid character(s) found in patch number "a""#),
        ("1.1.", false, r#"strconv.ParseUint: parsing "": invalid syntax"#),
        ("99999999999999999999.1.1", false, r#"strconv.ParseUint: parsing "99999999999999999999": value out of range"#),
        ("1.1.1-", false, "Prerelease is empty"),
        ("1.1.1-01", false, r#"Numeric PreRelease version must not contain leading zeroes "01""#),
        ("1.1.1-é", false, r#"Invalid character(s) found in prerelease "é""#),
        ("1.1.1+", false, "Build meta data is empty"),
        ("1.1.1+é", false, r#"Invalid character(s) found in build meta data "é""#),
        ("1-pre", true, "short version cannot contain PreRelease/Build meta data"),
        ("", true, "strconv.ParseUint: parsing \"\": invalid syntax"),
    ];

    #[test]
    fn refusals_name_the_part() {
        for (text, normalize, expected) in REFUSED {
            let error = Version::parse(text, *normalize).expect_err(text);
            assert_eq!(error.to_string(), *expected, "{text:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_precedence() {
        let ascending = [
            "0.9.9",
            "1.0.0-1",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "18446744073709551615.0.0",
        ];
        let versions = ascending.map(|text| Version::parse(text, false).unwrap());
        assert!(versions.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn build_metadata_counts_for_nothing() {
        let parse = |text| Version::parse(text, false).unwrap();
        assert_eq!(parse("1.2.3").equals(&parse("1.2.3+build")), Ok(true));
        assert_eq!(parse("1.2.3").equals(&parse("1.2.3-build")), Ok(false));
    }

    #[test]
    fn normalization_fills_and_trims() {
        let cases =
            [("v1.2", "1.2.0"), ("01.02.03", "1.2.3"), ("0.0.00", "0.0.0"), ("v1", "1.0.0"), ("1.0.00-x", "1.0.0-x")];
        for (text, expected) in cases {
            assert_eq!(Version::parse(text, true), Version::parse(expected, false), "{text}");
        }
    }

    #[test]
    fn numbers_beyond_the_signed_range_wrap() {
        let version = Value::opaque(Version::parse("18446744073709551615.0.0", false).unwrap());
        assert!(matches!(major(&[version]), Ok(Value::Int(-1))));
    }
}
