//! Definitions as the server's errors show them: by the names of its own language, in its order
//! (`apiextensions-apiserver/pkg/apis/apiextensions/{types,types_jsonschema}.go`).

use admission::{FieldError, FieldPath};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

use super::schema_errors;
use super::structural::Schema;
use super::view::{self, Part};

/// A value with its fields in order.
pub enum Shown {
    /// As it is.
    Plain(Value),
    /// A list.
    List(Vec<Shown>),
    /// A structure or map.
    Fields(Vec<(String, Shown)>),
    /// The rules of a schema.
    Rules(Box<Schema>),
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Self::Rules(schema) => serializer.collect_seq(schema.extensions.rules.iter().map(schema_errors::Shown::of)),
        }
    }
}

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Any,
    Schema,
    Schemas,
    Properties,
    Items,
    SchemaOrFlag,
    Docs,
    Rules,
}

/// The fields of a schema with their names, and whether one with a status subresource may have them at its root.
const FIELDS: [(&str, &str, Kind, bool); 43] = [
    ("id", "ID", Kind::Text, false),
    ("$schema", "Schema", Kind::Text, false),
    ("$ref", "Ref", Kind::Any, false),
    ("description", "Description", Kind::Text, true),
    ("type", "Type", Kind::Text, true),
    ("nullable", "Nullable", Kind::Flag, false),
    ("format", "Format", Kind::Text, true),
    ("title", "Title", Kind::Text, true),
    ("default", "Default", Kind::Any, false),
    ("maximum", "Maximum", Kind::Any, true),
    ("exclusiveMaximum", "ExclusiveMaximum", Kind::Flag, true),
    ("minimum", "Minimum", Kind::Any, true),
    ("exclusiveMinimum", "ExclusiveMinimum", Kind::Flag, true),
    ("maxLength", "MaxLength", Kind::Any, true),
    ("minLength", "MinLength", Kind::Any, true),
    ("pattern", "Pattern", Kind::Text, true),
    ("maxItems", "MaxItems", Kind::Any, true),
    ("minItems", "MinItems", Kind::Any, true),
    ("uniqueItems", "UniqueItems", Kind::Flag, true),
    ("multipleOf", "MultipleOf", Kind::Any, true),
    ("enum", "Enum", Kind::Any, false),
    ("maxProperties", "MaxProperties", Kind::Any, false),
    ("minProperties", "MinProperties", Kind::Any, false),
    ("required", "Required", Kind::Any, true),
    ("items", "Items", Kind::Items, true),
    ("allOf", "AllOf", Kind::Schemas, false),
    ("oneOf", "OneOf", Kind::Schemas, false),
    ("anyOf", "AnyOf", Kind::Schemas, false),
    ("not", "Not", Kind::Schema, false),
    ("properties", "Properties", Kind::Properties, true),
    ("additionalProperties", "AdditionalProperties", Kind::SchemaOrFlag, false),
    ("patternProperties", "PatternProperties", Kind::Properties, false),
    ("dependencies", "Dependencies", Kind::Any, false),
    ("additionalItems", "AdditionalItems", Kind::SchemaOrFlag, false),
    ("definitions", "Definitions", Kind::Properties, false),
    ("externalDocs", "ExternalDocs", Kind::Docs, true),
    ("example", "Example", Kind::Any, true),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields", Kind::Any, true),
    ("x-kubernetes-embedded-resource", "XEmbeddedResource", Kind::Flag, false),
    ("x-kubernetes-int-or-string", "XIntOrString", Kind::Flag, false),
    ("x-kubernetes-list-map-keys", "XListMapKeys", Kind::Any, false),
    ("x-kubernetes-list-type", "XListType", Kind::Any, false),
    ("x-kubernetes-map-type", "XMapType", Kind::Any, false),
];
const RULES: (&str, &str, Kind, bool) = ("x-kubernetes-validations", "XValidations", Kind::Rules, true);
/// The names that may be used, in the order in which the server lists them.
const ALLOWED: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength \
                       MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs \
                       Example XPreserveUnknownFields XValidations]";

/// The first field that the root of a schema may not have beside a status subresource.
pub fn root_error(json: &Value, path: &FieldPath) -> Option<FieldError> {
    for (name, _, kind, allowed) in FIELDS {
        let value = json.get(name).filter(|value| !is_zero(value, kind));
        if name == "type" {
            let kind = value.and_then(Value::as_str).filter(|kind| *kind != "object");
            let detail =
                "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
            if let Some(kind) = kind {
                return Some(FieldError::invalid(&path.child("type"), kind, detail));
            }
        } else if value.is_some() && !allowed {
            let detail = format!(
                "only {ALLOWED} fields are allowed at the root of the schema if the status subresource is enabled"
            );
            return Some(FieldError::invalid_json(path, &schema(json), detail));
        }
    }
    None
}

