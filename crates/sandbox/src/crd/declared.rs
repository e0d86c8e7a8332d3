//! What expressions know of a schema: types, and how much data there can be
//! (`apiserver/pkg/cel/common/schemas.go`, `apiserver/pkg/cel/types.go`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use admission::cel::types::{StructType, Type};

use super::escape::escape;
use super::structural::{Additional, Schema};

/// The size of the largest request, in octets (`MaxRequestSizeBytes`).
const MAX_REQUEST: u64 = 3 * 1024 * 1024;
/// The length of the largest text: a request without quotes.
const MAX_TEXT: u64 = MAX_REQUEST - 2;
/// The longest JSON of a time or a span, and the shortest.
const TIME_SIZES: (u64, u64) = (32, 21);
const SPAN_SIZES: (u64, u64) = (32, 3);
const DATE_SIZE: u64 = 12;

/// A type with bounds on its data.
#[derive(Clone, Debug)]
pub struct Declared {
    /// What it is made of.
    pub shape: Shape,
    /// The most elements, entries or code units; 0 where that is no question.
    pub max_elements: u64,
    /// The least octets of its JSON.
    pub min_size: u64,
}

/// What a type is made of.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A type without parts.
    Plain(Type),
    /// A list.
    List(Arc<Declared>),
    /// A map from texts.
    Map(Arc<Declared>),
    /// A structure, by escaped names.
    Object(BTreeMap<String, Declared>),
}

/// The schema as expressions see it: objects have `apiVersion`, `kind` and the visible part of `metadata`.
#[must_use]
pub fn visible(schema: &Schema, root: bool) -> Schema {
    let mut seen = schema.clone();
    seen.items = seen.items.map(|items| Box::new(visible(&items, false)));
    seen.properties = seen.properties.iter().map(|(name, schema)| (name.clone(), visible(schema, false))).collect();
    if let Additional::Schema(others) = &seen.additional {
        seen.additional = Additional::Schema(Box::new(visible(others, false)));
    }
    if root || schema.extensions.embedded { with_metadata(&seen).into_owned() } else { seen }
}

fn with_metadata(schema: &Schema) -> Cow<'_, Schema> {
    let is_text = |schema: &Schema, name: &str| schema.properties.get(name).is_some_and(|field| field.kind == "string");
    let metadata = schema.properties.get("metadata").filter(|metadata| metadata.kind == "object");
    let complete = is_text(schema, "kind")
        && is_text(schema, "apiVersion")
        && metadata.is_some_and(|metadata| is_text(metadata, "name") && is_text(metadata, "generateName"));
    if complete {
        return Cow::Borrowed(schema);
    }
    let text = Schema { kind: String::from("string"), ..Schema::default() };
    let texts = |known: &Schema, names: [&str; 2]| {
        let own =
            |name: &str| known.properties.get(name).filter(|field| field.kind == "string").unwrap_or(&text).clone();
        names.map(|name| (name.to_owned(), own(name)))
    };
    let named = texts(metadata.unwrap_or(&text), ["name", "generateName"]).into();
    let mut schema = schema.clone();
    let typed = texts(&schema, ["apiVersion", "kind"]);
    schema.properties.extend(typed);
    let metadata = Schema { kind: String::from("object"), properties: named, ..Schema::default() };
    schema.properties.insert(String::from("metadata"), metadata);
    Cow::Owned(schema)
}

impl Declared {
    /// The type of a visible schema; none if expressions cannot see it.
    #[must_use]
    pub fn of(schema: &Schema) -> Option<Self> {
        let bounds = &schema.bounds;
        if schema.extensions.int_or_string {
            let most = bounds.max_length.map_or(MAX_TEXT, |most| count(most).saturating_mul(4));
            return Some(Self::plain(Type::Dyn, most, 1));
        }
        match schema.kind.as_str() {
            "array" => Self::of(schema.items.as_deref()?).map(|items| Self::list(items, bounds.max_items)),
            "object" => Self::object(schema),
            "string" => Some(Self::text(schema)),
            "boolean" => Some(Self::plain(Type::Bool, 0, 4)),
            "number" => Some(Self::plain(Type::Double, 0, 1)),
            "integer" => Some(Self::plain(Type::Int, 0, 1)),
            _ => None,
        }
    }

