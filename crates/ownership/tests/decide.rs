//! Every rule of every guard, in both directions.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ownership::guard::{Guard, Message, Rule};
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID, User};
use ownership::request::{MalformedObject, Object, Operation, Request, Target};
use ownership::{Decision, Profile, decide, parse};
use serde_json::{Value, json};

fn profile(spec: &str) -> Profile {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
         serviceAccount: {{namespace: ns, name: agent}}\n{spec}"
    );
    parse::profile(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn plain() -> Profile {
    profile(
        "  labels: [{domain: a.io, values: [good, fine]}, {key: plain}]\n  \
         annotations: [{prefix: a.io/, format: Timestamp}]\n",
    )
}

fn user(extra: &[(&str, &[&str])]) -> User {
    let own = |values: &&[&str]| values.iter().map(|v| (*v).to_owned()).collect();
    User {
        username: "system:serviceaccount:ns:agent".to_owned(),
        extra: extra.iter().map(|(key, values)| ((*key).to_owned(), own(values))).collect(),
    }
}

fn agent() -> User {
    user(&[(NODE_NAME, &["n1"]), (NODE_UID, &["u1"]), (POD_NAME, &["pod"]), (POD_UID, &["uid"])])
}

fn node() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "n1", "uid": "u1", "resourceVersion": "5", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"a.io/x": "good", "foreign.io/k": "v"},
            "annotations": {"a.io/beat": "2026-01-01T00:00:00Z", "foreign.io/a": "v"},
            "managedFields": [{"manager": "m"}],
        },
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {"phase": "x"},
    })
}

/// A node with one change, given as a JSON pointer and a value; null removes.
fn changed(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let map = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let key = key.replace("~1", "/");
    if value.is_null() {
        map.remove(&key)
    } else {
        map.insert(key, value)
    };
    object
}

const NODES: Target<'_> = Target { group: "", resource: "nodes", namespace: "" };

fn update(profile: &Profile, user: &User, target: Target<'_>, old: &Value, new: &Value) -> Decision {
    let operation = Operation::Update { old: Object::new(old).unwrap(), new: Object::new(new).unwrap() };
    decide(profile, &Request { user, target, operation })
}

fn on_node(profile: &Profile, old: &Value, new: &Value) -> Decision {
    update(profile, &agent(), NODES, old, new)
}

#[track_caller]
fn assert_denied(decision: &Decision, guard: Guard, rule: Rule, keys: &[&str]) {
    let Decision::Deny(denial) = decision else { panic!("{decision:?}") };
    assert_eq!((denial.guard, denial.rule), (guard, rule));
    assert_eq!(denial.keys.iter().map(String::as_str).collect::<Vec<_>>(), keys);
}

