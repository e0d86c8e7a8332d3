//! What holds for every patch: nothing panics, and results are those of models that are too simple to be wrong.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use super::{json, merge, read, strategic};
use crate::schema::{Field, List, ListMerge, PatchStrategy, Shape, Struct, Type, Types};

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![any::<bool>().prop_map(Value::from), (-9_i64..9).prop_map(Value::from), "[a-c]".prop_map(Value::from)]
}

fn value(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        let object = prop::collection::btree_map("[a-c~/]", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let fields = prop::collection::btree_map("[a-c]", value(leaf), 0..4);
    fields.prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn with_nulls() -> impl Strategy<Value = Value> {
    prop_oneof![3 => plain(), 1 => Just(Value::Null)]
}

/// The paths of all values but the root.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, child)| (key.replace('~', "~0").replace('/', "~1"), child)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let path = format!("{path}/{key}");
        paths(child, &path, found);
        found.push(path);
    }
}

/// A path that is there, or would be new in something that is there.
fn path(target: &Value, choice: Index, new: Option<&str>) -> String {
    let mut found = vec![String::new()];
    paths(target, "", &mut found);
    let path = choice.get(&found);
    new.map_or_else(|| path.clone(), |new| format!("{path}/{new}"))
}

/// One operation by RFC 6902, with the two exceptions that the server makes.
fn model(target: &mut Value, operation: &Value) -> Option<()> {
    let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
    let (path, from, value) = (text("path"), text("from"), operation["value"].clone());
    match text("op").as_str() {
        "add" => insert(target, &path, value),
        "remove" => take(target, &path).map(drop),
        "replace" if path.is_empty() => {
            let container = value.is_object() || value.is_array();
            container.then(|| *target = value)
        }
        "replace" => match target.pointer_mut(&path) {
            Some(place) => {
                *place = value;
                Some(())
            }
            None => {
                let (parent, _) = path.rsplit_once('/')?;
                target.pointer(parent)?.is_object().then_some(())?;
                insert(target, &path, value)
            }
        },
        "test" => (*target.pointer(&path)? == value).then_some(()),
        "copy" => {
            let copied = if from.is_empty() { None } else { target.pointer(&from).cloned() }?;
            insert(target, &path, copied)
        }
        _ => {
            let moved = take(target, &from)?;
            insert(target, &path, moved)
        }
    }
}

fn insert(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, key) = path.rsplit_once('/')?;
    match target.pointer_mut(parent)? {
        Value::Object(fields) => {
            fields.insert(key.replace("~1", "/").replace("~0", "~"), value);
        }
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = key.parse().ok()?;
            (index <= items.len()).then(|| items.insert(index, value))?;
        }
        _ => return None,
    }
    Some(())
}

fn take(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    match target.pointer_mut(parent)? {
        Value::Object(fields) => fields.remove(&key.replace("~1", "/").replace("~0", "~")),
        Value::Array(items) => {
            let index: usize = key.parse().ok()?;
            (index < items.len()).then(|| items.remove(index))
        }
        _ => None,
    }
}

/// RFC 7386, section 2, for patches without nulls in lists.
fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut fields = target.as_object().cloned().unwrap_or_default();
    for (name, wanted) in patch {
        if wanted.is_null() {
            fields.remove(name);
        } else {
            let known = fields.remove(name).unwrap_or_default();
            fields.insert(name.clone(), merged(&known, wanted));
        }
    }
    Value::Object(fields)
}

fn without_lists(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::from(items.len()),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, without_lists(field))).collect(),
        plain => plain,
    }
}

/// A type in which every field can be anything that strategic merge patch knows.
fn recursive_types() -> Types {
    let mut types = Types::default();
    let (structure, text) = (types.add(Type::default()), types.add(Type::default()));
    let list = |item, merge_key: Option<&str>| {
        let strategy =
            PatchStrategy { merge: true, merge_key: merge_key.map(str::to_owned), ..PatchStrategy::default() };
        Type { shape: Shape::List(List { item, merge: ListMerge::Atomic, strategy }), ..Type::default() }
    };
    let (keyed, plain) = (types.add(list(structure, Some("a"))), types.add(list(text, None)));
    let fields = [("a", structure), ("b", keyed), ("c", plain)];
    let fields = fields.map(|(name, ty)| (name.to_owned(), Field { ty, ..Field::default() })).into();
    types.set(structure, Type { shape: Shape::Struct(Struct { fields, ..Struct::default() }), ..Type::default() });
    types
}

