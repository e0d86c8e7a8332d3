//! What decoding into the server's types and encoding again makes of an object: unknown fields go, zero values come
//! or go, texts take their canonical form, and what is of a wrong type is refused in the server's words
//! (`sigs.k8s.io/json`, and `k8s.io/apimachinery/pkg/runtime/converter.go`).

use serde_json::{Map, Number, Value};

use super::go_names::{conversion, go_name, item_go, kind, number_or_kind, value_go};
pub use super::mistyped::Mistyped;
use super::moment::{self, Precision};
use super::zero_values::{absent, settled, zero};
use super::{Field, Schema, Shape, Struct, base64_text, quantity};

/// Paths of fields that the types do not know, as warnings name them: `spec.containers[0].nope`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(pub Vec<String>);

impl Unknown {
    /// What strict decoding complains of, in the server's words. Duplicates within unknown fields are not among it.
    #[must_use]
    pub fn complaints(&self, duplicates: &[String]) -> Vec<String> {
        let known = duplicates.iter().filter(|path| !self.covers(path));
        let duplicates = known.map(|path| format!("duplicate field {path:?}"));
        let unknown = self.0.iter().map(|path| format!("unknown field {path:?}"));
        unknown.chain(duplicates).take(MOST_COMPLAINTS).collect()
    }

    /// Whether a path is that of an unknown field, or leads into one.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.0.iter().any(|unknown| is_within(path, unknown))
    }
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// As many complaints as the server collects.
const MOST_COMPLAINTS: usize = 100;
/// Deepest nesting. The server goes to 10,000.
const MAX_DEPTH: usize = 300;
/// How the server says that a text is nested too deeply.
const TOO_DEEP: &str = "exceeded max depth";

/// Gives an object that was read as JSON the form in which the server stores and sends it.
///
/// # Errors
/// A value is not of its field's type. The object is then half done.
pub fn conform(schema: Schema<'_>, value: &mut Value) -> Result<Unknown, Mistyped> {
    Walk::new(Origin::Json).run(schema, value)
}

/// Does the same to an object that was made by a strategic merge patch or by server-side apply. Errors read
/// differently, whole floats are integers, and integers wrap.
///
/// # Errors
/// A value is not of its field's type.
pub fn convert(schema: Schema<'_>, value: &mut Value) -> Result<Unknown, Mistyped> {
    let mut unknown = Walk::new(Origin::Unstructured).run(schema, value)?;
    unknown.0.sort();
    Ok(unknown)
}

/// Fills in the values that the server's types declare as defaults (`+default`).
pub fn defaults(schema: Schema<'_>, value: &mut Value) {
    super::defaulting::walk(schema, value, &mut |schema, object| {
        let Shape::Struct(shape) = schema.shape() else { return };
        for (name, field) in &shape.fields {
            if let Some(default) = &field.default {
                super::defaulting::fill_field(object, name, field.nullable, default);
            }
        }
    });
}

/// Where an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Json,
    Unstructured,
}

type Outcome = Result<(), Mistyped>;

struct Walk<'t> {
    origin: Origin,
    unknown: Vec<String>,
    /// Where the walk is, as complaints about unknown fields have it.
    path: String,
    /// The innermost structure's name, and the fields that lead to where the walk is.
    owner: &'t str,
    stack: Vec<String>,
    /// The first value of a wrong type; the server reads on, and prefers other errors.
    saved: Option<Mistyped>,
    depth: usize,
}

impl<'t> Walk<'t> {
    fn new(origin: Origin) -> Self {
        let (unknown, path, stack) = (Vec::new(), String::new(), Vec::new());
        Self { origin, unknown, path, owner: "", stack, saved: None, depth: 0 }
    }

    fn run(mut self, schema: Schema<'t>, value: &mut Value) -> Result<Unknown, Mistyped> {
        self.value(schema, "", value)?;
        self.saved.map_or(Ok(Unknown(self.unknown)), Err)
    }

    fn value(&mut self, schema: Schema<'t>, go: &str, value: &mut Value) -> Outcome {
        if self.depth >= MAX_DEPTH {
            return Err(Mistyped::text(TOO_DEEP));
        }
        self.depth += 1;
        let outcome = self.known(schema, go, value);
        self.depth -= 1;
        outcome
    }

