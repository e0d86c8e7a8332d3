//! Sequences of writes and what the server makes of them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::failure::Failure;
use crate::schema::{Field, List, ListMerge, PatchStrategy, Schema, Shape, Struct, Type, TypeId, Types};

const NOW: &str = "2026-01-02T03:04:05Z";
const LATER: &str = "2026-01-02T03:04:06Z";

/// Types of a cut-down Node with the containers of a Pod, and where it begins.
struct World {
    types: Types,
    root: TypeId,
}

impl World {
    fn new() -> Self {
        let mut world = Self { types: Types::default(), root: 0 };
        let [text, number, any] = [Shape::Text(""), Shape::Integer("int32"), Shape::Any].map(|shape| world.add(shape));
        let flag = world.add(Shape::Boolean);
        let texts = world.add(Shape::Map { value: text, atomic: false });
        let finalizers = world.list(text, ListMerge::Set);
        let owner = world.native(&[("name", text), ("uid", text), ("controller", flag)]);
        let owners = world.list(owner, ListMerge::Map(vec!["uid".into()]));
        let mut meta: Vec<_> = ["name", "namespace", "uid", "resourceVersion"].map(|name| (name, text)).into();
        meta.extend([
            ("labels", texts),
            ("annotations", texts),
            ("finalizers", finalizers),
            ("ownerReferences", owners),
        ]);
        meta.push(("managedFields", any));
        let meta = world.native(&meta);
        let taint = world.native(&[("key", text), ("effect", text)]);
        let taints = world.list(taint, ListMerge::Atomic);
        let port = world.native(&[("containerPort", number), ("protocol", text), ("name", text)]);
        world.change(port, |port| {
            if let Some(field) = port.fields.get_mut("protocol") {
                field.default = Some(json!("TCP"));
            }
        });
        let ports = world.list(port, ListMerge::Map(vec!["containerPort".into(), "protocol".into()]));
        let container = world.native(&[("name", text), ("image", text), ("ports", ports)]);
        let containers = world.list(container, ListMerge::Map(vec!["name".into()]));
        let spec = [("taints", taints), ("unschedulable", flag), ("containers", containers), ("replicas", number)];
        let spec = world.native(&[&spec[..], &[("free", any)]].concat());
        let condition = world.native(&[("type", text), ("status", text)]);
        let conditions = world.list(condition, ListMerge::Map(vec!["type".into()]));
        let status = world.native(&[("conditions", conditions)]);
        world.root = world.native(&[("apiVersion", text), ("kind", text)]);
        world.change(world.root, |root| {
            for (name, ty) in [("metadata", meta), ("spec", spec), ("status", status)] {
                root.fields.insert(name.into(), Field { ty, ..Field::default() });
            }
        });
        world
    }

    fn add(&mut self, shape: Shape) -> TypeId {
        self.types.add(Type { shape, ..Type::default() })
    }

    fn list(&mut self, item: TypeId, merge: ListMerge) -> TypeId {
        self.add(Shape::List(List { item, merge, strategy: PatchStrategy::default() }))
    }

    fn native(&mut self, fields: &[(&str, TypeId)]) -> TypeId {
        let field = |(name, ty): &(&str, TypeId)| {
            ((*name).to_owned(), Field { ty: *ty, omit_zero: true, nullable: true, ..Field::default() })
        };
        let fields = fields.iter().map(field).collect();
        self.add(Shape::Struct(Struct { go_name: "Some".into(), fields, ..Struct::default() }))
    }

    fn change(&mut self, id: TypeId, change: impl FnOnce(&mut Struct)) {
        let mut ty = self.types.at(id).ty().clone();
        if let Shape::Struct(shape) = &mut ty.shape {
            change(shape);
        }
        self.types.set(id, ty);
    }