/// What one change to the node comes to: `None` is allowed.
type Change = (&'static str, Value, Option<(Rule, &'static [&'static str])>);

#[test]
fn one_change_breaks_one_rule() {
    let table: Vec<Change> = vec![
        ("/metadata/labels/a.io~1x", json!("fine"), None),
        ("/metadata/labels/a.io~1x", json!(null), None),
        ("/metadata/labels/sub.a.io~1y", json!("good"), None),
        ("/metadata/labels/plain", json!("anything"), None),
        ("/metadata/annotations/a.io~1beat", json!("2027-01-01T00:00:00Z"), None),
        ("/metadata/annotations/a.io~1beat", json!(null), None),
        ("/metadata/managedFields", json!([]), None),
        ("/metadata/managedFields", json!(null), None),
        ("/metadata/resourceVersion", json!("6"), None),
        ("/metadata/generation", json!(2), None),
        ("/spec/podCIDR", json!("10.0.1.0/24"), Some((Rule::Spec, &[]))),
        ("/spec/unschedulable", json!(true), Some((Rule::Spec, &[]))),
        ("/spec", json!(null), Some((Rule::Spec, &[]))),
        ("/status/phase", json!("y"), Some((Rule::Status, &[]))),
        ("/status", json!(null), Some((Rule::Status, &[]))),
        ("/metadata/finalizers", json!(["a.io/f"]), Some((Rule::Metadata, &[]))),
        ("/metadata/ownerReferences", json!([]), Some((Rule::Metadata, &[]))),
        ("/metadata/creationTimestamp", json!(null), Some((Rule::Metadata, &[]))),
        ("/metadata/uid", json!("u2"), Some((Rule::Metadata, &[]))),
        ("/metadata/labels/foreign.io~1k", json!("w"), Some((Rule::Labels, &["foreign.io/k"]))),
        ("/metadata/labels/foreign.io~1k", json!(null), Some((Rule::Labels, &["foreign.io/k"]))),
        ("/metadata/labels/nota.io~1x", json!("good"), Some((Rule::Labels, &["nota.io/x"]))),
        ("/metadata/labels/a.io.b~1x", json!("good"), Some((Rule::Labels, &["a.io.b/x"]))),
        ("/metadata/labels/a.io", json!("good"), Some((Rule::Labels, &["a.io"]))),
        ("/metadata/labels", json!(null), Some((Rule::Labels, &["foreign.io/k"]))),
        ("/metadata/annotations/foreign.io~1a", json!("w"), Some((Rule::Annotations, &["foreign.io/a"]))),
        ("/metadata/annotations/plain", json!("w"), Some((Rule::Annotations, &["plain"]))),
        ("/metadata/annotations/sub.a.io~1x", json!("w"), Some((Rule::Annotations, &["sub.a.io/x"]))),
        ("/metadata/annotations", json!(null), Some((Rule::Annotations, &["foreign.io/a"]))),
        ("/metadata/labels/a.io~1x", json!("bad"), Some((Rule::Values, &["a.io/x"]))),
        ("/metadata/labels/sub.a.io~1y", json!("bad"), Some((Rule::Values, &["sub.a.io/y"]))),
        ("/metadata/annotations/a.io~1beat", json!("soon"), Some((Rule::Values, &["a.io/beat"]))),
    ];
    let (profile, node) = (plain(), node());
    for (pointer, value, expected) in table {
        let decision = on_node(&profile, &node, &changed(&node, pointer, value));
        match expected {
            None => assert_eq!(decision, Decision::Allow, "{pointer}"),
            Some((rule, keys)) => assert_denied(&decision, Guard::Nodes, rule, keys),
        }
    }
}

#[test]
fn a_bad_value_that_was_there_may_stay() {
    let old = changed(&node(), "/metadata/labels/a.io~1x", json!("bad"));
    let new = changed(&old, "/metadata/labels/plain", json!("1"));
    assert_eq!(on_node(&plain(), &old, &new), Decision::Allow);
}

#[test]
fn absent_maps_are_empty_maps() {
    let full = node();
    let bare = changed(&changed(&full, "/metadata/labels", json!(null)), "/metadata/annotations", json!(null));
    assert_eq!(on_node(&plain(), &bare, &bare), Decision::Allow);
    let first = changed(&bare, "/metadata/labels", json!({"a.io/x": "good"}));
    assert_eq!(on_node(&plain(), &bare, &first), Decision::Allow);
    assert_eq!(on_node(&plain(), &first, &bare), Decision::Allow);
    let empty = changed(&bare, "/metadata/labels", json!({}));
    assert_eq!(on_node(&plain(), &bare, &empty), Decision::Allow);
}

#[test]
fn the_first_broken_rule_is_reported() {
    let rules: [(&str, Value, Rule); 7] = [
        ("/spec/x", json!(1), Rule::Spec),
        ("/status/x", json!(1), Rule::Status),
        ("/metadata/finalizers", json!(["x/y"]), Rule::Metadata),
        ("/metadata/labels/foreign.io~1z", json!("1"), Rule::Labels),
        ("/metadata/annotations/foreign.io~1z", json!("1"), Rule::Annotations),
        ("/metadata/labels/a.io~1x", json!("bad"), Rule::Values),
        ("/metadata/labels/a.io~1removed", json!(null), Rule::Limits),
    ];
    let limited = profile("  labels: [{domain: a.io, values: [good]}]\n  limits: {removedKeys: 0}\n");
    let old = changed(&node(), "/metadata/labels/a.io~1removed", json!("good"));
    let mut new = old.clone();
    for (pointer, value, rule) in rules.into_iter().rev() {
        new = changed(&new, pointer, value);
        let Decision::Deny(denial) = on_node(&limited, &old, &new) else { panic!("{rule}") };
        assert_eq!(denial.rule, rule);
    }
    let stranger = user(&[(NODE_NAME, &["n2"]), (POD_NAME, &["p"]), (POD_UID, &["u"])]);
    assert_denied(&update(&limited, &stranger, NODES, &old, &new), Guard::Nodes, Rule::OwnNode, &[]);
}

#[test]
fn only_updates_are_judged_by_more_than_their_operation() {
    let (profile, node, agent) = (plain(), node(), agent());
    let object = Object::new(&node).unwrap();
    let operations = [Operation::Create { new: object }, Operation::Delete { old: object }, Operation::Connect];
    for operation in operations {
        let decision = decide(&profile, &Request { user: &agent, target: NODES, operation });
        assert_denied(&decision, Guard::Nodes, Rule::Operation, &[]);
    }
}

#[test]
fn the_claim_is_held_against_the_node_by_the_table() {
    let bound: [(&str, &[&str]); 2] = [(POD_NAME, &["p"]), (POD_UID, &["u"])];
    let with = |claim: &'static [&'static str]| {
        let mut extra = bound.to_vec();
        extra.push((NODE_NAME, claim));
        user(&extra)
    };
    // own, foreign, doubled, empty, node-bound alone, absent
    let table = [
        (with(&["n1"]), [true, true, true]),
        (with(&["n2"]), [false, false, true]),
        (with(&["n1", "n1"]), [false, false, true]),
        (with(&[]), [false, false, true]),
        (with(&[""]), [false, false, true]),
        (user(&[(NODE_NAME, &["n1"])]), [false, false, true]),
        (user(&[(NODE_NAME, &["n1"]), (POD_NAME, &["p"])]), [false, false, true]),
        (user(&[(NODE_NAME, &["n1"]), (POD_UID, &["u"])]), [false, false, true]),
        (user(&[(NODE_NAME, &["n1"]), (POD_NAME, &["p", "p"]), (POD_UID, &["u"])]), [false, false, true]),
        (user(&[(NODE_NAME, &["n1"]), (POD_NAME, &["p"]), (POD_UID, &["u", "u"])]), [false, false, true]),
        (user(&bound), [false, true, true]),
        (user(&[]), [false, true, true]),
    ];
    let node = node();
    for (who, expected) in table {
        for (mode, expected) in ["Own", "OwnIfClaimed", "Any"].into_iter().zip(expected) {
            let profile = profile(&format!("  node: {mode}\n"));
            let decision = update(&profile, &who, NODES, &node, &node);
            match expected {
                true => assert_eq!(decision, Decision::Allow, "{mode} {who:?}"),
                false => assert_denied(&decision, Guard::Nodes, Rule::OwnNode, &[]),
            }
        }
    }
}

#[test]
fn the_uid_is_compared_where_the_profile_asks() {
    let node = node();
    let claims = |uid: &'static [&'static str]| {
        user(&[(NODE_NAME, &["n1"]), (NODE_UID, uid), (POD_NAME, &["p"]), (POD_UID, &["u"])])
    };
    let unclaimed = user(&[(NODE_NAME, &["n1"]), (POD_NAME, &["p"]), (POD_UID, &["u"])]);
    let table = [
        (claims(&["u1"]), true),
        (claims(&["u2"]), false),
        (claims(&["u1", "u1"]), false),
        (claims(&[]), false),
        (unclaimed, false),
    ];
    for (who, same) in table {
        for (mode, checks) in [("Own", true), ("OwnIfClaimed", true), ("Any", false)] {
            let strict = profile(&format!("  node: {mode}\n  checkNodeUID: true\n"));
            let allowed = update(&strict, &who, NODES, &node, &node) == Decision::Allow;
            assert_eq!(allowed, same || !checks, "{mode} {who:?}");
            let lax = profile(&format!("  node: {mode}\n"));
            assert_eq!(update(&lax, &who, NODES, &node, &node), Decision::Allow);
        }
    }
    let nameless = changed(&node, "/metadata/uid", json!(null));
    let strict = profile("  checkNodeUID: true\n");
    assert_denied(&update(&strict, &claims(&[""]), NODES, &nameless, &nameless), Guard::Nodes, Rule::OwnNode, &[]);
}