    fn known(&mut self, schema: Schema<'t>, go: &str, value: &mut Value) -> Outcome {
        match (schema.shape(), &mut *value) {
            (Shape::Any, _) => return self.any(schema, value),
            (_, Value::Null) => *value = zero(schema),
            (Shape::Struct(shape), Value::Object(object)) => return self.structure(schema, shape, object),
            (Shape::Map { value: each, .. }, Value::Object(map)) => {
                return self.map(schema.at(*each), value_go(go), map);
            }
            (Shape::List(list), Value::Array(items)) => return self.list(schema.at(list.item), item_go(go), items),
            (Shape::Integer(format), Value::Number(_)) => return self.integer(format, schema, go, value),
            (Shape::Number, Value::Number(number)) => *number = whole(number),
            (Shape::IntOrString, _) => return self.int_or_string(value),
            (Shape::Text("quantity"), _) => return self.quantity(value),
            (Shape::Text("date-time"), _) => return self.time(schema, value),
            (Shape::Text("byte"), Value::String(text)) => return self.bytes(text),
            (Shape::Text("byte"), Value::Array(items)) => *value = self.byte_list(items)?,
            (Shape::Boolean, Value::Bool(_)) | (Shape::Text(_), Value::String(_)) => {}
            _ => return self.mismatch(schema, go, value),
        }
        Ok(())
    }

    fn any(&mut self, schema: Schema<'t>, value: &mut Value) -> Outcome {
        let name = schema.ty().name.as_deref().unwrap_or_default();
        let Some((props, alternative)) = name.split_once("JSONSchemaPropsOr") else { return Ok(()) };
        let id = schema.types.named(&format!("{props}JSONSchemaProps")).unwrap_or(usize::MAX);
        self.schema_or(schema.at(id), alternative, value)
    }

    /// A JSON schema, or something else (`apiextensions/v1/marshal.go`). Unknown fields within go silently.
    fn schema_or(&self, props: Schema<'t>, alternative: &str, value: &mut Value) -> Outcome {
        match (&mut *value, alternative) {
            (Value::Object(_), _) => self.apart(props, value),
            (Value::Array(items), "Array") if !items.is_empty() => {
                items.iter_mut().try_for_each(|item| self.apart(props, item))
            }
            (Value::Array(items), "StringArray") if !items.is_empty() => {
                let found = items.iter().find(|item| !item.is_string());
                found.map_or(Ok(()), |item| Err(self.here(Mistyped::new(kind(item), "string"))))
            }
            (Value::Bool(_), "Bool") => Ok(()),
            (_, "Bool") => Err(Mistyped::text("boolean or JSON schema expected")),
            _ => {
                *value = Value::Null;
                Ok(())
            }
        }
    }

    /// Reads a value that the server reads in a decoding of its own.
    fn apart(&self, schema: Schema<'t>, value: &mut Value) -> Outcome {
        let mut walk = Self { depth: self.depth, ..Self::new(Origin::Json) };
        walk.value(schema, "", value).map_err(|error| self.here(error))?;
        walk.saved.map_or(Ok(()), |error| Err(self.here(error)))
    }

