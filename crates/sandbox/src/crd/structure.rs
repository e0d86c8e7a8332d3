//! Whether a schema is structural: every value has a type, and restrictions only restrict
//! (`apiextensions-apiserver/pkg/apiserver/schema/{validation,complete}.go`).

use admission::cel::library::re2;
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::json;

use super::structural::{Additional, Schema};

/// Where a schema is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What keeps a schema from being structural, sorted by text.
#[must_use]
pub fn errors(schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    let mut checker = Checker { errors: Vec::new() };
    checker.schema(schema, Level::Root, path);
    checker.complete(schema, Some(schema), path, path);
    checker.errors.sort_by_cached_key(ToString::to_string);
    checker.errors
}

struct Checker {
    errors: Vec<FieldError>,
}

impl Checker {
    fn required(&mut self, path: &FieldPath, detail: &str) {
        self.errors.push(FieldError::required(path, detail));
    }

    fn forbidden(&mut self, path: &FieldPath, detail: &str) {
        self.errors.push(FieldError::forbidden(path, detail));
    }

    fn schema(&mut self, schema: &Schema, level: Level, path: &FieldPath) {
        self.parts(schema, level, path);
        self.extensions(schema, path);
        self.values(schema, schema, path, level);
        self.kind(schema, level, path);
        self.embedded(schema, path);
        self.meta(schema, level, path);
    }

    fn parts(&mut self, schema: &Schema, level: Level, path: &FieldPath) {
        match &schema.items {
            Some(items) => self.schema(items, Level::Item, &path.child("items")),
            None if schema.kind == "array" => self.required(&path.child("items"), "must be specified"),
            None => {}
        }
        for (name, property) in &schema.properties {
            self.schema(property, Level::Field, &path.child("properties").key(name));
        }
        if schema.additional.is_said() && level == Level::Root {
            self.forbidden(&path.child("additionalProperties"), "must not be used at the root");
        }
        if let Some(others) = schema.additional.schema() {
            self.schema(others, Level::Field, &path.child("additionalProperties"));
        }
    }