#[test]
fn others_are_not_matched() {
    let node = node();
    let mut other = agent();
    other.username = "system:serviceaccount:ns:agent2".to_owned();
    assert_eq!(update(&plain(), &other, NODES, &node, &node), Decision::NotMatched);
    for target in [
        Target { group: "x", ..NODES },
        Target { resource: "pods", ..NODES },
        Target { group: "nodebound.io", resource: "shadownodes", namespace: "" },
        Target { group: "coordination.k8s.io", resource: "leases", namespace: "nodebound-heartbeats" },
        Target { group: "nfd.k8s-sigs.io", resource: "nodefeatures", namespace: "ns" },
    ] {
        assert_eq!(update(&plain(), &agent(), target, &node, &node), Decision::NotMatched, "{target:?}");
    }
}

#[test]
fn limits_bound_removal_and_growth() {
    let node = |keys: usize, size: usize| {
        let labels: serde_json::Map<_, _> = (0..keys).map(|i| (format!("a.io/{i}"), json!("v".repeat(size)))).collect();
        json!({"metadata": {"name": "n1", "labels": labels, "annotations": {"a.io/a": "v", "foreign.io/big": "v".repeat(500)}}})
    };
    let limited = |limits: &str| {
        profile(&format!("  labels: [{{domain: a.io}}]\n  annotations: [{{domain: a.io}}]\n  limits: {{{limits}}}\n"))
    };
    // (limits, old, new, allowed); every object has one owned annotation of 7 bytes, and labels of 6 bytes and the value
    let table = [
        ("removedKeys: 2", node(5, 1), node(3, 1), true),
        ("removedKeys: 2", node(5, 1), node(2, 1), false),
        ("ownedKeys: 4", node(1, 1), node(3, 1), true),
        ("ownedKeys: 4", node(1, 1), node(4, 1), false),
        ("ownedKeys: 4", node(9, 1), node(8, 1), true),
        ("ownedKeys: 4", node(9, 1), node(9, 2), true),
        ("ownedBytes: 35", node(1, 1), node(4, 1), true),
        ("ownedBytes: 34", node(1, 1), node(4, 1), false),
        ("ownedBytes: 34", node(9, 1), node(8, 1), true),
        ("ownedBytes: 34", node(9, 1), node(9, 2), false),
    ];
    for (limits, old, new, allowed) in table {
        let decision = on_node(&limited(limits), &old, &new);
        match allowed {
            true => assert_eq!(decision, Decision::Allow, "{limits}"),
            false => assert_denied(&decision, Guard::Nodes, Rule::Limits, &[]),
        }
    }
    let old = json!({"metadata": {"name": "n1", "labels": {"a.io/x": "1"}, "annotations": {"a.io/x": "1"}}});
    let bare = json!({"metadata": {"name": "n1"}});
    assert_denied(&on_node(&limited("removedKeys: 1"), &old, &bare), Guard::Nodes, Rule::Limits, &[]);
    assert_eq!(on_node(&limited("removedKeys: 2"), &old, &bare), Decision::Allow);
}

