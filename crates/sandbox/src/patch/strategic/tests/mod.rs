mod types;

use super::*;
use serde_json::json;

fn on_node(patch: &Value, target: &Value) -> Result<Value, Failure> {
    let (types, node, _) = types::types();
    apply(patch, target, types.at(node))
}

fn on_pod(patch: &Value, target: &Value) -> Result<Value, Failure> {
    let (types, _, pod) = types::types();
    apply(patch, target, types.at(pod))
}

#[test]
fn merges_maps() {
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let cases = [
        (json!(null), labels(json!({"a": "b"})), labels(json!({"a": "b"}))),
        (json!({}), labels(json!({"a": "b"})), labels(json!({"a": "b"}))),
        (labels(json!({"c": "d"})), labels(json!({"a": "b"})), labels(json!({"a": "b", "c": "d"}))),
        (labels(json!({"a": null, "x": null})), labels(json!({"a": "b"})), labels(json!({}))),
        (labels(json!({"a": null, "c": "d"})), json!({}), labels(json!({"c": "d"}))),
        (labels(json!(null)), labels(json!({"a": "b"})), json!({"metadata": {}})),
        (labels(json!({"$patch": "delete"})), labels(json!({"a": "b"})), labels(json!({}))),
        (labels(json!({"$patch": "replace", "c": null})), labels(json!({"a": "b"})), labels(json!({"c": null}))),
        (labels(json!({"$patch": "frob"})), json!({"metadata": {}}), json!({"metadata": {}})),
        (labels(json!({"n": 1})), labels(json!({"n": "b"})), labels(json!({"n": 1}))),
        (labels(json!(5)), labels(json!({"n": "b"})), labels(json!(5))),
        (json!({"$patch": "replace", "spec": {}}), labels(json!({"n": "b"})), json!({"spec": {}})),
    ];
    for (patch, target, expected) in cases {
        assert_eq!(on_node(&patch, &target), Ok(expected), "{patch} on {target}");
    }
}

#[test]
fn merges_plain_lists() {
    let of = |list: Value| json!({"metadata": {"finalizers": list}});
    let by = |rest: Value| json!({"metadata": rest});
    let cases = [
        (of(json!(["b.io/y"])), of(json!(["a.io/x"])), of(json!(["b.io/y", "a.io/x"]))),
        (of(json!(["c", "a", "c"])), of(json!(["a", "b"])), of(json!(["c", "a", "b"]))),
        (of(json!([])), of(json!([])), of(json!([]))),
        (of(json!(["b"])), json!({}), of(json!(["b"]))),
        (by(json!({"$deleteFromPrimitiveList/finalizers": ["a", "z"]})), of(json!(["a", "b"])), of(json!(["b"]))),
        (by(json!({"$deleteFromPrimitiveList/finalizers": ["a"]})), by(json!({})), by(json!({}))),
        (by(json!({"$deleteFromPrimitiveList/finalizers": null})), of(json!(["a"])), by(json!({}))),
        (
            by(json!({"$setElementOrder/finalizers": ["b", "a"]})),
            of(json!(["a", "c", "b"])),
            of(json!(["c", "b", "a"])),
        ),
        (
            by(json!({"$setElementOrder/finalizers": ["d", "a"], "finalizers": ["d"]})),
            of(json!(["a", "b"])),
            of(json!(["d", "a", "b"])),
        ),
        (
            json!({"spec": {"podCIDRs": ["b"]}}),
            json!({"spec": {"podCIDRs": ["a"]}}),
            json!({"spec": {"podCIDRs": ["b", "a"]}}),
        ),
        (
            json!({"spec": {"taints": [{"key": "b"}]}}),
            json!({"spec": {"taints": [{"key": "a"}]}}),
            json!({"spec": {"taints": [{"key": "b"}]}}),
        ),
    ];
    for (patch, target, expected) in cases {
        assert_eq!(on_node(&patch, &target), Ok(expected), "{patch} on {target}");
    }
}

#[test]
fn merges_lists_of_maps() {
    let of = |list: Value| json!({"status": {"conditions": list}});
    let both = of(json!([{"type": "A", "status": "True", "reason": "r"}, {"type": "B", "status": "True"}]));
    let cases = [
        (
            of(json!([{"type": "C"}])),
            of(json!([{"type": "C"}, {"type": "A", "status": "True", "reason": "r"}, {"type": "B", "status": "True"}])),
        ),
        (
            of(json!([{"type": "B", "status": "False"}])),
            of(json!([{"type": "A", "status": "True", "reason": "r"}, {"type": "B", "status": "False"}])),
        ),
        (of(json!([{"type": "A", "$patch": "delete"}])), of(json!([{"type": "B", "status": "True"}]))),
        (
            of(json!([{"$patch": "replace"}, {"type": "D"}, {"type": "A", "$patch": "delete"}])),
            of(json!([{"type": "D"}])),
        ),
        (
            of(json!([{"type": "A", "$retainKeys": ["type", "status"]}, {"type": "B", "$patch": "delete"}])),
            of(json!([{"type": "A", "status": "True"}])),
        ),
        (
            json!({"status": {"$setElementOrder/conditions": [{"type": "B"}, {"type": "A"}]}}),
            of(json!([{"type": "B", "status": "True"}, {"type": "A", "status": "True", "reason": "r"}])),
        ),
        (
            json!({"status": {"$setElementOrder/conditions": [{"type": "C"}, {"type": "B"}], "conditions": [{"type": "C"}]}}),
            of(json!([{"type": "C"}, {"type": "A", "status": "True", "reason": "r"}, {"type": "B", "status": "True"}])),
        ),
    ];
    for (patch, expected) in cases {
        assert_eq!(on_node(&patch, &both), Ok(expected), "{patch}");
    }
    // A new item takes the place of the deleted one in the list that gives the order.
    let patch = json!({"status": {
        "$setElementOrder/conditions": [{"type": "D"}],
        "conditions": [{"type": "D"}, {"type": "C", "$patch": "delete"}],
    }});
    let target = of(json!([{"type": "B"}, {"type": "C"}, {"type": "A"}]));
    let expected = of(json!([{"type": "B"}, {"type": "A"}, {"type": "D"}]));
    assert_eq!(on_node(&patch, &target), Ok(expected));
}

