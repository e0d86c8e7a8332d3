//! Changing objects: PUT, the patches, server-side apply.

use admission::Operation;
use serde_json::{Value, json};
use std::sync::Arc;

use super::body::{self, Received};
use super::call::Call;
use super::change::{After, Change, Proposal, Question, Shown};
use super::create::{Creation, OTHER_NAMESPACE, remove, reset_paths, text, text_of};
use super::options::{OptionsKind, WriteOptions};
use super::plugins;
use super::state::State;
use crate::failure::Failure;
use crate::managed;
use crate::patch;
use crate::schema::conform::{self, Mistyped, Unknown};
use crate::schema::{Schema, decode};
use crate::strategy;

/// The kinds of patches, by their media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchKind {
    fn of(call: &Call) -> Result<Self, Failure> {
        match call.media_type() {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if !call.resource.is_custom() => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ => Err(unsupported(call)),
        }
    }
}

fn unsupported(call: &Call) -> Failure {
    if !call.resource.is_custom() {
        return Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
    }
    let known = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
    let message = format!("the body of the request was in an unknown format - accepted media types include: {known}");
    Failure::bare(415, "UnsupportedMediaType", message)
}

/// How a patched object is read back into its type.
type Reread = for<'t> fn(Schema<'t>, &mut Value) -> Result<Unknown, Mistyped>;

/// A changed object on its way in.
struct Update<'c> {
    call: &'c Call,
    options: WriteOptions,
    kind: OptionsKind,
    old: Arc<Value>,
    new: Value,
    /// Who owns the changed fields; none if that is settled already.
    manager: Option<managed::Manager>,
    warnings: Vec<String>,
}

impl State {
    /// A PUT.
    pub fn replace(&mut self, call: &Call) -> Result<Change, Failure> {
        let options = WriteOptions::read(&call.query, OptionsKind::Update)?;
        let mut received = body::read(call)?;
        self.check_kind(call, &mut received.object)?;
        let refuse = body::refuse_write(&call.resource);
        let left_out = body::settle(&call.resource, &mut received, options.field_validation, refuse)?;
        named_as_the_path(call, &received.object)?;
        let Some(old) = self.get(&call.group_resource(), call.namespace(), &call.place.name) else {
            return self.create_by_put(call, options, received, left_out.warnings);
        };
        let manager = Some(self.manager(call, &options, managed::Operation::Update));
        let mut warnings = left_out.warnings;
        let mut new = received.object.clone();
        if let Some(compiled) = self.compiled(&call.resource) {
            let unknown = compiled.prune(&mut new).map_err(|error| body::refuse_type(&call.resource, &error))?;
            let refuse = body::refuse_write(&call.resource);
            let left_out = received.judge(&Unknown(unknown), options.field_validation, refuse)?;
            warnings.extend(left_out.warnings);
        }
        precise_uid(call, &new, &old)?;
        version_given(call, &new)?;
        self.finish_update(Update { call, options, kind: OptionsKind::Update, old, new, manager, warnings })
    }

    fn create_by_put(
        &mut self,
        call: &Call,
        options: WriteOptions,
        received: Received,
        warnings: Vec<String>,
    ) -> Result<Change, Failure> {
        if !strategy::creates_on_put(&call.resource) || !call.place.subresource.is_empty() {
            return Err(call.not_found());
        }
        let manager = Some(self.manager(call, &options, managed::Operation::Update));
        self.finish_create(Creation { call, options, kind: OptionsKind::Update, manager }, received, warnings)
    }

    /// A PATCH.
    pub fn patch(&mut self, call: &Call) -> Result<Change, Failure> {
        let patch = PatchKind::of(call)?;
        let kind = OptionsKind::Patch { apply: patch == PatchKind::Apply };
        let options = WriteOptions::read(&call.query, kind)?;
        let old = self.get(&call.group_resource(), call.namespace(), &call.place.name);
        if patch == PatchKind::Apply {
            return self.apply(call, options, old);
        }
        let old = old.ok_or_else(|| call.not_found())?;
        let Patched { mut new, shown, duplicates } = patched(call, patch, &old)?;
        named_as_the_path(call, &new)?;
        self.same_kind(call, &new)?;
        let read = if patch == PatchKind::Strategic { conform::convert } else { conform::conform };
        let unknown = self.retyped(call, &mut new, &shown, read)?;
        let complaints = unknown.complaints(&duplicates);
        let left_out = body::judge_all(complaints, options.field_validation, body::refuse_patch(shown))?;
        let manager = Some(self.manager(call, &options, managed::Operation::Update));
        self.finish_update(Update { call, options, kind, old, new, manager, warnings: left_out.warnings })
    }

