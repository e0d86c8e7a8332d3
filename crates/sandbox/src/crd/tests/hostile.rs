use proptest::prelude::*;
use serde_json::{Value, from_str, json};

use crate::crd::{self, Compiled};

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "spec",
        "cel",
        "metadata",
        "type",
        "properties",
        "items",
        "default",
        "set",
        "lm",
        "name",
        "kind",
        "apiVersion",
        "emb",
        "x",
        "enum",
        "pattern",
        "minimum",
        "x-kubernetes-validations",
        "rule",
        "additionalProperties",
        "labels",
        "format",
        "x-kubernetes-list-type",
        "x-kubernetes-int-or-string",
        "anyOf",
        "\0",
        "é",
    ]);
    let texts = prop::sample::select(vec![
        "",
        "object",
        "array",
        "string",
        "set",
        "map",
        "[",
        "self.x",
        "date-time",
        "-1",
        "\u{0}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6)
                .prop_map(|entries| entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn anything_can_be_an_object(spec in any_json(), cel in any_json(), old in any_json()) {
        let definition: Value = from_str(include_str!("everything.json")).unwrap();
        let compiled = Compiled::new(&definition, "v1").unwrap();
        let mut object = json!({"apiVersion": "ex.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec, "cel": cel});
        if compiled.prune(&mut object).is_ok() {
            compiled.default(&mut object);
            let mut again = object.clone();
            prop_assert_eq!(compiled.prune(&mut again), Ok(Vec::new()));
            compiled.default(&mut again);
            prop_assert_eq!(&again, &object);
        }
        let before = json!({"spec": old, "cel": old, "status": old});
        let created = compiled.validate(&object, None, Vec::new());
        let kept = compiled.validate(&object, Some(&object), Vec::new());
        prop_assert!(kept.errors.is_empty() || !created.errors.is_empty());
        let _ = compiled.validate(&object, Some(&before), Vec::new());
        let _ = compiled.validate_status(&before, &object, Vec::new());
    }

    #[test]
    fn anything_can_be_a_definition(schema in any_json(), part in any_json()) {
        let mut definition = json!({"metadata": part, "spec": {"group": "a.b", "names": part, "conversion": part,
            "versions": [{"name": "v1", "storage": true, "schema": {"openAPIV3Schema": schema}, "subresources": part,
                "additionalPrinterColumns": part, "selectableFields": part}, part]}});
        crd::default_definition(&mut definition);
        let _ = crd::validate_definition(&definition, Some(&definition));
        let _ = crd::unrecognized_formats(&definition, None);
        let _ = crd::accept_names(&definition, &[&definition], "now");
        let compiled = Compiled::new(&definition, "v1").unwrap();
        let _ = compiled.validate(&part, Some(&schema), Vec::new());
    }
}

/// No body that the server reads has more levels.
const DEEPEST_BODY: usize = 256;

#[test]
fn deep_schemas_end() {
    let schema = (0..DEEPEST_BODY).fold(json!({"type": "string"}), |inner, _| json!({"type": "array", "items": inner}));
    let definition = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    assert!(!crd::validate_definition(&definition, None).is_empty());
    assert!(Compiled::new(&definition, "v1").is_some());
}
