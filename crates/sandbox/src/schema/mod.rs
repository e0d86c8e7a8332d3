//! Types of objects as data: what fields there are, how lists merge, what may be left out. One description serves
//! decoding, patches, server-side apply and OpenAPI.

mod base64_text;
pub mod builtin;
pub mod conform;
pub mod decode;
pub mod defaulting;
mod defaulting_rules;
mod go_json;
pub(crate) mod go_names;
mod mistyped;
mod moment;
pub mod protobuf;
mod quantity;
mod zero_values;

use serde_json::Value;
use std::collections::BTreeMap;

/// A type's place in its [`Types`].
pub type TypeId = usize;

/// A set of types that refer to each other; they may be recursive.
#[derive(Clone, Debug, Default)]
pub struct Types {
    types: Vec<Type>,
    names: BTreeMap<String, TypeId>,
}

/// One type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Type {
    /// The name by which OpenAPI refers to it, if it has one: `io.k8s.api.core.v1.Node`.
    pub name: Option<String>,
    /// What it is for, in one sentence; may be empty.
    pub description: String,
    /// What its values look like.
    pub shape: Shape,
}

/// What values look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shape {
    /// Any JSON. Server-side apply treats maps in it as granular and lists as atomic.
    #[default]
    Any,
    /// A boolean.
    Boolean,
    /// A whole number; the format is `int32` or `int64`.
    Integer(&'static str),
    /// A number.
    Number,
    /// Text; the format may be empty, or such as `date-time`, `byte`, `quantity`.
    Text(&'static str),
    /// Text or a whole number.
    IntOrString,
    /// A list.
    List(List),
    /// A map from text to values of one type.
    Map {
        /// The type of the values.
        value: TypeId,
        /// Whether server-side apply owns it as a whole.
        atomic: bool,
    },
    /// A structure.
    Struct(Struct),
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// The type of the items.
    pub item: TypeId,
    /// How server-side apply merges it (`x-kubernetes-list-type`).
    pub merge: ListMerge,
    /// How a strategic merge patch treats it.
    pub strategy: PatchStrategy,
}

/// How server-side apply merges a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListMerge {
    /// As a whole.
    Atomic,
    /// As a set of plain values.
    Set,
    /// By the values of these fields (`x-kubernetes-list-map-keys`).
    Map(Vec<String>),
}

/// `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key` of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged, not replaced.
    pub merge: bool,
    /// A map is replaced, not merged.
    pub replace: bool,
    /// `$retainKeys` is understood.
    pub retain_keys: bool,
    /// The field by which items are found; none for a list of plain values.
    pub merge_key: Option<String>,
}

/// A structure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// The name of the server's type, which its decoding errors mention: `ObjectMeta`.
    pub go_name: String,
    /// The fields by their JSON names.
    pub fields: BTreeMap<String, Field>,
    /// Whether server-side apply owns it as a whole (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Whether fields that are not listed are kept (`x-kubernetes-preserve-unknown-fields`).
    pub preserve_unknown: bool,
}

/// A field of a structure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// The type of its value.
    pub ty: TypeId,
    /// What it is for, in one sentence; may be empty.
    pub description: String,
    /// Whether OpenAPI calls it required.
    pub required: bool,
    /// Whether the server leaves it out when it has its type's zero value (`omitempty` on a plain type).
    pub omit_zero: bool,
    /// Whether `null` is a value (a pointer, map or list in the server's type).
    pub nullable: bool,
    /// How a strategic merge patch treats a structure or map in it (lists carry their own).
    pub strategy: PatchStrategy,
    /// The value that the server's API machinery fills in (`+default`), if the field is absent.
    pub default: Option<Value>,
    /// The name of the value's type in the server, as its decoding errors have it; empty if it follows from the shape.
    pub go_type: String,
    /// The server's structures through which the field is inlined (`VolumeSource`, `RuleWithOperations.Rule`).
    pub embedded: String,
}

/// A type in its set.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'t> {
    types: &'t Types,
    id: TypeId,
}

static ANY: Type = Type { name: None, description: String::new(), shape: Shape::Any };

impl Types {
    /// Adds a type; a name makes it findable.
    pub fn add(&mut self, ty: Type) -> TypeId {
        let id = self.types.len();
        if let Some(name) = &ty.name {
            self.names.insert(name.clone(), id);
        }
        self.types.push(ty);
        id
    }

    /// Replaces a type that was added before its parts were known.
    pub fn set(&mut self, id: TypeId, ty: Type) {
        if let Some(name) = &ty.name {
            self.names.insert(name.clone(), id);
        }
        if let Some(place) = self.types.get_mut(id) {
            *place = ty;
        }
    }

    /// The place of a named type.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    /// The named types, by name.
    pub fn all_named(&self) -> impl Iterator<Item = (&str, Schema<'_>)> {
        self.names.iter().map(|(name, id)| (name.as_str(), self.at(*id)))
    }

    /// A type of the set; one that is not there is [`Shape::Any`].
    #[must_use]
    pub fn at(&self, id: TypeId) -> Schema<'_> {
        Schema { types: self, id }
    }
}

impl<'t> Schema<'t> {
    /// The type itself.
    #[must_use]
    pub fn ty(self) -> &'t Type {
        self.types.types.get(self.id).unwrap_or(&ANY)
    }

    /// Its place.
    #[must_use]
    pub fn id(self) -> TypeId {
        self.id
    }

    /// What its values look like.
    #[must_use]
    pub fn shape(self) -> &'t Shape {
        &self.ty().shape
    }

    /// Another type of the same set.
    #[must_use]
    pub fn at(self, id: TypeId) -> Self {
        Self { types: self.types, id }
    }

    /// The declaration and the type of a structure's field.
    #[must_use]
    pub fn field(self, name: &str) -> Option<(&'t Field, Self)> {
        let Shape::Struct(shape) = self.shape() else { return None };
        shape.fields.get(name).map(|field| (field, self.at(field.ty)))
    }
}