/// A type in which every field is of that type.
fn nested_maps() -> Types {
    let mut types = Types::default();
    let structure = types.add(Type::default());
    let fields = ["a", "b", "c", "~", "/"].map(|name| (name.to_owned(), Field { ty: structure, ..Field::default() }));
    types.set(
        structure,
        Type { shape: Shape::Struct(Struct { fields: fields.into(), ..Struct::default() }), ..Type::default() },
    );
    types
}

fn directed() -> impl Strategy<Value = Value> {
    let keys = "[a-c]|\\$patch|\\$retainKeys|\\$setElementOrder/[bc]|\\$deleteFromPrimitiveList/c";
    let leaf = prop_oneof![with_nulls(), "delete|replace|merge".prop_map(Value::from)];
    let tree = leaf.prop_recursive(5, 40, 4, move |inner| {
        let fields = prop::collection::btree_map(keys, inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(keys, tree, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

proptest! {
    #[test]
    fn json_patch_is_the_model(
        target in object(plain()),
        steps in prop::collection::vec(
            ("add|remove|replace|move|copy|test", any::<Index>(), any::<Index>(), prop::option::of("[ab0-3]|-"), value(plain())),
            1..5,
        ),
    ) {
        let mut expected = Some(target.clone());
        let mut operations = Vec::new();
        for (op, at, other, new, value) in steps {
            let current = expected.clone().unwrap_or_default();
            let place = path(&current, at, new.as_deref());
            let value = match current.pointer(&place) {
                Some(found) if op == "test" && other.index(2) == 0 => found.clone(),
                _ => value,
            };
            let from = path(&current, other, None);
            let operation = json!({"op": op, "path": place, "from": from, "value": value});
            expected = expected.and_then(|mut target| model(&mut target, &operation).map(|()| target));
            operations.push(operation);
        }
        let result = json::apply(Value::from(operations).to_string().as_bytes(), &target);
        prop_assert_eq!(result.ok(), expected);
    }

    #[test]
    fn merge_patch_is_the_model(target in object(plain()), patch in object(with_nulls())) {
        let patch = without_lists(patch);
        prop_assert_eq!(merge::apply(&patch, &target), Ok(merged(&target, &patch)));
    }

    #[test]
    fn merging_without_lists_is_the_same_by_strategy(target in object(plain()), patch in object(with_nulls())) {
        let (target, patch) = (without_lists(target), without_lists(patch));
        let types = nested_maps();
        prop_assert_eq!(strategic::apply(&patch, &target, types.at(0)), merge::apply(&patch, &target));
    }

    #[test]
    fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let applied = json::apply(&body, &json!({}));
        let read = read(&body);
        prop_assert!(applied.is_err() || read.is_ok_and(|patch| patch.is_array() || patch.is_null()));
    }

    #[test]
    fn what_serde_reads_is_read(value in value(with_nulls())) {
        prop_assert_eq!(read(value.to_string().as_bytes()), Ok(value));
    }

    #[test]
    fn any_directives_are_answered(target in object(plain()), patch in directed()) {
        let types = recursive_types();
        if let Err(failure) = strategic::apply(&patch, &target, types.at(0)) {
            prop_assert!([400, 422, 500].contains(&failure.code));
        }
    }

    #[test]
    fn an_empty_patch_changes_nothing(target in object(plain())) {
        let empty = Value::Object(Map::new());
        let types = recursive_types();
        prop_assert_eq!(strategic::apply(&empty, &target, types.at(0)), Ok(target.clone()));
        prop_assert_eq!(merge::apply(&empty, &target), Ok(target.clone()));
        prop_assert_eq!(json::apply(b"[]", &target), Ok(target));
    }
}