    fn extensions(&mut self, schema: &Schema, path: &FieldPath) {
        let cases = [
            ("x-kubernetes-preserve-unknown-fields", schema.preserves_unknown()),
            ("x-kubernetes-embedded-resource", schema.extensions.embedded),
        ];
        for (name, _) in cases.into_iter().filter(|(_, is_set)| *is_set && schema.extensions.int_or_string) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            self.errors.push(FieldError::of(&path.child(name), FieldErrorKind::Invalid, Some(&json!(true)), detail));
        }
    }

    fn kind(&mut self, schema: &Schema, level: Level, path: &FieldPath) {
        let (path, kind) = (path.child("type"), schema.kind.as_str());
        let untyped = schema.extensions.int_or_string || schema.preserves_unknown();
        match (kind, level) {
            ("object", _) => {}
            ("", _) if schema.extensions.embedded => {
                self.required(&path, "must be object if x-kubernetes-embedded-resource is true");
            }
            (kind, _) if schema.extensions.embedded => {
                let detail = "must be object if x-kubernetes-embedded-resource is true";
                self.errors.push(FieldError::invalid(&path, kind, detail));
            }
            ("", _) if untyped => {}
            ("", Level::Root) => self.required(&path, "must not be empty at the root"),
            ("", Level::Item) => self.required(&path, "must not be empty for specified array items"),
            ("", Level::Field) => self.required(&path, "must not be empty for specified object fields"),
            _ => {}
        }
        if level == Level::Root && !matches!(kind, "" | "object") {
            self.errors.push(FieldError::invalid(&path, kind, "must be object at the root"));
        }
    }

    fn embedded(&mut self, schema: &Schema, path: &FieldPath) {
        if !schema.extensions.embedded {
            return;
        }
        if schema.additional.is_said() {
            let detail = "must not be used if x-kubernetes-embedded-resource is set";
            self.forbidden(&path.child("additionalProperties"), detail);
        }
        if !schema.preserves_unknown() && schema.properties.is_empty() {
            let detail = "must not be empty if x-kubernetes-embedded-resource is true \
                          without x-kubernetes-preserve-unknown-fields";
            self.required(&path.child("properties"), detail);
        }
    }

    /// `apiVersion`, `kind` and `metadata` of objects are what they are.
    fn meta(&mut self, schema: &Schema, level: Level, path: &FieldPath) {
        if level != Level::Root && !schema.extensions.embedded {
            return;
        }
        for (name, expected) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
            let Some(property) = schema.properties.get(name).filter(|property| property.kind != expected) else {
                continue;
            };
            let path = path.child("properties").key(name).child("type");
            self.errors.push(FieldError::invalid(&path, &property.kind, format!("must be {expected}")));
        }
        let metadata = schema.properties.get("metadata").filter(|_| level == Level::Root);
        if metadata.is_some_and(|metadata| !restricts_names_only(metadata)) {
            let detail =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            self.forbidden(&path.child("properties").key("metadata"), detail);
        }
    }

    /// The restrictions of a schema; `around` is that schema itself.
    fn values(&mut self, schema: &Schema, around: &Schema, path: &FieldPath, level: Level) {
        let own = std::ptr::eq(schema, around);
        let (skip_any, skip_first) =
            (own && is_int_or_string(&schema.any_of), own && starts_with_int_or_string(schema));
        if !skip_any {
            self.nested_list(&schema.any_of, "anyOf", path, level);
        }
        for (index, part) in schema.all_of.iter().enumerate() {
            let path = path.child("allOf").index(index);
            if skip_first && index == 0 {
                let rest = Schema { any_of: Vec::new(), ..part.clone() };
                self.nested(&rest, &path, level);
            } else {
                self.nested(part, &path, level);
            }
        }
        self.nested_list(&schema.one_of, "oneOf", path, level);
        if let Some(not) = &schema.not {
            self.nested(not, &path.child("not"), level);
        }
        if let Some(error) =
            Some(&schema.pattern).filter(|pattern| !pattern.is_empty()).and_then(|pattern| re2::compile(pattern).err())
        {
            let detail = format!("must be a valid regular expression, but isn't: {error}");
            self.errors.push(FieldError::invalid(&path.child("pattern"), &schema.pattern, detail));
        }
    }

    fn nested_list(&mut self, schemas: &[Schema], name: &str, path: &FieldPath, level: Level) {
        for (index, schema) in schemas.iter().enumerate() {
            self.nested(schema, &path.child(name).index(index), level);
        }
    }

    fn nested(&mut self, schema: &Schema, path: &FieldPath, level: Level) {
        self.values(schema, &Schema::default(), path, level);
        if let Some(items) = &schema.items {
            self.nested(items, &path.child("items"), level);
        }
        for (name, property) in &schema.properties {
            self.nested(property, &path.child("properties").key(name), Level::Field);
        }
        for (name, detail, present) in forbidden_in_nested(schema) {
            if present {
                self.forbidden(&path.child(name), &format!("must be {detail} to be structural"));
            }
        }
        if schema.properties.contains_key("metadata") {
            let path = path.child("properties").key("metadata");
            self.forbidden(&path, "must not be specified in a nested context");
        }
    }

    /// Restrictions are only of what the schema itself describes.
    fn complete(&mut self, nested: &Schema, schema: Option<&Schema>, path: &FieldPath, from: &FieldPath) {
        let lists = [("allOf", &nested.all_of), ("anyOf", &nested.any_of), ("oneOf", &nested.one_of)];
        for (name, parts) in lists {
            for (index, part) in parts.iter().enumerate() {
                self.complete_nested(part, schema, path, &from.child(name).index(index));
            }
        }
        if let Some(not) = &nested.not {
            self.complete_nested(not, schema, path, &from.child("not"));
        }
    }

    fn complete_nested(&mut self, nested: &Schema, schema: Option<&Schema>, path: &FieldPath, from: &FieldPath) {
        let Some(schema) = schema else {
            let from = FieldError::forbidden(from, "");
            return self.required(path, &format!("because it is defined in {}", from.field()));
        };
        self.complete(nested, Some(schema), path, from);
        if let Some(items) = &nested.items {
            self.complete_nested(items, schema.items.as_deref(), &path.child("items"), &from.child("items"));
        }
        for (name, property) in &nested.properties {
            let (path, from) = (path.child("properties").key(name), from.child("properties").key(name));
            self.complete_nested(property, schema.properties.get(name), &path, &from);
        }
    }
}

