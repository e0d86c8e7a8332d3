//! Deleting objects, one or all.

use admission::Operation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::body;
use super::call::Call;
use super::change::{After, Change, Proposal, Question, Shown};
use super::create::text;
use super::options::unknown_dry_run;
use super::plugins;
use super::state::{DEFINITIONS, State};
use crate::failure::Failure;
use crate::objects::Objects;
use crate::schema::{decode, protobuf};

/// Kinds of which a deletion answers with the object (`ReturnDeletedObject` of their registries).
const RETURNED: [(&str, &str); 4] = [("", "pods"), ("", "services"), ("", "serviceaccounts"), DEFINITIONS];

/// The body of a DELETE is of no other kind than options.
fn known_kind(value: &Value) -> Result<(), Failure> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    if kind.is_empty() || kind == "DeleteOptions" {
        return Ok(());
    }
    let scheme = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27";
    let why = format!("no kind \"{kind}\" is registered for version \"{version}\" in scheme \"{scheme}\"");
    Err(Failure::bad_request(why))
}

/// What a DELETE asks for (`metav1.DeleteOptions`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeleteOptions {
    #[serde(deserialize_with = "some_or_default")]
    preconditions: Preconditions,
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    dry_run: Option<Vec<String>>,
    grace_period_seconds: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

fn some_or_default<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Preconditions, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

impl DeleteOptions {
    pub fn read(call: &Call) -> Result<Self, Failure> {
        let mut options = match call.body.is_empty() {
            true => Self::default(),
            false => Self::from_body(call)?,
        };
        if let Some(policy) = call.query.get("propagationPolicy") {
            options.propagation_policy = Some(policy.to_owned());
        }
        if let Some(grace) = call.query.get("gracePeriodSeconds") {
            let wrong = || Failure::bad_request(format!("strconv.ParseInt: parsing \"{grace}\": invalid syntax"));
            options.grace_period_seconds = Some(grace.parse().map_err(|_| wrong())?);
        }
        if let Some(dry_run) = call.query.get("dryRun") {
            options.dry_run = Some(vec![dry_run.to_owned()]);
        }
        options.check()?;
        Ok(options)
    }

    fn from_body(call: &Call) -> Result<Self, Failure> {
        let decoded = match call.media_type() {
            "application/yaml" => decode::decode_yaml(&call.body),
            body::PROTOBUF => protobuf::decode(&call.body).map(|options| (options, Vec::new())),
            _ => decode::decode_json(&call.body),
        };
        let broken = |error| Failure::bad_request(format!("couldn't get version/kind; json parse error: {error}"));
        let (value, _) = decoded.map_err(broken)?;
        known_kind(&value)?;
        serde_json::from_value(value).map_err(|error| Failure::bad_request(error.to_string()))
    }

    fn check(&self) -> Result<(), Failure> {
        use admission::{FieldError, FieldPath};
        let mut errors = Vec::new();
        let policy = self.propagation_policy.as_deref().unwrap_or("Background");
        let known = ["Foreground", "Background", "Orphan", "nil"];
        if !known.contains(&policy) {
            errors.push(FieldError::not_supported(&FieldPath::root("propagationPolicy"), policy, &known));
        }
        let dry_run = self.dry_run.as_deref().unwrap_or_default();
        if dry_run.iter().any(|value| value != "All") {
            errors.push(unknown_dry_run(dry_run));
        }
        if let (Some(policy), Some(_)) = (&self.propagation_policy, self.orphan_dependents) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid(&FieldPath::root("propagationPolicy"), policy, why));
        }
        if errors.is_empty() { Ok(()) } else { Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &errors)) }
    }

    pub fn is_dry_run(&self) -> bool {
        self.dry_run.as_ref().is_some_and(|values| !values.is_empty())
    }

    /// The finalizer that dependents are waited for, or spared, by.
    fn finalizer(&self) -> Option<&'static str> {
        match (self.propagation_policy.as_deref(), self.orphan_dependents) {
            (Some("Foreground"), _) => Some("foregroundDeletion"),
            (Some("Orphan"), _) | (None, Some(true)) => Some("orphan"),
            _ => None,
        }
    }

    fn shown(&self) -> Value {
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        if let Some(policy) = &self.propagation_policy {
            options["propagationPolicy"] = json!(policy);
        }
        if let Some(grace) = self.grace_period_seconds {
            options["gracePeriodSeconds"] = json!(grace);
        }
        if self.is_dry_run() {
            options["dryRun"] = json!(["All"]);
        }
        options
    }

    fn hold(&self, call: &Call, name: &str, object: &Value) -> Result<(), Failure> {
        let about = crate::resource::GroupResource::new(&call.resource.group, &call.resource.kind);
        let (uid, version) = (text(object, "uid"), text(object, "resourceVersion"));
        if let Some(wanted) = self.preconditions.uid.as_deref().filter(|wanted| *wanted != uid) {
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            );
            return Err(Failure::conflict(&about, name, &why));
        }
        if let Some(wanted) = self.preconditions.resource_version.as_deref().filter(|wanted| *wanted != version) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
            );
            return Err(Failure::conflict(&about, name, &why));
        }
        Ok(())
    }
}

