//! Reading recorded reviews: formats, broken input, limits.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built fails its test")]

use admission::{ReviewProblem, reviews};
use proptest::prelude::*;

const REQUEST: &str = r#"{"uid":"u","kind":{"group":"","version":"v1","kind":"Node"},"resource":{"group":"","version":"v1","resource":"nodes"},"name":"NAME","operation":"UPDATE","userInfo":{"username":"me"},"object":{"a":1},"oldObject":{"a":2}}"#;

fn request(name: &str) -> String {
    REQUEST.replace("NAME", name)
}

fn review(name: &str) -> String {
    format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}}"#, request(name))
}

fn pretty(json: &str) -> String {
    serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

/// What came out: `name@line` for a review, `!line: text` for an error.
fn read(input: &str) -> Vec<String> {
    let items = reviews(input.as_bytes()).enumerate();
    items
        .map(|(place, item)| match item {
            Ok(review) => {
                assert_eq!(review.index, place);
                format!("{}@{}", review.request.name, review.line)
            }
            Err(error) => {
                assert_eq!(error.index, place);
                format!("!{}: {}", error.line, error.problem)
            }
        })
        .collect()
}

#[test]
fn formats() {
    let (a, b, c) = (review("a"), review("b"), review("c"));
    let tall = pretty(&a);
    let next = tall.lines().count() + 1;
    let cases = [
        ("one", a.clone(), vec!["a@1".to_owned()]),
        ("byte order mark", format!("\u{feff}{a}"), vec!["a@1".into()]),
        ("lines", format!("{a}\n{b}\n\n{c}\n"), vec!["a@1".into(), "b@2".into(), "c@4".into()]),
        ("carriage returns", format!("{a}\r\n{b}\r\n"), vec!["a@1".into(), "b@2".into()]),
        ("concatenated", format!("{a}{b} {c}"), vec!["a@1".into(), "b@1".into(), "c@1".into()]),
        ("pretty", format!("{tall}\n{b}"), vec!["a@1".into(), format!("b@{next}")]),
        ("array", format!("[\n{a},\n{b}\n]\n{c}"), vec!["a@2".into(), "b@3".into(), "c@5".into()]),
        ("array in array", format!("[[{a}],{b}]"), vec!["a@1".into(), "b@1".into()]),
        (
            "list",
            format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{a},\n{b}]}}\n{c}"),
            vec!["a@1".into(), "b@2".into(), "c@3".into()],
        ),
        ("list of reviews", format!("{{\"items\":[{a}],\"kind\":\"AdmissionReviewList\"}}"), vec!["a@1".into()]),
        (
            "yaml",
            format!("# recorded\nkind: AdmissionReview\napiVersion: admission.k8s.io/v1\nrequest: {}\n", request("a")),
            vec!["a@1".into()],
        ),
        ("yaml documents", format!("---\n{a}\n---\n# nothing\n---\n{b}\n...\n"), vec!["a@2".into(), "b@6".into()]),
        ("yaml list", format!("- {a}\n- {b}\n"), vec!["a@1".into(), "b@1".into()]),
    ];
    for (name, input, expected) in cases {
        assert_eq!(read(&input), expected, "{name}");
    }
}