fn is_zero(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Text => value == "",
        Kind::Flag => *value == false,
        _ => value.is_null(),
    }
}

/// A schema.
fn schema(json: &Value) -> Shown {
    let fields = FIELDS.iter().chain([&RULES]);
    let shown = fields.map(|(name, go_name, kind, _)| ((*go_name).to_owned(), field(json.get(*name), *kind, json)));
    Shown::Fields(shown.collect())
}

fn field(value: Option<&Value>, kind: Kind, parent: &Value) -> Shown {
    let zero = match kind {
        Kind::Text => json!(""),
        Kind::Flag => json!(false),
        _ => Value::Null,
    };
    let Some(value) = value.filter(|value| !value.is_null()) else { return Shown::Plain(zero) };
    match (kind, value) {
        (Kind::Schema, value) => schema(value),
        (Kind::Schemas, Value::Array(items)) => Shown::List(items.iter().map(schema).collect()),
        (Kind::Properties, Value::Object(fields)) => {
            Shown::Fields(fields.iter().map(|(name, value)| (name.clone(), schema(value))).collect())
        }
        (Kind::Items, value) => named([("Schema", schema(value)), ("JSONSchemas", Shown::Plain(Value::Null))]),
        (Kind::SchemaOrFlag, Value::Bool(_)) => {
            named([("Allows", Shown::Plain(value.clone())), ("Schema", Shown::Plain(Value::Null))])
        }
        (Kind::SchemaOrFlag, value) => named([("Allows", Shown::Plain(json!(true))), ("Schema", schema(value))]),
        (Kind::Docs, value) => {
            let part = |name: &str| field(value.get(name), Kind::Text, parent);
            named([("Description", part("description")), ("URL", part("url"))])
        }
        (Kind::Rules, _) => Shown::Rules(Box::new(Schema::read(parent))),
        (_, value) => Shown::Plain(value.clone()),
    }
}

fn named<const N: usize>(fields: [(&str, Shown); N]) -> Shown {
    Shown::Fields(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The versions of a definition.
pub fn versions(definition: &Value) -> Shown {
    Shown::List(view::versions(definition).iter().map(|version| one_version(definition, version)).collect())
}

fn one_version(definition: &Value, version: &Value) -> Shown {
    let own = |part: Part| part.own(definition, version);
    let plain = |name: &str, kind: Kind| field(version.get(name), kind, version);
    named([
        ("Name", plain("name", Kind::Text)),
        ("Served", plain("served", Kind::Flag)),
        ("Storage", plain("storage", Kind::Flag)),
        ("Deprecated", plain("deprecated", Kind::Flag)),
        ("DeprecationWarning", plain("deprecationWarning", Kind::Any)),
        ("Schema", validation(own(Part::Schema))),
        ("Subresources", subresources(own(Part::Subresources))),
        ("AdditionalPrinterColumns", list(own(Part::Columns), column)),
        ("SelectableFields", list(own(Part::Selectable), |item| named([("JSONPath", text(item, "jsonPath"))]))),
    ])
}

fn validation(json: &Value) -> Shown {
    match json.get("openAPIV3Schema") {
        _ if json.is_null() => Shown::Plain(Value::Null),
        Some(json) if !json.is_null() => named([("OpenAPIV3Schema", schema(json))]),
        _ => named([("OpenAPIV3Schema", Shown::Plain(Value::Null))]),
    }
}

fn subresources(json: &Value) -> Shown {
    if json.is_null() {
        return Shown::Plain(Value::Null);
    }
    let scale = match json.get("scale").filter(|scale| !scale.is_null()) {
        None => Shown::Plain(Value::Null),
        Some(scale) => named([
            ("SpecReplicasPath", text(scale, "specReplicasPath")),
            ("StatusReplicasPath", text(scale, "statusReplicasPath")),
            ("LabelSelectorPath", field(scale.get("labelSelectorPath"), Kind::Any, scale)),
        ]),
    };
    let status = json.get("status").filter(|status| !status.is_null()).map_or(Value::Null, |_| json!({}));
    named([("Status", Shown::Plain(status)), ("Scale", scale)])
}

fn column(column: &Value) -> Shown {
    named([
        ("Name", text(column, "name")),
        ("Type", text(column, "type")),
        ("Format", text(column, "format")),
        ("Description", text(column, "description")),
        ("Priority", Shown::Plain(column.get("priority").cloned().unwrap_or_else(|| json!(0)))),
        ("JSONPath", text(column, "jsonPath")),
    ])
}

fn text(json: &Value, name: &str) -> Shown {
    field(json.get(name), Kind::Text, json)
}

fn list(json: &Value, show: impl Fn(&Value) -> Shown) -> Shown {
    json.as_array().map_or(Shown::Plain(Value::Null), |items| Shown::List(items.iter().map(show).collect()))
}
