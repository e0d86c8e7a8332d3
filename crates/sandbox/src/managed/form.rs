//! Types as server-side apply sees them: scalars, lists and maps (`kube-openapi/pkg/schemaconv`,
//! `structured-merge-diff/typed/helpers.go`).

use serde_json::{Map, Value};

use super::blank::key_default;
use super::gotext;
use super::path::Element;
use crate::schema::{ListMerge, Schema, Shape};

/// Deeper values are owned as a whole; no type goes as deep.
const MAX_DEPTH: u8 = 200;

/// A place in an object: its type, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'t> {
    /// `None` if the type has to be deduced from the value.
    schema: Option<Schema<'t>>,
    /// Whether a type above keeps fields that are not listed, which holds for all below it.
    preserves: bool,
    depth: u8,
}

/// How a value at a place is merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form<'t> {
    /// As a whole; what is allowed is checked by [`super::validate`].
    Scalar(Scalar),
    /// A list.
    List(ListForm<'t>),
    /// A map or a structure; owned as a whole or by its entries.
    Map {
        /// Whether it is owned as a whole.
        atomic: bool,
    },
}

/// Values that a scalar may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Numeric,
    Text,
    Boolean,
    Any,
}

/// How the items of a list are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ListForm<'t> {
    Atomic,
    Set,
    Keyed(&'t [String]),
}

impl<'t> Place<'t> {
    pub(super) fn root(schema: Schema<'t>) -> Self {
        Self { schema: Some(schema), preserves: false, depth: 0 }.preserving()
    }

    fn preserving(mut self) -> Self {
        let keeps = matches!(self.schema.map(Schema::shape), Some(Shape::Struct(shape)) if shape.preserve_unknown);
        self.preserves |= keeps;
        self
    }

    fn below(self, schema: Option<Schema<'t>>) -> Self {
        Self { schema, depth: self.depth.saturating_add(1), ..self }.preserving()
    }

    /// Whether values are not looked into any more.
    pub(super) fn is_too_deep(self) -> bool {
        self.depth > MAX_DEPTH
    }

    /// How a value is merged here. A null has the form of a map where the type is deduced.
    pub(super) fn form(self, value: Option<&Value>) -> Form<'t> {
        let atomic = self.is_too_deep();
        match self.schema.map(Schema::shape) {
            None | Some(Shape::Any) => deduced(value, atomic),
            Some(Shape::Boolean) => Form::Scalar(Scalar::Boolean),
            Some(Shape::Integer(_) | Shape::Number) => Form::Scalar(Scalar::Numeric),
            Some(Shape::Text("" | "byte")) => Form::Scalar(Scalar::Text),
            Some(Shape::Text(_) | Shape::IntOrString) => Form::Scalar(Scalar::Any),
            Some(Shape::List(_)) if atomic => Form::List(ListForm::Atomic),
            Some(Shape::List(list)) => Form::List(match &list.merge {
                ListMerge::Atomic => ListForm::Atomic,
                ListMerge::Set => ListForm::Set,
                ListMerge::Map(keys) => ListForm::Keyed(keys),
            }),
            Some(Shape::Map { atomic: whole, .. }) => Form::Map { atomic: atomic || *whole },
            Some(Shape::Struct(shape)) => Form::Map { atomic: atomic || shape.atomic },
        }
    }

    /// Whether a structure lists the field.
    pub(super) fn declares(self, name: &str) -> bool {
        self.schema.is_some_and(|schema| schema.field(name).is_some())
    }

    /// Whether a map or structure may have the field.
    pub(super) fn allows(self, name: &str) -> bool {
        match self.schema.map(Schema::shape) {
            Some(Shape::Struct(shape)) => self.preserves || shape.fields.is_empty() || shape.fields.contains_key(name),
            _ => true,
        }
    }

    /// Whether nothing is known about the entries of a map.
    pub(super) fn is_untyped(self) -> bool {
        match self.schema.map(Schema::shape) {
            None | Some(Shape::Any) => true,
            Some(Shape::Struct(shape)) => shape.fields.is_empty(),
            Some(Shape::Map { value, .. }) => {
                self.schema.is_none_or(|schema| matches!(schema.at(*value).shape(), Shape::Any))
            }
            _ => false,
        }
    }

    /// The place of an entry of a map or structure.
    pub(super) fn entry(self, name: &str) -> Self {
        let schema = self.schema.and_then(|schema| match schema.shape() {
            Shape::Struct(_) => schema.field(name).map(|(_, schema)| schema),
            Shape::Map { value, .. } => Some(schema.at(*value)),
            _ => None,
        });
        self.below(schema)
    }

    /// The place of an item of a list.
    pub(super) fn item(self) -> Self {
        let schema = self.schema.and_then(|schema| match schema.shape() {
            Shape::List(list) => Some(schema.at(list.item)),
            _ => None,
        });
        self.below(schema)
    }

    /// The place of whatever an element of a set leads to.
    pub(super) fn at(self, element: &Element) -> Self {
        match element {
            Element::Field(name) => self.entry(name),
            _ => self.item(),
        }
    }

    /// By what an item of a list that is not atomic is found.
    pub(super) fn element(self, list: ListForm<'_>, item: &Value) -> Result<Element, String> {
        match (list, item) {
            (ListForm::Keyed(keys), Value::Object(fields)) => self.item().key(keys, fields),
            (ListForm::Keyed(_), Value::Null) => Err("associative list with keys may not have a null element".into()),
            (ListForm::Keyed(_), _) => Err("associative list with keys may not have non-map elements".into()),
            (_, Value::Object(_)) => Err("associative list without keys has an element that's a map type".into()),
            (_, Value::Array(_)) => Err("not supported: associative list with lists as elements".into()),
            (_, Value::Null) => Err("associative list without keys has an element that's an explicit null".into()),
            (_, scalar) => Ok(Element::value(scalar.clone())),
        }
    }

    fn key(self, keys: &[String], fields: &Map<String, Value>) -> Result<Element, String> {
        let default = |name: &str| key_default(self.schema?, name);
        let value = |name: &String| Some((name.clone(), fields.get(name).cloned().or_else(|| default(name))?));
        let found: Vec<_> = keys.iter().filter_map(value).collect();
        if found.is_empty() && !keys.is_empty() {
            let names: Vec<_> = keys.iter().map(|name| gotext::quoted(name)).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                names.join(" ")
            ));
        }
        Ok(Element::key(found))
    }
}

fn deduced(value: Option<&Value>, atomic: bool) -> Form<'static> {
    match value {
        None | Some(Value::Null | Value::Object(_)) => Form::Map { atomic },
        Some(Value::Array(_)) => Form::List(ListForm::Atomic),
        Some(_) => Form::Scalar(Scalar::Any),
    }
}

/// The entries of a map; nothing for any other value.
pub(super) fn entries(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object)
}

/// The items of a list; nothing for any other value.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
