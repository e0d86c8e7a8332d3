//! The types of the kinds that are served without a CustomResourceDefinition, as Kubernetes 1.36 has them
//! (`k8s.io/api`, `k8s.io/apimachinery` and `k8s.io/apiextensions-apiserver`, and the OpenAPI document of the server).
//!
//! They are written one type to a paragraph in `builtin.types`. A line without indentation is a type: its name, and
//! either `=` and what it is, or, for a structure, `atomic` where apply owns it as a whole. An indented line is a field
//! of the structure above: name, type, then `!` (required), `?` (left out when zero) and `*` (may be null) in one word,
//! then words such as `map=type` (list type), `merge=name`, `replace` and `retain` (patch strategy), `go=v1.TaintEffect` (name of the type),
//! `in=VolumeSource` (inlined through), `default="TCP"`. A description follows `#`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{Field, List, ListMerge, PatchStrategy, Shape, Struct, Type, TypeId, Types};

/// The types of the served built-in kinds, by their OpenAPI names.
#[must_use]
pub fn types() -> &'static Arc<Types> {
    static TYPES: LazyLock<Arc<Types>> = LazyLock::new(|| Arc::new(read(include_str!("builtin.types"))));
    &TYPES
}

/// The type of a built-in kind's objects, among [`types`]; the group is empty for the core group.
#[must_use]
pub fn kind_type(group: &str, version: &str, kind: &str) -> Option<TypeId> {
    let name = match group.split('.').next() {
        Some("") => format!("io.k8s.api.core.{version}.{kind}"),
        Some("apiextensions") => format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}"),
        Some(package) => format!("io.k8s.api.{package}.{version}.{kind}"),
        None => return None,
    };
    types().named(&name)
}

/// What abbreviated names begin with, and what that stands for.
const PREFIXES: &[(char, &str)] = &[
    ('~', "io.k8s.apimachinery.pkg.apis."),
    ('^', "io.k8s.apiextensions-apiserver.pkg.apis."),
    ('%', "io.k8s.apimachinery.pkg."),
];

pub(super) fn full_name(short: &str) -> String {
    let expanded = PREFIXES.iter().find_map(|(mark, prefix)| Some(format!("{prefix}{}", short.strip_prefix(*mark)?)));
    expanded.unwrap_or_else(|| format!("io.k8s.api.{short}"))
}

/// What is read so far.
#[derive(Default)]
struct Reader {
    types: Types,
    /// Unnamed types, by how they are written.
    plain: BTreeMap<String, TypeId>,
}

fn read(text: &str) -> Types {
    let mut reader = Reader::default();
    let mut open: Option<(String, Type)> = None;
    for line in text.lines() {
        match (line.strip_prefix(' '), &mut open) {
            (Some(field), Some((_, ty))) => reader.add_field(field, ty),
            _ => {
                reader.close(open.take());
                open = Some(reader.head(line));
            }
        }
    }
    reader.close(open);
    reader.types
}

impl Reader {
    fn head(&mut self, line: &str) -> (String, Type) {
        let (words, description) = split_description(line);
        let mut words = words.split(' ');
        let short = words.next().unwrap_or_default();
        let shape = match (words.next(), words.next()) {
            (Some("="), Some(leaf)) => plain_shape(leaf),
            (flag, _) => Shape::Struct(Struct {
                go_name: short.rsplit('.').next().unwrap_or_default().to_owned(),
                atomic: flag == Some("atomic"),
                ..Struct::default()
            }),
        };
        (short.to_owned(), Type { name: Some(full_name(short)), description, shape })
    }

    fn close(&mut self, open: Option<(String, Type)>) {
        if let Some((short, ty)) = open {
            let id = self.named(&short);
            self.types.set(id, ty);
        }
    }

    /// The place of a named type, which may come later in the text.
    fn named(&mut self, short: &str) -> TypeId {
        let name = full_name(short);
        let known = self.types.named(&name);
        known.unwrap_or_else(|| self.types.add(Type { name: Some(name), ..Type::default() }))
    }

    fn add_field(&mut self, line: &str, ty: &mut Type) {
        let (words, description) = split_description(line);
        let mut words = words.splitn(3, ' ');
        let (name, written, rest) = (words.next(), words.next(), words.next());
        if let (Some(name), Some(written), Shape::Struct(shape)) = (name, written, &mut ty.shape) {
            let words = Words::read(rest.unwrap_or_default());
            let ty = self.value_type(written, &words);
            shape.fields.insert(name.to_owned(), words.into_field(ty, description));
        }
    }

    fn value_type(&mut self, written: &str, words: &Words) -> TypeId {
        if let Some(item) = written.strip_prefix("[]") {
            let list = List { item: self.plain(item), merge: words.merge.clone(), strategy: words.strategy.clone() };
            return self.unnamed(format!("{written} {:?}", (&list.merge, &list.strategy)), Shape::List(list));
        }
        if let Some(value) = written.strip_prefix("{}") {
            let map = Shape::Map { value: self.plain(value), atomic: words.atomic };
            return self.unnamed(format!("{written} {}", words.atomic), map);
        }
        self.plain(written)
    }

    /// A type that nothing but its own text describes.
    fn plain(&mut self, written: &str) -> TypeId {
        if written.starts_with(['[', '{']) {
            return self.value_type(written, &Words::default());
        }
        if written.contains('.') {
            return self.named(written);
        }
        self.unnamed(written.to_owned(), plain_shape(written))
    }