/// What a restriction may not have, with what is demanded of it.
fn forbidden_in_nested(schema: &Schema) -> [(&'static str, &'static str, bool); 13] {
    let extensions = &schema.extensions;
    let additional = !matches!(schema.additional, Additional::Unsaid | Additional::Allowed(false));
    [
        ("type", "empty", !schema.kind.is_empty()),
        ("additionalProperties", "undefined", additional),
        ("default", "undefined", schema.default.is_some()),
        ("title", "empty", !schema.title.is_empty()),
        ("description", "empty", !schema.description.is_empty()),
        ("nullable", "false", schema.nullable),
        ("x-kubernetes-preserve-unknown-fields", "false", schema.preserves_unknown()),
        ("x-kubernetes-embedded-resource", "false", extensions.embedded),
        ("x-kubernetes-int-or-string", "false", extensions.int_or_string),
        ("x-kubernetes-list-map-keys", "empty", !extensions.list_map_keys.is_empty()),
        ("x-kubernetes-list-type", "undefined", extensions.list_type.is_some()),
        ("x-kubernetes-map-type", "undefined", extensions.map_type.is_some()),
        ("x-kubernetes-validations", "empty", !extensions.rules.is_empty()),
    ]
}

/// `anyOf` with an integer and a text and nothing else.
fn is_int_or_string(any_of: &[Schema]) -> bool {
    let is = |schema: &Schema, kind: &str| {
        schema.kind == kind && is_blank(&Schema { kind: String::new(), ..schema.clone() })
    };
    matches!(any_of, [first, second] if is(first, "integer") && is(second, "string"))
}

fn starts_with_int_or_string(schema: &Schema) -> bool {
    schema.all_of.first().is_some_and(|first| is_int_or_string(&first.any_of))
}

/// Whether a schema says nothing.
fn is_blank(schema: &Schema) -> bool {
    let extensions = &schema.extensions;
    let untyped =
        schema.kind.is_empty() && schema.description.is_empty() && schema.title.is_empty() && !schema.nullable;
    let unextended = extensions.rules.is_empty()
        && extensions.preserve_unknown.is_none()
        && !extensions.embedded
        && !extensions.int_or_string
        && extensions.list_type.is_none()
        && extensions.list_map_keys.is_empty()
        && extensions.map_type.is_none();
    let partless = schema.properties.is_empty() && schema.items.is_none() && !schema.additional.is_said();
    untyped && unextended && partless && schema.default.is_none() && is_unrestricted(schema)
}

fn is_unrestricted(schema: &Schema) -> bool {
    schema.format.is_empty()
        && schema.bounds == super::structural::Bounds::default()
        && schema.pattern.is_empty()
        && schema.choices.is_empty()
        && schema.required.is_empty()
        && !schema.unique_items
        && schema.all_of.is_empty()
        && schema.any_of.is_empty()
        && schema.one_of.is_empty()
        && schema.not.is_none()
}

fn restricts_names_only(metadata: &Schema) -> bool {
    let only_names = metadata.properties.keys().all(|name| matches!(name.as_str(), "name" | "generateName"));
    let rest = Schema {
        kind: String::new(),
        default: None,
        properties: std::collections::BTreeMap::new(),
        ..metadata.clone()
    };
    only_names && is_blank(&rest)
}
