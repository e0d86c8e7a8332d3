//! Metadata (`k8s.io/apimachinery/pkg/api/validation/objectmeta.go`, `pkg/apis/core/validation`).

use admission::{FieldError, FieldPath};
use serde_json::Value;

use super::names;
use super::ordered::{OWNER, Ordered};
use super::place::Place;

const ANNOTATION_BYTES: usize = 262_144;
const MANAGER_BYTES: usize = 128;
const SUBRESOURCE_BYTES: usize = 256;
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What names of a resource look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// An RFC 1123 label: namespaces, services.
    Label,
    /// An RFC 1123 subdomain: nearly everything.
    Subdomain,
    /// Anything that fits into a path: roles and their bindings.
    PathSegment,
}

impl NameRule {
    /// What is wrong with a name, or with the prefix of one that is yet to be generated.
    #[must_use]
    pub fn problems(self, name: &str, prefix: bool) -> Vec<String> {
        match self {
            Self::Label => names::label(&masked(name, prefix)),
            Self::Subdomain => names::subdomain(&masked(name, prefix)),
            Self::PathSegment if prefix => names::path_prefix(name),
            Self::PathSegment => names::path_segment(name),
        }
    }
}

/// A prefix may end with a dash: the server looks at it with the end replaced (`maskTrailingDash`).
fn masked(name: &str, prefix: bool) -> String {
    match name.strip_suffix('-') {
        Some(rest) if prefix && !rest.is_empty() => {
            let mut kept = rest.to_owned();
            kept.pop();
            kept + "a"
        }
        _ => name.to_owned(),
    }
}

/// What every object's metadata must be like, new or changed (`ValidateObjectMetaAccessor`).
#[must_use]
pub fn create(metadata: &Value, namespaced: bool, rule: NameRule, path: &FieldPath) -> Vec<FieldError> {
    let place = Place::new(metadata, path.clone());
    let mut errors = name(&place, rule);
    errors.extend(namespace(&place.child("namespace"), namespaced));
    errors.extend(place.child("generation").non_negative());
    errors.extend(names::labels(place.child("labels").value(), &path.child("labels")));
    errors.extend(annotations(&place.child("annotations")));
    errors.extend(owners(&place.child("ownerReferences")));
    errors.extend(finalizers(&place.child("finalizers")));
    errors.extend(managed_fields(&place.child("managedFields")));
    errors
}

fn name(place: &Place<'_>, rule: NameRule) -> Vec<FieldError> {
    let (name, prefix) = (place.child("name"), place.child("generateName"));
    let mut errors = Vec::new();
    if !prefix.is_empty() {
        errors.extend(prefix.checked(|text| rule.problems(text, true)));
    }
    if name.is_empty() {
        errors.push(name.required("name or generateName is required"));
    } else {
        errors.extend(name.checked(|text| rule.problems(text, false)));
    }
    errors
}

fn namespace(place: &Place<'_>, namespaced: bool) -> Vec<FieldError> {
    match (namespaced, place.is_empty()) {
        (true, true) => vec![place.required("")],
        (true, false) => place.checked(names::label),
        (false, true) => Vec::new(),
        (false, false) => vec![place.forbidden("not allowed on this type")],
    }
}

/// The keys and the size of annotations (`ValidateAnnotations`).
pub(crate) fn annotations(place: &Place<'_>) -> Vec<FieldError> {
    let invalid = |key: &str| {
        let problems = names::annotation_key(key).into_iter();
        problems.map(|problem| FieldError::invalid(place.path(), key, problem)).collect::<Vec<_>>()
    };
    let mut errors: Vec<_> = place.entries().flat_map(|(key, _)| invalid(key)).collect();
    let size: usize = place.entries().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATION_BYTES {
        errors.push(FieldError::too_long(place.path(), ANNOTATION_BYTES));
    }
    errors
}

fn owners(place: &Place<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut first: Option<String> = None;
    for owner in place.items() {
        let owner = owner.at(place.path().clone());
        errors.extend(self::owner(&owner));
        if !owner.child("controller").flag() {
            continue;
        }
        let named = format!("{}/{}", owner.child("kind").text(), owner.child("name").text());
        match &first {
            None => first = Some(named),
            Some(first) => errors.push(two_controllers(place, first, &named)),
        }
    }
    errors
}

fn two_controllers(place: &Place<'_>, first: &str, second: &str) -> FieldError {
    let detail = format!(
        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
    );
    Ordered::list(place.value(), OWNER).invalid(place.path(), &detail)
}

fn owner(place: &Place<'_>) -> Vec<FieldError> {
    let version = place.child("apiVersion");
    let mut errors = Vec::new();
    if group_version(version.text()).1.is_empty() {
        errors.push(version.invalid_text("version must not be empty"));
    }
    let empty = ["kind", "name", "uid"].into_iter().map(|field| place.child(field)).filter(Place::is_empty);
    errors.extend(empty.map(|field| field.invalid_text("must not be empty")));
    if version.text() == "v1" && place.child("kind").text() == "Event" {
        let shown = Ordered::of(place.value(), OWNER);
        errors.push(shown.invalid(place.path(), "/v1, Kind=Event is disallowed from being an owner"));
    }
    errors
}