#[test]
fn a_shadow_node_is_guarded_as_a_node_is() {
    let profile = profile("  channel: ShadowNode\n  labels: [{domain: a.io}]\n");
    let target = Target { group: "nodebound.io", resource: "shadownodes", namespace: "" };
    let old = json!({"metadata": {"name": "n1"}});
    let owned = json!({"metadata": {"name": "n1", "labels": {"a.io/x": "1"}}});
    let foreign = json!({"metadata": {"name": "n1", "labels": {"b.io/x": "1"}}});
    assert_eq!(update(&profile, &agent(), target, &old, &owned), Decision::Allow);
    assert_denied(&update(&profile, &agent(), target, &old, &foreign), Guard::ShadowNodes, Rule::Labels, &["b.io/x"]);
}

#[test]
fn a_lease_is_renewed_and_nothing_else() {
    let profile =
        profile("  labels: [{domain: a.io}]\n  liveness: {source: Lease, mark: {label: a.io/ok, value: \"false\"}}\n");
    let target = Target { group: "coordination.k8s.io", resource: "leases", namespace: "nodebound-heartbeats" };
    let old = json!({"metadata": {"name": "n1", "labels": {"a.io/x": "1"}}, "spec": {"renewTime": "1", "leaseDurationSeconds": 40}});
    let table = [
        ("/spec/renewTime", json!("2"), None),
        ("/spec/holderIdentity", json!("me"), None),
        ("/metadata/resourceVersion", json!("2"), None),
        ("/spec/leaseDurationSeconds", json!(1), Some(Rule::Spec)),
        ("/spec", json!(null), Some(Rule::Spec)),
        ("/metadata/labels/a.io~1x", json!("2"), Some(Rule::Metadata)),
        ("/metadata/ownerReferences", json!([]), Some(Rule::Metadata)),
    ];
    for (pointer, value, expected) in table {
        let decision = update(&profile, &agent(), target, &old, &changed(&old, pointer, value));
        match expected {
            None => assert_eq!(decision, Decision::Allow, "{pointer}"),
            Some(rule) => assert_denied(&decision, Guard::Leases, rule, &[]),
        }
    }
    let other = changed(&old, "/metadata/name", json!("n2"));
    assert_denied(&update(&profile, &agent(), target, &other, &other), Guard::Leases, Rule::OwnNode, &[]);
    let elsewhere = Target { namespace: "kube-node-lease", ..target };
    assert_eq!(update(&profile, &agent(), elsewhere, &old, &old), Decision::NotMatched);
    let operation = Operation::Delete { old: Object::new(&old).unwrap() };
    let decision = decide(&profile, &Request { user: &agent(), target, operation });
    assert_denied(&decision, Guard::Leases, Rule::Operation, &[]);
}