    fn schema(&self) -> Schema<'_> {
        self.types.at(self.root)
    }

    fn apply(&self, live: Option<&Value>, applied: &Value, name: &str, force: bool) -> Result<Value, Failure> {
        self.apply_as(&manager(name, Operation::Apply, ""), live, applied, force, NOW)
    }

    fn apply_as(
        &self,
        manager: &Manager,
        live: Option<&Value>,
        applied: &Value,
        force: bool,
        now: &str,
    ) -> Result<Value, Failure> {
        let status = [Path::fields(&["status"])];
        let ignored = if manager.subresource.is_empty() { &status[..] } else { &[] };
        apply(live, applied, manager, force, self.schema(), now, ignored)
    }

    fn update(&self, live: Option<&Value>, new: Value, name: &str) -> Value {
        self.update_as(&manager(name, Operation::Update, ""), live, new, NOW)
    }

    fn update_as(&self, manager: &Manager, live: Option<&Value>, mut new: Value, now: &str) -> Value {
        let status = [Path::fields(&["status"])];
        let ignored = if manager.subresource.is_empty() { &status[..] } else { &[] };
        update(live, &mut new, manager, self.schema(), now, ignored);
        new["metadata"]["uid"] = json!("u");
        new
    }
}

fn manager(name: &str, operation: Operation, subresource: &str) -> Manager {
    Manager { name: name.into(), operation, api_version: "v1".into(), subresource: subresource.into() }
}

fn node(metadata: Value, spec: Value) -> Value {
    let mut node = json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec});
    node["metadata"]["name"] = json!("n");
    node
}

fn labelled(labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels}})
}

fn entries(object: &Value) -> Vec<Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The paths of each entry, by manager and operation.
fn owned(object: &Value) -> Vec<String> {
    let paths = |entry: &Value| {
        let set = fields_v1::decode(&entry["fieldsV1"]).unwrap();
        let paths: Vec<_> = set.paths().iter().map(ToString::to_string).collect();
        let [name, operation] = ["manager", "operation"].map(|name| entry[name].as_str().unwrap().to_owned());
        format!("{name} {operation}: {}", paths.join(" "))
    };
    entries(object).iter().map(paths).collect()
}

fn with_fields(mut object: Value, fields: Value) -> Value {
    object["metadata"]["managedFields"] = fields;
    object
}

#[test]
fn what_a_create_sets_belongs_to_its_manager() {
    let world = World::new();
    let created =
        world.update(None, node(json!({"labels": {"a": "1"}, "finalizers": ["x"]}), json!({"replicas": 1})), "m");
    let expected = json!([{"manager": "m", "operation": "Update", "apiVersion": "v1", "time": NOW, "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}, "f:finalizers": {".": {}, "v:\"x\"": {}}},
            "f:spec": {"f:replicas": {}}}}]);
    assert_eq!(entries(&created), *expected.as_array().unwrap());
    assert!(entries(&world.update(None, labelled(json!({})), ""))[0]["manager"] == "unknown");
}

#[test]
fn an_update_takes_fields_from_everybody() {
    let world = World::new();
    let live = world.apply(None, &labelled(json!({"a": "1", "b": "1", "c": "1"})), "m1", false).unwrap();
    let mut new = live.clone();
    new["metadata"]["labels"] = json!({"a": "2", "b": "1", "d": "1"});
    let new = world.update(Some(&live), new, "m2");
    assert_eq!(owned(&new), ["m1 Apply: .metadata.labels.b", "m2 Update: .metadata.labels.a .metadata.labels.d"]);
}

#[test]
fn writes_without_a_change_leave_everything() {
    let world = World::new();
    let live = world.apply(None, &labelled(json!({"a": "1"})), "m1", false).unwrap();
    let live = world.update(Some(&live), live.clone(), "m2");
    let twice = world.update_as(&manager("m3", Operation::Update, ""), Some(&live), live.clone(), LATER);
    assert_eq!(twice, live);
    let applied = labelled(json!({"a": "1"}));
    let again = world.apply_as(&manager("m1", Operation::Apply, ""), Some(&live), &applied, false, LATER).unwrap();
    assert_eq!(again, live);
    let shared = world.apply_as(&manager("m4", Operation::Apply, ""), Some(&live), &applied, false, LATER).unwrap();
    assert_eq!(owned(&shared), ["m4 Apply: .metadata.labels.a", "m1 Apply: .metadata.labels.a"]);
    assert_eq!(entries(&shared)[0].get("time"), None);
}

