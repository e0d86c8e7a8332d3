//! Outcomes of kube-apiserver 1.36 for expressions over a Node and a label patch.

use serde_json::{Value as Json, json};

use super::{Expectation, Objects, compile};
use Expectation::{Compile, Error, False, True};

/// The Node after the patch, which changed one label.
fn node(labels: Json) -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "n1",
            "uid": "0f0f",
            "resourceVersion": "12",
            "creationTimestamp": "2025-01-01T00:00:00Z",
            "labels": labels,
            "annotations": {"other.x/y_z": "v"},
            "managedFields": [{"manager": "m", "operation": "Update"}]
        },
        "spec": {"podCIDR": "10.0.0.0/24", "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}}
    })
}

fn objects() -> Objects {
    let before = json!({"a": "b", "team": "x", "kubevirt.io/schedulable": "true", "feature.node.kubernetes.io/x": "1"});
    let after = json!({"a": "b", "team": "x", "kubevirt.io/schedulable": "false", "feature.node.kubernetes.io/x": "1"});
    Objects {
        object: node(after),
        old_object: node(before),
        request: json!({
            "kind": {"group": "", "version": "v1", "kind": "Node"},
            "resource": {"group": "", "version": "v1", "resource": "nodes"},
            "name": "n1",
            "operation": "UPDATE",
            "userInfo": {
                "username": "system:serviceaccount:kubevirt:kubevirt-handler",
                "groups": ["system:authenticated"],
                "extra": {"authentication.kubernetes.io/node-name": ["n1"]}
            },
            "dryRun": false,
            "options": {"kind": "UpdateOptions"}
        }),
    }
}

