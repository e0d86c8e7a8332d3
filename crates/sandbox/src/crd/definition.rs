//! Whether the server accepts a definition
//! (`apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`).

use std::collections::BTreeSet;

use admission::cel::KubeVersion;
use admission::{FieldError, FieldErrorKind, FieldPath, names};
use serde_json::{Value, json};

use super::embedded::mixed_case_label;
use super::internal;
use super::schema_errors::{self, Language};
use super::structural::Schema;
use super::version_errors;
use super::view::{self, Part, flag, text, versions};
use super::{conversion, declared, default_errors, structure};

const APPROVED: &str = "api-approved.kubernetes.io";
const APPROVAL_TEXT: &str = "protected groups must have approval annotation \"api-approved.kubernetes.io\"";
const APPROVAL_LINK: &str = "see https://github.com/kubernetes/enhancements/pull/1111";

/// What is wrong with a definition that is to be created, or to replace an old one; besides the shape of its
/// metadata. It has to be defaulted and prepared first.
#[must_use]
pub fn validate_definition(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    validate_definition_for(new, old, KubeVersion::NEWEST)
}

/// The same for the expressions of another server release.
#[must_use]
pub fn validate_definition_for(new: &Value, old: Option<&Value>, release: KubeVersion) -> Vec<FieldError> {
    let known = old.map(expressions).unwrap_or_default();
    let language = Language { version: release, known: &known, lavish: false };
    let mut errors: Vec<FieldError> = name_error(new).into_iter().filter(|_| old.is_none()).collect();
    errors.extend(spec_errors(new, old, language));
    errors.extend(old.into_iter().flat_map(|old| immutable(new, old)));
    errors.extend(names_errors(&new["status"]["acceptedNames"], &FieldPath::root("status").child("acceptedNames")));
    errors.extend(stored_versions(new));
    errors.extend(approval(new, old));
    errors.extend(preserving(new, old));
    errors
}

/// The expressions in a definition.
fn expressions(definition: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for version in versions(definition) {
        let schema = version.pointer("/schema/openAPIV3Schema").map(Schema::read).unwrap_or_default();
        collect_expressions(&schema, &mut found);
    }
    found
}

fn collect_expressions(schema: &Schema, found: &mut BTreeSet<String>) {
    for rule in &schema.extensions.rules {
        found.insert(rule.rule.clone());
        found.insert(rule.message_expression.clone());
    }
    schema.parts().for_each(|part| collect_expressions(part, found));
}

fn name_error(definition: &Value) -> Option<FieldError> {
    let name = text(definition, "/metadata/name");
    let expected = format!("{}.{}", text(definition, "/spec/names/plural"), text(definition, "/spec/group"));
    let path = FieldPath::root("metadata").child("name");
    (name != expected).then(|| FieldError::invalid(&path, name, "must be spec.names.plural+\".\"+spec.group"))
}

fn spec_errors(definition: &Value, old: Option<&Value>, language: Language<'_>) -> Vec<FieldError> {
    let path = FieldPath::root("spec");
    let mut errors = group_error(definition, &path);
    errors.extend(scope_error(definition, &path));
    errors.extend(missing_schemas(definition, &path));
    for (index, version) in versions(definition).iter().enumerate() {
        let language = Language { lavish: is_unchanged(version, old), ..language };
        errors.extend(version_part(definition, version, &path.child("versions").index(index), language));
    }
    errors.extend(version_list(definition, &path));
    errors.extend(required_names(definition, &path.child("names")));
    errors.extend(names_errors(&definition["spec"]["names"], &path.child("names")));
    let first = versions(definition).first().is_some_and(|version| is_unchanged(version, old));
    errors.extend(shared_part(definition, &path, Language { lavish: first, ..language }));
    errors.extend(conversion::errors(&definition["spec"]["conversion"], &path.child("conversion")));
    errors
}

