//! Schemas of custom resources, read once from `openAPIV3Schema`
//! (`apiextensions-apiserver/pkg/apiserver/schema/{structural,convert}.go`).

use std::collections::BTreeMap;

use admission::cel::library::re2;
use regex::Regex;
use serde_json::{Map, Value};

/// How deep a schema may nest; deeper parts are not read.
const MAX_DEPTH: usize = 120;

/// A schema, of a value or of a restriction within `allOf`, `anyOf`, `oneOf` and `not`.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// `type`; empty if there is none.
    pub kind: String,
    /// `format`; empty if there is none.
    pub format: String,
    /// `description`.
    pub description: String,
    /// `title`.
    pub title: String,
    /// `default`.
    pub default: Option<Value>,
    /// `nullable`.
    pub nullable: bool,
    /// The bounds of values.
    pub bounds: Bounds,
    /// `pattern`; empty if there is none.
    pub pattern: String,
    /// The pattern, compiled; none if it cannot be or there is none.
    pub regex: Option<Regex>,
    /// `enum`.
    pub choices: Vec<Value>,
    /// `required`.
    pub required: Vec<String>,
    /// `uniqueItems`.
    pub unique_items: bool,
    /// `items`, if it is one schema.
    pub items: Option<Box<Schema>>,
    /// `properties`.
    pub properties: BTreeMap<String, Schema>,
    /// `additionalProperties`.
    pub additional: Additional,
    /// `allOf`.
    pub all_of: Vec<Schema>,
    /// `anyOf`.
    pub any_of: Vec<Schema>,
    /// `oneOf`.
    pub one_of: Vec<Schema>,
    /// `not`.
    pub not: Option<Box<Schema>>,
    /// The extensions that begin with `x-kubernetes-`.
    pub extensions: Extensions,
    /// What the server does not support, by its JSON name.
    pub unsupported: Vec<&'static str>,
}

/// Bounds of numbers, lengths and sizes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// `minimum`.
    pub minimum: Option<f64>,
    /// `exclusiveMinimum`.
    pub above: bool,
    /// `maximum`.
    pub maximum: Option<f64>,
    /// `exclusiveMaximum`.
    pub below: bool,
    /// `multipleOf`.
    pub multiple_of: Option<f64>,
    /// `minLength`.
    pub min_length: Option<i64>,
    /// `maxLength`.
    pub max_length: Option<i64>,
    /// `minItems`.
    pub min_items: Option<i64>,
    /// `maxItems`.
    pub max_items: Option<i64>,
    /// `minProperties`.
    pub min_properties: Option<i64>,
    /// `maxProperties`.
    pub max_properties: Option<i64>,
}

/// What properties may have that are not listed.
#[derive(Clone, Debug, Default)]
pub enum Additional {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// `true` or `false`.
    Allowed(bool),
    /// A schema.
    Schema(Box<Schema>),
}

impl Additional {
    /// The schema, if it is one.
    #[must_use]
    pub fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Schema(schema) => Some(schema),
            _ => None,
        }
    }

    /// Whether anything is said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        !matches!(self, Self::Unsaid)
    }
}

/// `x-kubernetes-…`.
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    /// `preserve-unknown-fields`.
    pub preserve_unknown: Option<bool>,
    /// `embedded-resource`.
    pub embedded: bool,
    /// `int-or-string`.
    pub int_or_string: bool,
    /// `list-type`.
    pub list_type: Option<String>,
    /// `list-map-keys`.
    pub list_map_keys: Vec<String>,
    /// `map-type`.
    pub map_type: Option<String>,
    /// `validations`.
    pub rules: Vec<Rule>,
}

/// One of `x-kubernetes-validations`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// The expression.
    pub rule: String,
    /// What is said when it is false.
    pub message: String,
    /// An expression that says it.
    pub message_expression: String,
    /// The kind of error.
    pub reason: Option<String>,
    /// Which field the error is about.
    pub field_path: String,
    /// Whether `oldSelf` is an optional.
    pub optional_old: Option<bool>,
}

impl Schema {
    /// Reads a schema; what is malformed counts as absent.
    #[must_use]
    pub fn read(json: &Value) -> Self {
        read(json, 0)
    }

    /// Whether unknown fields are kept.
    #[must_use]
    pub fn preserves_unknown(&self) -> bool {
        self.extensions.preserve_unknown == Some(true)
    }

    /// The list type if it is the given one.
    #[must_use]
    pub fn is_list_of_type(&self, kind: &str) -> bool {
        self.extensions.list_type.as_deref() == Some(kind)
    }

    /// The schema of a field: its property's, or that of additional properties.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or_else(|| self.additional.schema())
    }

    /// The schemas directly below that describe values.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        self.items.as_deref().into_iter().chain(self.properties.values()).chain(self.additional.schema())
    }
}

