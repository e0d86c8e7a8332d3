use super::*;
use crate::patch::limits::MAX_DEPTH;
use serde_json::json;

const REJECTED: &str = "the server rejected our request due to an error in our request";

fn ok(operations: Value, target: &Value, expected: &Value) {
    let result = apply(operations.to_string().as_bytes(), target);
    assert_eq!(result.as_ref(), Ok(expected), "{operations} on {target}");
}

#[test]
fn applies() {
    let cases = [
        (json!([]), json!({"a": 1}), json!({"a": 1})),
        (json!([{"op": "add", "path": "/a", "value": {"x": 1}}]), json!({"a": {"y": 2}}), json!({"a": {"x": 1}})),
        (json!([{"op": "add", "path": "/a"}]), json!({}), json!({"a": null})),
        (json!([{"op": "add", "path": "/a/-", "value": 3}]), json!({"a": [1]}), json!({"a": [1, 3]})),
        (json!([{"op": "add", "path": "/a/-1", "value": 3}]), json!({"a": [1]}), json!({"a": [1, 3]})),
        (json!([{"op": "add", "path": "/a/-2", "value": 3}]), json!({"a": [1]}), json!({"a": [3, 1]})),
        (json!([{"op": "add", "path": "/a/+00", "value": 3}]), json!({"a": [1]}), json!({"a": [3, 1]})),
        (json!([{"op": "add", "path": "/", "value": 3}]), json!({}), json!({"": 3})),
        (json!([{"op": "add", "path": "zz/b", "value": 3}]), json!({}), json!({"b": 3})),
        (json!([{"op": "add", "path": "/a~1b~0c~01~2", "value": 3}]), json!({}), json!({"a/b~c~1~2": 3})),
        (json!([{"op": "remove", "path": "/a"}]), json!({"a": null, "b": 1}), json!({"b": 1})),
        (json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1, 2]}), json!({"a": [1]})),
        (json!([{"op": "replace", "path": "/a", "value": 1}]), json!({}), json!({"a": 1})),
        (json!([{"op": "replace", "path": "/a/-1", "value": 9}]), json!({"a": [1, 2]}), json!({"a": [1, 9]})),
        (json!([{"op": "replace", "path": "", "value": {"b": 1}}]), json!({"a": 1}), json!({"b": 1})),
        (json!([{"op": "replace", "path": "", "value": [1]}]), json!({"a": 1}), json!([1])),
        (json!([{"op": "move", "from": "/a", "path": "/b"}]), json!({"a": {"x": 1}}), json!({"b": {"x": 1}})),
        (json!([{"op": "move", "from": "/a/0", "path": "/a/-"}]), json!({"a": [1, 2]}), json!({"a": [2, 1]})),
        (json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({}), json!({"b": null})),
        (
            json!([{"op": "copy", "from": "/a", "path": "/a/b"}]),
            json!({"a": {"x": 1}}),
            json!({"a": {"x": 1, "b": {"x": 1}}}),
        ),
        (json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": "<é\n"}), json!({"a": "<é\n", "b": "<é\n"})),
        (json!([{"op": "test", "path": "/a", "value": null}]), json!({}), json!({})),
        (json!([{"op": "test", "path": "/a"}]), json!({}), json!({})),
        (
            json!([{"op": "test", "path": "", "value": {"a": [1, {"b": null}]}}]),
            json!({"a": [1, {"b": null}]}),
            json!({"a": [1, {"b": null}]}),
        ),
        (
            json!([{"op": "add", "path": "/a", "value": null}, {"op": "test", "path": "/a", "value": null}]),
            json!({}),
            json!({"a": null}),
        ),
    ];
    for (operations, target, expected) in cases {
        ok(operations, &target, &expected);
    }
}

#[test]
fn rejects() {
    let target = json!({"a": 1, "l": [1], "o": {}, "s": "a<b"});
    let cases = [
        json!([{"op": "add", "path": "", "value": {}}]),
        json!([{"op": "add", "value": 1}]),
        json!([{"op": "add", "path": "abc", "value": 1}]),
        json!([{"op": "add", "path": "/x/y", "value": 1}]),
        json!([{"op": "add", "path": "/a/y", "value": 1}]),
        json!([{"op": "add", "path": "/l/2", "value": 1}]),
        json!([{"op": "add", "path": "/l/-3", "value": 1}]),
        json!([{"op": "add", "path": "/l/x", "value": 1}]),
        json!([{"op": "add", "path": "/l/99999999999999999999", "value": 1}]),
        json!([{"op": "remove", "path": "/x"}]),
        json!([{"op": "remove", "path": "/l/1"}]),
        json!([{"op": "remove", "path": "/l/-"}]),
        json!([{"op": "remove", "path": ""}]),
        json!([{"op": "replace", "path": "/l/1", "value": 1}]),
        json!([{"op": "replace", "path": "", "value": "x"}]),
        json!([{"op": "replace", "path": "", "value": null}]),
        json!([{"op": "move", "from": "/x", "path": "/y"}]),
        json!([{"op": "move", "from": "/o", "path": "/o/x"}]),
        json!([{"op": "move", "path": "/y"}]),
        json!([{"op": "copy", "from": "/x/y", "path": "/z"}]),
        json!([{"op": "copy", "from": "/a", "path": "/x/y"}]),
        json!([{"op": "test", "path": "/a", "value": 2}]),
        json!([{"op": "test", "path": "/a", "value": 1.0}]),
        json!([{"op": "test", "path": "/a", "value": "1"}]),
        json!([{"op": "test", "path": "/a"}]),
        json!([{"op": "test", "path": "/x", "value": 1}]),
        json!([{"op": "test", "path": "/s", "value": "a<b"}]),
        json!([{"op": "test", "path": "/l", "value": [1, 2]}]),
        json!([{"op": "frob", "path": "/a"}]),
        json!([{"path": "/a"}]),
        json!([null]),
        json!([{"op": "add", "path": "/n", "value": null}, {"op": "copy", "from": "/n", "path": "/m"}, {"op": "test", "path": "/m", "value": null}]),
    ];
    for operations in cases {
        let failure = apply(operations.to_string().as_bytes(), &target).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (422, REJECTED), "{operations}");
        assert_eq!((failure.reason, failure.details), ("Invalid", Some(serde_json::Map::new())));
    }
}