#[test]
fn a_node_feature_is_bound_by_its_label() {
    let profile = profile("  channel: NodeFeature\n  labels: [{domain: a.io, values: [good]}]\n");
    let target = Target { group: "nfd.k8s-sigs.io", resource: "nodefeatures", namespace: "ns" };
    let feature = |node: &str, spec: Value| json!({"metadata": {"name": "free", "labels": {"nfd.node.kubernetes.io/node-name": node}}, "spec": spec});
    let mine = feature("n1", json!({"labels": {"a.io/x": "good"}}));
    let theirs = feature("n2", json!({}));
    let table = [
        (&mine, mine.clone(), None),
        (&theirs, mine.clone(), Some((Rule::OwnNode, &[][..]))),
        (&mine, theirs.clone(), Some((Rule::OwnNode, &[]))),
        (&mine, json!({"metadata": {"name": "n1"}}), Some((Rule::OwnNode, &[]))),
        (&mine, feature("n1", json!({"features": {}})), None),
        (&mine, feature("n1", json!({"features": {"flags": {}}})), None),
        (&mine, feature("n1", json!({"features": {"flags": {"f": {}}}})), Some((Rule::Spec, &[]))),
        (&mine, feature("n1", json!({"features": []})), Some((Rule::Spec, &[]))),
        (&mine, feature("n1", json!({"labels": {"b.io/x": "good"}})), Some((Rule::Labels, &["b.io/x"]))),
        (&mine, feature("n1", json!({"labels": {"a.io/x": "bad"}})), Some((Rule::Values, &["a.io/x"]))),
        (&mine, feature("n1", json!({"labels": {"a.io/x": 5}})), Some((Rule::Labels, &["a.io/x"]))),
        (&mine, feature("n1", json!({"labels": "x"})), Some((Rule::Labels, &[]))),
    ];
    for (old, new, expected) in table {
        let decision = update(&profile, &agent(), target, old, &new);
        match expected {
            None => assert_eq!(decision, Decision::Allow, "{new}"),
            Some((rule, keys)) => assert_denied(&decision, Guard::NodeFeatures, rule, keys),
        }
    }
    let elsewhere = Target { namespace: "other", ..target };
    assert_denied(&update(&profile, &agent(), elsewhere, &mine, &mine), Guard::NodeFeatures, Rule::Metadata, &[]);
    let judge = |operation| decide(&profile, &Request { user: &agent(), target, operation });
    assert_eq!(judge(Operation::Create { new: Object::new(&mine).unwrap() }), Decision::Allow);
    assert_eq!(judge(Operation::Delete { old: Object::new(&mine).unwrap() }), Decision::Allow);
    assert_eq!(judge(Operation::Connect), Decision::NotMatched);
    for operation in [
        Operation::Create { new: Object::new(&theirs).unwrap() },
        Operation::Delete { old: Object::new(&theirs).unwrap() },
    ] {
        assert_denied(&judge(operation), Guard::NodeFeatures, Rule::OwnNode, &[]);
    }
}