#[test]
fn merges_pods() {
    let target = json!({"spec": {
        "containers": [{"name": "c", "image": "i", "args": ["x"], "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 443}]}],
        "volumes": [{"name": "v", "hostPath": {"path": "/a"}}],
    }});
    let patch = json!({"spec": {
        "containers": [{"name": "c", "args": ["y"], "env": [{"name": "B", "value": "2"}],
            "ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 443, "$patch": "delete"}]}],
        "volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}],
    }});
    let expected = json!({"spec": {
        "containers": [{"name": "c", "image": "i", "args": ["y"],
            "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80, "name": "web", "protocol": "UDP"}]}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }});
    assert_eq!(on_pod(&patch, &target), Ok(expected));
}

#[test]
fn refusals() {
    let target = json!({"metadata": {"labels": {"a": "b"}, "finalizers": ["f"]}, "spec": {"providerID": "p"},
        "status": {"conditions": [{"type": "A"}]}});
    let conditions = |list: Value| json!({"status": {"conditions": list}});
    let cases = [
        (json!([]), 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (json!({"metadata": {"labels": {"$patch": "frob"}}}), 500, "unknown patch type: frob in map: map[$patch:frob]"),
        (json!({"$patch": "merge", "a": null}), 500, "unknown patch type: merge in map: map[$patch:merge a:<nil>]"),
        (json!({"$patch": 5}), 500, "unknown patch type: %!s(int64=5) in map: map[$patch:5]"),
        (conditions(json!([{"type": "B", "$patch": "x"}])), 500, "unknown patch type: x in map: map[$patch:x type:B]"),
        (
            conditions(json!([{"type": "B", "$patch": "merge"}])),
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        (conditions(json!([{"status": "T"}])), 500, "map: map[status:T] does not contain declared merge key: type"),
        (
            conditions(json!([{"$patch": "delete"}])),
            500,
            "map: map[$patch:delete] does not contain declared merge key: type",
        ),
        (conditions(json!(["x"])), 500, "list element types are not identical: [[map[type:A]] [x]]"),
        (json!({"metadata": {"finalizers": [null]}}), 500, "list element types are not identical: [[f] [<nil>]]"),
        (json!({"metadata": {"$retainKeys": 5}}), 400, "invalid patch format of retainKeys"),
        (json!({"metadata": {"$retainKeys": [], "name": "x"}}), 400, "invalid patch format of retainKeys"),
        (json!({"$deleteFromPrimitiveListx": []}), 400, "invalid patch format of primitive list"),
        (json!({"$setElementOrder": []}), 400, "invalid patch format of setElementOrder list"),
        (json!({"$setElementOrder/x": 5}), 500, "expected a []interface {}, but received a int64"),
        (json!({"$setElementOrder/x": []}), 500, "unable to find api field in struct Node for the json field \"x\""),
        (json!({"metadata": {"$setElementOrder/name": []}}), 500, "expected slice or array type, but got: struct"),
        (
            json!({"metadata": {"$setElementOrder/finalizers": ["a"], "finalizers": ["b"]}}),
            500,
            "The order in patch list:\n[b]\n doesn't match $setElementOrder list:\n[a]\n",
        ),
        (json!({"status": {"$setElementOrder/conditions": ["x"]}}), 500, "value for key 0 is not a map"),
        (
            json!({"metadata": {"$retainKeys": [{}]}}),
            500,
            "This request caused apiserver to panic. Look in the logs for details.",
        ),
    ];
    for (patch, code, text) in cases {
        let failure = on_node(&patch, &target).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (code, text), "{patch}");
    }
    let nested = json!({"metadata": {"finalizers": [["x"]]}});
    let failure = on_node(&nested, &json!({"metadata": {"finalizers": []}})).unwrap_err();
    assert_eq!((failure.code, failure.message), (422, rejected().message));
}

#[test]
fn shows_what_is_left_of_the_patch() {
    let (types, node, _) = types::types();
    let patch = json!({"metadata": {"labels": {"n": 1, "x": null}, "$setElementOrder/finalizers": ["a"]}});
    let target = json!({"metadata": {"finalizers": ["a"]}});
    let (_, left) = apply_and_show(&patch, &target, types.at(node)).unwrap();
    assert_eq!(crate::patch::shown(&left), "map[metadata:map[labels:map[n:1]]]");
}