/// Whether an old definition has a version of the same name and schema.
fn is_unchanged(version: &Value, old: Option<&Value>) -> bool {
    let before = old.and_then(|old| view::version(old, text(version, "/name")));
    before.is_some_and(|before| Part::Schema.of(before) == Part::Schema.of(version))
}

fn group_error(definition: &Value, path: &FieldPath) -> Vec<FieldError> {
    let (group, path) = (text(definition, "/spec/group"), path.child("group"));
    if group.is_empty() {
        return vec![FieldError::required(&path, "")];
    }
    let problems = names::subdomain(group);
    if !problems.is_empty() {
        return vec![FieldError::invalid(&path, group, problems.join(","))];
    }
    let dotless = !group.contains('.');
    dotless.then(|| FieldError::invalid(&path, group, "should be a domain with at least one dot")).into_iter().collect()
}

fn scope_error(definition: &Value, path: &FieldPath) -> Option<FieldError> {
    choice_error(text(definition, "/spec/scope"), &["Cluster", "Namespaced"], &path.child("scope"))
}

/// What is wrong with a required choice.
pub(super) fn choice_error(value: &str, choices: &[&str], path: &FieldPath) -> Option<FieldError> {
    match value {
        "" => Some(FieldError::required(path, "")),
        value if choices.contains(&value) => None,
        value => Some(FieldError::not_supported(path, value, choices)),
    }
}

fn missing_schemas(definition: &Value, path: &FieldPath) -> Vec<FieldError> {
    let lacks = |version: &Value| version.pointer("/schema/openAPIV3Schema").is_none_or(Value::is_null);
    let lacking = versions(definition).iter().enumerate().filter(|(_, version)| lacks(version));
    let place = |index: usize| path.child("versions").index(index).child("schema").child("openAPIV3Schema");
    lacking.map(|(index, _)| FieldError::required(&place(index), "")).collect()
}

/// What a version has of its own.
fn version_part(definition: &Value, version: &Value, path: &FieldPath, language: Language<'_>) -> Vec<FieldError> {
    let name = text(version, "/name");
    let mut errors = label_errors(name, &path.child("name"));
    errors.extend(version_errors::deprecation(version, &path.child("deprecationWarning")));
    let status = Part::Subresources.of(version).get("status").is_some_and(|status| !status.is_null());
    let schema = Part::Schema.own(definition, version);
    errors.extend(validation(schema, status, &path.child("schema"), language));
    errors
        .extend(version_errors::subresources(Part::Subresources.own(definition, version), &path.child("subresources")));
    errors.extend(version_errors::columns(
        Part::Columns.own(definition, version),
        &path.child("additionalPrinterColumns"),
    ));
    let fields = Part::Selectable.own(definition, version);
    if !fields.is_null() {
        let detail = "may only be set when `version.schema.openAPIV3Schema` is not included";
        errors.extend(version_errors::selectable(fields, schema, &path.child("selectableFields"), detail));
    }
    errors
}

/// What all versions share.
fn shared_part(definition: &Value, path: &FieldPath, language: Language<'_>) -> Vec<FieldError> {
    let has_status =
        |version: &Value| Part::Subresources.of(version).get("status").is_some_and(|status| !status.is_null());
    let status = versions(definition).iter().any(has_status);
    let schema = Part::Schema.shared(definition);
    let mut errors = validation(schema, status, &path.child("validation"), language);
    errors.extend(version_errors::subresources(Part::Subresources.shared(definition), &path.child("subresources")));
    errors.extend(version_errors::columns(Part::Columns.shared(definition), &path.child("additionalPrinterColumns")));
    let fields = Part::Selectable.shared(definition);
    if !fields.is_null() {
        let detail = "may only be set when validations.schema is included";
        errors.extend(version_errors::selectable(fields, schema, &path.child("selectableFields"), detail));
    }
    errors
}

