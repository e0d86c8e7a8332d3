//! What hangs below objects: bindings and evictions of pods, scales.

use serde_json::{Value, json};
use std::sync::Arc;

use super::body;
use super::call::Call;
use super::change::{After, Change, Proposal, Question, Shown};
use super::options::{OptionsKind, WriteOptions};
use super::removal::DeleteOptions;
use super::state::State;
use crate::failure::Failure;
use crate::patch;

impl State {
    /// A POST to `pods/NAME/binding`.
    pub fn bind(&mut self, call: &Call) -> Result<Change, Failure> {
        let options = WriteOptions::read(&call.query, OptionsKind::Create)?;
        let binding = body::read(call)?.object;
        if super::create::text(&binding, "name") != call.place.name {
            return Err(Failure::bad_request("name in URL does not match name in Binding object"));
        }
        let pod =
            self.get(&call.group_resource(), call.namespace(), &call.place.name).ok_or_else(|| call.not_found())?;
        let node = binding["target"]["name"].as_str().unwrap_or_default();
        if node.is_empty() {
            let error = admission::FieldError::required(&admission::FieldPath::root("target").child("name"), "");
            return Err(Failure::invalid("", "Binding", &call.place.name, &[error]));
        }
        if let Some(bound) = pod["spec"]["nodeName"].as_str().filter(|bound| !bound.is_empty()) {
            let why = format!("pod {} is already assigned to node \"{bound}\"", call.place.name);
            let about = crate::resource::GroupResource::new("", "pods/binding");
            return Err(Failure::conflict(&about, &call.place.name, &why));
        }
        let mut new = Value::clone(&pod);
        new["spec"]["nodeName"] = json!(node);
        self.below(call, options.dry_run, pod, Arc::new(binding), After::Object(new))
    }

    /// A POST to `pods/NAME/eviction`.
    pub fn evict(&mut self, call: &Call) -> Result<Change, Failure> {
        let options = WriteOptions::read(&call.query, OptionsKind::Create)?;
        let eviction = body::read(call)?.object;
        let pod =
            self.get(&call.group_resource(), call.namespace(), &call.place.name).ok_or_else(|| call.not_found())?;
        self.below(call, options.dry_run, pod, Arc::new(eviction), After::Nothing { shown: Shown::Success })
    }

    fn below(
        &mut self,
        call: &Call,
        dry_run: bool,
        before: Arc<Value>,
        asked: Arc<Value>,
        after: After,
    ) -> Result<Change, Failure> {
        let question = Question {
            call,
            operation: admission::Operation::Create,
            name: &call.place.name,
            old: None,
            new: Some(asked),
            dry_run,
            options: WriteOptions { dry_run, ..WriteOptions::default() }.shown(OptionsKind::Create),
        };
        let proposal = Proposal {
            name: call.place.name.clone(),
            before: Some(before),
            after,
            warnings: Vec::new(),
            shown: Some(
                |_| json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
            ),
        };
        self.judged(question, proposal)
    }

    /// A connection to what runs on a Node, before anybody looks whether there is such a Node.
    pub fn connect(&mut self, call: &Call) -> Result<Change, Failure> {
        let question = Question {
            call,
            operation: admission::Operation::Connect,
            name: &call.place.name,
            old: None,
            new: Some(Arc::new(json!({"kind": "NodeProxyOptions", "apiVersion": "v1", "path": call.place.rest}))),
            dry_run: false,
            options: Value::Null,
        };
        let name = call.place.name.clone();
        self.judged(question, Proposal { name, before: None, after: After::Same, warnings: Vec::new(), shown: None })
    }

    /// What a client is told that may connect to a Node, on which nothing runs.
    pub fn unreachable(&self, call: &Call) -> Failure {
        let Some(node) = self.get(&call.group_resource(), call.namespace(), &call.place.name) else {
            return call.not_found();
        };
        let addresses = node["status"]["addresses"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(address) = addresses.iter().find_map(|address| address["address"].as_str()) else {
            return Failure::internal("no preferred addresses found; known addresses: []");
        };
        let message = format!("error trying to reach service: dial tcp {address}:10250: connect: connection refused");
        Failure::bare(503, "ServiceUnavailable", message)
    }

    /// A GET of `…/NAME/scale`.
    pub fn read_scale(&self, call: &Call) -> Result<Value, Failure> {
        let object = self.get(&call.group_resource(), call.namespace(), &call.place.name);
        object.map(|object| scale_of(&object)).ok_or_else(|| call.not_found())
    }

    /// A PUT or PATCH of `…/NAME/scale`.
    pub fn rescale(&mut self, call: &Call) -> Result<Change, Failure> {
        let kind = if call.verb == "update" { OptionsKind::Update } else { OptionsKind::Patch { apply: false } };
        let options = WriteOptions::read(&call.query, kind)?;
        let old =
            self.get(&call.group_resource(), call.namespace(), &call.place.name).ok_or_else(|| call.not_found())?;
        let before = scale_of(&old);
        let wanted = match call.media_type() {
            _ if call.verb == "update" => body::read(call)?.object,
            "application/json-patch+json" => patch::json::apply(&call.body, &before)?,
            _ => patch::merge::apply(&patch::read(&call.body)?, &before)?,
        };
        let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or_default();
        if !(0..=i64::from(i32::MAX)).contains(&replicas) {
            let path = admission::FieldPath::root("spec").child("replicas");
            let error = admission::FieldError::invalid_json(&path, &replicas, "must be greater than or equal to 0");
            return Err(Failure::invalid("autoscaling", "Scale", &call.place.name, &[error]));
        }
        let mut new = Value::clone(&old);
        new["spec"]["replicas"] = json!(replicas);
        if new != *old {
            let generation = new["metadata"]["generation"].as_i64().unwrap_or_default();
            new["metadata"]["generation"] = json!(generation.saturating_add(1));
        }
        let question = Question {
            call,
            operation: admission::Operation::Update,
            name: &call.place.name,
            old: Some(Arc::new(before)),
            new: Some(Arc::new(scale_of(&new))),
            dry_run: options.dry_run,
            options: options.shown(kind),
        };
        let proposal = Proposal {
            name: call.place.name.clone(),
            after: if new == *old { After::Same } else { After::Object(new) },
            before: Some(old),
            warnings: Vec::new(),
            shown: Some(scale_of),
        };
        self.judged(question, proposal)
    }

    /// What a DELETE of a collection removes.
    pub fn chosen(&self, call: &Call) -> Result<Chosen, Failure> {
        let options = DeleteOptions::read(call)?;
        let listed = self.read_many(call)?;
        let names = listed.page.items.iter().map(|object| super::create::text(object, "name")).collect();
        Ok(Chosen { options, list: listed.into_value(call), names })
    }
}

/// What a DELETE of a collection removes.
pub(super) struct Chosen {
    pub options: DeleteOptions,
    /// What is answered.
    pub list: Value,
    /// The names of the objects.
    pub names: Vec<String>,
}

/// The scale of a workload, or of a custom resource that counts its replicas where workloads do.
fn scale_of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut shown = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = metadata.get(field) {
            shown[field] = value.clone();
        }
    }
    let replicas = |part: &str| object[part]["replicas"].as_i64().unwrap_or_default();
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown,
        "spec": {"replicas": replicas("spec")},
        "status": {"replicas": replicas("status"), "selector": selector_text(&object["spec"]["selector"])}})
}

fn selector_text(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    terms.join(",")
}