#[test]
fn managed_fields_of_a_request_count() {
    let world = World::new();
    let live = world.update(None, labelled(json!({"a": "1"})), "m");
    let kept = entries(&live);
    let entry = |operation: &str| json!({"manager": "z", "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}});
    let cases = [
        (json!([]), 0),
        (json!([{}]), 0),
        (json!(null), 1),
        (json!([entry("Bad")]), 1),
        (json!([{"manager": "z", "operation": "Apply", "apiVersion": "v1", "fieldsType": "V2"}]), 1),
        (
            json!([{"manager": "z", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"x": 1}}]),
            1,
        ),
    ];
    for (asked, left) in cases {
        let new = world.update(Some(&live), with_fields(live.clone(), asked.clone()), "m2");
        assert_eq!(entries(&new), kept[..left], "{asked}");
        let status = manager("m2", Operation::Update, "status");
        let new = world.update_as(&status, Some(&live), with_fields(live.clone(), asked), NOW);
        assert_eq!(entries(&new), kept);
    }
    let new = world.update(Some(&live), with_fields(live.clone(), json!([entry("Apply")])), "m2");
    assert_eq!(entries(&new), [entry("Apply")]);
}

#[test]
fn what_is_not_tracked_stays_so_until_the_first_apply() {
    let world = World::new();
    let mut live = labelled(json!({"a": "1"}));
    live["metadata"]["uid"] = json!("u");
    let mut new = live.clone();
    new["metadata"]["labels"]["b"] = json!("1");
    assert_eq!(entries(&world.update(Some(&live), new, "m")), Vec::<Value>::new());
    let applied = world.apply(Some(&live), &labelled(json!({"c": "1"})), "m", false).unwrap();
    assert_eq!(
        owned(&applied),
        ["m Apply: .metadata.labels.c", "before-first-apply Update: .metadata.labels .metadata.labels.a"]
    );
    let refused = world.apply(Some(&live), &labelled(json!({"a": "2"})), "m", false).unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .metadata.labels.a"
    );
}

#[test]
fn conflicts_are_told_as_the_server_tells_them() {
    let world = World::new();
    let live = world.apply(None, &labelled(json!({"a": "1"})), "m1", false).unwrap();
    let refused = world.apply(Some(&live), &labelled(json!({"a": "2"})), "m2", false).unwrap_err();
    assert_eq!((refused.code, refused.reason), (409, "Conflict"));
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"m1\": .metadata.labels.a");
    let cause =
        json!({"reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": ".metadata.labels.a"});
    assert_eq!(refused.to_status()["details"], json!({ "causes": [cause] }));

    let mut new = live.clone();
    new["metadata"]["labels"]["b"] = json!("1");
    new["metadata"]["labels"]["c"] = json!("1");
    let live = world.update_as(&manager("m1", Operation::Update, "status"), Some(&live), new, NOW);
    let refused = world.apply(Some(&live), &labelled(json!({"a": "2", "b": "2", "c": "2"})), "m2", false).unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 3 conflicts: conflicts with \"m1\":\n- .metadata.labels.a\nconflicts with \"m1\" with subresource \"status\" using v1:\n- .metadata.labels.b\n- .metadata.labels.c"
    );
}

