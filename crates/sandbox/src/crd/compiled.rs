//! One version of a definition, ready to check objects
//! (`apiextensions-apiserver/pkg/registry/customresource/{strategy,status_strategy,validator}.go`).

use admission::cel::{KubeVersion, Mode};
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::Value;

use super::correlation::Pair;
use super::declared;
use super::outcome::named;
use super::rules::{self, Dialect, Rules};
use super::scale::Scale;
use super::structural::Schema;
use super::validate::{self, Reading};
use super::{default, embedded, lists, prune, view};

/// Schema, rules and paths of one version; to be kept as long as the definition does not change.
#[derive(Debug)]
pub struct Compiled {
    schema: Schema,
    visible: Schema,
    rules: Option<Rules>,
    scale: Option<Scale>,
}

/// What is wrong with an object, and what is wrong but was before.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Errors, in the server's order.
    pub errors: Vec<FieldError>,
    /// Texts of `Warning` headers.
    pub warnings: Vec<String>,
}

impl Compiled {
    /// Compiles a version of a definition; none if there is no such version.
    #[must_use]
    pub fn new(definition: &Value, version: &str) -> Option<Self> {
        Self::for_release(definition, version, KubeVersion::NEWEST)
    }

    /// Compiles a version with the expressions of a server release.
    #[must_use]
    pub fn for_release(definition: &Value, version: &str, release: KubeVersion) -> Option<Self> {
        let version = view::version(definition, version)?;
        let schema = version.pointer("/schema/openAPIV3Schema").map(Schema::read).unwrap_or_default();
        let visible = declared::visible(&schema, true);
        let rules = Rules::compile(&visible, Dialect { version: release, mode: Mode::Stored });
        let scale = version.pointer("/subresources/scale").and_then(Scale::read);
        Some(Self { schema, visible, rules, scale })
    }

    /// The schema of objects.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Removes unknown fields and meaningless nulls, and brings metadata into shape. Returns the paths of unknown
    /// fields, those of the object's own metadata first; an error is the end of the answer
    /// `… in version "v1" cannot be handled as a …: ` with which the server refuses the object (400).
    pub fn prune(&self, object: &mut Value) -> Result<Vec<String>, String> {
        let coerced = embedded::coerce_own(object)?;
        let mut unknown = coerced;
        unknown.extend(prune::unknown_fields(object, &self.schema));
        let kept = prune::META.map(|name| (name, object.get(name).cloned()));
        prune::nulls(object, Some(&self.schema));
        for (name, value) in kept {
            if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
                fields.insert(name.to_owned(), value);
            }
        }
        unknown.extend(embedded::coerce(object, &self.schema)?);
        Ok(unknown)
    }

    /// Fills in defaults.
    pub fn default(&self, object: &mut Value) {
        default::fill(object, &self.schema);
    }

    /// Checks a new object, or one that replaces an old one. `earlier` are errors that were found before (of
    /// `metadata`); they come first, and some of them keep rules from being evaluated.
    #[must_use]
    pub fn validate(&self, new: &Value, old: Option<&Value>, earlier: Vec<FieldError>) -> Verdict {
        let root = FieldPath::default();
        let pair = old.map(|old| Pair::new(new, old, &self.schema));
        let mut errors = earlier;
        errors.extend(validate::check(&self.schema, new, "", pair, Reading::Objects).errors(&root));
        if let Some(scale) = &self.scale {
            errors.extend(scale.spec_errors(new));
            errors.extend(scale.status_errors(new));
        }
        errors.extend(embedded::errors(new, &self.schema, &root));
        errors.extend(self.duplicates(new, old));
        self.with_rules(errors, new, old)
    }

    /// Checks an object whose status replaces that of an old one.
    #[must_use]
    pub fn validate_status(&self, new: &Value, old: &Value, earlier: Vec<FieldError>) -> Verdict {
        let mut errors = earlier;
        if let (Some(schema), Some(status)) = (self.schema.properties.get("status"), new.get("status")) {
            let before = old.get("status").unwrap_or(&Value::Null);
            let pair = Pair::new(status, before, schema);
            let outcome = validate::check(schema, status, "", Some(pair), Reading::Objects);
            errors.extend(outcome.errors(&FieldPath::root("status")));
        }
        errors.extend(self.scale.iter().flat_map(|scale| scale.status_errors(new)));
        errors.extend(self.duplicates(new, Some(old)));
        self.with_rules(errors, new, Some(old))
    }

    /// Duplicates in lists are tolerated where the old object has some.
    fn duplicates(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let of = |object: &Value| lists::duplicates(object, &self.schema, &FieldPath::default());
        if old.is_some_and(|old| !of(old).is_empty()) { Vec::new() } else { of(new) }
    }

    fn with_rules(&self, mut errors: Vec<FieldError>, new: &Value, old: Option<&Value>) -> Verdict {
        let Some(rules) = &self.rules else { return Verdict { errors, warnings: Vec::new() } };
        let root = FieldPath::default();
        if errors.iter().any(keeps_from_rules) {
            let detail = "some validation rules were not checked because the object was invalid; \
                          correct the existing errors to complete validation";
            errors.push(FieldError::of(&named(&root), FieldErrorKind::Invalid, Some(&Value::Null), detail));
            return Verdict { errors, warnings: Vec::new() };
        }
        let pair = old.map(|old| Pair::new(new, old, &self.visible));
        let findings = rules::evaluate(rules, &self.visible, &root, new, old, pair);
        errors.extend(findings.errors);
        Verdict { errors, warnings: findings.warnings }
    }
}

fn keeps_from_rules(error: &FieldError) -> bool {
    use FieldErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(error.kind(), NotSupported | Required | TooLong | TooMany | TypeInvalid)
}
