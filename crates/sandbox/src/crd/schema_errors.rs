//! What is wrong with a schema besides its structure, and with its rules
//! (`ValidateCustomResourceDefinitionOpenAPISchema` in
//! `apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).

use std::collections::BTreeSet;

use admission::cel::{KubeVersion, Mode};
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde::Serialize;
use serde_json::json;

use super::declared::Declared;
use super::field_path;
use super::prune::META;
use super::rule_costs;
use super::rules::{Compiled, Dialect};
use super::structural::{Additional, Rule, Schema};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const NO_TYPES: &str = "internal error: failed to construct type information for x-kubernetes-validations rules: \
                        unable to convert structural schema to CEL declarations";

/// What rules are compiled with.
#[derive(Clone, Copy, Debug)]
pub struct Language<'l> {
    /// The server's release.
    pub version: KubeVersion,
    /// Expressions that were accepted before, which may use all that the release has.
    pub known: &'l BTreeSet<String>,
    /// Whether single rules may cost more than is allowed, because they were accepted before.
    pub lavish: bool,
}

/// What is known on the way to a part of a schema.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    defaults_forbidden: Option<String>,
    within_meta: bool,
    /// The outermost list whose items have no counterparts in an old object.
    uncorrelated: Option<FieldPath>,
    /// How often the value can occur, if there is a bound.
    cardinality: Option<u64>,
}

#[derive(Default)]
struct Found {
    schema: Vec<FieldError>,
    rules: Vec<FieldError>,
    costs: Vec<(FieldPath, u64)>,
}

impl Found {
    fn extend(&mut self, other: Self) {
        self.schema.extend(other.schema);
        self.rules.extend(other.rules);
        self.costs.extend(other.costs);
    }
}

/// What is wrong with a schema; rules are looked at if there is a visible schema.
#[must_use]
pub fn errors(schema: &Schema, visible: Option<&Schema>, path: &FieldPath, language: Language<'_>) -> Vec<FieldError> {
    let around = Surroundings { cardinality: Some(1), ..Surroundings::default() };
    let found = Node { schema, visible, path: path.clone(), is_root: true, around, language }.all();
    let costs = rule_costs::total_errors(found.costs, path);
    found.schema.into_iter().chain(found.rules).chain(costs).collect()
}

struct Node<'n> {
    schema: &'n Schema,
    visible: Option<&'n Schema>,
    path: FieldPath,
    is_root: bool,
    around: Surroundings,
    language: Language<'n>,
}

impl<'n> Node<'n> {
    fn all(&self) -> Found {
        let mut found = Found { schema: self.standard(), ..Found::default() };
        if self.schema.unique_items {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            found.schema.push(FieldError::forbidden(&self.path.child("uniqueItems"), detail));
        }
        self.additional(&mut found);
        self.properties(&mut found);
        self.nested(&mut found);
        self.items(&mut found);
        found.schema.extend(self.extensions());
        found.schema.extend(self.list_type());
        found.schema.extend(self.map_list());
        found.schema.extend(self.keyed_items());
        for (index, rule) in self.schema.extensions.rules.iter().enumerate() {
            let path = self.path.child("x-kubernetes-validations").index(index);
            found.schema.extend(rule_errors(rule, self.schema, &path));
        }
        if found.schema.is_empty() && !self.schema.extensions.rules.is_empty() {
            self.rules(&mut found);
        }
        found
    }

    fn below(&self, schema: &'n Schema, visible: Option<&'n Schema>, path: FieldPath, around: Surroundings) -> Found {
        let cardinality = rule_costs::cardinality_below(self.around.cardinality, self.schema);
        let around = Surroundings { cardinality, ..around };
        Node { schema, visible, path, is_root: false, around, language: self.language }.all()
    }