#[test]
fn force_takes_over_and_dropped_fields_go() {
    let world = World::new();
    let live = world.apply(None, &labelled(json!({"a": "1", "b": "1"})), "m1", false).unwrap();
    let live = world.apply(Some(&live), &labelled(json!({"a": "2", "b": "1"})), "m2", true).unwrap();
    assert_eq!(owned(&live), ["m1 Apply: .metadata.labels.b", "m2 Apply: .metadata.labels.a .metadata.labels.b"]);
    let live = world.apply(Some(&live), &labelled(json!({})), "m2", false).unwrap();
    assert_eq!(live["metadata"]["labels"], json!({"b": "1"}));
    let live = world.apply(Some(&live), &labelled(json!({})), "m1", false).unwrap();
    assert_eq!(live["metadata"]["labels"], json!({}));
}

#[test]
fn objects_that_do_not_fit_are_refused() {
    let world = World::new();
    let mut namespaced = labelled(json!({"a": 1}));
    namespaced["metadata"]["namespace"] = json!("ns");
    let ports = |ports: Value| node(json!({}), json!({"containers": [{"name": "c", "ports": ports}]}));
    let patch = "failed to create typed patch object (/n; /v1, Kind=Node): ";
    let cases = [
        (node(json!({}), json!({"nope": 1, "zzz": 1})), format!("{patch}.spec.nope: field not declared in schema")),
        (
            namespaced,
            "failed to create typed patch object (ns/n; /v1, Kind=Node): .metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}".to_owned(),
        ),
        (node(json!({"labels": "x"}), json!({})), format!("{patch}.metadata.labels: expected map, got &{{x}}")),
        (node(json!({"finalizers": {"a": [1]}}), json!({})), format!("{patch}.metadata.finalizers: expected list, got &{{map[a:[1]]}}")),
        (node(json!({}), json!({"replicas": "1"})), format!("{patch}.spec.replicas: expected numeric (int or float), got string")),
        (node(json!({}), json!({"unschedulable": 1})), format!("{patch}.spec.unschedulable: expected boolean, got &{{1}}")),
        (node(json!({"finalizers": ["x", "x"]}), json!({})), format!("{patch}.metadata.finalizers: duplicate entries for key [=\"x\"]")),
        (
            ports(json!([{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}])),
            format!("{patch}.spec.containers[name=\"c\"].ports: duplicate entries for key [containerPort=80,protocol=\"TCP\"]"),
        ),
        (ports(json!([null])), format!("{patch}.spec.containers[name=\"c\"].ports: element 0: associative list with keys may not have a null element")),
        (
            node(json!({"labels": {"a": true}}), json!({"replicas": "x"})),
            format!("{patch}errors:\n  .metadata.labels.a: expected string, got &value.valueUnstructured{{Value:true}}\n  .spec.replicas: expected numeric (int or float), got string"),
        ),
        (
            node(json!({}), json!({"containers": [{"image": "i"}]})),
            format!("{patch}.spec.containers: element 0: associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)"),
        ),
    ];
    for (applied, message) in cases {
        let refused = world.apply(None, &applied, "m", false).unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (500, message.as_str()));
    }
    let managed = with_fields(labelled(json!({})), json!([]));
    assert_eq!(
        world.apply(None, &managed, "m", false).unwrap_err(),
        Failure::bad_request("metadata.managedFields must be nil")
    );
}

#[test]
fn another_kind_is_refused() {
    let cases = [
        (json!({}), "invalid object type: /, Kind="),
        (json!({"apiVersion": "v1", "kind": "Pod"}), "invalid object type: /v1, Kind=Pod"),
        (json!({"apiVersion": "apps/v1", "kind": "Node"}), "invalid object type: apps/v1, Kind=Node"),
    ];
    for (applied, message) in cases {
        assert_eq!(expect_kind(&applied, "v1", "Node"), Err(Failure::bad_request(message)));
    }
    assert_eq!(expect_kind(&labelled(json!({})), "v1", "Node"), Ok(()));
}

