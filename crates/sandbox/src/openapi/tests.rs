use admission::KubeVersion;

use super::*;
use crate::catalog::builtin;
use crate::resource::Subresource;
use crate::schema::{Field, List, ListMerge, PatchStrategy, Shape, Struct, Type, Types};

fn named(name: &str, shape: Shape) -> Type {
    Type { name: Some(name.to_owned()), description: String::new(), shape }
}

fn structure(fields: Vec<(&str, Field)>) -> Shape {
    let fields = fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    Shape::Struct(Struct { fields, ..Struct::default() })
}

fn types() -> Types {
    let mut types = Types::default();
    let text = types.add(Type { shape: Shape::Text(""), ..Type::default() });
    let meta = types.add(named(
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        structure(vec![("name", Field { ty: text, ..Field::default() })]),
    ));
    let quantity = types.add(named("io.k8s.apimachinery.pkg.api.resource.Quantity", Shape::Text("quantity")));
    let taint = types.add(named(
        "io.k8s.api.core.v1.Taint",
        structure(vec![("key", Field { ty: text, required: true, ..Field::default() })]),
    ));
    let taints = types.add(Type {
        shape: Shape::List(List { item: taint, merge: ListMerge::Atomic, strategy: PatchStrategy::default() }),
        ..Type::default()
    });
    let strategy = PatchStrategy { merge: true, merge_key: Some("type".to_owned()), ..PatchStrategy::default() };
    let conditions = List { item: taint, merge: ListMerge::Map(vec!["type".to_owned()]), strategy };
    let conditions = types.add(Type { shape: Shape::List(conditions), ..Type::default() });
    let capacity = types.add(Type { shape: Shape::Map { value: quantity, atomic: false }, ..Type::default() });
    let spec = types.add(named(
        "io.k8s.api.core.v1.NodeSpec",
        structure(vec![
            (
                "taints",
                Field {
                    ty: taints,
                    description: "What keeps pods away.".to_owned(),
                    nullable: true,
                    ..Field::default()
                },
            ),
            ("conditions", Field { ty: conditions, nullable: true, ..Field::default() }),
            ("capacity", Field { ty: capacity, nullable: true, ..Field::default() }),
        ]),
    ));
    types.add(named(
        "io.k8s.api.core.v1.Node",
        structure(vec![
            ("metadata", Field { ty: meta, ..Field::default() }),
            ("spec", Field { ty: spec, description: "What is wanted.".to_owned(), ..Field::default() }),
        ]),
    ));
    types
}

fn served() -> Vec<Arc<Resource>> {
    let types = Arc::new(types());
    let mut served = builtin(KubeVersion::minor(36), &types);
    served.push(widget(&served));
    served.into_iter().map(Arc::new).collect()
}

fn widget(served: &[Resource]) -> Resource {
    let schema = json!({"type": "object", "description": "A widget.", "required": ["spec"], "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "string", "default": "m"},
            "port": {"x-kubernetes-int-or-string": true},
            "pod": {"type": "object", "required": ["spec"], "x-kubernetes-embedded-resource": true}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let definition = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    let verbs = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let scale = ("autoscaling".to_owned(), "v1".to_owned(), "Scale".to_owned());
    Resource {
        group: "z.example.com".to_owned(),
        plural: "widgets".to_owned(),
        singular: "widget".to_owned(),
        kind: "Widget".to_owned(),
        list_kind: "WidgetList".to_owned(),
        namespaced: true,
        verbs: verbs("delete deletecollection get list patch create update watch"),
        subresources: vec![
            Subresource { name: "status".to_owned(), kind: None, verbs: verbs("get patch update") },
            Subresource { name: "scale".to_owned(), kind: Some(scale), verbs: verbs("get patch update") },
        ],
        selectable_fields: vec!["spec.size".to_owned()],
        definition: Some(Arc::new(definition)),
        ..served.first().unwrap().clone()
    }
}

/// Path, method, name and action of every operation.
fn operations(document: &Value) -> Vec<(String, String, String, String)> {
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            let text = |field: &str| operation[field].as_str().unwrap().to_owned();
            found.push((path.clone(), method.clone(), text("operationId"), text("x-kubernetes-action")));
        }
    }
    found
}

