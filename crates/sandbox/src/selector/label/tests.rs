use super::*;
use serde_json::json;

#[test]
fn selects() {
    let labels = json!({"a": "b", "n": "5", "e": "", "in": "in", "x.io/y": "z"});
    let cases = [
        ("", true),
        (" ", true),
        ("a", true),
        ("zz", false),
        ("!zz", true),
        ("! a", false),
        ("a=b", true),
        ("a==b", true),
        ("a = c", false),
        ("a!=b", false),
        ("zz!=b", true),
        ("a in (c, b)", true),
        ("a in (c)", false),
        ("zz in (c)", false),
        ("a notin (c)", true),
        ("a notin (b)", false),
        ("zz notin ()", true),
        ("e=", true),
        ("e in (,x)", true),
        ("e in ()", true),
        ("e in (x,,y)", true),
        ("in in (in,notin)", true),
        ("n>4,n<6", true),
        ("n>5", false),
        ("a>4", false),
        ("zz<4", false),
        ("x.io/y=z,a=b", true),
        ("a=b,n=6", false),
    ];
    for (text, expected) in cases {
        let selector = LabelSelector::parse(text).unwrap();
        assert_eq!(selector.matches(labels.as_object()), expected, "{text}");
        assert_eq!(selector.is_empty(), text.trim().is_empty());
    }
    assert!(LabelSelector::parse("!a").unwrap().matches(None));
}

#[test]
fn refusals() {
    let cases = [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("x ! y", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"),
        ("x=a b", "found 'b', expected: ',' or 'end of string'"),
        ("!x=1", "found '=', expected: ',' or 'end of string'"),
        ("x in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("x in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("x in (a,", "unable to parse requirement: found '', expected: ',', or identifier"),
        ("x in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("x in a", "unable to parse requirement: found 'a' expected: '('"),
        ("x,", "found '', expected: identifier after ','"),
        (",x", "found ',', expected: !, identifier, or 'end of string'"),
        ("=!(", "found '=', expected: !, identifier, or 'end of string'"),
        ("(x)", "found '(', expected: !, identifier, or 'end of string'"),
        ("x=!", "unable to parse requirement: found '!', expected: identifier"),
        ("x<=1", "unable to parse requirement: found '=', expected: identifier"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a\0b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("!\0!", "unable to parse requirement: found '!', expected: identifier"),
        (
            "x>a",
            "unable to parse requirement: values[0]: Invalid value: \"a\": \
             for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        (
            "A_/x=1",
            "unable to parse requirement: <nil>: Invalid value: \"A_/x\": prefix part a lowercase RFC 1123 subdomain \
             must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
             alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(LabelSelector::parse(text).unwrap_err(), expected, "{text}");
    }
    let rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
                start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
                for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    let expected = format!(
        "unable to parse requirement: [values[0][x]: Invalid value: \"a$\": {rule}, values[1][x]: Invalid value: \"b%\": {rule}]"
    );
    assert_eq!(LabelSelector::parse("x in (b%,a$),y").unwrap_err(), expected);
}
