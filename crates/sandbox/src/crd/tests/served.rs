use std::sync::Arc;

use serde_json::{Value, from_str};

use crate::crd;
use crate::schema::{Field, ListMerge, Schema, Shape, Struct, Type, Types};

fn metadata() -> (Types, usize) {
    let mut types = Types::default();
    let text = types.add(Type { shape: Shape::Text(""), ..Type::default() });
    let id = types.add(Type::default());
    let owner = Field { ty: id, ..Field::default() };
    let name = Field { ty: text, ..Field::default() };
    let fields = [(String::from("name"), name), (String::from("self"), owner)].into();
    let shape = Shape::Struct(Struct { go_name: String::from("ObjectMeta"), fields, ..Struct::default() });
    types.set(id, Type { name: Some(String::from("ObjectMeta")), shape, ..Type::default() });
    (types, id)
}

fn at<'t>(schema: Schema<'t>, path: &str) -> Schema<'t> {
    path.split('.').fold(schema, |schema, name| schema.field(name).unwrap().1)
}

#[test]
fn served_versions_become_resources() {
    let mut definition: Value = from_str(include_str!("everything.json")).unwrap();
    crd::default_definition(&mut definition);
    crd::prepare_create(&mut definition);
    let (types, id) = metadata();
    let resources =
        |definition: &Value| crd::resources(&Arc::new(definition.clone()), crd::Metadata { types: &types, id });
    assert!(resources(&definition).is_empty());

    definition["status"] = crd::accept_names(&definition, &[], "now").unwrap();
    let found = resources(&definition);
    let [widgets] = found.as_slice() else { panic!("{} resources", found.len()) };
    assert_eq!((widgets.plural.as_str(), widgets.singular.as_str()), ("widgets", "widget"));
    assert_eq!((widgets.kind.as_str(), widgets.list_kind.as_str()), ("Widget", "WidgetList"));
    assert_eq!((widgets.short_names.concat(), widgets.categories.concat()), ("wd".to_owned(), "all".to_owned()));
    assert!(widgets.namespaced && widgets.is_custom());
    assert_eq!(widgets.subresource("scale").unwrap().kind.as_ref().unwrap().2, "Scale");

    let root = widgets.schema();
    assert_eq!(root.ty().name.as_deref(), Some("com.example.ex.v1.Widget"));
    assert_eq!(at(root, "metadata.self.self.name").shape(), &Shape::Text(""));
    assert_eq!(at(root, "spec.ios").shape(), &Shape::IntOrString);
    assert_eq!(at(root, "spec.any").shape(), &Shape::Any);
    assert_eq!(at(root, "spec.i32").shape(), &Shape::Integer("int32"));
    assert!(matches!(at(root, "spec.map").shape(), Shape::Map { atomic: false, .. }));
    let merge = |path: &str| match at(root, path).shape() {
        Shape::List(list) => list.merge.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(merge("spec.list"), ListMerge::Atomic);
    assert_eq!(merge("spec.set"), ListMerge::Set);
    assert_eq!(merge("spec.lm2"), ListMerge::Map(vec![String::from("name"), String::from("port")]));
    assert!(at(root, "spec.emb").field("metadata").is_some());
}