const VMI: &str = "  resources:\n  - {group: g.io, version: v1, resource: vmis, operations: [CREATE, UPDATE, DELETE], \
                   node: [s.node, s.target], nodeReferences: [\"metadata.labels['g.io/node']\"], mayNotIntroduce: [s.target]}\n";
const VMIS: Target<'_> = Target { group: "g.io", resource: "vmis", namespace: "x" };

fn vmi(node: &str, target: &str, label: &str) -> Value {
    let mut object = json!({"metadata": {"name": "vm", "labels": {}}, "s": {}});
    let mut set = |pointer: &str, value: &str| {
        if !value.is_empty() {
            object = changed(&object, pointer, json!(value));
        }
    };
    set("/s/node", node);
    set("/s/target", target);
    set("/metadata/labels/g.io~1node", label);
    object
}

#[test]
fn other_resources_belong_to_the_node_that_they_name() {
    let node_field = |keys: &'static [&'static str]| Some((Rule::NodeField, keys));
    let own_node = Some((Rule::OwnNode, &[][..]));
    let table = [
        (vmi("n1", "", ""), vmi("n1", "", ""), None),
        (vmi("n2", "", ""), vmi("n2", "", ""), own_node),
        (vmi("", "", ""), vmi("", "", ""), own_node),
        (vmi("", "", ""), vmi("n1", "", ""), own_node),
        (vmi("n2", "n1", ""), vmi("n2", "n1", ""), None),
        (vmi("n2", "n3", ""), vmi("n2", "n3", ""), own_node),
        (vmi("n2", "", "n1"), vmi("n2", "", "n1"), own_node),
        (vmi("n1", "", "n2"), vmi("n2", "", "n2"), None),
        (vmi("n1", "", "n1"), vmi("n1", "", "n2"), node_field(&["metadata.labels['g.io/node']"])),
        (vmi("n1", "n2", "n1"), vmi("n2", "n2", "n1"), None),
        (vmi("n2", "n1", "n2"), vmi("n1", "n1", "n1"), None),
        (vmi("n1", "n2", ""), vmi("n3", "n2", ""), node_field(&["s.node"])),
        (vmi("n1", "n2", ""), vmi("n1", "n3", ""), node_field(&["s.target"])),
        (
            vmi("n1", "n2", "n1"),
            vmi("n3", "n4", "n5"),
            node_field(&["metadata.labels['g.io/node']", "s.node", "s.target"]),
        ),
        (vmi("n1", "n2", "n1"), vmi("", "n2", "n1"), node_field(&["s.node"])),
        (vmi("n1", "n2", ""), vmi("", "n2", ""), None),
        (vmi("n1", "", ""), vmi("n1", "n1", ""), Some((Rule::Introduce, &["s.target"]))),
        (vmi("n1", "", ""), vmi("n1", "n2", ""), node_field(&["s.target"])),
        (vmi("n1", "n2", ""), vmi("n1", "", ""), None),
    ];
    let strict = profile(VMI);
    for (old, new, expected) in table {
        let decision = update(&strict, &agent(), VMIS, &old, &new);
        match expected {
            None => assert_eq!(decision, Decision::Allow, "{old} {new}"),
            Some((rule, keys)) => assert_denied(&decision, Guard::Resources, rule, keys),
        }
    }
    let any = profile(&format!("  node: Any\n{VMI}"));
    assert_eq!(update(&any, &agent(), VMIS, &vmi("n2", "n3", ""), &vmi("n4", "n5", "")), Decision::Allow);
    let unclaimed = profile(&format!("  node: OwnIfClaimed\n{VMI}"));
    assert_eq!(update(&unclaimed, &user(&[]), VMIS, &vmi("n2", "", ""), &vmi("n2", "", "")), Decision::Allow);
    let moved = update(&unclaimed, &user(&[]), VMIS, &vmi("n2", "n2", "n2"), &vmi("n2", "n2", ""));
    assert_denied(&moved, Guard::Resources, Rule::NodeField, &["metadata.labels['g.io/node']"]);
}