    fn unnamed(&mut self, key: String, shape: Shape) -> TypeId {
        let types = &mut self.types;
        *self.plain.entry(key).or_insert_with(|| types.add(Type { shape, ..Type::default() }))
    }
}

fn plain_shape(written: &str) -> Shape {
    match written {
        "bool" => Shape::Boolean,
        "int32" => Shape::Integer("int32"),
        "int64" => Shape::Integer("int64"),
        "number" => Shape::Number,
        "string" => Shape::Text(""),
        "string/byte" => Shape::Text("byte"),
        "string/date-time" => Shape::Text("date-time"),
        "string/quantity" => Shape::Text("quantity"),
        "int-or-string" => Shape::IntOrString,
        _ => Shape::Any,
    }
}

fn split_description(line: &str) -> (&str, String) {
    let (words, description) = line.split_once(" # ").unwrap_or((line, ""));
    (words, description.to_owned())
}

/// The words behind a field's type.
struct Words {
    field: Field,
    merge: ListMerge,
    strategy: PatchStrategy,
    atomic: bool,
}

impl Default for Words {
    fn default() -> Self {
        let (field, strategy) = (Field::default(), PatchStrategy::default());
        Self { field, merge: ListMerge::Atomic, strategy, atomic: false }
    }
}

impl Words {
    fn read(text: &str) -> Self {
        let mut words = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            words.take(word);
        }
        words
    }

    fn take(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "set" => self.merge = ListMerge::Set,
            "map" => self.merge = ListMerge::Map(value.split(',').map(str::to_owned).collect()),
            "merge" => {
                self.strategy.merge = true;
                self.strategy.merge_key = Some(value.to_owned()).filter(|key| !key.is_empty());
            }
            "replace" => self.strategy.replace = true,
            "retain" => self.strategy.retain_keys = true,
            "atomic" => self.atomic = true,
            "go" => self.field.go_type = value.replace('_', " "),
            "in" => self.field.embedded = value.to_owned(),
            "default" => self.field.default = serde_json::from_str::<Value>(value).ok(),
            flags => self.take_flags(flags),
        }
    }

    fn take_flags(&mut self, flags: &str) {
        for flag in flags.chars() {
            match flag {
                '!' => self.field.required = true,
                '?' => self.field.omit_zero = true,
                '*' => self.field.nullable = true,
                _ => {}
            }
        }
    }

    fn into_field(self, ty: TypeId, description: String) -> Field {
        Field { ty, description, strategy: self.strategy, ..self.field }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn at(name: &str) -> Schema<'static> {
        types().at(types().named(name).unwrap_or_else(|| panic!("no type {name}")))
    }

    fn list(schema: Schema<'_>) -> &List {
        match schema.shape() {
            Shape::List(list) => list,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_name_that_is_referred_to_is_described() {
        let empty = types()
            .all_named()
            .filter(|(_, schema)| *schema.ty() == Type { name: schema.ty().name.clone(), ..Type::default() });
        let names: Vec<&str> = empty.map(|(name, _)| name).collect();
        let any = [
            "FieldsV1",
            "JSON",
            "JSONSchemaPropsOrArray",
            "JSONSchemaPropsOrBool",
            "JSONSchemaPropsOrStringArray",
            "RawExtension",
        ];
        assert!(names.iter().all(|name| any.iter().any(|end| name.ends_with(&format!(".{end}")))), "{names:?}");
        assert_eq!(names.len(), any.len());
    }

    #[test]
    fn merge_keys_of_nodes() {
        let status = at("io.k8s.api.core.v1.NodeStatus");
        let spec = at("io.k8s.api.core.v1.NodeSpec");
        let (_, conditions) = status.field("conditions").unwrap();
        assert_eq!(list(conditions).merge, ListMerge::Map(vec!["type".to_owned()]));
        assert_eq!(list(conditions).strategy.merge_key.as_deref(), Some("type"));
        let (_, taints) = spec.field("taints").unwrap();
        assert_eq!((&list(taints).merge, list(taints).strategy.merge), (&ListMerge::Atomic, false));
        let (_, ranges) = spec.field("podCIDRs").unwrap();
        assert_eq!((&list(ranges).merge, list(ranges).strategy.merge), (&ListMerge::Set, true));
    }

    #[test]
    fn recursive_types_are_read() {
        let props = at("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
        let (_, properties) = props.field("properties").unwrap();
        assert!(matches!(properties.shape(), Shape::Map { value, .. } if *value == props.id()));
    }

    #[test]
    fn fields_know_what_the_server_calls_them() {
        let (effect, _) = at("io.k8s.api.core.v1.Taint").field("effect").unwrap();
        assert_eq!((effect.go_type.as_str(), effect.required, effect.omit_zero), ("v1.TaintEffect", true, false));
        let (path, _) = at("io.k8s.api.core.v1.Volume").field("hostPath").unwrap();
        assert_eq!((path.embedded.as_str(), path.nullable), ("VolumeSource", true));
        let (protocol, _) = at("io.k8s.api.core.v1.ServicePort").field("protocol").unwrap();
        assert_eq!(protocol.default, Some(Value::from("TCP")));
    }
}