fn version_list(definition: &Value, path: &FieldPath) -> Vec<FieldError> {
    let all = versions(definition);
    let path_of_all = path.child("versions");
    let wrong = |detail: &str| FieldError::invalid_json(&path_of_all, &internal::versions(definition), detail);
    let mut errors = Vec::new();
    let unique: BTreeSet<&str> = all.iter().map(|version| text(version, "/name")).collect();
    if unique.len() != all.len() {
        errors.push(wrong("must contain unique version names"));
    }
    if all.iter().filter(|version| flag(version, "storage")).count() != 1 {
        errors.push(wrong("must have exactly one version marked as storage version"));
    }
    let first = all.first().map(|version| text(version, "/name")).filter(|name| !name.is_empty());
    errors.extend(first.into_iter().flat_map(|name| label_errors(name, &path.child("version"))));
    errors
}

fn label_errors(name: &str, path: &FieldPath) -> Vec<FieldError> {
    let problems = names::dns_1035_label(name);
    if problems.is_empty() { Vec::new() } else { vec![FieldError::invalid(path, name, problems.join(","))] }
}

fn required_names(definition: &Value, path: &FieldPath) -> Vec<FieldError> {
    let missing = ["plural", "singular", "kind", "listKind"]
        .into_iter()
        .filter(|name| text(&definition["spec"]["names"], &format!("/{name}")).is_empty());
    missing.map(|name| FieldError::required(&path.child(name), "")).collect()
}

fn names_errors(given: &Value, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for name in ["plural", "singular"] {
        let value = text(given, &format!("/{name}"));
        errors.extend(
            Some(value)
                .filter(|value| !value.is_empty())
                .into_iter()
                .flat_map(|value| label_errors(value, &path.child(name))),
        );
    }
    for name in ["kind", "listKind"] {
        let value = text(given, &format!("/{name}"));
        let problem = Some(value).filter(|value| !value.is_empty()).and_then(mixed_case_label);
        errors.extend(problem.map(|problem| FieldError::invalid(&path.child(name), value, problem)));
    }
    errors.extend(list_errors(given, "shortNames", path));
    let (kind, list_kind) = (text(given, "/kind"), text(given, "/listKind"));
    if !kind.is_empty() && kind == list_kind {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(&path.child("listKind"), list_kind, detail));
    }
    errors.extend(list_errors(given, "categories", path));
    errors
}

fn list_errors(given: &Value, field: &str, path: &FieldPath) -> Vec<FieldError> {
    let items = given.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
    let path = path.child(field);
    items.flat_map(|(index, item)| label_errors(item.as_str().unwrap_or_default(), &path.index(index))).collect()
}

/// What is wrong with a version's schema.
fn validation(validation: &Value, status: bool, path: &FieldPath, language: Language<'_>) -> Vec<FieldError> {
    let Some(json) = validation.get("openAPIV3Schema").filter(|json| !json.is_null()) else { return Vec::new() };
    let schema = Schema::read(json);
    let schema_path = path.child("openAPIV3Schema");
    let mut errors: Vec<FieldError> = Vec::new();
    if status {
        errors.extend(internal::root_error(json, &schema_path));
    }
    if schema.nullable {
        let detail = "nullable cannot be true at the root";
        errors.push(FieldError::forbidden(&path.child("openAPIV3Schema.nullable"), detail));
    }
    let mut visible = None;
    if is_readable(&schema) {
        let mut found = structure::errors(&schema, &schema_path);
        if found.is_empty() {
            found = default_errors::errors(&schema, &schema_path, language.version);
        }
        if found.is_empty() {
            visible = Some(declared::visible(&schema, true));
        }
        errors.extend(found);
    }
    errors.extend(schema_errors::errors(&schema, visible.as_ref(), &schema_path, language));
    errors
}

/// Whether all of a schema can be read as a structural schema.
fn is_readable(schema: &Schema) -> bool {
    let nested = schema.all_of.iter().chain(&schema.any_of).chain(&schema.one_of).chain(schema.not.as_deref());
    schema.unsupported.is_empty()
        && schema.extensions.preserve_unknown != Some(false)
        && schema.parts().chain(nested).all(is_readable)
}