fn read(json: &Value, depth: usize) -> Schema {
    let (Value::Object(entries), true) = (json, depth < MAX_DEPTH) else { return Schema::default() };
    let reader = Reader { entries, depth };
    let pattern = reader.text("pattern");
    let regex = (!pattern.is_empty()).then(|| re2::compile(&pattern).ok()).flatten();
    Schema {
        kind: reader.text("type"),
        format: reader.text("format"),
        description: reader.text("description"),
        title: reader.text("title"),
        default: reader.value("default").cloned(),
        nullable: reader.flag("nullable"),
        bounds: reader.bounds(),
        pattern,
        regex,
        choices: reader.array("enum").to_vec(),
        required: reader.texts("required"),
        unique_items: reader.flag("uniqueItems"),
        items: reader.schema("items"),
        properties: reader.properties(),
        additional: reader.additional(),
        all_of: reader.schemas("allOf"),
        any_of: reader.schemas("anyOf"),
        one_of: reader.schemas("oneOf"),
        not: reader.schema("not"),
        extensions: reader.extensions(),
        unsupported: reader.unsupported(),
    }
}

struct Reader<'v> {
    entries: &'v Map<String, Value>,
    depth: usize,
}

impl<'v> Reader<'v> {
    fn value(&self, name: &str) -> Option<&'v Value> {
        self.entries.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn flag(&self, name: &str) -> bool {
        self.optional_flag(name) == Some(true)
    }

    fn optional_flag(&self, name: &str) -> Option<bool> {
        self.value(name).and_then(Value::as_bool)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.value(name).and_then(Value::as_f64)
    }

    fn count(&self, name: &str) -> Option<i64> {
        self.value(name).and_then(Value::as_i64)
    }

    fn array(&self, name: &str) -> &'v [Value] {
        self.value(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.array(name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Box<Schema>> {
        let json = self.value(name).filter(|json| json.is_object())?;
        Some(Box::new(read(json, self.depth + 1)))
    }

    fn schemas(&self, name: &str) -> Vec<Schema> {
        self.array(name).iter().map(|json| read(json, self.depth + 1)).collect()
    }

    fn properties(&self) -> BTreeMap<String, Schema> {
        let entries = self.value("properties").and_then(Value::as_object).into_iter().flatten();
        entries.map(|(name, json)| (name.clone(), read(json, self.depth + 1))).collect()
    }

    fn additional(&self) -> Additional {
        match self.value("additionalProperties") {
            Some(Value::Bool(allowed)) => Additional::Allowed(*allowed),
            Some(json @ Value::Object(_)) => Additional::Schema(Box::new(read(json, self.depth + 1))),
            _ => Additional::Unsaid,
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            minimum: self.number("minimum"),
            above: self.flag("exclusiveMinimum"),
            maximum: self.number("maximum"),
            below: self.flag("exclusiveMaximum"),
            multiple_of: self.number("multipleOf"),
            min_length: self.count("minLength"),
            max_length: self.count("maxLength"),
            min_items: self.count("minItems"),
            max_items: self.count("maxItems"),
            min_properties: self.count("minProperties"),
            max_properties: self.count("maxProperties"),
        }
    }

    fn extensions(&self) -> Extensions {
        Extensions {
            preserve_unknown: self.optional_flag("x-kubernetes-preserve-unknown-fields"),
            embedded: self.flag("x-kubernetes-embedded-resource"),
            int_or_string: self.flag("x-kubernetes-int-or-string"),
            list_type: self.optional_text("x-kubernetes-list-type"),
            list_map_keys: self.texts("x-kubernetes-list-map-keys"),
            map_type: self.optional_text("x-kubernetes-map-type"),
            rules: self.array("x-kubernetes-validations").iter().filter_map(read_rule).collect(),
        }
    }

    fn unsupported(&self) -> Vec<&'static str> {
        let texts = ["id", "$schema", "$ref"].into_iter().filter(|name| !self.text(name).is_empty());
        let maps = ["patternProperties", "definitions"]
            .into_iter()
            .filter(|name| self.value(name).and_then(Value::as_object).is_some_and(|entries| !entries.is_empty()));
        let others = ["additionalItems", "dependencies"].into_iter().filter(|name| self.value(name).is_some());
        let items = self.value("items").is_some_and(Value::is_array).then_some("items");
        texts.chain(maps).chain(others).chain(items).collect()
    }
}

fn read_rule(json: &Value) -> Option<Rule> {
    let reader = Reader { entries: json.as_object()?, depth: 0 };
    Some(Rule {
        rule: reader.text("rule"),
        message: reader.text("message"),
        message_expression: reader.text("messageExpression"),
        reason: reader.optional_text("reason"),
        field_path: reader.text("fieldPath"),
        optional_old: reader.optional_flag("optionalOldSelf"),
    })
}