#[test]
fn operations_are_those_of_the_server() {
    let recorded: BTreeMap<String, Vec<(String, String, String, String)>> =
        serde_json::from_str(include_str!("recorded.json")).unwrap();
    for (group_version, expected) in recorded {
        assert_eq!(operations(&document(&group_version, &served())), expected, "{group_version}");
    }
}

#[test]
fn a_patch_says_what_kubectl_asks() {
    let document = document("v1", &served());
    let patch = &document["paths"]["/api/v1/nodes/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"], json!({"group": "", "version": "v1", "kind": "Node"}));
    let names: Vec<&str> =
        patch["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    let media: Vec<&String> = patch["requestBody"]["content"].as_object().unwrap().keys().collect();
    let expected = [
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
    ];
    assert_eq!(media, expected);
}

#[test]
fn types_are_described_with_what_they_refer_to() {
    let document = document("v1", &served());
    let schemas = &document["components"]["schemas"];
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let expected = json!({"type": "object", "properties": {
            "metadata": {"default": {}, "allOf": [reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")]},
            "spec": {"description": "What is wanted.", "default": {}, "allOf": [reference("io.k8s.api.core.v1.NodeSpec")]}},
        "x-kubernetes-group-version-kind": [{"group": "", "kind": "Node", "version": "v1"}]});
    assert_eq!(schemas["io.k8s.api.core.v1.Node"], expected);
    let expected = json!({"type": "object", "properties": {
        "taints": {"description": "What keeps pods away.", "type": "array", "items": reference("io.k8s.api.core.v1.Taint"),
            "x-kubernetes-list-type": "atomic"},
        "conditions": {"type": "array", "items": reference("io.k8s.api.core.v1.Taint"), "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"], "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "type"},
        "capacity": {"type": "object", "additionalProperties": reference("io.k8s.apimachinery.pkg.api.resource.Quantity")}}});
    assert_eq!(schemas["io.k8s.api.core.v1.NodeSpec"], expected);
    let quantity = json!({"oneOf": [{"type": "string"}, {"type": "number"}]});
    assert_eq!(schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"], quantity);
    assert_eq!(schemas["io.k8s.api.core.v1.Taint"]["required"], json!(["key"]));
    assert_eq!(schemas["io.k8s.api.core.v1.Taint"]["properties"]["key"]["default"], json!(""));
}

#[test]
fn every_reference_leads_to_a_schema() {
    let served = served();
    for group_version in ["v1", "apps/v1", "z.example.com/v1", "authentication.k8s.io/v1"] {
        let document = document(group_version, &served);
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schemas.get(name).is_some_and(Value::is_object), "{group_version} {name}");
        }
    }
}

#[test]
fn a_custom_kind_has_the_schema_of_its_definition() {
    let document = document("z.example.com/v1", &served());
    let schemas = &document["components"]["schemas"];
    let widget = &schemas["com.example.z.v1.Widget"];
    let meta = json!([{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]);
    assert_eq!(widget["properties"]["metadata"]["allOf"], meta);
    assert_eq!(widget["properties"]["spec"]["properties"]["pod"]["properties"]["metadata"]["allOf"], meta);
    assert_eq!(widget["properties"]["spec"]["properties"]["size"], json!({"type": "string", "default": "m"}));
    assert_eq!(widget["properties"]["spec"]["properties"]["pod"]["required"], json!(["spec", "kind", "apiVersion"]));
    let either = json!([{"type": "integer"}, {"type": "string"}]);
    assert_eq!(widget["properties"]["spec"]["properties"]["port"]["anyOf"], either);
    assert_eq!(widget["required"], json!(["spec"]));
    assert_eq!(
        widget["x-kubernetes-group-version-kind"],
        json!([{"group": "z.example.com", "kind": "Widget", "version": "v1"}])
    );
    assert_eq!(widget["x-kubernetes-selectable-fields"], json!([{"fieldPath": "spec.size"}]));
    let list = &schemas["com.example.z.v1.WidgetList"];
    assert_eq!(list["properties"]["items"]["items"], json!({"$ref": "#/components/schemas/com.example.z.v1.Widget"}));
    assert_eq!(
        list["x-kubernetes-group-version-kind"],
        json!([{"group": "z.example.com", "kind": "WidgetList", "version": "v1"}])
    );
}

#[test]
fn the_index_leads_to_the_documents() {
    let documents = Documents::of(&served());
    let index = documents.index();
    let paths: Vec<&String> = index["paths"].as_object().unwrap().keys().collect();
    assert!(paths.iter().any(|path| *path == "api/v1") && paths.iter().any(|path| *path == "apis/z.example.com/v1"));
    let found = documents.get("api/v1").unwrap();
    let url = format!("/openapi/v3/api/v1?hash={}", found.hash);
    assert_eq!(index["paths"]["api/v1"], json!({"serverRelativeURL": url}));
    assert_eq!(serde_json::from_slice::<Value>(&found.body).unwrap(), document("v1", &served()));
    assert_eq!(documents.get("apis/nope/v1"), None);
    assert_eq!(index, super::index(&served()));
}

#[test]
fn documents_are_kept_by_their_hashes() {
    use crate::openapi::answer::{DocumentAnswer, DocumentRequest};
    let resources: Vec<_> = builtin(KubeVersion::minor(36), &Arc::default()).into_iter().map(Arc::new).collect();
    let documents = Documents::of(&resources);
    let document = documents.get("api/v1").expect("the core group is served");
    let (hash, etag) = (document.hash.clone(), format!("\"{}\"", document.hash));
    let answer = |request: DocumentRequest<'_>| documents.answer(&DocumentRequest { path: "api/v1", ..request });
    let header = |answer: &DocumentAnswer, name: &str| {
        let found = answer.headers.iter().find(|(known, _)| known.as_str() == name);
        found.map(|(_, value)| value.clone())
    };
    let plain = answer(DocumentRequest::default());
    assert_eq!((plain.status, &plain.body, header(&plain, "cache-control")), (200, &document.body, None));
    assert_eq!((header(&plain, "vary"), header(&plain, "etag")), (Some("Accept".to_owned()), Some(etag.clone())));
    let kept = answer(DocumentRequest { hash: &hash, now: 1_795_373_673, ..DocumentRequest::default() });
    assert_eq!(header(&kept, "cache-control").as_deref(), Some("public, immutable"));
    assert_eq!(header(&kept, "expires").as_deref(), Some("Mon, 22 Nov 2027 18:54:33 UTC"));
    let moved = answer(DocumentRequest { hash: "XYZ", ..DocumentRequest::default() });
    assert_eq!((moved.status, moved.body.len()), (301, 0));
    assert_eq!(header(&moved, "location"), Some(format!("/openapi/v3/api/v1?hash={hash}")));
    let known = answer(DocumentRequest { if_none_match: &etag, ..DocumentRequest::default() });
    assert_eq!((known.status, known.body.len(), header(&known, "etag")), (304, 0, Some(etag)));
    for (accept, status) in [("text/html", 406), ("application/yaml", 406), ("application/json", 200), ("*/*", 200)] {
        assert_eq!(answer(DocumentRequest { accept, ..DocumentRequest::default() }).status, status, "{accept}");
    }
    assert_eq!(documents.answer(&DocumentRequest { path: "apis/nope", ..DocumentRequest::default() }).status, 404);
}
