//! Generated profiles, users, operations and objects.
//!
//! The pools are small on purpose, so that keys meet: what a profile owns, what looks like it, what is foreign.

use admission::AdmissionRequest;
use admission::request::{GroupVersionKind, GroupVersionResource, Operation, UserInfo};
use ownership::Profile;
use ownership::guard::Guard;
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use ownership::spec::{AgentProfileSpec, Channel};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::choices::Choices;

const DOMAINS: [&str; 5] = ["a.io", "b.a.io", "io", "c.b.a.io", "a-b.io"];
const PREFIXES: [&str; 3] = ["a.io/", "b.a.io/", "x.io/"];
const KEYS: [&str; 5] = ["plain", "a.io/k", "x.io/k", "b.a.io/k", "bare"];
/// Values of some form, and near misses.
const VALUES: [&str; 15] = [
    "good",
    "fine",
    "",
    "true",
    "false",
    "12",
    "2026-11-22T12:00:00Z",
    "2026-11-22T12:00:00.5+01:00",
    "bad",
    "xtrue",
    "truex",
    "x12",
    "12x",
    "x2026-11-22T12:00:00Z",
    "2026-11-22T12:00:00Zx",
];

/// Keys of objects: owned by some of the patterns, similar to them, or foreign.
const OBJECT_KEYS: [&str; 24] = [
    "a.io/k",
    "a.io/x",
    "b.a.io/k",
    "b.a.io/x",
    "c.b.a.io/x",
    "x.io/k",
    "x.io/x",
    "plain",
    "bare",
    "a-b.io/x",
    "xc.b.a.io/x",
    "xb.a.io/x",
    "b.x.io/x",
    "nx.io/x",
    "na.io/x",
    "aXio/x",
    "a.io.evil.org/x",
    "evil.org/a.io",
    "a.io",
    "plainx",
    "xplain",
    "node-role.kubernetes.io/control-plane",
    "b.x.io/k",
    "io/x",
];

/// Draws a profile.
#[must_use]
pub fn profile(choices: &mut Choices<'_>) -> Profile {
    let spec: AgentProfileSpec = serde_json::from_value(json!({
        "serviceAccount": {"namespace": "ns", "name": "agent"},
        "node": choices.pick(&["Own", "Own", "OwnIfClaimed", "Any"]),
        "checkNodeUID": choices.one_in(4),
        "labels": claims(choices),
        "annotations": claims(choices),
        "limits": limits(choices),
        "resources": resources(choices),
        "channel": choices.pick(&["Direct", "ShadowNode", "NodeFeature"]),
    }))
    .expect("the generated profile has the fields of a profile");
    Profile::new("p", with_liveness(choices, spec)).expect("the generated profile is valid")
}

fn with_liveness(choices: &mut Choices<'_>, mut spec: AgentProfileSpec) -> AgentProfileSpec {
    if choices.one_in(3) {
        let claim = json!({"key": "mark"});
        spec.labels.push(serde_json::from_value(claim).expect("is a claim"));
        let liveness = json!({"source": "Lease", "mark": {"label": "mark", "value": "false"}});
        spec.liveness = Some(serde_json::from_value(liveness).expect("is a liveness"));
    }
    spec
}

fn claims(choices: &mut Choices<'_>) -> Vec<Value> {
    let mut claims = Vec::new();
    for (field, pool) in [("domain", &DOMAINS[..]), ("prefix", &PREFIXES[..]), ("key", &KEYS[..])] {
        for text in choices.some(pool) {
            let mut claim = Map::from_iter([(field.to_owned(), json!(text))]);
            match choices.below(4) {
                0 | 1 => {}
                2 => drop(claim.insert("values".to_owned(), json!(allowed(choices)))),
                _ => drop(claim.insert("format".to_owned(), json!(choices.pick(&["Boolean", "Decimal", "Timestamp"])))),
            }
            claims.push(Value::Object(claim));
        }
    }
    claims
}

