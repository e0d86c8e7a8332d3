//! Creating objects.

use admission::Operation;
use serde_json::{Value, json};
use std::sync::Arc;

use super::body::{self, Received};
use super::call::Call;
use super::change::{After, Change, Proposal, Question};
use super::options::{OptionsKind, WriteOptions};
use super::plugins;
use super::state::State;
use crate::crd;
use crate::failure::Failure;
use crate::managed;
use crate::schema::conform::{self, Unknown};
use crate::schema::defaulting;
use crate::strategy;

/// What is said of an object that names another namespace than its path.
pub(super) const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// The longest name that a generated one is cut to, before its five random characters.
const GENERATED: usize = 58;

impl State {
    /// A POST.
    pub fn create(&mut self, call: &Call) -> Result<Change, Failure> {
        let options = WriteOptions::read(&call.query, OptionsKind::Create)?;
        let mut received = body::read(call)?;
        self.check_kind(call, &mut received.object)?;
        let refuse = body::refuse_write(&call.resource);
        let left_out = body::settle(&call.resource, &mut received, options.field_validation, refuse)?;
        let manager = self.manager(call, &options, managed::Operation::Update);
        let change = Creation { call, options, kind: OptionsKind::Create, manager: Some(manager) };
        self.finish_create(change, received, left_out.warnings)
    }

    /// Everything from the decoded object to a judged change.
    pub fn finish_create(
        &mut self,
        creation: Creation<'_>,
        received: Received,
        mut warnings: Vec<String>,
    ) -> Result<Change, Failure> {
        let Creation { call, options, kind, manager } = creation;
        let mut object = received.object.clone();
        self.place(call, &mut object)?;
        if let Some(compiled) = self.compiled(&call.resource) {
            let unknown = compiled.prune(&mut object).map_err(|error| body::refuse_type(&call.resource, &error))?;
            let refuse = body::refuse_write(&call.resource);
            warnings.extend(received.judge(&Unknown(unknown), options.field_validation, refuse)?.warnings);
            compiled.default(&mut object);
        }
        self.fill(call, &mut object);
        if let Some(manager) = manager {
            let now = self.clock.timestamp();
            let reset = reset_paths(call);
            managed::update(None, &mut object, &manager, call.resource.schema(), &now, &reset);
        }
        plugins::before_create(self, call, &mut object)?;
        strategy::prepare_create(&call.resource, &mut object);
        warnings.extend(first_status(call, &mut object));
        self.stamp(call, &mut object)?;
        strategy::canonicalize(&call.resource, &mut object);
        self.validate_new(call, &object)?;
        let name = text(&object, "name");
        let new = Arc::new(object);
        let question = Question {
            call,
            operation: Operation::Create,
            name: &name,
            old: None,
            new: Some(new.clone()),
            dry_run: options.dry_run,
            options: options.shown(kind),
        };
        let proposal = Proposal {
            name: name.clone(),
            before: None,
            after: After::Object(Value::clone(&new)),
            warnings,
            shown: None,
        };
        self.judged(question, proposal)
    }

    /// Sees that the namespace in the object is the path's.
    fn place(&self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        let metadata = &mut object["metadata"];
        if !call.resource.namespaced {
            remove(metadata, "namespace");
            return Ok(());
        }
        let namespace = text_of(metadata, "namespace");
        if !namespace.is_empty() && namespace != call.place.namespace {
            return Err(Failure::bad_request(OTHER_NAMESPACE));
        }
        metadata["namespace"] = json!(call.place.namespace);
        Ok(())
    }

    /// Defaults of built-in kinds.
    pub fn fill(&self, call: &Call, object: &mut Value) {
        let resource = &call.resource;
        if !resource.is_custom() {
            defaulting::fill((&resource.group, &resource.version, &resource.kind), object);
        }
    }

    /// What the server writes into the metadata of a new object.
    fn stamp(&mut self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        if !text(object, "resourceVersion").is_empty() {
            return Err(Failure::internal("resourceVersion should not be set on objects to be created"));
        }
        let generated = text(object, "generateName");
        let name = match text(object, "name") {
            name if name.is_empty() && !generated.is_empty() => self.generate(call, &generated),
            name => name,
        };
        let uid = self.uid();
        let metadata = &mut object["metadata"];
        for field in ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            remove(metadata, field);
        }
        if !name.is_empty() {
            metadata["name"] = json!(name);
        }
        metadata["uid"] = json!(uid);
        metadata["creationTimestamp"] = json!(self.clock.timestamp());
        Ok(())
    }

    fn generate(&mut self, call: &Call, prefix: &str) -> String {
        let mut end = prefix.len().min(GENERATED);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let prefix = prefix.get(..end).unwrap_or_default();
        let mut name = format!("{prefix}{}", self.suffix());
        // The server tries a few times, too (KEP-4420).
        for _ in 0..7 {
            if self.get(&call.group_resource(), call.namespace(), &name).is_none() {
                break;
            }
            name = format!("{prefix}{}", self.suffix());
        }
        name
    }

    /// Who owns what this call writes.
    pub fn manager(&self, call: &Call, options: &WriteOptions, operation: managed::Operation) -> managed::Manager {
        let named = &options.field_manager;
        managed::Manager {
            name: if named.is_empty() { call.default_manager().to_owned() } else { named.clone() },
            operation,
            api_version: call.resource.api_version(),
            subresource: call.place.subresource.clone(),
        }
    }
}

/// The status that some kinds begin with; what is to be warned of.
fn first_status(call: &Call, object: &mut Value) -> Vec<String> {
    match call.resource.kind.as_str() {
        _ if call.resource.is_custom() => Vec::new(),
        "CustomResourceDefinition" => {
            crd::default_definition(object);
            crd::prepare_create(object);
            crd::unrecognized_formats(object, None)
        }
        _ => {
            // What the kind's strategy left out has its zero value.
            let unknown = conform::conform(call.resource.schema(), object);
            debug_assert!(unknown.is_ok(), "the object was conformed before");
            Vec::new()
        }
    }
}

/// An object on its way in.
pub(super) struct Creation<'c> {
    pub call: &'c Call,
    pub options: WriteOptions,
    pub kind: OptionsKind,
    /// Who owns the fields; none if that is settled already.
    pub manager: Option<managed::Manager>,
}

/// The fields that a call cannot set, and so does not own.
pub(super) fn reset_paths(call: &Call) -> Vec<managed::Path> {
    let paths = strategy::reset(&call.resource, &call.place.subresource).iter();
    paths.map(|path| managed::Path::fields(&path.split('.').collect::<Vec<_>>())).collect()
}

/// A field of an object's metadata that holds text; empty if there is none.
pub(super) fn text(object: &Value, field: &str) -> String {
    text_of(&object["metadata"], field)
}

pub(super) fn text_of(map: &Value, field: &str) -> String {
    map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn remove(map: &mut Value, field: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(field);
    }
}