#[test]
fn lists_are_merged_by_their_types() {
    let world = World::new();
    let spec = |containers: Value, taints: Value| node(json!({}), json!({"containers": containers, "taints": taints}));
    let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
    let live = spec(
        json!([{"name": "a", "image": "1"}, {"name": "b"}, {"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]),
        json!([taint("x")]),
    );
    let live = world.update(None, live, "m1");
    let applied = spec(
        json!([{"name": "c", "ports": [{"containerPort": 80, "name": "http"}]}, {"name": "d"}, {"name": "a"}]),
        json!([taint("x")]),
    );
    let merged = world.apply(Some(&live), &applied, "m2", false).unwrap();
    let expected = json!([{"name": "b"}, {"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
        {"name": "d"}, {"name": "a", "image": "1"}]);
    assert_eq!(merged["spec"]["containers"], expected);
    let refused = world.apply(Some(&live), &spec(json!([]), json!([taint("x"), taint("y")])), "m2", false).unwrap_err();
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"m1\" using v1: .spec.taints");
}

#[test]
fn an_untyped_part_has_granular_maps_and_atomic_lists() {
    let world = World::new();
    let free = |value: Value| node(json!({}), json!({ "free": value }));
    let live = world.apply(None, &free(json!({"m": {"a": 1}, "l": [1, 2], "s": null})), "m1", false).unwrap();
    assert_eq!(owned(&live), ["m1 Apply: .spec.free.l .spec.free.m .spec.free.s .spec.free.m.a"]);
    let merged = world.apply(Some(&live), &free(json!({"m": {"b": 1}})), "m2", false).unwrap();
    assert_eq!(merged["spec"]["free"], json!({"m": {"a": 1, "b": 1}, "l": [1, 2], "s": null}));
    let refused = world.apply(Some(&live), &free(json!({"l": [1], "m": 1})), "m2", false).unwrap_err();
    assert!(refused.message.ends_with("conflicts with \"m1\":\n- .spec.free.l\n- .spec.free.m"), "{}", refused.message);
}

#[test]
fn ignored_fields_are_not_owned() {
    let world = World::new();
    let mut object = labelled(json!({"a": "1"}));
    object["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let live = world.update(None, object.clone(), "m");
    assert_eq!(owned(&live), ["m Update: .metadata.labels .metadata.labels.a"]);
    let applied = world.apply(None, &object, "m", false).unwrap();
    assert_eq!(owned(&applied), ["m Apply: .metadata.labels.a"]);
    let status = manager("m", Operation::Apply, "status");
    let applied = world.apply_as(
        &status,
        Some(&applied),
        &json!({"apiVersion": "v1", "kind": "Node", "status": object["status"]}),
        false,
        NOW,
    );
    assert_eq!(entries(&applied.unwrap())[0]["subresource"], "status");
}

#[test]
fn the_oldest_updates_are_merged() {
    let world = World::new();
    let mut live = world.update(None, labelled(json!({"m0": "1"})), "m0");
    for index in 1..12 {
        let mut new = live.clone();
        new["metadata"]["labels"][format!("m{index}")] = json!("1");
        let time = format!("2026-01-02T03:05:{index:02}Z");
        live = world.update_as(&manager(&format!("m{index}"), Operation::Update, ""), Some(&live), new, &time);
    }
    let owned = owned(&live);
    assert_eq!(owned.len(), 10);
    assert_eq!(
        owned[0],
        "ancient-changes Update: .metadata.labels .metadata.labels.m0 .metadata.labels.m1 .metadata.labels.m2"
    );
    assert_eq!(entries(&live)[0]["time"], "2026-01-02T03:05:02Z");
    assert_eq!(owned[9], "m11 Update: .metadata.labels.m11");
}

#[test]
fn sets_of_parts_are_adapted_to_what_is_atomic_by_now() {
    let world = World::new();
    let parts = json!([{"manager": "m1", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:taints": {"k:{\"key\":\"a\"}": {".": {}, "f:effect": {}}}, "f:gone": {"f:a": {}}}}}]);
    let live = with_fields(node(json!({}), json!({"taints": [{"key": "a"}]})), parts);
    let applied = world.apply(Some(&live), &labelled(json!({"a": "1"})), "m2", false).unwrap();
    assert_eq!(owned(&applied)[0], "m1 Apply: .spec.taints .spec.gone.a");
}

#[test]
fn kubectl_takes_over_what_it_applied_from_the_client() {
    let world = World::new();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let last = labelled(json!({"a": "1", "b": "1"})).to_string();
    let live = node(json!({"labels": {"a": "1", "b": "2"}, "annotations": {annotation: last}}), json!({}));
    let live = world.update(None, live, "kubectl-client-side-apply");
    let applied = labelled(json!({"a": "<3>"}));
    let taken = world.apply(Some(&live), &applied, "kubectl", false).unwrap();
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"labels\":{\"a\":\"\\u003c3\\u003e\"},\"name\":\"n\"}}\n";
    assert_eq!(taken["metadata"]["annotations"][annotation], text);
    let other = world.apply(Some(&live), &applied, "else", false).unwrap_err();
    assert_eq!(other.code, 409);
    let refused = world.apply(Some(&live), &labelled(json!({"a": "3", "b": "3"})), "kubectl", false).unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .metadata.labels.b"
    );
}

#[test]
fn large_objects_are_handled() {
    let world = World::new();
    let labels = |value: &str| {
        (0..3000).map(|index| (format!("label.example.com/{index}"), json!(value))).collect::<Map<_, _>>()
    };
    let finalizers = |offset: u32| {
        (0..20_000_u32)
            .map(|index| json!(format!("{}", index.wrapping_mul(2_654_435_761) ^ offset)))
            .collect::<Vec<_>>()
    };
    let object =
        |value: &str, offset| node(json!({"labels": labels(value), "finalizers": finalizers(offset)}), json!({}));
    let live = world.apply(None, &object("1", 0), "m1", false).unwrap();
    let live = world.apply(Some(&live), &object("2", 1), "m2", true).unwrap();
    let new = world.update(Some(&live), object("3", 2), "m3");
    assert_eq!(entries(&new).len(), 3);
}

fn objects() -> impl Strategy<Value = Value> {
    let labels = proptest::collection::btree_map("[ab]", "[12]", 0..3);
    let finalizers = proptest::collection::btree_set("[xyz]", 1..3);
    let images = proptest::collection::btree_map("[cd]", "[12]", 1..3);
    (labels, finalizers, images).prop_map(|(labels, finalizers, images)| {
        let container = |(name, image): (String, String)| json!({"name": name, "image": image});
        let containers: Vec<Value> = images.into_iter().map(container).collect();
        node(json!({"labels": labels, "finalizers": finalizers}), json!({ "containers": containers }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_apply_that_is_repeated_changes_nothing(first in objects(), second in objects(), third in objects()) {
        let world = World::new();
        let live = world.apply(None, &first, "m1", true).unwrap();
        let live = world.update(Some(&live), with_fields(second, live["metadata"]["managedFields"].clone()), "m2");
        let once = world.apply(Some(&live), &third, "m1", true).unwrap();
        let again = world.apply_as(&manager("m1", Operation::Apply, ""), Some(&once), &third, false, LATER).unwrap();
        prop_assert_eq!(&again, &once);
        let nothing = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
        let emptied = world.apply(Some(&once), &nothing, "m1", false).unwrap();
        prop_assert!(entries(&emptied).iter().all(|entry| entry["manager"] != "m1"));
    }

    #[test]
    fn nothing_that_a_client_sends_makes_it_fail(text in "[fkvi.z]:[a-z{}\":0-9.]{0,12}", object in objects()) {
        let world = World::new();
        let fields = json!([{"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {text: {}}}]);
        let live = world.update(None, object.clone(), "m1");
        let new = world.update(Some(&live), with_fields(object.clone(), fields), "m2");
        prop_assert!(world.apply(Some(&new), &object, "m3", true).is_ok());
    }
}