/// Group and version; both empty if it is neither (`schema.FromAPIVersionAndKind`).
fn group_version(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        None => ("", text),
        Some((_, version)) if version.contains('/') => ("", ""),
        Some(both) => both,
    }
}

fn finalizers(place: &Place<'_>) -> Vec<FieldError> {
    let texts = place.texts();
    let check = |text: &&str| {
        let problems = names::qualified(text).into_iter();
        problems.map(|problem| FieldError::invalid(place.path(), text, problem)).collect::<Vec<_>>()
    };
    let mut errors: Vec<_> = texts.iter().flat_map(check).collect();
    if texts.contains(&"orphan") && texts.contains(&"foregroundDeletion") {
        errors.push(place.invalid("finalizer orphan and foregroundDeletion cannot be both set"));
    }
    errors
}

/// Finalizers of built-in kinds need a slash (`validateKubeFinalizerName`).
pub(crate) fn known_finalizers(metadata: &Value, path: &FieldPath) -> Vec<FieldError> {
    let items = Place::new(metadata, path.clone()).child("finalizers").items();
    items.iter().filter_map(known_finalizer).collect()
}

/// One such finalizer.
pub(crate) fn known_finalizer(place: &Place<'_>) -> Option<FieldError> {
    let text = place.text();
    if text.contains('/') || STANDARD_FINALIZERS.contains(&text) {
        return None;
    }
    Some(place.invalid_text("name is neither a standard finalizer name nor is it fully qualified"))
}

fn managed_fields(place: &Place<'_>) -> Vec<FieldError> {
    place.items().iter().flat_map(managed_entry).collect()
}

fn managed_entry(entry: &Place<'_>) -> Vec<FieldError> {
    let (operation, kind) = (entry.child("operation"), entry.child("fieldsType"));
    let mut errors = Vec::new();
    if !["Apply", "Update"].contains(&operation.text()) {
        errors.push(operation.invalid_text("must be `Apply` or `Update`"));
    }
    if !kind.is_empty() && kind.text() != "FieldsV1" {
        errors.push(kind.invalid_text("must be `FieldsV1`"));
    }
    errors.extend(manager(&entry.child("manager")));
    if entry.child("subresource").text().len() > SUBRESOURCE_BYTES {
        errors.push(FieldError::too_long(&entry.path().child("subresource"), SUBRESOURCE_BYTES));
    }
    errors
}

/// The name of who manages fields (`ValidateFieldManager`).
fn manager(place: &Place<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if place.text().len() > MANAGER_BYTES {
        errors.push(FieldError::too_long(place.path(), MANAGER_BYTES));
    }
    let hidden = place.text().char_indices().filter(|(_, c)| c.is_control());
    errors.extend(
        hidden
            .map(|(at, c)| place.invalid_text(format!("invalid character U+{:04X} (at position {at})", u32::from(c)))),
    );
    errors
}

/// What must not change (`ValidateObjectMetaAccessorUpdate`).
#[must_use]
pub fn update(new: &Value, old: &Value, path: &FieldPath) -> Vec<FieldError> {
    let (new, old) = (Place::new(new, path.clone()), Place::new(old, path.clone()));
    let mut errors: Vec<_> = new_finalizers(&new, &old).into_iter().collect();
    if new.child("resourceVersion").is_empty() {
        errors.push(new.child("resourceVersion").invalid_text("must be specified for an update"));
    }
    errors.extend(generation(&new.child("generation"), &old.child("generation")));
    errors.extend(
        ["name", "namespace", "uid"].iter().filter_map(|field| same_text(&new.child(field), &old.child(field))),
    );
    let kept = ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    errors.extend(kept.iter().filter_map(|field| same(&new.child(field), &old.child(field))));
    errors.extend(names::labels(new.child("labels").value(), &path.child("labels")));
    errors.extend(annotations(&new.child("annotations")));
    errors.extend(owners(&new.child("ownerReferences")));
    errors.extend(managed_fields(&new.child("managedFields")));
    errors
}

fn same_text(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    (new.text() != old.text()).then(|| new.invalid_text("field is immutable"))
}

fn same(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    (new.value() != old.value()).then(|| new.invalid("field is immutable"))
}

fn generation(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    let shown = new.number().unwrap_or_default();
    let lower = shown < old.number().unwrap_or_default();
    lower.then(|| FieldError::invalid_json(new.path(), &shown, "must not be decremented"))
}

fn new_finalizers(new: &Place<'_>, old: &Place<'_>) -> Option<FieldError> {
    if !old.child("deletionTimestamp").is_set() {
        return None;
    }
    let known = old.child("finalizers").texts();
    let finalizers = new.child("finalizers");
    let mut added: Vec<_> = finalizers.texts().into_iter().filter(|text| !known.contains(text)).collect();
    added.sort_unstable();
    added.dedup();
    if added.is_empty() {
        return None;
    }
    let quoted: Vec<_> = added.iter().map(|text| format!("{text:?}")).collect();
    let what = "no new finalizers can be added if the object is being deleted, found new finalizers";
    Some(finalizers.forbidden(&format!("{what} []string{{{}}}", quoted.join(", "))))
}