    fn standard(&self) -> Vec<FieldError> {
        let (schema, path) = (self.schema, &self.path);
        let mut errors = Vec::new();
        if !schema.kind.is_empty() && !TYPES.contains(&schema.kind.as_str()) {
            errors.push(FieldError::not_supported(&path.child("type"), &schema.kind, &TYPES));
        }
        if let (Some(_), Some(reason)) = (&schema.default, &self.around.defaults_forbidden) {
            errors.push(FieldError::forbidden(&path.child("default"), &format!("must not be set {reason}")));
        }
        for name in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
            if schema.unsupported.contains(&name) {
                errors.push(FieldError::forbidden(&path.child(name), &format!("{name} is not supported")));
            }
        }
        if schema.kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            errors.push(FieldError::forbidden(&path.child("type"), detail));
        }
        if schema.unsupported.contains(&"items") {
            errors.push(FieldError::forbidden(&path.child("items"), "items must be a schema object and not an array"));
        }
        if self.around.within_meta && schema.extensions.embedded {
            let detail = "must not be used inside of resource meta";
            errors.push(FieldError::forbidden(&path.child("x-kubernetes-embedded-resource"), detail));
        }
        errors
    }

    fn additional(&self, found: &mut Found) {
        let path = self.path.child("additionalProperties");
        let exclusive = !matches!(self.schema.additional, Additional::Unsaid | Additional::Allowed(true));
        if exclusive && !self.schema.properties.is_empty() {
            let detail = "additionalProperties and properties are mutual exclusive";
            found.schema.push(FieldError::forbidden(&path, detail));
        }
        let Some(others) = self.schema.additional.schema() else { return };
        let mut around = self.around.clone();
        if around.within_meta {
            around.defaults_forbidden = Some(String::from("inside additionalProperties applying to object metadata"));
        }
        let visible = self.visible.and_then(|visible| visible.additional.schema());
        found.extend(self.below(others, visible, path, around));
    }

    fn properties(&self, found: &mut Found) {
        for (name, property) in &self.schema.properties {
            let mut around = self.around.clone();
            if (self.is_root || self.schema.extensions.embedded) && META.contains(&name.as_str()) {
                around.within_meta = true;
                if self.is_root {
                    around.defaults_forbidden = Some(format!("in top-level {name}"));
                }
            }
            let visible = self.visible.and_then(|visible| visible.properties.get(name));
            found.extend(self.below(property, visible, self.path.child("properties").key(name), around));
        }
    }

    fn nested(&self, found: &mut Found) {
        if let Some(not) = &self.schema.not {
            found.extend(self.below(not, None, self.path.child("not"), self.around.clone()));
        }
        let lists = [("allOf", &self.schema.all_of), ("oneOf", &self.schema.one_of), ("anyOf", &self.schema.any_of)];
        for (name, parts) in lists {
            for (index, part) in parts.iter().enumerate() {
                found.extend(self.below(part, None, self.path.child(name).index(index), self.around.clone()));
            }
        }
    }

    fn items(&self, found: &mut Found) {
        let Some(items) = self.schema.items.as_deref() else { return };
        let mut around = self.around.clone();
        if !self.schema.is_list_of_type("map") && around.uncorrelated.is_none() {
            around.uncorrelated = Some(self.path.clone());
        }
        let visible = self.visible.and_then(|visible| visible.items.as_deref());
        found.extend(self.below(items, visible, self.path.child("items"), around));
    }

    /// What an extension demands of the type.
    fn demand_type(&self, expected: &str, extension: &str) -> Option<FieldError> {
        let path = self.path.child("type");
        let detail = format!("must be {expected} if {extension} is specified");
        match self.schema.kind.as_str() {
            kind if kind == expected => None,
            "" => Some(FieldError::required(&path, &detail)),
            kind => Some(FieldError::invalid(&path, kind, detail)),
        }
    }

    fn extensions(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.schema.extensions.preserve_unknown == Some(false) {
            let path = self.path.child("x-kubernetes-preserve-unknown-fields");
            let detail = "must be true or undefined";
            errors.push(FieldError::of(&path, FieldErrorKind::Invalid, Some(&json!(false)), detail));
        }
        if let Some(kind) = &self.schema.extensions.map_type {
            errors.extend(self.demand_type("object", "x-kubernetes-map-type"));
            if !matches!(kind.as_str(), "atomic" | "granular") {
                let path = self.path.child("x-kubernetes-map-type");
                errors.push(FieldError::not_supported(&path, kind, &["atomic", "granular"]));
            }
        }
        errors
    }

    fn list_type(&self) -> Vec<FieldError> {
        let Some(kind) = &self.schema.extensions.list_type else { return Vec::new() };
        let wrong_type = self.demand_type("array", "x-kubernetes-list-type");
        let wrong_items = if wrong_type.is_none() && kind == "set" { self.set_items() } else { None };
        let mut errors: Vec<FieldError> = wrong_type.into_iter().chain(wrong_items).collect();
        if !matches!(kind.as_str(), "atomic" | "set" | "map") {
            let path = self.path.child("x-kubernetes-list-type");
            errors.push(FieldError::not_supported(&path, kind, &["atomic", "set", "map"]));
        }
        errors
    }

    /// Items of a set are owned as a whole.
    fn set_items(&self) -> Option<FieldError> {
        let items = self.schema.items.as_deref()?;
        let extensions = &items.extensions;
        let atomic = |kind: &Option<String>| kind.as_deref() == Some("atomic");
        let name = match items.kind.as_str() {
            "array" if extensions.list_type.is_some() && !atomic(&extensions.list_type) => "x-kubernetes-list-type",
            "object" if !atomic(&extensions.map_type) => "x-kubernetes-map-type",
            _ => return None,
        };
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        let path = self.path.child("items").child(name);
        Some(FieldError::of(&path, FieldErrorKind::Invalid, Some(&json!(extensions.list_type)), detail))
    }

    fn map_list(&self) -> Vec<FieldError> {
        let (extensions, path) = (&self.schema.extensions, &self.path);
        let mut errors = Vec::new();
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        let kind_path = path.child("x-kubernetes-list-type");
        match extensions.list_type.as_deref() {
            _ if extensions.list_map_keys.is_empty() => {}
            None => errors.push(FieldError::required(&kind_path, detail)),
            Some("map") => {}
            Some(other) => errors.push(FieldError::invalid(&kind_path, other, detail)),
        }
        if !self.schema.is_list_of_type("map") {
            return errors;
        }
        if extensions.list_map_keys.is_empty() {
            let detail = "must not be empty if x-kubernetes-list-type is map";
            errors.push(FieldError::required(&path.child("x-kubernetes-list-map-keys"), detail));
        }
        match self.schema.items.as_deref() {
            None => {
                let detail = "must have a schema if x-kubernetes-list-type is map";
                errors.push(FieldError::required(&path.child("items"), detail));
            }
            Some(items) if items.kind != "object" => {
                let detail = "must be object if parent array's x-kubernetes-list-type is map";
                errors.push(FieldError::invalid(&path.child("items").child("type"), &items.kind, detail));
            }
            Some(items) => errors.extend(self.key_errors(items)),
        }
        errors
    }

    fn key_errors(&self, items: &Schema) -> Vec<FieldError> {
        let keys = &self.schema.extensions.list_map_keys;
        let path = self.path.child("x-kubernetes-list-map-keys");
        let mut errors = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match items.properties.get(key) {
                None => {
                    errors.push(FieldError::invalid_json(&path, keys, "entries must all be names of item properties"));
                }
                Some(property) if matches!(property.kind.as_str(), "array" | "object") => {
                    let path = self.path.child("items").child("properties").key(key).child("type");
                    let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    errors.push(FieldError::invalid(&path, &items.kind, detail));
                }
                Some(_) => {}
            }
            if keys.iter().take(index).any(|earlier| earlier == key) {
                errors.push(FieldError::invalid_json(&path, keys, "must not contain duplicate entries"));
            }
        }
        errors
    }

    /// Items that are found by keys are never null, and always have the keys.
    fn keyed_items(&self) -> Vec<FieldError> {
        let kind = self.schema.extensions.list_type.as_deref().filter(|kind| matches!(*kind, "set" | "map"));
        let (Some(items), Some(kind)) = (self.schema.items.as_deref(), kind) else { return Vec::new() };
        let path = self.path.child("items");
        let mut errors = Vec::new();
        if items.nullable {
            let detail = format!("cannot be nullable when x-kubernetes-list-type is {kind}");
            errors.push(FieldError::forbidden(&path.child("nullable"), &detail));
        }
        let keys = self.schema.extensions.list_map_keys.iter().filter(|_| kind == "map");
        for (key, property) in keys.filter_map(|key| Some((key, items.properties.get(key)?))) {
            let path = path.child("properties").key(key);
            let is_key = "this property is in x-kubernetes-list-map-keys, so it";
            if !items.required.contains(key) && property.default.is_none() {
                let detail = format!("{is_key} must have a default or be a required property");
                errors.push(FieldError::required(&path.child("default"), &detail));
            }
            if property.nullable {
                errors.push(FieldError::forbidden(&path.child("nullable"), &format!("{is_key} cannot be nullable")));
            }
        }
        errors
    }

    fn rules(&self, found: &mut Found) {
        let Some(visible) = self.visible else { return };
        let path = self.path.child("x-kubernetes-validations");
        let Some(declared) = Declared::of(visible) else {
            return found.rules.push(FieldError::internal(&path, NO_TYPES));
        };
        for (index, rule) in self.schema.extensions.rules.iter().enumerate() {
            self.rule(rule, visible, &declared, &path.index(index), found);
        }
    }

    fn rule(&self, rule: &Rule, visible: &Schema, declared: &Declared, path: &FieldPath, found: &mut Found) {
        let known = self.language.known.contains(&rule.rule)
            && (rule.message_expression.is_empty() || self.language.known.contains(&rule.message_expression));
        let mode = if known { Mode::Stored } else { Mode::New };
        let compiled = Compiled::new(rule, visible, declared, Dialect { version: self.language.version, mode });
        let times = self.around.cardinality.unwrap_or_else(|| declared.max_cardinality());
        let cost = rule_costs::ExpressionCost { what: "rule", cost: compiled.costs.0.saturating_mul(times) };
        self.cost(&cost, &path.child("rule"), found);
        let errors = &mut found.rules;
        if let Some(Err(why)) = &compiled.program {
            errors.push(FieldError::invalid_json(&path.child("rule"), &Shown::of(rule), why.as_str()));
        }
        if let Some(Err(why)) = &compiled.message {
            errors.push(FieldError::invalid_json(&path.child("messageExpression"), &Shown::of(rule), why.as_str()));
        }
        if let Some(Ok(_)) = &compiled.message {
            let cost = rule_costs::ExpressionCost { what: "messageExpression", cost: compiled.costs.1 };
            self.cost(&cost, &path.child("messageExpression"), found);
        }
        let errors = &mut found.rules;
        match (&self.around.uncorrelated, rule.optional_old) {
            (Some(place), _) if compiled.uses_old() => {
                let place = FieldError::forbidden(place, "");
                let detail = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within {}",
                    place.field()
                );
                errors.push(FieldError::invalid(&path.child("rule"), &rule.rule, detail));
            }
            (_, Some(optional)) if !compiled.uses_old() => {
                let detail = "may not be set if oldSelf is not used in rule";
                let path = path.child("optionalOldSelf");
                errors.push(FieldError::of(&path, FieldErrorKind::Invalid, Some(&json!(optional)), detail));
            }
            _ => {}
        }
    }

    fn cost(&self, cost: &rule_costs::ExpressionCost, path: &FieldPath, found: &mut Found) {
        let error = cost.error(path).filter(|_| !self.language.lavish);
        found.rules.extend(error);
        found.costs.push((path.clone(), cost.cost));
    }
}