/// What never changes, and what does not change once the names are accepted.
fn immutable(new: &Value, old: &Value) -> Vec<FieldError> {
    let established = view::condition(old, "Established").is_some_and(|condition| condition["status"] == "True");
    let fields = [
        ("/spec/scope", "scope", established),
        ("/spec/names/kind", "names.kind", established),
        ("/spec/group", "group", true),
        ("/spec/names/plural", "names.plural", true),
    ];
    let changed = fields.into_iter().filter(|(pointer, _, fixed)| *fixed && text(new, pointer) != text(old, pointer));
    changed
        .map(|(pointer, name, _)| {
            FieldError::invalid(&FieldPath::root("spec").child(name), text(new, pointer), "field is immutable")
        })
        .collect()
}

fn stored_versions(definition: &Value) -> Vec<FieldError> {
    let path = FieldPath::root("status").child("storedVersions");
    let stored = &definition["status"]["storedVersions"];
    let names: Vec<&str> = stored.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return vec![FieldError::of(
            &path,
            FieldErrorKind::Invalid,
            Some(stored),
            "must have at least one stored version",
        )];
    }
    let storage = versions(definition).iter().filter(|version| flag(version, "storage"));
    let missing = storage.map(|version| text(version, "/name")).filter(|name| !names.contains(name));
    let mut errors: Vec<FieldError> = missing
        .map(|name| FieldError::invalid_json(&path, &names, format!("must have the storage version {name}")))
        .collect();
    let gone = names.iter().enumerate().filter(|(_, name)| view::version(definition, name).is_none());
    errors.extend(gone.map(|(index, name)| {
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until \
             a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        FieldError::invalid(&path.index(index), name, detail)
    }));
    errors
}

#[derive(PartialEq, Eq)]
enum Approval {
    Missing,
    Bypassed,
    Approved,
    Invalid,
}

/// Groups of the Kubernetes project need an approval (`apiextensions-apiserver/pkg/apihelpers/helpers.go`).
fn approval(new: &Value, old: Option<&Value>) -> Option<FieldError> {
    let group = text(new, "/spec/group");
    let protected = ["k8s.io", "kubernetes.io"];
    let is_protected = protected.iter().any(|suffix| group == *suffix || group.ends_with(&format!(".{suffix}")));
    let state = approval_of(new);
    if !is_protected || old.is_some_and(|old| approval_of(old) == state) {
        return None;
    }
    let path = FieldPath::root("metadata").child("annotations").key(APPROVED);
    match state {
        Approval::Missing => Some(FieldError::required(&path, &format!("{APPROVAL_TEXT}, {APPROVAL_LINK}"))),
        Approval::Invalid => {
            let how = "with either a URL or a reason starting with \"unapproved\"";
            Some(FieldError::invalid(&path, annotation(new), format!("{APPROVAL_TEXT} {how}, {APPROVAL_LINK}")))
        }
        Approval::Bypassed | Approval::Approved => None,
    }
}

fn annotation(definition: &Value) -> &str {
    definition["metadata"]["annotations"].get(APPROVED).and_then(Value::as_str).unwrap_or_default()
}

fn approval_of(definition: &Value) -> Approval {
    let text = annotation(definition);
    let has_host = text
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.starts_with('/') && !rest.is_empty());
    match text {
        "" => Approval::Missing,
        text if text.starts_with("unapproved") => Approval::Bypassed,
        _ if has_host => Approval::Approved,
        _ => Approval::Invalid,
    }
}

fn preserving(new: &Value, old: Option<&Value>) -> Option<FieldError> {
    let set = |definition: &Value| flag(&definition["spec"], "preserveUnknownFields");
    let detail =
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    let path = FieldPath::root("spec").child("preserveUnknownFields");
    let wrong = set(new) && !old.is_some_and(set);
    wrong.then(|| FieldError::of(&path, FieldErrorKind::Invalid, Some(&json!(true)), detail))
}