impl State {
    /// A DELETE of one object.
    pub fn delete(&mut self, call: &Call) -> Result<Change, Failure> {
        let options = DeleteOptions::read(call)?;
        let name = call.place.name.clone();
        let old = self.get(&call.group_resource(), call.namespace(), &name).ok_or_else(|| call.not_found())?;
        self.delete_object(call, &options, &name, &name, old)
    }

    /// Judges the deletion of an object. In a collection, admission is not told the name.
    pub fn delete_object(
        &mut self,
        call: &Call,
        options: &DeleteOptions,
        name: &str,
        told: &str,
        old: Arc<Value>,
    ) -> Result<Change, Failure> {
        options.hold(call, name, &old)?;
        plugins::before_delete(self, call, name, &old)?;
        let question = Question {
            call,
            operation: Operation::Delete,
            name: told,
            old: Some(old.clone()),
            new: None,
            dry_run: options.is_dry_run(),
            options: options.shown(),
        };
        let proposal = Proposal {
            name: name.to_owned(),
            after: self.after_deletion(call, options, &old),
            before: Some(old),
            warnings: Vec::new(),
            shown: None,
        };
        self.judged(question, proposal)
    }

    fn after_deletion(&self, call: &Call, options: &DeleteOptions, old: &Value) -> After {
        let mut new = old.clone();
        let finalizers = new["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let wanted = options.finalizer().map(|finalizer| json!(finalizer));
        let added = wanted.into_iter().filter(|wanted| !finalizers.contains(wanted));
        let finalizers: Vec<Value> = finalizers.iter().cloned().chain(added).collect();
        let is_namespace = call.resource.plural == "namespaces" && call.resource.group.is_empty();
        let held_by_spec = is_namespace && new["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        if finalizers.is_empty() && !held_by_spec {
            let resource = (call.resource.group.as_str(), call.resource.plural.as_str());
            let shown = if RETURNED.contains(&resource) { Shown::Last } else { Shown::Success };
            return After::Nothing { shown };
        }
        if !finalizers.is_empty() {
            new["metadata"]["finalizers"] = Value::Array(finalizers);
        }
        if new["metadata"].get("deletionTimestamp").is_none() {
            new["metadata"]["deletionTimestamp"] = json!(self.clock.timestamp());
            new["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            if new["metadata"].get("generation").is_some_and(Value::is_number) {
                let generation = new["metadata"]["generation"].as_i64().unwrap_or_default();
                new["metadata"]["generation"] = json!(generation.saturating_add(1));
            }
        }
        if is_namespace {
            new["status"]["phase"] = json!("Terminating");
        }
        if new == *old { After::Same } else { After::Object(new) }
    }

    /// With a definition go its objects.
    pub fn remove_instances(&mut self, definition: &Value) {
        let text = |path: &str| definition.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let resource = crate::resource::GroupResource::new(&text("/spec/group"), &text("/spec/names/plural"));
        for object in Objects::list(&self.store, &resource.group, &resource.resource, None) {
            let (namespace, name) = (super::create::text(&object, "namespace"), super::create::text(&object, "name"));
            self.store.delete(&resource, &namespace, &name);
        }
    }

    /// Whether a change removes a definition.
    pub fn removes_definition(change: &Change) -> bool {
        let resource = &change.resource;
        (resource.group.as_str(), resource.resource.as_str()) == DEFINITIONS
            && matches!(change.after, After::Nothing { .. })
            && !change.dry_run
    }
}