    fn plain(kind: Type, max_elements: u64, min_size: u64) -> Self {
        Self { shape: Shape::Plain(kind), max_elements, min_size }
    }

    fn list(items: Self, most: Option<i64>) -> Self {
        let max_elements = most.map_or((MAX_REQUEST - 2) / (items.min_size + 1), count);
        Self { shape: Shape::List(Arc::new(items)), max_elements, min_size: 2 }
    }

    fn map(values: Self, most: Option<i64>) -> Self {
        let max_elements = most.map_or((MAX_REQUEST - 2) / (values.min_size + 6), count);
        Self { shape: Shape::Map(Arc::new(values)), max_elements, min_size: 2 }
    }

    fn object(schema: &Schema) -> Option<Self> {
        if let Some(others) = schema.additional.schema() {
            return Self::of(others).map(|values| Self::map(values, schema.bounds.max_properties));
        }
        let mut fields = BTreeMap::new();
        let mut min_size = 2;
        for (name, property) in &schema.properties {
            let Some(declared) = Self::of(property) else { continue };
            if schema.required.contains(name) && property.default.is_none() {
                min_size += u64::try_from(name.len()).unwrap_or(u64::MAX) + declared.min_size + 4;
            }
            if let Some(name) = escape(name) {
                fields.insert(name, declared);
            }
        }
        Some(Self { shape: Shape::Object(fields), max_elements: 0, min_size })
    }

    fn text(schema: &Schema) -> Self {
        let most = schema.bounds.max_length.map(count);
        match schema.format.as_str() {
            "byte" => Self::plain(Type::Bytes, most.unwrap_or(MAX_TEXT), 2),
            "duration" => Self::plain(Type::Duration, SPAN_SIZES.0, SPAN_SIZES.1),
            "date" => Self::plain(Type::Timestamp, DATE_SIZE, DATE_SIZE),
            "date-time" => Self::plain(Type::Timestamp, TIME_SIZES.0, TIME_SIZES.1),
            _ => {
                let longest = schema.choices.iter().filter_map(|choice| choice.as_str()).map(str::len).max();
                let chosen = (!schema.choices.is_empty()).then(|| longest.map_or(0, |most| most as u64));
                let most = most.map(|most| most.saturating_mul(4)).or(chosen).unwrap_or(MAX_TEXT);
                Self::plain(Type::String, most, 2)
            }
        }
    }

    /// The type that the checker sees; structures get names below the given one.
    #[must_use]
    pub fn checked(&self, name: &str) -> Type {
        match &self.shape {
            Shape::Plain(kind) => kind.clone(),
            Shape::List(items) => Type::list(items.checked(&format!("{name}.@idx"))),
            Shape::Map(values) => Type::map(Type::String, values.checked(&format!("{name}.@elem"))),
            Shape::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(field, declared)| (field.clone(), declared.checked(&format!("{name}.{field}"))));
                Type::Struct(Arc::new(StructType { name: name.to_owned(), fields: fields.collect() }))
            }
        }
    }

    /// The most elements of what a path leads to; its first step is a root name.
    #[must_use]
    pub fn size_at(&self, path: &[String]) -> Option<u64> {
        let mut declared = self;
        let mut steps = path.iter().skip(1).map(String::as_str);
        while let Some(step) = steps.next() {
            declared = match (&declared.shape, step) {
                (Shape::List(parts), "@items" | "@values") | (Shape::Map(parts), "@items" | "@values") => parts,
                // The server declares keys without a size.
                (Shape::Map(_), "@keys") => return steps.next().is_none().then_some(0),
                (Shape::Object(fields), name) => fields.get(name)?,
                _ => return None,
            };
        }
        Some(declared.max_elements)
    }

    /// How often a value of this type can occur at most in a request.
    #[must_use]
    pub fn max_cardinality(&self) -> u64 {
        MAX_REQUEST / (self.min_size + 1)
    }
}

fn count(most: i64) -> u64 {
    u64::try_from(most).unwrap_or(0)
}