/// A rule as the server's errors show it: by the names of its own language.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Shown<'r> {
    rule: &'r str,
    message: &'r str,
    message_expression: &'r str,
    reason: Option<&'r str>,
    field_path: &'r str,
    optional_old_self: Option<bool>,
}

impl<'r> Shown<'r> {
    pub(super) fn of(rule: &'r Rule) -> Self {
        Self {
            rule: &rule.rule,
            message: &rule.message,
            message_expression: &rule.message_expression,
            reason: rule.reason.as_deref(),
            field_path: &rule.field_path,
            optional_old_self: rule.optional_old,
        }
    }
}

fn has_newline(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// What is wrong with a rule besides its expressions.
fn rule_errors(rule: &Rule, schema: &Schema, path: &FieldPath) -> Vec<FieldError> {
    let mut errors: Vec<FieldError> = text_error(rule, path).into_iter().collect();
    if !rule.message_expression.is_empty() && rule.message_expression.trim().is_empty() {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(&path.child("messageExpression"), detail));
    }
    if let Some(reason) = rule.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
        errors.push(FieldError::not_supported(&path.child("reason"), reason, &REASONS));
    }
    let place = rule.field_path.as_str();
    let is_given = !place.is_empty();
    let mut wrong = |detail: &str| errors.push(FieldError::invalid(&path.child("fieldPath"), place, detail));
    if is_given && place.trim().is_empty() {
        wrong("must be non-empty if specified");
    }
    if has_newline(place) {
        wrong("must not contain line breaks");
    }
    if is_given && field_path::resolve(place, schema, true).is_err() {
        wrong("must be a valid path");
    }
    errors
}

fn text_error(rule: &Rule, path: &FieldPath) -> Option<FieldError> {
    let (text, message) = (rule.rule.trim(), rule.message.trim());
    let place = path.child("message");
    if text.is_empty() {
        Some(FieldError::required(&path.child("rule"), "rule is not specified"))
    } else if !rule.message.is_empty() && message.is_empty() {
        Some(FieldError::invalid(&place, &rule.message, "must be non-empty if specified"))
    } else if has_newline(message) {
        Some(FieldError::invalid(&place, &rule.message, "must not contain line breaks"))
    } else if has_newline(text) && message.is_empty() {
        Some(FieldError::required(&place, "message must be specified if rule contains line breaks"))
    } else {
        None
    }
}