/// Expressions with what the server made of each.
const CASES: &[(&str, Expectation)] = &[
    (r#"has(object.metadata.name.foo)"#, False),
    (r#"object.metadata.labels['kubevirt.io/schedulable'] == 'false'"#, True),
    (r#"object.metadata.labels.filter(k, k.contains('kubevirt.io')).size() == 1"#, True),
    (r#"object.metadata.labels.exists(k, k.startsWith('feature.node'))"#, True),
    (r#"'other.x/y_z' in object.metadata.annotations"#, True),
    (
        r#"object.metadata.labels.all(k, k in oldObject.metadata.labels && (k.contains('kubevirt.io') || oldObject.metadata.labels[k] == object.metadata.labels[k]))"#,
        True,
    ),
    (r#"object.metadata.labels.exists(k, object.metadata.nope == k || k == 'a')"#, True),
    (r#"1 == 1.0"#, Compile(1, 3, "found no matching overload for '_==_' applied to '(int, double)'")),
    (r#"[1,2,3].exists(x, 1/(x-2) > 0)"#, True),
    (r#"dyn(1) == dyn(1.0)"#, True),
    (r#"dyn(1) == dyn(1u)"#, True),
    (r#"dyn({'a':1}) == dyn({'a':1.0})"#, True),
    (r#"dyn([1]) == dyn([1.0])"#, True),
    (r#"dyn(1) in dyn([1.0, 2.0])"#, True),
    (r#"dyn('1') == dyn(1)"#, False),
    (r#"dyn(null) == dyn(0)"#, False),
    (r#"namespaceObject == null"#, True),
    (r#"dyn(1) < dyn(1.5)"#, True),
    (r#"object.status.daemonEndpoints.kubeletEndpoint.Port == 0.0"#, True),
    (r#"object.metadata.?labels.orValue({}).size() == 4"#, True),
    (r#"object.metadata.?nope.orValue('d') == 'd'"#, True),
    (r#"object.metadata.labels[?'nope'].orValue('d') == 'd'"#, True),
    (r#"object.metadata.labels[?'a'] == optional.of('b')"#, True),
    (r#"object.metadata.labels[?'nope'] == optional.none()"#, True),
    (r#"object.?nope.foo.bar.orValue('d') == 'd'"#, True),
    (r#"object.metadata.labels.all(k, v, v != '')"#, True),
    (r#"object.metadata.labels.transformMap(k, v, k != 'a', v).size() == 3"#, True),
    (r#"'héllo'.size() == 5"#, True),
    (r#"[1,2,3].indexOf(2) == 1"#, True),
    (r#"sets.contains([1,2],[1])"#, True),
    (r#"type(object.metadata.creationTimestamp) == string"#, True),
    (r#"type(object.metadata) == map"#, True),
    (r#"quantity('1Gi').isGreaterThan(quantity('1Mi'))"#, True),
    (r#"(true ? dyn(1) : dyn('a')) == 1"#, True),
    (r#"'authentication.kubernetes.io/node-name' in request.userInfo.extra"#, True),
    (r#"request.userInfo.extra['authentication.kubernetes.io/node-name'][0] == object.metadata.name"#, True),
    (r#"has(request.userInfo.uid)"#, False),
    (r#"foo == 1"#, Compile(1, 1, "undeclared reference to 'foo' (in container '')")),
    (r#"object.metadata.name.frob()"#, Compile(1, 26, "undeclared reference to 'frob' (in container '')")),
    (r#"cel.bind(x, 1, x == 1)"#, Compile(1, 1, "undeclared reference to 'cel' (in container '')")),
    (r#"string(true) == 'true'"#, True),
    (r#"{'a': 1, 'a': 2}['a'] == 2"#, True),
    (
        r#"object.metadata.labels == {'a':'b','team':'x','kubevirt.io/schedulable':'false','feature.node.kubernetes.io/x':'1'}"#,
        True,
    ),
    (r#"math.greatest(1,2) == 2"#, Compile(1, 1, "undeclared reference to 'math' (in container '')")),
    (r#"type(1) == int"#, True),
    (r#"ip('10.0.0.1').family() == 4"#, True),
    (r#"isQuantity('1Gi')"#, True),
    (r#"'abc'.reverse() == 'cba'"#, Compile(1, 14, "found no matching overload for 'reverse' applied to 'string.()'")),
    (r#"url('https://a.b/c').getHost() == 'a.b'"#, True),
    (r#"semver('1.2.3').isLessThan(semver('2.0.0'))"#, True),
    (r#"[3,1,2].sortBy(x, x) == [1,2,3]"#, True),
    (r#"['a'].isSorted()"#, True),
    (r#"'a-b'.find('[a-z]') == 'a'"#, True),
    (r#"!format.dns1123Label().validate('ok').hasValue()"#, True),
    (r#"object.spec == oldObject.spec"#, True),
    (r#"object.metadata == oldObject.metadata"#, False),
    (r#"object.metadata.annotations == oldObject.metadata.annotations"#, True),
    (r#"has(object.metadata.labels)"#, True),
    (r#"has(object.metadata.nope)"#, False),
    (r#"object.metadata.nope == 'x'"#, Error("no such key: nope")),
    (r#"has(object.nope.foo)"#, Error("no such key: nope")),
    (r#"'labels' in object.metadata"#, True),
    (r#"'nope' in object.metadata"#, False),
    (r#"object.metadata.labels.exists_one(k, k == 'a')"#, True),
    (r#"object.metadata.labels.map(k, k).size() == 4"#, True),
    (r#"object.metadata.labels.a == 'b'"#, True),
    (
        r#"oldObject.metadata.filter(k, k != 'labels' && k != 'managedFields' && k != 'resourceVersion').all(k, k in object.metadata && object.metadata[k] == oldObject.metadata[k])"#,
        True,
    ),
    (r#"false && object.metadata.nope == 'x'"#, False),
    (r#"object.metadata.nope == 'x' && false"#, False),
    (r#"object.metadata.nope == 'x' || true"#, True),
    (r#"true || object.metadata.nope == 'x'"#, True),
    (r#"object.metadata.nope == 'x' && true"#, Error("no such key: nope")),
    (r#"object.metadata.nope == 'x' || false"#, Error("no such key: nope")),
    (r#"!(object.metadata.nope == 'x')"#, Error("no such key: nope")),
    (r#"object.metadata.labels.all(k, object.metadata.nope == k || k != '')"#, True),
    (r#"object.metadata.labels.exists(k, object.metadata.nope == k)"#, Error("no such key: nope")),
    (r#"[1,2,3].all(x, 1/(x-2) > 0)"#, False),
    (r#"[1,2,3].all(x, 1/(x-2) > -10)"#, Error("division by zero")),
    (r#"null == object.metadata"#, False),
    (r#"object != null"#, True),
    (r#"1 < 1.5"#, True),
    (r#"object.status.daemonEndpoints.kubeletEndpoint.Port == 0"#, True),
    (r#"'a,b'.split(',') == ['a','b']"#, True),
    (r#"'abc'.substring(1) == 'bc'"#, True),
    (r#"'AbC'.lowerAscii() == 'abc'"#, True),
    (r#"'x.kubevirt.io/y'.matches('^([a-z0-9-]+\\.)*kubevirt\\.io/')"#, True),
    (r#"'aXa'.replace('a','b') == 'bXb'"#, True),
    (r#"'%s-%d'.format(['a', 1]) == 'a-1'"#, True),
    (r#"['b','a'].sort() == ['a','b']"#, True),
    (r#"['a','b'].join('-') == 'a-b'"#, True),
    (r#"timestamp(object.metadata.creationTimestamp) < timestamp('2100-01-01T00:00:00Z')"#, True),
    (r#"object.metadata.creationTimestamp < '2100'"#, True),
    (r#"9223372036854775807 + 1 > 0"#, Error("integer overflow")),
    (r#"object.metadata.labels[1] == 'x'"#, Error("no such key: 1")),
    (r#"object.metadata.labels.all(k, k)"#, Error("no such overload")),
    (r#"dyn(1) + dyn(1.0) == 2"#, Error("no such overload")),
    (r#"request.userInfo.extra['nope'][0] == object.metadata.name"#, Error("no such key: nope")),
    (r#"has(object.metadata['labels'])"#, Compile(1, 20, "invalid argument to has()")),
    (r#"has(request.subResource)"#, False),
    (r#"b'abc' == bytes('abc')"#, True),
    (r#"uint(1) == 1u"#, True),
    (r#"string(1.0) == '1'"#, True),
    (r#"int('12') == 12"#, True),
    (r#"double('1.5') == 1.5"#, True),
    (r#"duration('1h') < duration('2h')"#, True),
    (r#"'a' < 'b'"#, True),
    (r#"'x' in {'x': 1}"#, True),
    (r#"[1,2] + [3] == [1,2,3]"#, True),
    (r#"object.spec.taints == oldObject.spec.taints"#, True),
    (r#"r'\d' == '\\d'"#, True),
    (r#"size('abc') == 3"#, True),
    (r#"object.metadata.labels.size() == 4 ? true : false"#, True),
    (r#"1/0 == 1"#, Error("division by zero")),
    (r#"5 % 0 == 1"#, Error("modulus by zero")),
    (r#"[1,2,3][5] == 1"#, Error("index out of bounds: 5")),
    (r#"[1,2,3][-1] == 1"#, Error("index out of bounds: -1")),
    (r#"object.metadata.labels.exists(k, object.metadata.labels[k] == 'b')"#, True),
    (r#"lists.range(3) == [0,1,2]"#, True),
    (r#"[1,2,2].distinct() == [1,2]"#, True),
];

#[test]
fn every_expression_has_the_servers_outcome() {
    let objects = objects();
    let wrong: Vec<String> = CASES.iter().filter_map(|(text, expected)| expected.refuted_by(text, &objects)).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// On creation `oldObject` is null: a presence test is false, a selection fails, an optional selection is empty.
#[test]
fn creation_has_no_old_object() {
    let objects = Objects { old_object: Json::Null, ..objects() };
    let cases = [
        ("has(oldObject.metadata)", False),
        ("oldObject.metadata.name == 'x'", Error("no such key: metadata")),
        ("oldObject.?metadata.?labels.orValue({}).size() == 0", True),
        ("oldObject == null", True),
        ("oldObject != null && oldObject.metadata.name == 'x'", False),
    ];
    for (text, expected) in cases {
        assert_eq!(expected.refuted_by(text, &objects), None);
    }
}

#[test]
fn findings_are_rendered_with_line_and_marker() {
    let error = compile("'é' ==\n foo").expect_err("foo is not declared");
    assert_eq!(
        error.to_string(),
        "ERROR: <input>:2:2: undeclared reference to 'foo' (in container '')\n |  foo\n | .^"
    );
}
