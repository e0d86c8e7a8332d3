//! A change that was judged by everything but webhooks, ready to be stored.

use admission::{AdmissionRequest, Operation};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::call::Call;
use super::reply::Reply;
use super::state::State;
use crate::failure::{Aside, Failure};
use crate::objects::Objects;
use crate::resource::{GroupResource, Resource};

/// A judged change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub resource: GroupResource,
    pub namespace: String,
    pub name: String,
    /// What the change was computed from.
    pub before: Option<Arc<Value>>,
    pub after: After,
    /// What webhooks are asked.
    pub request: AdmissionRequest,
    pub dry_run: bool,
    pub warnings: Vec<String>,
    /// What the audit log says about it.
    pub annotations: BTreeMap<String, String>,
    /// What the client sees of a stored object; it sees the object itself if there is nothing here.
    pub shown: Option<fn(&Value) -> Value>,
}

/// What is there after a change.
#[derive(Clone, Debug)]
pub(super) enum After {
    /// This object.
    Object(Value),
    /// What was there before.
    Same,
    /// Nothing. The client is told so, or sees the last state.
    Nothing {
        /// What the client sees.
        shown: Shown,
    },
}

/// What a client sees of an object that is gone.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// That it was deleted.
    Success,
    /// Its last state.
    Last,
    /// What the client made of it.
    Changed(Value),
}

/// What became of a change.
#[derive(Debug)]
pub(super) enum Stored {
    Done(Reply),
    /// Somebody else changed the object first; the change is to be computed again.
    Overtaken,
}

impl State {
    /// Stores a change, if it still fits what is stored.
    pub fn store_change(&mut self, change: &Change) -> Result<Stored, Failure> {
        let current = self.get(&change.resource, &change.namespace, &change.name);
        let fits = match (&change.before, &current) {
            (None, Some(object)) => return Err(exists(change, object)),
            (Some(before), Some(current)) => Arc::ptr_eq(before, current),
            (before, current) => before.is_none() && current.is_none(),
        };
        if !fits {
            return Ok(Stored::Overtaken);
        }
        let reply = match &change.after {
            After::Object(object) => self.put(change, object),
            After::Same => Reply::json(200, current.map_or(Value::Null, |object| Value::clone(&object))),
            After::Nothing { shown } => self.remove(change, shown),
        };
        let mut reply = present(reply, change).warn(&change.warnings);
        reply.annotations.clone_from(&change.annotations);
        Ok(Stored::Done(reply))
    }

    fn put(&mut self, change: &Change, object: &Value) -> Reply {
        let code = if change.before.is_none() { 201 } else { 200 };
        if change.dry_run {
            return Reply::json(code, object.clone());
        }
        let (resource, namespace, name) = (&change.resource, &change.namespace, &change.name);
        let stored = match change.before {
            None => self.store.create(resource, namespace, name, object.clone()).ok(),
            Some(_) => self.store.update(resource, namespace, name, object.clone()),
        };
        self.follow(resource);
        Reply::json(code, stored.map_or(Value::Null, |object| Value::clone(&object)))
    }

    fn remove(&mut self, change: &Change, shown: &Shown) -> Reply {
        let before = change.before.as_deref().cloned().unwrap_or_default();
        let (resource, namespace, name) = (&change.resource, &change.namespace, &change.name);
        let last = if change.dry_run { None } else { self.store.delete(resource, namespace, name) };
        if !change.dry_run {
            self.follow(resource);
        }
        let last = last.map_or(before, |object| Value::clone(&object));
        let answer = match shown {
            Shown::Success => success(change, &last),
            Shown::Last => last,
            Shown::Changed(object) => object.clone(),
        };
        Reply::json(200, answer)
    }
}

fn present(mut reply: Reply, change: &Change) -> Reply {
    if let (Some(shown), super::reply::Content::Json(object)) = (change.shown, &mut reply.content) {
        *object = shown(object);
    }
    reply
}

fn exists(change: &Change, object: &Value) -> Failure {
    let mut failure = Failure::already_exists(&change.resource, &change.name);
    if object["metadata"].get("deletionTimestamp").is_some() {
        failure.message = format!("object is being deleted: {}", failure.message);
    }
    failure
}

