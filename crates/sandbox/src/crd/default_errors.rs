//! Whether the defaults of a schema are valid by the schema itself
//! (`apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go`).

use admission::cel::{KubeVersion, Mode};
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::Value;

use super::correlation::Pair;
use super::rules::{self, Dialect, Rules};
use super::structural::Schema;
use super::validate::{self, Reading};
use super::{declared, embedded, prune};

/// What is wrong with the defaults of a schema and all schemas below it.
#[must_use]
pub fn errors(schema: &Schema, path: &FieldPath, version: KubeVersion) -> Vec<FieldError> {
    let mut root = schema.clone();
    root.extensions.embedded = true;
    let mut checker = Checker { version, errors: Vec::new() };
    checker.schema(&root, path, false);
    checker.errors
}

struct Checker {
    version: KubeVersion,
    errors: Vec<FieldError>,
}

impl Checker {
    fn schema(&mut self, schema: &Schema, path: &FieldPath, within_meta: bool) {
        let within_meta = within_meta && !schema.extensions.embedded;
        if let Some(default) = &schema.default {
            let found = self.default(default, schema, &path.child("default"), within_meta);
            self.errors.extend(found);
        }
        if let Some(items) = &schema.items {
            self.schema(items, &path.child("items"), within_meta);
        }
        for (name, property) in &schema.properties {
            let is_meta = schema.extensions.embedded && prune::META.contains(&name.as_str());
            self.schema(property, &path.child("properties").key(name), within_meta || is_meta);
        }
    }

    fn default(&self, default: &Value, schema: &Schema, path: &FieldPath, within_meta: bool) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !within_meta {
            let mut pruned = default.clone();
            prune::unknown_parts(&mut pruned, schema);
            if pruned != *default {
                let detail = "must not have unknown fields";
                errors.push(FieldError::of(path, FieldErrorKind::Invalid, Some(default), detail));
            }
            if let Some(error) = embedded::malformed(default, schema, path) {
                errors.push(error);
                return errors;
            }
        }
        let embedded = embedded::errors(default, schema, path);
        let values = || validate::check(schema, default, "", None, Reading::Defaults).errors(path);
        let found = if embedded.is_empty() { values() } else { embedded };
        let rules = if found.is_empty() { self.by_rules(default, schema, path) } else { Vec::new() };
        errors.into_iter().chain(found).chain(rules).collect()
    }

    /// Rules have to accept the default as unchanged, and as new.
    fn by_rules(&self, default: &Value, schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
        let visible = declared::visible(schema, schema.extensions.embedded);
        let dialect = Dialect { version: self.version, mode: Mode::Stored };
        let Some(rules) = Rules::compile(&visible, dialect) else { return Vec::new() };
        let none: Option<Pair<'_>> = None;
        let unchanged = rules::evaluate(&rules, &visible, path, default, Some(default), none).errors;
        if unchanged.is_empty() {
            return rules::evaluate(&rules, &visible, path, default, None, none).errors;
        }
        unchanged
    }
}