#[test]
fn a_null_field_is_empty_and_a_number_names_no_node() {
    let strict = profile(VMI);
    let null = changed(&vmi("n1", "", ""), "/s", json!({"node": "n1", "target": null}));
    let number = changed(&vmi("n1", "", ""), "/s", json!({"node": "n1", "target": 5}));
    assert_denied(
        &update(&strict, &agent(), VMIS, &null, &vmi("n1", "n1", "")),
        Guard::Resources,
        Rule::Introduce,
        &["s.target"],
    );
    assert_denied(
        &update(&strict, &agent(), VMIS, &vmi("n1", "", ""), &number),
        Guard::Resources,
        Rule::NodeField,
        &["s.target"],
    );
    assert_eq!(update(&strict, &agent(), VMIS, &number, &number), Decision::Allow);
}

#[test]
fn creation_is_judged_on_the_new_object_and_deletion_on_the_old() {
    let strict = profile(VMI);
    let (mine, theirs) = (vmi("n1", "", ""), vmi("n2", "", ""));
    for (object, allowed) in [(&mine, true), (&theirs, false)] {
        let object = Object::new(object).unwrap();
        for operation in [Operation::Create { new: object }, Operation::Delete { old: object }] {
            let decision = decide(&strict, &Request { user: &agent(), target: VMIS, operation });
            match allowed {
                true => assert_eq!(decision, Decision::Allow),
                false => assert_denied(&decision, Guard::Resources, Rule::OwnNode, &[]),
            }
        }
    }
    let connect = Request { user: &agent(), target: VMIS, operation: Operation::Connect };
    assert_eq!(decide(&strict, &connect), Decision::NotMatched);
    let updates = profile(&VMI.replace("CREATE, UPDATE, DELETE", "UPDATE"));
    let delete =
        Request { user: &agent(), target: VMIS, operation: Operation::Delete { old: Object::new(&theirs).unwrap() } };
    assert_eq!(decide(&updates, &delete), Decision::NotMatched);
}