fn success(change: &Change, object: &Value) -> Value {
    let mut details = json!({"name": change.name, "kind": change.resource.resource});
    if !change.resource.group.is_empty() {
        details["group"] = json!(change.resource.group);
    }
    if let Some(uid) = object["metadata"].get("uid") {
        details["uid"] = uid.clone();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// What admission is asked about a call.
pub(super) struct Question<'c> {
    pub call: &'c Call,
    pub operation: Operation,
    pub name: &'c str,
    pub old: Option<Arc<Value>>,
    pub new: Option<Arc<Value>>,
    pub dry_run: bool,
    pub options: Value,
}

impl Question<'_> {
    /// The request as policies and webhooks see it.
    pub fn into_request(self, uid: String) -> AdmissionRequest {
        let call = self.call;
        let (kind, resource) = kind_and_resource(&call.resource, &call.place.subresource);
        let own_namespace = call.resource.plural == "namespaces" && call.resource.group.is_empty();
        let namespace = if own_namespace { self.name } else { call.place.namespace.as_str() };
        AdmissionRequest {
            uid,
            request_kind: Some(kind.clone()),
            request_resource: Some(resource.clone()),
            request_sub_resource: (!call.place.subresource.is_empty()).then(|| call.place.subresource.clone()),
            kind,
            resource,
            sub_resource: call.place.subresource.clone(),
            name: self.name.to_owned(),
            namespace: namespace.to_owned(),
            operation: self.operation,
            user_info: call.user.clone(),
            object: self.new,
            old_object: self.old,
            dry_run: self.dry_run,
            options: Some(Arc::new(self.options)),
        }
    }
}

fn kind_and_resource(
    resource: &Resource,
    subresource: &str,
) -> (admission::request::GroupVersionKind, admission::request::GroupVersionResource) {
    let own = (resource.group.clone(), resource.version.clone(), resource.kind.clone());
    let other = resource.subresource(subresource).and_then(|sub| sub.kind.clone());
    let (group, version, kind) = other.unwrap_or(own);
    let kind = admission::request::GroupVersionKind { group, version, kind };
    let Resource { group, version, plural, .. } = resource;
    let resource = admission::request::GroupVersionResource {
        group: group.clone(),
        version: version.clone(),
        resource: plural.clone(),
    };
    (kind, resource)
}

impl State {
    /// Asks the policies; what they audit and warn of is in the answer.
    pub fn ask_policies(&self, request: &AdmissionRequest) -> Result<Asked, Failure> {
        if self.policies.are_none() {
            return Ok(Asked::default());
        }
        let report = self.policies.judge(request, &self.view());
        let asked = Asked { warnings: report.warnings.clone(), annotations: report.audit_annotations.clone() };
        if report.admits() {
            return Ok(asked);
        }
        let status = report.verdict().and_then(|verdict| admission::status(verdict, request));
        Err(refusal(status.unwrap_or_default(), asked))
    }

    /// The namespace's own object, for webhooks that select namespaces.
    pub fn namespace_labels(&self, name: &str) -> Value {
        let namespace = Objects::get(&self.store, "", "namespaces", "", name);
        namespace.map_or(Value::Null, |object| object["metadata"]["labels"].clone())
    }
}

/// What is to become of an object, if the policies agree.
pub(super) struct Proposal {
    /// The object's name. Admission is told the question's: in a collection, none.
    pub name: String,
    pub before: Option<Arc<Value>>,
    pub after: After,
    pub warnings: Vec<String>,
    pub shown: Option<fn(&Value) -> Value>,
}

impl State {
    /// Puts a proposal to the policies.
    pub fn judged(&mut self, question: Question<'_>, proposal: Proposal) -> Result<Change, Failure> {
        let (call, dry_run) = (question.call, question.dry_run);
        let Proposal { name, before, after, mut warnings, shown } = proposal;
        let request = question.into_request(self.uid());
        let Asked { warnings: warned, annotations } = self.ask_policies(&request)?;
        warnings.extend(warned);
        let (resource, namespace) = (call.group_resource(), call.namespace().to_owned());
        Ok(Change { resource, namespace, name, before, after, request, dry_run, warnings, annotations, shown })
    }
}

/// What policies say besides yes.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub warnings: Vec<String>,
    pub annotations: BTreeMap<String, String>,
}

/// A refusal by a policy: its Status, and the warnings that go with it.
fn refusal(status: Value, asked: Asked) -> Failure {
    let reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
    let reason = reasons.into_iter().find(|reason| status["reason"] == *reason).unwrap_or("Invalid");
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(422);
    let failure = Failure::new(code, reason, status["message"].as_str().unwrap_or_default());
    let Asked { warnings, annotations } = asked;
    Failure { details: status["details"].as_object().cloned(), ..failure }.with(Aside {
        warnings,
        annotations,
        continue_: None,
    })
}