    /// Brings a patched object back into its type; the fields that it does not have are returned.
    fn retyped(&self, call: &Call, new: &mut Value, shown: &str, read: Reread) -> Result<Unknown, Failure> {
        if let Some(compiled) = self.compiled(&call.resource) {
            let unknown = compiled.prune(new).map_err(|error| body::refuse_type(&call.resource, &error))?;
            return Ok(Unknown(unknown));
        }
        let typed = read(call.resource.schema(), new);
        typed.map_err(|mistyped| body::refuse_patch(shown.to_owned())(mistyped.to_string()))
    }

    /// A patch changes no kind.
    fn same_kind(&self, call: &Call, new: &Value) -> Result<(), Failure> {
        let (kind, version) = (text_of(new, "kind"), text_of(new, "apiVersion"));
        if kind == call.resource.kind && version == call.resource.api_version() {
            return Ok(());
        }
        let why = self.no_conversion(&call.resource.group, &call.resource.kind, &kind, &version);
        Err(body::refuse_patch(new.to_string())(why))
    }

    /// A server-side apply.
    fn apply(&mut self, call: &Call, options: WriteOptions, old: Option<Arc<Value>>) -> Result<Change, Failure> {
        let (mut applied, complaints) = decode::decode_yaml(&call.body)
            .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))?;
        applied_kind(call, &applied)?;
        let shown = String::from_utf8_lossy(&call.body).into_owned();
        let left_out = body::judge_all(complaints, options.field_validation, body::refuse_patch(shown.clone()))?;
        let manager = self.manager(call, &options, managed::Operation::Apply);
        let (now, force) = (self.clock.timestamp(), options.force.unwrap_or_default());
        let reset = reset_paths(call);
        let schema = call.resource.schema();
        if old.is_none() {
            if !call.place.subresource.is_empty() {
                return Err(call.not_found());
            }
            without_uid(call, &applied)?;
            applied["metadata"]["name"] = json!(call.place.name);
        }
        let mut new = managed::apply(old.as_deref(), &applied, &manager, force, schema, &now, &reset)?;
        self.retyped(call, &mut new, &shown, conform::convert)?;
        named_as_the_path(call, &new)?;
        let kind = OptionsKind::Patch { apply: true };
        let warnings = left_out.warnings;
        match old {
            Some(old) => self.finish_update(Update { call, options, kind, old, new, manager: None, warnings }),
            None => {
                let creation = Creation { call, options, kind: OptionsKind::Create, manager: None };
                self.finish_create(creation, Received::made(new), warnings)
            }
        }
    }

    /// Everything from the changed object to a judged change.
    fn finish_update(&mut self, update: Update<'_>) -> Result<Change, Failure> {
        let Update { call, options, kind, old, mut new, manager, warnings } = update;
        let subresource = call.place.subresource.as_str();
        if let Some(compiled) = self.compiled(&call.resource) {
            compiled.default(&mut new);
        }
        self.fill(call, &mut new);
        keep_identity(call, &mut new, &old);
        version_matches(call, &mut new, &old)?;
        if let Some(manager) = manager {
            let reset = reset_paths(call);
            let now = self.clock.timestamp();
            managed::update(Some(&old), &mut new, &manager, call.resource.schema(), &now, &reset);
        }
        plugins::before_update(self, call, &mut new, &old)?;
        strategy::prepare_update(&call.resource, subresource, &mut new, &old);
        managed::settle_times(&old, &mut new);
        self.validate_change(call, &new, &old)?;
        let shown = Arc::new(new);
        let question = Question {
            call,
            operation: Operation::Update,
            name: &call.place.name,
            old: Some(old.clone()),
            new: Some(shown.clone()),
            dry_run: options.dry_run,
            options: options.shown(kind),
        };
        let proposal = Proposal {
            name: call.place.name.clone(),
            after: outcome(&old, &shown),
            before: Some(old),
            warnings,
            shown: None,
        };
        self.judged(question, proposal)
    }
}