#[test]
fn where_fields_are_listed_nothing_else_changes() {
    let spec = "  resources:\n  - {group: g.io, version: v1, resource: trackers, mayChange: [status.redo, other]}\n";
    let strict = profile(spec);
    let target = Target { group: "g.io", resource: "trackers", namespace: "x" };
    let old = json!({"metadata": {"name": "t", "labels": {"a": "b"}}, "spec": {"vm": "x"}, "status": {"redo": true, "point": "p"}});
    let allowed: &[&str] = &["other", "status.redo"];
    let table = [
        ("/status/redo", json!(false), true),
        ("/status/redo", json!(null), true),
        ("/other", json!({"x": 1}), true),
        ("/metadata/managedFields", json!([]), true),
        ("/status/point", json!("q"), false),
        ("/status/new", json!("q"), false),
        ("/status", json!(null), false),
        ("/spec/vm", json!("y"), false),
        ("/metadata/labels/a", json!("c"), false),
        ("/metadata/finalizers", json!(["x/y"]), false),
        ("/top", json!(1), false),
    ];
    for (pointer, value, holds) in table {
        let decision = update(&strict, &agent(), target, &old, &changed(&old, pointer, value));
        match holds {
            true => assert_eq!(decision, Decision::Allow, "{pointer}"),
            false => assert_denied(&decision, Guard::Resources, Rule::Fields, allowed),
        }
    }
    assert_denied(&update(&strict, &user(&[]), target, &old, &old), Guard::Resources, Rule::OwnNode, &[]);
}

#[test]
fn objects_that_no_server_would_show_are_refused() {
    let table = [
        (json!(5), MalformedObject::NotAnObject),
        (json!({}), MalformedObject::Metadata),
        (json!({"metadata": []}), MalformedObject::Metadata),
        (json!({"metadata": {"labels": null}}), MalformedObject::Texts),
        (json!({"metadata": {"labels": {"a": 1}}}), MalformedObject::Texts),
        (json!({"metadata": {"annotations": ["a"]}}), MalformedObject::Texts),
    ];
    for (object, expected) in table {
        assert_eq!(Object::new(&object).unwrap_err(), expected, "{object}");
    }
}

#[test]
fn a_message_can_be_taken_apart_again() {
    let profile = plain();
    let new = changed(&changed(&node(), "/metadata/labels/b", json!("1")), "/metadata/labels/c.io~1d", json!("1"));
    let Decision::Deny(denial) = on_node(&profile, &node(), &new) else { panic!() };
    let message = denial.message(&profile);
    assert_eq!(message, "nodebound/p: labels: not owned by this agent: b, c.io/d");
    let parsed = Message::parse(&message).unwrap();
    assert_eq!((parsed.profile.as_str(), parsed.rule, &parsed.keys), ("p", Rule::Labels, &denial.keys));
    let bare = Message::parse("nodebound/p: spec: spec may not change").unwrap();
    assert_eq!((bare.rule, bare.keys.len()), (Rule::Spec, 0));
    for other in ["", "nodebound/p", "nodebound/p: nope: x", "else/p: spec: x"] {
        assert_eq!(Message::parse(other), None, "{other}");
    }
}

#[test]
fn a_message_that_grows_too_long_leaves_out_the_keys() {
    let profile = plain();
    let fill = |count: usize, last: usize| {
        let mut new = node();
        for index in 0..count {
            new["metadata"]["labels"][format!("b.io/{index:059}")] = json!("1");
        }
        new["metadata"]["labels"]["c".repeat(last)] = json!("1");
        new
    };
    let message = |new: &Value| match on_node(&profile, &node(), new) {
        Decision::Deny(denial) => denial.message(&profile),
        other => panic!("{other:?}"),
    };
    let bare = "nodebound/p: labels: not owned by this agent";
    // 46 bytes of text, 76 keys of 64 bytes with their separators, and one that fills the rest.
    assert_eq!(message(&fill(76, 58)).len(), 5120);
    assert_eq!(message(&fill(76, 59)), bare);
    assert_eq!(message(&changed(&node(), "/metadata/labels/a\nb", json!("1"))), bare);
}