#[test]
fn what_stands_beside_a_review_is_kept() {
    let line = format!(r#"{{"description":"d","kind":"legitimate","review":{},"n":[1]}}"#, review("a"));
    let found = reviews(line.as_bytes()).next().unwrap().unwrap();
    assert_eq!(
        serde_json::Value::Object(found.extra),
        serde_json::json!({"description": "d", "kind": "legitimate", "n": [1]})
    );
    assert_eq!(found.request.name, "a");
}

#[test]
fn the_other_inputs_are_still_read() {
    let (a, b) = (review("a"), review("b"));
    let tall = pretty(&a).replace("\"name\": \"a\",", "\"name\": \"a\"");
    let cases = [
        (format!("{a}\n{{\"kind\":}}\n{b}"), "!2: broken JSON: expected a value"),
        (format!("{a}\n{{\"kind\":\"x\"\n{b}"), "!2: broken JSON: the input ends within a value"),
        (format!("{a}\n{{\"kind\":\"x\n{b}"), "!2: broken JSON: a line ends within a string"),
        (
            format!("{a}\n{{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}}\n{b}"),
            "!2: not an AdmissionReview: it is a \"Pod\" of \"v1\"",
        ),
        (format!("{a}\noops\n{b}"), "!2: not an AdmissionReview: it is no object"),
        (format!("[{a},\n17,\n{b}]"), "!2: not an AdmissionReview: it is no object"),
        (format!("[{a},\n{{\"kind\":}},\n{b}]"), "!2: broken JSON: expected a value"),
        (format!("[{a},\n{{}}{{}}]\n{b}"), ""),
        (format!("{a}\n{tall}\n{b}"), ""),
        (format!("---\n{a}\n---\na: [\n---\n{b}"), ""),
    ];
    for (input, error) in cases {
        let found = read(&input);
        assert!(found.first().is_some_and(|first| first.starts_with("a@")), "{input}: {found:?}");
        assert!(found.last().is_some_and(|last| last.starts_with("b@")), "{input}: {found:?}");
        assert!(
            found.iter().any(|item| item.starts_with('!') && (error.is_empty() || item == error)),
            "{input}: {found:?}"
        );
    }
}

#[test]
fn a_syntax_error_names_its_line_in_the_input() {
    let tall = pretty(&review("a"));
    let missing_comma = tall.replacen("\"name\": \"a\",", "\"name\": \"a\"", 1);
    let line = tall.lines().position(|line| line.contains("\"name\"")).unwrap() + 1;
    let found = read(&format!("{}\n{missing_comma}", review("b")));
    assert_eq!(found[0], "b@1");
    assert!(found[1].starts_with(&format!("!{}: broken JSON", line + 2)), "{found:?}");
}

#[test]
fn errors() {
    let with = |from: &str, to: &str| {
        let text = review("a").replace(from, to);
        assert_ne!(text, review("a"), "{from}");
        text
    };
    let deep = with(r#"{"a":1}"#, &format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)));
    let deep_yaml = format!("a: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        (String::new(), "!1: no AdmissionReview in the input"),
        (" \n".to_owned(), "!1: no AdmissionReview in the input"),
        ("---\n# a\n---\n".to_owned(), "!1: no AdmissionReview in the input"),
        ("[]".to_owned(), "!1: no AdmissionReview in the input"),
        ("hello".to_owned(), "!1: not an AdmissionReview: it is no object"),
        ("{}".to_owned(), "!1: not an AdmissionReview: it has no kind"),
        (with("AdmissionReview", "Pod"), "!1: not an AdmissionReview: it is a \"Pod\" of \"admission.k8s.io/v1\""),
        (with("admission.k8s.io/v1", "v1"), "!1: not an AdmissionReview: it is a \"AdmissionReview\" of \"v1\""),
        (
            with("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
            "!1: AdmissionReview of version \"admission.k8s.io/v1beta1\", known is \"admission.k8s.io/v1\"",
        ),
        (with("\"request\"", "\"response\""), "!1: the AdmissionReview has no request"),
        (review("a").replace(&request("a"), "null"), "!1: the AdmissionReview has no request"),
        (with(r#""operation":"UPDATE","#, ""), "!1: request: missing field `operation`"),
        (
            with("UPDATE", "PATCH"),
            "!1: request: unknown variant `PATCH`, expected one of `CREATE`, `UPDATE`, `DELETE`, `CONNECT`",
        ),
        (with(r#","oldObject":{"a":2}"#, ""), "!1: request.oldObject is missing, which UPDATE brings"),
        (with(r#"{"a":1}"#, "null"), "!1: request.object is missing, which UPDATE brings"),
        (with(r#"{"a":1}"#, "[]"), "!1: request.object is not an object"),
        (
            with("UPDATE", "DELETE").replace(r#""oldObject":{"a":2}"#, r#""oldObject":null"#),
            "!1: request.oldObject is missing, which DELETE brings",
        ),
        (with("\"resource\":\"nodes\"", "\"resource\":\"\""), "!1: request.resource.resource is empty"),
        (deep, "!1: nested more than 128 levels deep"),
        ("{\"a\":1".to_owned(), "!1: broken JSON: the input ends within a value"),
    ];
    for (input, expected) in cases {
        assert_eq!(read(&input), [expected], "{input:.200}");
    }
    assert!(matches!(read(&deep_yaml).as_slice(), [one] if one.starts_with("!1: broken YAML")));
    let invalid = reviews(b"a: b\nc: \xff\n").next().unwrap().unwrap_err();
    assert_eq!((invalid.line, invalid.problem), (2, ReviewProblem::Encoding));
}

#[test]
fn operations_need_their_objects() {
    for (operation, object, old, fine) in [
        ("CREATE", true, false, true),
        ("CREATE", false, true, false),
        ("UPDATE", true, true, true),
        ("UPDATE", true, false, false),
        ("DELETE", false, true, true),
        ("DELETE", true, false, false),
        ("CONNECT", false, false, true),
    ] {
        let mut text = review("a").replace("UPDATE", operation);
        if !object {
            text = text.replace(r#","object":{"a":1}"#, "");
        }
        if !old {
            text = text.replace(r#","oldObject":{"a":2}"#, "");
        }
        assert_eq!(reviews(text.as_bytes()).next().unwrap().is_ok(), fine, "{operation} {object} {old}");
    }
}

/// Many broken lines in a row cost no more than a look at each of them and its near neighbours.
#[test]
fn many_broken_lines() {
    let input = "{\"a\":[\n".repeat(20_000);
    assert_eq!(reviews(input.as_bytes()).filter(Result::is_err).count(), 20_000);
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(reviews(&bytes).count() > 0);
    }

    #[test]
    fn any_mixture_of_pieces_is_read_to_the_end(
        pieces in proptest::collection::vec(prop_oneof![
            Just("{".to_owned()), Just("}".to_owned()), Just("[".to_owned()), Just("]".to_owned()),
            Just("\"".to_owned()), Just("\\".to_owned()), Just(",".to_owned()), Just(":".to_owned()),
            Just("\n".to_owned()), Just("---\n".to_owned()), Just("\"items\":".to_owned()),
            Just("\"kind\":\"List\"".to_owned()), Just("\"review\":".to_owned()), Just(review("a")),
        ], 0..40)
    ) {
        let input = pieces.concat();
        let count = reviews(input.as_bytes()).count();
        prop_assert!(count > 0 && count <= input.len() + 1);
    }

    #[test]
    fn a_review_with_one_changed_byte_is_read_or_refused(at in 0_usize..300, byte in any::<u8>()) {
        let mut input = review("a").into_bytes();
        let at = at % input.len();
        input[at] = byte;
        prop_assert!(reviews(&input).count() > 0);
    }
}