    fn list(&mut self, item: Schema<'t>, go: &str, items: &mut [Value]) -> Outcome {
        let length = self.path.len();
        for (index, value) in items.iter_mut().enumerate() {
            self.path.push_str(&format!("[{index}]"));
            self.value(item, go, value)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn map(&mut self, each: Schema<'t>, go: &str, map: &mut Map<String, Value>) -> Outcome {
        let length = self.path.len();
        for (key, value) in map.iter_mut() {
            // The converter of unstructured objects leaves the keys of maps out of its paths.
            if self.origin == Origin::Json {
                self.enter(key);
            }
            self.value(each, go, value)?;
            if value.is_null() && matches!(each.shape(), Shape::List(_)) {
                *value = Value::Array(Vec::new());
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn enter(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn structure(&mut self, schema: Schema<'t>, shape: &'t Struct, object: &mut Map<String, Value>) -> Outcome {
        for (key, value) in std::mem::take(object) {
            match shape.fields.get(&key) {
                Some(field) => {
                    let value = self.field(schema.at(field.ty), shape, &key, field, value)?;
                    object.extend(value.map(|value| (key, value)));
                }
                None if shape.preserve_unknown => drop(object.insert(key, value)),
                None => self.complain(&key),
            }
        }
        for (name, field) in &shape.fields {
            if !field.omit_zero && !object.contains_key(name) {
                object.insert(name.clone(), absent(schema, field));
            }
        }
        Ok(())
    }

    fn complain(&mut self, key: &str) {
        let length = self.path.len();
        self.enter(key);
        if self.unknown.len() < MOST_COMPLAINTS && !self.unknown.contains(&self.path) {
            self.unknown.push(self.path.clone());
        }
        self.path.truncate(length);
    }

    /// What is left of a field's value; none if the field is left out.
    fn field(
        &mut self,
        schema: Schema<'t>,
        shape: &'t Struct,
        key: &str,
        field: &'t Field,
        mut value: Value,
    ) -> Result<Option<Value>, Mistyped> {
        if field.nullable && value.is_null() {
            return Ok((!field.omit_zero).then_some(value));
        }
        let (length, depth) = (self.path.len(), self.stack.len());
        let owner = std::mem::replace(&mut self.owner, &shape.go_name);
        self.enter(key);
        self.stack.extend(Some(&field.embedded).filter(|names| !names.is_empty()).cloned());
        self.stack.push(key.to_owned());
        self.value(schema, &field.go_type, &mut value)?;
        self.path.truncate(length);
        self.stack.truncate(depth);
        self.owner = owner;
        Ok(settled(schema, field, value))
    }

    fn integer(&mut self, format: &str, schema: Schema<'t>, go: &str, value: &mut Value) -> Outcome {
        let number = match (value.as_i64(), self.origin) {
            (Some(number), Origin::Json) if format == "int64" || i32::try_from(number).is_ok() => return Ok(()),
            (Some(number), Origin::Unstructured) => Some(wrapped(format, number)),
            (None, Origin::Unstructured) => value.as_f64().and_then(integral),
            _ => None,
        };
        match number {
            Some(number) => *value = number.into(),
            None => return self.mismatch(schema, go, value),
        }
        Ok(())
    }

    fn int_or_string(&self, value: &Value) -> Outcome {
        match value {
            Value::String(_) => Ok(()),
            Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => Ok(()),
            other => Err(self.here(Mistyped::new(number_or_kind(other), "int32"))),
        }
    }

    fn quantity(&self, value: &mut Value) -> Outcome {
        let text = match value {
            Value::String(text) => text.clone(),
            ref other => other.to_string(),
        };
        *value = Value::String(quantity::canonical(&text).map_err(Mistyped::text)?);
        Ok(())
    }

    fn time(&self, schema: Schema<'t>, value: &mut Value) -> Outcome {
        let Value::String(text) = value else { return Err(self.here(Mistyped::new(kind(value), "string"))) };
        let fine = schema.ty().name.as_deref().is_some_and(|name| name.ends_with(".MicroTime"));
        let precision = if fine { Precision::Microseconds } else { Precision::Seconds };
        let canonical = moment::canonical(text, precision).map_err(Mistyped::text)?;
        *value = canonical.map_or(Value::Null, Value::String);
        Ok(())
    }

    fn bytes(&mut self, text: &mut String) -> Outcome {
        match (base64_text::canonical(text), self.origin) {
            (Ok(canonical), _) => *text = canonical,
            (Err(problem), Origin::Json) => return self.save(Mistyped::text(problem)),
            (Err(problem), Origin::Unstructured) => {
                return Err(Mistyped::text(format!("error decoding from json: {problem}")));
            }
        }
        Ok(())
    }

    /// A list of numbers is bytes, too.
    fn byte_list(&mut self, items: &[Value]) -> Result<Value, Mistyped> {
        let mut bytes = Vec::new();
        for item in items {
            match (item.as_u64().and_then(|number| u8::try_from(number).ok()), self.origin) {
                (Some(byte), _) => bytes.push(byte),
                (None, _) if item.is_null() => bytes.push(0),
                (None, Origin::Unstructured) => return Err(Mistyped::text("unrecognized type: uint8")),
                (None, Origin::Json) => {
                    let problem = self.here(Mistyped::new(number_or_kind(item), "uint8"));
                    self.save(problem)?;
                }
            }
        }
        Ok(Value::String(base64_text::of_bytes(&bytes)))
    }

    fn mismatch(&mut self, schema: Schema<'t>, go: &str, value: &Value) -> Outcome {
        match self.origin {
            Origin::Json => {
                let found = if matches!(schema.shape(), Shape::Integer(_)) {
                    number_or_kind(value)
                } else {
                    kind(value).to_owned()
                };
                let problem = self.here(Mistyped::new(found, go_name(schema, go)));
                self.save(problem)
            }
            Origin::Unstructured => Err(Mistyped::text(conversion(schema, go, value))),
        }
    }

    fn save(&mut self, problem: Mistyped) -> Outcome {
        self.saved.get_or_insert(problem);
        Ok(())
    }

    fn here(&self, problem: Mistyped) -> Mistyped {
        match self.origin {
            Origin::Json => problem.within(self.owner, &self.stack),
            Origin::Unstructured => problem,
        }
    }
}

/// Whole floats are encoded without a point.
fn whole(number: &Number) -> Number {
    let float = if number.is_f64() { number.as_f64().and_then(integral) } else { None };
    float.map_or_else(|| number.clone(), Number::from)
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn integral(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < 9.2e18).then_some(float as i64)
}

#[expect(clippy::cast_possible_truncation, reason = "the server cuts integers in the same way")]
fn wrapped(format: &str, number: i64) -> i64 {
    if format == "int32" { i64::from(number as i32) } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{builtin, decode};
    use proptest::prelude::*;
    use serde_json::json;

    fn node() -> Schema<'static> {
        let types = builtin::types();
        types.at(builtin::kind_type("", "v1", "Node").unwrap())
    }

    fn conformed(schema: Schema<'_>, mut value: Value) -> (Value, Unknown) {
        let unknown = conform(schema, &mut value).unwrap_or_else(|error| panic!("{error}"));
        (value, unknown)
    }

    #[test]
    fn a_new_node_gets_the_zero_values_of_the_server() {
        let (value, unknown) =
            conformed(node(), json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}}));
        let info = [
            "machineID",
            "systemUUID",
            "bootID",
            "kernelVersion",
            "osImage",
            "containerRuntimeVersion",
            "kubeletVersion",
            "kubeProxyVersion",
            "operatingSystem",
            "architecture",
        ];
        let info: Map<String, Value> = info.into_iter().map(|name| (name.to_owned(), json!(""))).collect();
        let status = json!({"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": info});
        let expected =
            json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}, "spec": {}, "status": status});
        assert_eq!((value, unknown), (expected, Unknown::default()));
    }

    #[test]
    fn what_is_unknown_null_or_empty_goes() {
        let input = json!({"metadata": {"labels": {}, "annotations": null, "finalizers": [], "nope": {"x": 1}},
            "spec": {"taints": [{"key": "a", "effect": "NoSchedule", "value": "", "nope": 1}], "unschedulable": false},
            "Spec": {}});
        let (value, unknown) = conformed(node(), input);
        assert_eq!(unknown.0, ["Spec", "metadata.nope", "spec.taints[0].nope"]);
        assert_eq!(value["metadata"], json!({}));
        assert_eq!(value["spec"], json!({"taints": [{"key": "a", "effect": "NoSchedule"}]}));
    }

    #[test]
    fn texts_take_their_canonical_form() {
        let input = json!({"metadata": {"creationTimestamp": "2026-01-02T03:04:05.7+01:00"},
            "status": {"capacity": {"cpu": "1000m", "memory": "1024Ki", "pods": 110}}});
        let (value, _) = conformed(node(), input);
        assert_eq!(value["metadata"]["creationTimestamp"], "2026-01-02T02:04:05Z");
        assert_eq!(value["status"]["capacity"], json!({"cpu": "1", "memory": "1Mi", "pods": "110"}));
    }

    /// Object, complaint about JSON, complaint about an unstructured object.
    const MISTYPED: &[(&str, &str, &str)] = &[
        (
            r#"{"metadata": {"labels": {"n": 1}}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            "cannot convert int64 to string",
        ),
        (
            r#"{"spec": []}"#,
            "json: cannot unmarshal array into Go struct field Node.spec of type v1.NodeSpec",
            "cannot restore struct from: slice",
        ),
        (
            r#"{"spec": {"taints": [{"effect": true}]}}"#,
            "json: cannot unmarshal bool into Go struct field Taint.spec.taints.effect of type v1.TaintEffect",
            "unrecognized type: string",
        ),
        (
            r#"{"spec": {"taints": {"a": 1}}}"#,
            "json: cannot unmarshal object into Go struct field NodeSpec.spec.taints of type []v1.Taint",
            "cannot restore slice from map",
        ),
        (
            r#"{"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1.5}}}}"#,
            "json: cannot unmarshal number 1.5 into Go struct field \
             DaemonEndpoint.status.daemonEndpoints.kubeletEndpoint.Port of type int32",
            "cannot convert float64 to int32",
        ),
        (
            r#"{"metadata": {"creationTimestamp": 1}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
            "json: cannot unmarshal number into Go value of type string",
        ),
        (
            r#"{"status": {"capacity": {"cpu": "x"}}}"#,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ("[]", "json: cannot unmarshal array into Go value of type v1.Node", "cannot restore struct from: slice"),
    ];

    #[test]
    fn values_of_wrong_types_are_refused_in_the_words_of_the_server() {
        for (text, json, unstructured) in MISTYPED {
            let (value, _) = decode::decode_json(text.as_bytes()).unwrap();
            let error = conform(node(), &mut value.clone()).unwrap_err();
            assert_eq!(error.to_string(), *json, "{text}");
            let error = convert(node(), &mut value.clone()).unwrap_err();
            assert_eq!(error.to_string(), *unstructured, "{text}");
        }
    }

    #[test]
    fn bytes_are_base64() {
        for (text, at) in [("Y", 0), ("YQ=", 3), ("a-b=", 1), ("YQ=x", 2), ("Y\n", 1), ("YQ==YQ==", 4)] {
            let types = builtin::types();
            let secret = types.at(builtin::kind_type("", "v1", "Secret").unwrap());
            let error = conform(secret, &mut json!({"data": {"a": text}})).unwrap_err();
            assert_eq!(error.to_string(), format!("illegal base64 data at input byte {at}"), "{text}");
        }
    }

    #[test]
    fn complaints_keep_the_order_of_the_text() {
        let text =
            br#"{"spec": {"nope": 1, "abc": {"x": 1, "x": 2}}, "metadata": {"name": "a", "name": "b"}, "alpha": 1}"#;
        let (value, duplicates) = decode::decode_json(text).unwrap();
        let (_, unknown) = conformed(node(), value);
        let ordered = [
            "unknown field \"spec.nope\"",
            "unknown field \"spec.abc\"",
            "duplicate field \"metadata.name\"",
            "unknown field \"alpha\"",
        ];
        assert_eq!(decode::complaints(text, &unknown), ordered);
        assert_eq!(unknown.complaints(&duplicates).len(), 4);
    }

    /// What the server's own packages make of objects of all kinds, most of them random.
    #[test]
    fn agrees_with_the_server() {
        for line in include_str!("server_objects.jsonl").lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let [group, version, kind] = ["group", "version", "kind"].map(|name| case[name].as_str().unwrap());
            let types = builtin::types();
            let (mut value, _) = decode::decode_json(case["text"].as_str().unwrap().as_bytes()).unwrap();
            let outcome = conform(types.at(builtin::kind_type(group, version, kind).unwrap()), &mut value);
            match outcome {
                Err(error) => assert_eq!(Some(error.to_string().as_str()), case["error"].as_str(), "{line}"),
                Ok(_) => {
                    crate::schema::defaulting::fill((group, version, kind), &mut value);
                    assert_eq!(value, case["result"], "{line}");
                }
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z0-9:.-]{0,8}".prop_map(Value::from)
        ];
        let key =
            prop::sample::select(vec!["metadata", "labels", "spec", "taints", "status", "conditions", "capacity", "x"]);
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn conforming_twice_changes_nothing_more(mut value in any_json()) {
            if conform(node(), &mut value).is_ok() {
                let once = value.clone();
                prop_assert_eq!(conform(node(), &mut value), Ok(Unknown::default()));
                prop_assert_eq!(value, once);
            }
        }
    }
}
