//! The types of custom resources, for patches, server-side apply and OpenAPI
//! (`apiextensions-apiserver/pkg/controller/openapi/builder/builder.go`).

use std::collections::{BTreeMap, HashMap};

use super::formats;
use super::structural::{Additional, Schema};
use crate::schema::{Field, List, ListMerge, PatchStrategy, Shape, Struct, Type, TypeId, Types};

/// The type of `metadata`, in a set of types.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'t> {
    /// The set that has it.
    pub types: &'t Types,
    /// Its place.
    pub id: TypeId,
}

/// The types of a version, and the place of its objects' type.
#[must_use]
pub fn build(schema: &Schema, name: String, kind: &str, metadata: Metadata<'_>) -> (Types, TypeId) {
    let mut builder = Builder { types: Types::default(), metadata: 0 };
    builder.metadata =
        Graft { from: metadata.types, into: &mut builder.types, known: HashMap::new() }.copy(metadata.id);
    let mut shape = builder.structure(schema);
    builder.add_meta(&mut shape);
    kind.clone_into(&mut shape.go_name);
    let root = Type { name: Some(name), description: schema.description.clone(), shape: Shape::Struct(shape) };
    let id = builder.types.add(root);
    (builder.types, id)
}

/// Copies a type with all that it refers to into another set.
struct Graft<'g> {
    from: &'g Types,
    into: &'g mut Types,
    known: HashMap<TypeId, TypeId>,
}

impl Graft<'_> {
    fn copy(&mut self, id: TypeId) -> TypeId {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let place = self.into.add(Type::default());
        self.known.insert(id, place);
        let mut copied = self.from.at(id).ty().clone();
        match &mut copied.shape {
            Shape::List(list) => list.item = self.copy(list.item),
            Shape::Map { value, .. } => *value = self.copy(*value),
            Shape::Struct(shape) => shape.fields.values_mut().for_each(|field| field.ty = self.copy(field.ty)),
            _ => {}
        }
        self.into.set(place, copied);
        place
    }
}

struct Builder {
    types: Types,
    metadata: TypeId,
}

impl Builder {
    fn add(&mut self, schema: &Schema) -> TypeId {
        let shape = self.shape(schema);
        self.types.add(Type { name: None, description: schema.description.clone(), shape })
    }

    fn shape(&mut self, schema: &Schema) -> Shape {
        if schema.extensions.int_or_string {
            return Shape::IntOrString;
        }
        match schema.kind.as_str() {
            "object" => self.object(schema),
            "array" => self.list(schema),
            "string" => Shape::Text(formats::common(&schema.format)),
            "integer" if schema.format == "int32" => Shape::Integer("int32"),
            "integer" => Shape::Integer("int64"),
            "number" => Shape::Number,
            "boolean" => Shape::Boolean,
            _ => Shape::Any,
        }
    }

    fn object(&mut self, schema: &Schema) -> Shape {
        let atomic = schema.extensions.map_type.as_deref() == Some("atomic");
        if schema.properties.is_empty() && !schema.extensions.embedded {
            let value = match &schema.additional {
                Additional::Schema(others) => Some(self.add(others)),
                Additional::Allowed(true) => Some(self.types.add(Type::default())),
                _ if schema.preserves_unknown() => return Shape::Any,
                _ => None,
            };
            if let Some(value) = value {
                return Shape::Map { value, atomic };
            }
        }
        let mut shape = self.structure(schema);
        if schema.extensions.embedded {
            self.add_meta(&mut shape);
        }
        Shape::Struct(shape)
    }

    fn structure(&mut self, schema: &Schema) -> Struct {
        let mut fields = BTreeMap::new();
        for (name, property) in &schema.properties {
            let field = Field {
                ty: self.add(property),
                description: property.description.clone(),
                required: schema.required.contains(name),
                nullable: property.nullable,
                default: property.default.clone(),
                ..Field::default()
            };
            fields.insert(name.clone(), field);
        }
        Struct {
            go_name: String::new(),
            fields,
            atomic: schema.extensions.map_type.as_deref() == Some("atomic"),
            preserve_unknown: schema.preserves_unknown(),
        }
    }

    /// Every object has these fields.
    fn add_meta(&mut self, shape: &mut Struct) {
        let text = self.types.add(Type { shape: Shape::Text(""), ..Type::default() });
        for (name, ty) in [("apiVersion", text), ("kind", text), ("metadata", self.metadata)] {
            let description = shape.fields.get(name).map(|field| field.description.clone()).unwrap_or_default();
            shape.fields.insert(name.to_owned(), Field { ty, description, ..Field::default() });
        }
    }

    fn list(&mut self, schema: &Schema) -> Shape {
        let item = match schema.items.as_deref() {
            Some(items) => self.add(items),
            None => self.types.add(Type::default()),
        };
        let merge = match schema.extensions.list_type.as_deref() {
            Some("set") => ListMerge::Set,
            Some("map") => ListMerge::Map(schema.extensions.list_map_keys.clone()),
            _ => ListMerge::Atomic,
        };
        Shape::List(List { item, merge, strategy: PatchStrategy::default() })
    }
}
