use super::*;

/// A field that carries bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("is short");
    assert!(length < 0x80, "is short");
    let key = match number {
        0..16 => vec![number << 3 | 2],
        _ => vec![number << 3 | 0x82, number >> 4],
    };
    [&key, &[length][..], content].concat()
}

fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let names = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [PREFIX.to_vec(), bytes(1, &names), bytes(2, raw), bytes(3, b""), bytes(4, b"")].concat()
}

#[test]
fn a_review_of_kubectl_is_read() {
    // As `kubectl auth whoami` sends it: every plain field is there, empty.
    let metadata = b"\x0a\x00\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00\x38\x00\x42\x00";
    let status = b"\x0a\x08\x0a\x00\x12\x00\x1a\x00\x22\x00";
    let raw = [bytes(1, metadata), bytes(2, &status[..])].concat();
    let read = decode(&body("authentication.k8s.io/v1", "SelfSubjectReview", &raw)).expect("is read");
    assert_eq!(read["kind"], "SelfSubjectReview");
    assert_eq!(read["metadata"]["name"], "");
    assert_eq!(read["metadata"]["generation"], 0);
    assert_eq!(read["metadata"]["creationTimestamp"], Value::Null);
}

#[test]
fn values_are_those_of_their_types() {
    let entry = |key: &str, value: &[u8]| [bytes(1, key.as_bytes()), bytes(2, value)].concat();
    let map = [
        bytes(1, &[bytes(1, b"settings"), bytes(8, b"\x08\x80\x9d\x95\xc9\x06\x10\x05")].concat()),
        bytes(2, &entry("a", b"1")),
        bytes(2, &entry("b", b"2")),
        bytes(3, &entry("raw", b"\x00\xff")),
        vec![4 << 3, 1],
    ];
    let read = decode(&body("v1", "ConfigMap", &map.concat())).expect("is read");
    let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "2"}, "binaryData": {"raw": "AP8="},
        "immutable": true, "metadata": {"name": "settings", "creationTimestamp": "2025-11-25T06:36:48Z"}});
    assert_eq!(read, expected);
}

#[test]
fn inlined_messages_are_the_outer_types_fields() {
    let volume = [bytes(1, b"v"), bytes(2, &bytes(19, &bytes(1, &bytes(1, b"settings"))))];
    let spec = bytes(1, &volume.concat());
    let read = decode(&body("v1", "Pod", &bytes(2, &spec))).expect("is read");
    assert_eq!(read["spec"]["volumes"], json!([{"name": "v", "configMap": {"name": "settings"}}]));
}

#[test]
fn what_is_no_object_is_refused() {
    let prefix = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
    let table = [
        (b"{}".to_vec(), prefix),
        (Vec::new(), prefix),
        (body("v1", "Nope", b""), "no kind \"Nope\" is registered for version \"v1\""),
        (body("v1", "ConfigMap", b"\x0a"), "unexpected EOF"),
        (body("v1", "ConfigMap", b"\x08\x01"), "proto: wrong wireType = 0 for field Metadata"),
        (body("v1", "ConfigMap", &[4 << 3 | 2, 0]), "proto: wrong wireType = 2 for field Immutable"),
    ];
    for (body, error) in table {
        assert_eq!(decode(&body), Err(error.to_owned()), "{body:?}");
    }
}

/// Every field of every type that clients may send has its number, but for definitions of kinds.
#[test]
fn every_field_has_a_number() {
    fn fields(name: &str, into: &mut Vec<&'static str>) {
        for place in numbers_of(name).into_iter().flat_map(BTreeMap::values) {
            match place {
                Place::Field(name) => into.push(name),
                Place::Inline(inner) => fields(inner, into),
            }
        }
    }
    for (name, schema) in builtin::types().all_named() {
        let Shape::Struct(shape) = schema.shape() else { continue };
        if numbers_of(name).is_none() {
            let known = ["List", "Table", "TableRow", "TableColumnDefinition", "TableRowCondition"];
            let other = name.contains("apiextensions") || name.contains(".meta.v1.API");
            assert!(other || known.iter().any(|end| name.ends_with(end)), "{name}");
            continue;
        }
        let mut numbered = Vec::new();
        fields(name, &mut numbered);
        for field in shape.fields.keys().filter(|field| !matches!(field.as_str(), "apiVersion" | "kind")) {
            assert!(numbered.contains(&field.as_str()), "{name} {field}");
        }
        for field in numbered {
            assert!(shape.fields.contains_key(field), "{name} has no {field}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(raw in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..100)) {
        for kind in ["Pod", "Node", "ConfigMap", "Event"] {
            let _ = Envelope { api_version: "v1".into(), kind: kind.into(), raw: raw.clone() }.read();
        }
        let _ = decode(&[PREFIX, &raw].concat());
    }
}
