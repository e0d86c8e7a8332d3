//! What the query of a list or watch asks for.

use admission::{FieldError, FieldPath};

use crate::failure::Failure;

/// The options of lists and watches (`ListOptions` in `staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// How many objects a page has at most; 0 and less for all of them.
    pub limit: i64,
    /// From where the list goes on; empty for the start.
    pub continue_: String,
    /// The resource version that is asked for, as it came.
    pub resource_version: String,
    /// How the resource version is meant: empty, `Exact` or `NotOlderThan`.
    pub resource_version_match: String,
    /// Which labels objects have, as it came.
    pub label_selector: String,
    /// Which fields objects have, as it came.
    pub field_selector: String,
    /// Whether this is a watch.
    pub watch: bool,
    /// Whether the watcher wants bookmarks.
    pub allow_watch_bookmarks: bool,
    /// Whether a watch begins with what there is.
    pub send_initial_events: Option<bool>,
    /// After how many seconds a watch ends. `None`, also for 0, is the server's choice; less than 0 ends it at once, as
    /// `Some(0)` does.
    pub timeout_seconds: Option<u64>,
}

impl ListOptions {
    /// Reads the query of a list or watch as kube-apiserver 1.36 does, where watches can begin with a list. Of a name
    /// that comes twice the first counts.
    ///
    /// # Errors
    /// 400 for what is no number, 422 for what does not go together, 500 for a watch from what is no resource version.
    pub fn parse(query: &[(String, String)]) -> Result<Self, Failure> {
        Self::parse_for(query, true)
    }