fn allowed(choices: &mut Choices<'_>) -> Vec<&'static str> {
    choices.pick(&[&["good"][..], &["good", "fine"], &[""], &["true", "false"]]).to_vec()
}

fn limits(choices: &mut Choices<'_>) -> Value {
    if !choices.one_in(3) {
        return Value::Null;
    }
    let mut limits = Map::new();
    for (field, bound) in [("removedKeys", 3), ("ownedKeys", 5), ("ownedBytes", 60)] {
        if choices.one_in(2) {
            limits.insert(field.to_owned(), json!(choices.below(bound)));
        }
    }
    Value::Object(limits)
}

fn resources(choices: &mut Choices<'_>) -> Vec<Value> {
    let operations = ["CREATE", "UPDATE", "DELETE"];
    let mut operations = choices.some(&operations);
    operations.push("UPDATE");
    let node = ["s.node", "s.target", "metadata.labels['a.io/node']"];
    let references = choices.some(&node[1..]);
    let named = json!({"group": "g.io", "version": "v1", "resource": "things", "operations": operations,
        "node": choices.some(&node).into_iter().chain(["s.node"]).collect::<Vec<_>>(), "nodeReferences": references, "mayNotIntroduce": choices.some(&node[1..])});
    let limited = json!({"group": "g.io", "version": "v1", "resource": "trackers",
        "mayChange": choices.pick(&[&["status.redo"][..], &["status"], &["status.redo", "status.more", "top"]])});
    [named, limited].into_iter().filter(|_| choices.one_in(2)).collect()
}

/// Draws a request, mostly about objects that the profile guards.
#[must_use]
pub fn request(choices: &mut Choices<'_>, profile: &Profile) -> AdmissionRequest {
    let target = target(choices, profile);
    request_to(choices, profile, target)
}

/// Draws a request about objects of one guard.
#[must_use]
pub fn request_for(choices: &mut Choices<'_>, profile: &Profile, guard: Guard) -> AdmissionRequest {
    let target = match guard {
        Guard::Nodes => 0,
        Guard::ShadowNodes => 1,
        Guard::Leases => 2,
        Guard::NodeFeatures => 3,
        Guard::Resources => choices.pick(&[4, 4, 5]),
    };
    request_to(choices, profile, target)
}

fn request_to(choices: &mut Choices<'_>, profile: &Profile, target: usize) -> AdmissionRequest {
    let (group, version, resource, kind) = [
        ("", "v1", "nodes", "Node"),
        ("nodebound.io", "v1alpha1", "shadownodes", "ShadowNode"),
        ("coordination.k8s.io", "v1", "leases", "Lease"),
        ("nfd.k8s-sigs.io", "v1alpha1", "nodefeatures", "NodeFeature"),
        ("g.io", "v1", "things", "Thing"),
        ("g.io", "v1", "trackers", "Tracker"),
        ("", "v1", "pods", "Pod"),
    ][target];
    let old = object(choices, target);
    let new = changed(choices, &old);
    let operation = match choices.below(24) {
        0..20 => Operation::Update,
        20 => Operation::Connect,
        21 => Operation::Delete,
        _ => Operation::Create,
    };
    let namespace = match target {
        0 | 1 => "",
        2 => choices.pick(&["nodebound-heartbeats", "nodebound-heartbeats", "kube-node-lease"]),
        _ => choices.pick(&["ns", "ns", "other"]),
    };
    AdmissionRequest {
        uid: "1".to_owned(),
        kind: GroupVersionKind { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() },
        resource: GroupVersionResource {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
        },
        sub_resource: choices.pick(&["", "", "status"]).to_owned(),
        request_kind: None,
        request_resource: None,
        request_sub_resource: None,
        name: choices.pick(&["n1", ""]).to_owned(),
        namespace: namespace.to_owned(),
        operation,
        user_info: user(choices, profile),
        object: matches!(operation, Operation::Create | Operation::Update | Operation::Connect).then(|| Arc::new(new)),
        old_object: matches!(operation, Operation::Update | Operation::Delete).then(|| Arc::new(old)),
        dry_run: false,
        options: None,
    }
}

/// Mostly an object that the profile guards.
fn target(choices: &mut Choices<'_>, profile: &Profile) -> usize {
    let mut targets = vec![0, 0, 0, 0];
    targets.extend([1, 1].iter().filter(|_| profile.channel() == Channel::ShadowNode));
    targets.extend([2].iter().filter(|_| profile.beats_by_lease()));
    targets.extend([3, 3].iter().filter(|_| profile.channel() == Channel::NodeFeature));
    targets.extend(profile.resources().iter().map(|resource| if resource.may_change.is_empty() { 4 } else { 5 }));
    if choices.one_in(12) { choices.below(7) } else { choices.pick(&targets) }
}

fn user(choices: &mut Choices<'_>, profile: &Profile) -> UserInfo {
    let stranger = choices.one_in(12);
    let username = if stranger { "system:serviceaccount:ns:agents" } else { profile.username() };
    let mut extra = BTreeMap::new();
    for (key, own, other) in [(NODE_NAME, "n1", "n2"), (NODE_UID, "u1", "u2"), (POD_NAME, "p", ""), (POD_UID, "q", "")]
    {
        let values: Option<&[&str]> = match choices.below(64) {
            0..56 => Some(&[own]),
            56 => Some(&[other]),
            57 => Some(&[]),
            58 => Some(&[""]),
            59 => Some(&[own, own]),
            60 => Some(&[own, other]),
            _ => None,
        };
        if let Some(values) = values {
            extra.insert(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
        }
    }
    let extra = if choices.one_in(20) { BTreeMap::new() } else { extra };
    UserInfo { username: username.to_owned(), uid: String::new(), groups: Vec::new(), extra }
}

fn object(choices: &mut Choices<'_>, target: usize) -> Value {
    let mut metadata = json!({"name": if choices.one_in(16) { "n2" } else { "n1" }, "uid": choices.pick(&["u1", "u1", "u1", "u1", "u1", "u1", "u2", ""]), "creationTimestamp": "2026-01-01T00:00:00Z"});
    for field in ["labels", "annotations"] {
        if let Some(map) = texts(choices) {
            metadata[field] = map;
        }
    }
    let mut object = json!({"apiVersion": "v1", "kind": "Any", "metadata": metadata});
    match target {
        3 => shape_feature(choices, &mut object),
        4 => shape_thing(choices, &mut object),
        5 => {
            object["spec"] = json!({"a": 1});
            if !choices.one_in(8) {
                object["status"] = json!({"redo": true, "point": "p"});
            }
        }
        _ if choices.one_in(12) => {}
        _ => {
            object["spec"] = json!({"a": 1, "renewTime": "1", "holderIdentity": "me"});
            object["status"] = json!({"b": [1, {"c": 2}]});
        }
    }
    object
}

fn shape_feature(choices: &mut Choices<'_>, object: &mut Value) {
    let name = if choices.one_in(12) { "n2" } else { "n1" };
    if !choices.one_in(24) {
        if !object["metadata"]["labels"].is_object() {
            object["metadata"]["labels"] = json!({});
        }
        object["metadata"]["labels"]["nfd.node.kubernetes.io/node-name"] = json!(name);
    }
    let mut spec = json!({});
    if let Some(labels) = texts(choices) {
        spec["labels"] = labels;
    }
    match choices.below(5) {
        0 => spec["features"] = json!({}),
        1 => spec["features"] = json!({"flags": {}, "attributes": {}}),
        2 => spec["features"] = json!({"flags": {"f": {"elements": {}}}}),
        _ => {}
    }
    object["spec"] = spec;
}

fn shape_thing(choices: &mut Choices<'_>, object: &mut Value) {
    object["s"] = json!({});
    for field in ["node", "target"] {
        match choices.below(8) {
            0 | 1 => object["s"][field] = json!("n1"),
            2 => object["s"][field] = json!("n2"),
            3 => object["s"][field] = json!("n3"),
            4 => object["s"][field] = json!(""),
            5 if choices.one_in(3) => object["s"][field] = choices.pick(&[&json!(null), &json!(5), &json!({})]).clone(),
            _ => {}
        }
    }
    if choices.one_in(2) {
        if !object["metadata"]["labels"].is_object() {
            object["metadata"]["labels"] = json!({});
        }
        object["metadata"]["labels"]["a.io/node"] = json!(choices.pick(&["n1", "n2", "n3"]));
    }
    if choices.one_in(12) {
        object.as_object_mut().expect("is an object").remove("s");
    } else if choices.one_in(12) {
        // No list: a schema rules that out, and the expressions refuse it by failing.
        object["s"] = choices.pick(&[&json!(null), &json!("text")]).clone();
    }
}

fn texts(choices: &mut Choices<'_>) -> Option<Value> {
    if choices.one_in(6) {
        return None;
    }
    let few = choices.one_in(2);
    let keys = if few {
        (0..choices.below(4)).map(|_| choices.pick(&OBJECT_KEYS[..14])).collect()
    } else {
        choices.some(&OBJECT_KEYS)
    };
    let mut map: Map<String, Value> =
        keys.into_iter().map(|key| (key.to_owned(), json!(choices.pick(&VALUES)))).collect();
    if choices.one_in(60) {
        let many = choices.pick(&[150, 300, 1200]);
        map.extend((0..many).map(|i| (format!("{}{i}", choices.pick(&["a.io/many", "f.io/many"])), json!("good"))));
    }
    Some(Value::Object(map))
}

/// An object after a few changes; none in some cases.
fn changed(choices: &mut Choices<'_>, old: &Value) -> Value {
    let mut new = old.clone();
    for _ in 0..choices.below(4) {
        change(choices, &mut new);
    }
    new
}

fn change(choices: &mut Choices<'_>, object: &mut Value) {
    match choices.below(16) {
        0..6 => set(choices, object, "labels"),
        6..8 => set(choices, object, "annotations"),
        8 => swap(choices, object),
        9 => replace_map(choices, object),
        10 => field(choices, object, &["finalizers", "uid", "generation", "resourceVersion", "managedFields", "name"]),
        11 => top(choices, object, "spec"),
        12 => top(choices, object, "status"),
        13 => shape_thing(choices, object),
        14 => shape_feature(choices, object),
        _ => object["top"] = json!(choices.below(3)),
    }
}

fn map_of<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !object["metadata"][field].is_object() {
        object["metadata"][field] = json!({});
    }
    object["metadata"][field].as_object_mut().expect("was just made an object")
}

fn set(choices: &mut Choices<'_>, object: &mut Value, field: &str) {
    let key = choices.pick(&OBJECT_KEYS).to_owned();
    let value = choices.pick(&VALUES);
    let map = map_of(object, field);
    if choices.one_in(4) {
        map.remove(&key)
    } else {
        map.insert(key, json!(value))
    };
}

/// One key goes, another comes: the number of keys stays.
fn swap(choices: &mut Choices<'_>, object: &mut Value) {
    let map = map_of(object, choices.pick(&["labels", "annotations"]));
    if let Some(first) = map.keys().next().cloned() {
        let value = map.remove(&first).unwrap_or_default();
        map.insert(choices.pick(&OBJECT_KEYS).to_owned(), value);
    }
}

fn replace_map(choices: &mut Choices<'_>, object: &mut Value) {
    let field = choices.pick(&["labels", "annotations"]);
    let metadata = object["metadata"].as_object_mut().expect("every object has metadata");
    match texts(choices) {
        Some(map) => metadata.insert(field.to_owned(), map),
        None => metadata.remove(field),
    };
}

fn field(choices: &mut Choices<'_>, object: &mut Value, fields: &[&str]) {
    let field = choices.pick(fields);
    let metadata = object["metadata"].as_object_mut().expect("every object has metadata");
    match choices.below(3) {
        0 => drop(metadata.remove(field).filter(|_| field != "name")),
        1 => drop(metadata.insert(field.to_owned(), json!("changed"))),
        _ => drop(metadata.insert(field.to_owned(), json!(["x/y"]))),
    }
}

fn top(choices: &mut Choices<'_>, object: &mut Value, field: &str) {
    match choices.below(6) {
        0 => drop(object.as_object_mut().map(|object| object.remove(field))),
        1 => object[field] = json!({"a": 1.0, "renewTime": "1", "holderIdentity": "me"}),
        2 => object[field] = json!({"a": 1, "renewTime": "2", "holderIdentity": "you"}),
        3 => object[field] = json!({"a": 2, "renewTime": "1"}),
        4 => object[field] = json!({"redo": false, "point": "p"}),
        _ => object[field] = json!({"redo": true, "point": "q", "more": 1}),
    }
}