#[test]
fn compares_texts() {
    let target = json!({"s": "a<b", "f": 2.0, "l": "b"});
    let cases: [(&str, bool); 6] = [
        (r#"{"path": "/s", "value": "a\u003cb"}"#, true),
        (r#"{"path": "/s", "value": "a<b"}"#, false),
        (r#"{"path": "/l", "value": "\u0062"}"#, false),
        (r#"{"path": "/f", "value": 2}"#, true),
        (r#"{"path": "/f", "value": 2.0}"#, false),
        (r#"{"path": "", "value": { "l" : "b", "f": 2, "s": "a\u003cb" }}"#, true),
    ];
    for (test, passes) in cases {
        let body = format!("[{}]", test.replacen('{', r#"{"op": "test", "#, 1));
        assert_eq!(apply(body.as_bytes(), &target).is_ok(), passes, "{body}");
    }
}

#[test]
fn breaks_off_what_the_server_breaks_off() {
    let cases = [
        json!([{"op": "replace", "path": ""}]),
        json!([{"op": "test", "path": ""}]),
        json!([{"op": "add", "path": "/l", "value": [null]}, {"op": "test", "path": "/l", "value": [null]}]),
        json!([{"op": "add", "path": "/n", "value": null}, {"op": "copy", "from": "/n", "path": "/m"}, {"op": "add", "path": "/m/x", "value": 1}]),
    ];
    for operations in cases {
        assert_eq!(apply(operations.to_string().as_bytes(), &json!({})).unwrap_err().code, 500, "{operations}");
    }
}

#[test]
fn undecodable() {
    let cases = [
        ("", "unexpected end of JSON input"),
        ("[{]", "invalid character ']' looking for beginning of object key string"),
        ("{}", "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ("[[]]", "json: cannot unmarshal array into Go value of type handlers.jsonPatchOp"),
        (r#"[{"op":5}]"#, "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
        (r#"[{"path":{}}]"#, "json: cannot unmarshal object into Go struct field jsonPatchOp.path of type string"),
        (
            r#"[{"value":[1e999]}]"#,
            "json: cannot unmarshal number 1e999 into Go struct field jsonPatchOp.value of type float64",
        ),
    ];
    for (body, expected) in cases {
        let failure = apply(body.as_bytes(), &json!({})).unwrap_err();
        assert_eq!((failure.code, failure.message), (400, format!("error decoding patch: {expected}")));
    }
    assert_eq!(apply(b"null", &json!({"a": 1})), Ok(json!({"a": 1})));
}

#[test]
fn complains() {
    let body = br#"[{"op":"test","path":"/a","value":{"x":1,"x":2},"op":"add","Op":1,"foo":1}]"#;
    let expected = [
        r#"json patch duplicate field "[0].value.x""#,
        r#"json patch duplicate field "[0].op""#,
        r#"json patch unknown field "[0].Op""#,
        r#"json patch unknown field "[0].foo""#,
    ];
    let patch = Patch::read(body).unwrap();
    assert_eq!(patch.complaints(), expected);
    assert_eq!(patch.apply(&json!({})), Ok(json!({"a": {"x": 2}})));
}

#[test]
fn limits() {
    let many = |count: usize| format!("[{}]", vec![r#"{"op":"add","path":"/a","value":1}"#; count].join(","));
    assert!(apply(many(10_000).as_bytes(), &json!({})).is_ok());
    let failure = apply(many(10_001).as_bytes(), &json!({})).unwrap_err();
    let text = "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001";
    assert_eq!((failure.code, failure.reason, failure.message.as_str()), (413, "RequestEntityTooLarge", text));

    let copies = |count: usize| Value::from(vec![json!({"op": "copy", "from": "/a", "path": "/b"}); count]).to_string();
    let target = json!({"a": "x".repeat(1024 * 1024 - 2)});
    assert!(apply(copies(3).as_bytes(), &target).is_ok());
    assert_eq!(apply(copies(4).as_bytes(), &target).unwrap_err().code, 422);

    let deepen = |count: usize| {
        let path = |depth: usize| "/a".repeat(depth);
        Value::from((1..=count).map(|depth| json!({"op": "add", "path": path(depth), "value": {}})).collect::<Vec<_>>())
    };
    assert!(apply(deepen(MAX_DEPTH - 1).to_string().as_bytes(), &json!({})).is_ok());
    assert_eq!(apply(deepen(MAX_DEPTH).to_string().as_bytes(), &json!({})).unwrap_err().code, 422);
}