    /// Reads the query of a list or watch for a server that lets watches begin with a list (feature `WatchList`: on in
    /// 1.32, and from 1.34), or does not.
    ///
    /// # Errors
    /// As those of [`ListOptions::parse`].
    pub fn parse_for(query: &[(String, String)], watch_list: bool) -> Result<Self, Failure> {
        let mut options = Self::read(query)?;
        if watch_list {
            options.set_defaults();
        }
        let errors = if options.watch { options.watch_errors(watch_list) } else { options.list_errors() };
        if !errors.is_empty() {
            return Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &errors));
        }
        if options.watch {
            options.revision().map_err(Failure::internal)?;
        }
        Ok(options)
    }

    /// Reads the query of a GET of one object, of which the resource version alone counts (`GetOptions`).
    #[must_use]
    pub fn of_one(query: &[(String, String)]) -> Self {
        let resource_version = first(query, "resourceVersion").unwrap_or_default().to_owned();
        Self { resource_version, ..Self::default() }
    }

    /// The revision that is asked for; 0 for none.
    ///
    /// # Errors
    /// The text that the server's messages end in (`ParseResourceVersion` in
    /// `staging/src/k8s.io/apiserver/pkg/storage/api_object_versioner.go`).
    pub fn revision(&self) -> Result<u64, String> {
        if self.resource_version.is_empty() {
            return Ok(0);
        }
        let complain = |why| {
            let detail = not_a_number("ParseUint", &self.resource_version, why);
            FieldError::invalid(&FieldPath::root("resourceVersion"), &self.resource_version, detail).to_string()
        };
        let digits = digits(&self.resource_version).ok_or_else(|| complain(SYNTAX))?;
        digits.parse().map_err(|_| complain(RANGE))
    }

    /// Whether there is no condition on objects.
    #[must_use]
    pub fn selects_all(&self) -> bool {
        self.label_selector.trim().is_empty() && self.field_selector.split(',').all(str::is_empty)
    }

    /// Whether the field selector leaves one name. Such a list is read like one object and has no pages
    /// (`ListPredicate` in `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go`).
    pub(super) fn selects_one(&self) -> bool {
        let one = |term: &str| term.strip_prefix("metadata.name=").is_some_and(|name| !matches!(name, "" | "="));
        self.continue_.is_empty() && self.field_selector.split(',').any(one)
    }

    fn read(query: &[(String, String)]) -> Result<Self, Failure> {
        let text = |name| first(query, name).unwrap_or_default().to_owned();
        let flag = |name| first(query, name).map(is_true);
        let number = |name| first(query, name).map(integer).transpose().map_err(Failure::bad_request);
        let timeout = number("timeoutSeconds")?.filter(|seconds| *seconds != 0);
        Ok(Self {
            limit: number("limit")?.unwrap_or_default(),
            continue_: text("continue"),
            resource_version: text("resourceVersion"),
            resource_version_match: text("resourceVersionMatch"),
            label_selector: text("labelSelector"),
            field_selector: text("fieldSelector"),
            watch: flag("watch").unwrap_or_default(),
            allow_watch_bookmarks: flag("allowWatchBookmarks").unwrap_or_default(),
            send_initial_events: flag("sendInitialEvents"),
            timeout_seconds: timeout.map(|seconds| u64::try_from(seconds).unwrap_or_default()),
        })
    }

    /// A watch from nowhere begins with what there is
    /// (`SetListOptionsDefaults` in `staging/src/k8s.io/apimachinery/pkg/apis/meta/internalversion/defaults.go`).
    fn set_defaults(&mut self) {
        let said = self.send_initial_events.is_some() || !self.resource_version_match.is_empty();
        if self.watch && !said && matches!(self.resource_version.as_str(), "" | "0") {
            self.send_initial_events = Some(true);
            NOT_OLDER.clone_into(&mut self.resource_version_match);
        }
    }

    /// `ValidateListOptions` in `staging/src/k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go`.
    fn list_errors(&self) -> Vec<FieldError> {
        let how = self.resource_version_match.as_str();
        let known = matches!(how, "Exact" | NOT_OLDER);
        let wrong = !how.is_empty();
        let rules = [
            (
                wrong && self.resource_version.is_empty(),
                match_forbidden("is forbidden unless resourceVersion is provided"),
            ),
            (wrong && !self.continue_.is_empty(), match_forbidden(WITH_CONTINUE)),
            (wrong && !known, match_not_supported(how, &["Exact", NOT_OLDER, ""])),
            (
                how == "Exact" && self.resource_version == "0",
                match_forbidden("\"exact\" is forbidden for resourceVersion \"0\""),
            ),
            (self.send_initial_events.is_some(), initial_forbidden("is forbidden for list")),
        ];
        broken(rules)
    }

    /// `validateWatchOptions`, there.
    fn watch_errors(&self, watch_list: bool) -> Vec<FieldError> {
        let how = self.resource_version_match.as_str();
        let (initial, wrong) = (self.send_initial_events.is_some(), !how.is_empty());
        let requires = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let rules = [
            (initial && how != NOT_OLDER, FieldError::forbidden(&match_path(), requires)),
            (
                initial && !watch_list,
                initial_forbidden("is forbidden for watch unless the WatchList feature gate is enabled"),
            ),
            (wrong && !initial, match_forbidden("is forbidden for watch unless sendInitialEvents is provided")),
            (wrong && how != NOT_OLDER, match_not_supported(how, &[NOT_OLDER])),
            (wrong && !self.continue_.is_empty(), match_forbidden(WITH_CONTINUE)),
        ];
        broken(rules)
    }
}

const NOT_OLDER: &str = "NotOlderThan";
const WITH_CONTINUE: &str = "is forbidden when continue is provided";
const SYNTAX: &str = "invalid syntax";
const RANGE: &str = "value out of range";

fn broken<const N: usize>(rules: [(bool, FieldError); N]) -> Vec<FieldError> {
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, error)| error).collect()
}

fn match_path() -> FieldPath {
    FieldPath::root("resourceVersionMatch")
}

fn match_forbidden(why: &str) -> FieldError {
    FieldError::forbidden(&match_path(), &format!("resourceVersionMatch {why}"))
}

fn match_not_supported(value: &str, supported: &[&str]) -> FieldError {
    FieldError::not_supported(&match_path(), value, supported)
}

fn initial_forbidden(why: &str) -> FieldError {
    FieldError::forbidden(&FieldPath::root("sendInitialEvents"), &format!("sendInitialEvents {why}"))
}

fn first<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// All but `0` and `false` is true, even nothing
/// (`Convert_Slice_string_To_bool` in `staging/src/k8s.io/apimachinery/pkg/runtime/conversion.go`).
fn is_true(text: &str) -> bool {
    text != "0" && !text.eq_ignore_ascii_case("false")
}

/// Go's `strconv.ParseInt` of 64 bits.
fn integer(text: &str) -> Result<i64, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits(unsigned).ok_or_else(|| not_a_number("ParseInt", text, SYNTAX))?;
    text.parse().map_err(|_| not_a_number("ParseInt", text, RANGE))
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())).then_some(text)
}