/// What is to be stored: nothing new if nothing changed, and nothing at all once the last finalizer is gone.
fn outcome(old: &Value, new: &Value) -> After {
    let ends = new["metadata"].get("deletionTimestamp").is_some();
    let held = new["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
        || new["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty() && new["kind"] == "Namespace");
    match () {
        () if ends && !held => After::Nothing { shown: Shown::Changed(new.clone()) },
        () if old == new => After::Same,
        () => After::Object(new.clone()),
    }
}

/// A patched object, with the patch as messages show it and the fields that it has twice.
struct Patched {
    new: Value,
    shown: String,
    duplicates: Vec<String>,
}

fn patched(call: &Call, kind: PatchKind, old: &Value) -> Result<Patched, Failure> {
    match kind {
        PatchKind::Json => {
            let new = patch::json::Patch::read(&call.body)?.apply(old)?;
            Ok(Patched { shown: new.to_string(), new, duplicates: Vec::new() })
        }
        PatchKind::Merge => {
            let body = patch::merge::read(&call.body)?;
            let new = patch::merge::apply(&body.patch, old)?;
            Ok(Patched { shown: new.to_string(), new, duplicates: body.duplicates })
        }
        PatchKind::Strategic => {
            let patch = patch::read(&call.body)?;
            let (new, used) = patch::strategic::apply_and_show(&patch, old, call.resource.schema())?;
            Ok(Patched { new, shown: patch::shown(&used), duplicates: Vec::new() })
        }
        PatchKind::Apply => Err(unsupported(call)),
    }
}

fn applied_kind(call: &Call, applied: &Value) -> Result<(), Failure> {
    let (kind, version) = (text_of(applied, "kind"), text_of(applied, "apiVersion"));
    if kind == call.resource.kind && version == call.resource.api_version() {
        return Ok(());
    }
    let (group, short) = version.rsplit_once('/').unwrap_or(("", &version));
    Err(Failure::bad_request(format!("invalid object type: {group}/{short}, Kind={kind}")))
}

/// The name in the object is the path's.
fn named_as_the_path(call: &Call, object: &Value) -> Result<(), Failure> {
    let (name, wanted) = (text(object, "name"), &call.place.name);
    if name.is_empty() {
        return Err(Failure::bad_request(format!(
            "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != *wanted {
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        )));
    }
    let namespace = text(object, "namespace");
    if call.resource.namespaced && !namespace.is_empty() && namespace != call.place.namespace {
        return Err(Failure::bad_request(OTHER_NAMESPACE));
    }
    Ok(())
}

/// A PUT with another UID is for another object.
fn precise_uid(call: &Call, new: &Value, old: &Value) -> Result<(), Failure> {
    let (given, own) = (text(new, "uid"), text(old, "uid"));
    if given.is_empty() || given == own {
        return Ok(());
    }
    let key = storage_key(call);
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, UID in object meta: {own}"
    );
    Err(Failure::conflict(&call.group_resource(), &call.place.name, &why))
}

/// Where kube-apiserver keeps an object in etcd; messages mention it.
fn storage_key(call: &Call) -> String {
    let folder = match (call.resource.group.as_str(), call.resource.plural.as_str()) {
        ("", "nodes") => "minions".to_owned(),
        ("", plural) => plural.to_owned(),
        (group, plural) => format!("{group}/{plural}"),
    };
    let namespace = call.namespace();
    let below = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    format!("/registry/{folder}/{below}{}", call.place.name)
}

/// Some kinds are only replaced by who says which version he saw.
fn version_given(call: &Call, new: &Value) -> Result<(), Failure> {
    if !text(new, "resourceVersion").is_empty() || strategy::updates_unconditionally(&call.resource) {
        return Ok(());
    }
    let path = admission::FieldPath::root("metadata").child("resourceVersion");
    let error = admission::FieldError::invalid_json(&path, &0, "must be specified for an update");
    Err(Failure::invalid(&call.resource.group, &call.resource.plural, &call.place.name, &[error]))
}

/// What is yet to be created has no UID.
fn without_uid(call: &Call, applied: &Value) -> Result<(), Failure> {
    let uid = text(applied, "uid");
    if uid.is_empty() {
        return Ok(());
    }
    let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
    Err(Failure::conflict(&call.group_resource(), &call.place.name, &why))
}

fn version_matches(call: &Call, new: &mut Value, old: &Value) -> Result<(), Failure> {
    let (given, own) = (text(new, "resourceVersion"), text(old, "resourceVersion"));
    if !given.is_empty() && given.parse::<u64>().is_err() {
        return Err(Failure::internal(format!("strconv.ParseUint: parsing \"{given}\": invalid syntax")));
    }
    if !given.is_empty() && given != "0" && given != own {
        return Err(Failure::modified(&call.group_resource(), &call.place.name));
    }
    new["metadata"]["resourceVersion"] = json!(own);
    Ok(())
}

/// Metadata that a client need not repeat and cannot change.
fn keep_identity(call: &Call, new: &mut Value, old: &Value) {
    let (old, metadata) = (&old["metadata"], &mut new["metadata"]);
    let mut keep = |field: &str, always: bool| {
        let absent = metadata.get(field).is_none_or(|value| value.is_null() || *value == "");
        if !always && !absent {
            return;
        }
        match old.get(field) {
            Some(value) => metadata[field] = value.clone(),
            None => remove(metadata, field),
        }
    };
    for field in ["creationTimestamp", "selfLink", "generation"] {
        keep(field, true);
    }
    // What ends, ends; a client that sets the time itself is refused later.
    keep("deletionTimestamp", old.get("deletionTimestamp").is_some());
    for field in ["uid", "deletionGracePeriodSeconds"] {
        keep(field, false);
    }
    if !call.resource.namespaced {
        remove(metadata, "namespace");
    } else {
        metadata["namespace"] = json!(call.place.namespace);
    }
}