fn not_a_number(function: &str, text: &str, why: &str) -> String {
    format!("strconv.{function}: parsing {}: {why}", quoted(text))
}

/// A text as Go's `%q` has it, which is how field errors have it.
fn quoted(text: &str) -> String {
    let body = FieldError::duplicate(&FieldPath::default(), text).body();
    body.strip_prefix("Duplicate value: ").unwrap_or(&body).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Vec<(String, String)> {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.to_owned(), value.to_owned())
        };
        text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
    }

    const INVALID: &str = "ListOptions.meta.k8s.io \"\" is invalid: ";

    #[test]
    fn refusals_are_the_servers() {
        let table = [
            ("limit=abc", 400, r#"strconv.ParseInt: parsing "abc": invalid syntax"#),
            ("limit=", 400, r#"strconv.ParseInt: parsing "": invalid syntax"#),
            ("limit=+", 400, r#"strconv.ParseInt: parsing "+": invalid syntax"#),
            ("limit=1_0", 400, r#"strconv.ParseInt: parsing "1_0": invalid syntax"#),
            (
                "limit=99999999999999999999",
                400,
                r#"strconv.ParseInt: parsing "99999999999999999999": value out of range"#,
            ),
            ("timeoutSeconds=x&limit=y", 400, r#"strconv.ParseInt: parsing "x": invalid syntax"#),
            (
                "watch=1&resourceVersion=abc",
                500,
                r#"resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax"#,
            ),
            (
                "watch=1&resourceVersion=99999999999999999999",
                500,
                r#"resourceVersion: Invalid value: "99999999999999999999": strconv.ParseUint: parsing "99999999999999999999": value out of range"#,
            ),
        ];
        for (text, code, expected) in table {
            let failure = ListOptions::parse(&query(text)).expect_err(text);
            assert_eq!((failure.code, failure.message.as_str()), (code, expected));
        }
    }

    #[test]
    fn contradictions_are_the_servers() {
        let table = [
            (
                "resourceVersionMatch=Exact",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersionMatch=Exact&resourceVersion=0",
                r#"resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0""#,
            ),
            (
                "resourceVersionMatch=Foo&resourceVersion=1",
                r#"resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", """#,
            ),
            (
                "resourceVersionMatch=Foo",
                r#"[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", ""]"#,
            ),
            (
                "continue=x&resourceVersionMatch=Exact&resourceVersion=3",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
            ("sendInitialEvents=true", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
            (
                "watch=1&sendInitialEvents=true",
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "watch=1&resourceVersionMatch=NotOlderThan",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
            (
                "watch=1&resourceVersionMatch=Exact",
                r#"[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]"#,
            ),
            (
                "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact",
                r#"[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]"#,
            ),
            (
                "watch=1&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&continue=x",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
        ];
        for (text, expected) in table {
            let failure = ListOptions::parse(&query(text)).expect_err(text);
            assert_eq!((failure.code, failure.message), (422, format!("{INVALID}{expected}")));
        }
    }

    #[test]
    fn older_servers_have_no_initial_events() {
        let text = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
        let failure = ListOptions::parse_for(&query(text), false).expect_err(text);
        let why = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        assert_eq!(failure.message, format!("{INVALID}{why}"));
        assert_eq!(ListOptions::parse_for(&query("watch=1"), false).map(|o| o.send_initial_events), Ok(None));
        assert_eq!(
            ListOptions::parse(&query("watch=1&resourceVersion=0")).map(|o| o.send_initial_events),
            Ok(Some(true))
        );
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let text =
            "watch=&limit=+5&limit=6&timeoutSeconds=-1&allowWatchBookmarks=False&labelSelector=a&resourceVersion=7";
        let options = ListOptions::parse(&query(text)).expect(text);
        let expected = ListOptions {
            watch: true,
            limit: 5,
            timeout_seconds: Some(0),
            label_selector: "a".to_owned(),
            resource_version: "7".to_owned(),
            ..ListOptions::default()
        };
        assert_eq!(options, expected);
        assert_eq!(ListOptions::parse(&query("timeoutSeconds=0")), Ok(ListOptions::default()));
        assert!(ListOptions::parse(&query("watch=0&resourceVersion=abc")).is_ok(), "lists say it later");
    }
}
