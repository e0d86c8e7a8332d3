//! Reading one object or many.

use admission::KubeVersion;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::sync::Arc;

use super::call::Call;
use super::negotiation::{As, Form};
use super::reply::Reply;
use super::state::State;
use crate::failure::Failure;
use crate::listing::{self, ListOptions, Page};
use crate::selector::{FieldSelector, LabelSelector};
use crate::table::IncludeObject;

/// Which objects of a collection are asked for.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub fn read(call: &Call, options: &ListOptions) -> Result<Self, Failure> {
        let labels = LabelSelector::parse(&options.label_selector).map_err(Failure::bad_request)?;
        let mut known = vec!["metadata.name"];
        if call.resource.namespaced {
            known.push("metadata.namespace");
        }
        known.extend(call.resource.selectable_fields.iter().map(String::as_str));
        let fields = FieldSelector::parse(&options.field_selector, &known).map_err(Failure::bad_request)?;
        Ok(Self { labels, fields })
    }

    /// A name in the path narrows further (`/watch/nodes/n1`).
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object["metadata"]["labels"].as_object();
        self.labels.matches(labels) && self.fields.matches(object)
    }
}

impl State {
    /// A GET of one object.
    pub fn read_one(&self, call: &Call) -> Result<Reply, Failure> {
        let form = Form::read(call.header(http::header::ACCEPT))?;
        let options = ListOptions::of_one(call.query.pairs());
        listing::not_ahead(&self.store, &options)?;
        let object = self.get(&call.group_resource(), call.namespace(), &call.place.name);
        let object = object.ok_or_else(|| call.not_found())?;
        let shown = self.at_version(call, &object);
        let include = include_object(call, form)?;
        Ok(form.reply(form.of(&call.resource, shown, self.clock.seconds(), include)))
    }

    /// The object as the version in the path calls it; definitions without conversion differ in that alone.
    pub fn at_version(&self, call: &Call, object: &Arc<Value>) -> Value {
        let mut object = Value::clone(object);
        if call.resource.is_custom() {
            object["apiVersion"] = json!(call.resource.api_version());
        }
        object
    }

    /// A GET of a collection, or the choice of a DELETE.
    pub fn read_many(&self, call: &Call) -> Result<Listed, Failure> {
        let form = Form::read(call.header(http::header::ACCEPT))?;
        let options = list_options(call, self.settings.version)?;
        let selection = Selection::read(call, &options)?;
        let namespace = (!call.namespace().is_empty()).then(|| call.namespace());
        let matches = |object: &Value| selection.matches(object);
        let page = listing::list(&self.store, &call.group_resource(), namespace, &options, &matches)?;
        let include = include_object(call, form)?;
        Ok(Listed { form, page, include, now: self.clock.seconds() })
    }
}

/// What a list is made of.
#[derive(Debug)]
pub(super) struct Listed {
    form: Form,
    pub page: Page,
    include: IncludeObject,
    now: i64,
}

impl Listed {
    /// The answer. A plain list is written as it stands in the store; one that is looked at afterwards is made first.
    pub fn into_reply(self, call: &Call, looked_at: bool) -> Reply {
        let plain = self.form == Form::default();
        if plain && !looked_at {
            return Reply::bytes(200, "application/json", self.written(call));
        }
        let (form, include, now) = (self.form, self.include, self.now);
        let list = self.into_value(call);
        form.reply(form.of(&call.resource, list, now, include))
    }

    fn metadata(&self) -> Value {
        let mut metadata = json!({"resourceVersion": self.page.revision.to_string()});
        if let Some(token) = &self.page.continue_ {
            metadata["continue"] = json!(token);
        }
        if let Some(remaining) = self.page.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        metadata
    }

    fn written(&self, call: &Call) -> Vec<u8> {
        let version = call.resource.api_version();
        let items =
            self.page.items.iter().map(|object| Item { object, own_kind: custom_kind(call, &version) }).collect();
        let list = Written { kind: &call.resource.list_kind, api_version: &version, metadata: self.metadata(), items };
        let mut bytes = serde_json::to_vec(&list).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The list as a value.
    pub fn into_value(self, call: &Call) -> Value {
        serde_json::from_slice(&self.written(call)).unwrap_or_default()
    }
}

/// Objects of built-in kinds leave kind and version to their list.
fn custom_kind<'c>(call: &'c Call, version: &'c str) -> Option<(&'c str, &'c str)> {
    call.resource.is_custom().then_some((call.resource.kind.as_str(), version))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'l> {
    kind: &'l str,
    api_version: &'l str,
    metadata: Value,
    items: Vec<Item<'l>>,
}

/// An object in a list.
struct Item<'l> {
    object: &'l Value,
    own_kind: Option<(&'l str, &'l str)>,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((kind, version)) = self.own_kind {
            map.serialize_entry("apiVersion", version)?;
            map.serialize_entry("kind", kind)?;
        }
        let fields = self.object.as_object().into_iter().flatten();
        for (name, value) in fields.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind")) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What a list or watch asks for; which releases know streaming lists is in the table of feature gates.
pub(super) fn list_options(call: &Call, version: KubeVersion) -> Result<ListOptions, Failure> {
    let streaming = version == KubeVersion::minor(32) || version >= KubeVersion::minor(34);
    ListOptions::parse_for(call.query.pairs(), streaming)
}

/// How much of an object a table carries.
pub(super) fn include_object(call: &Call, form: Form) -> Result<IncludeObject, Failure> {
    let asked = call.query.get("includeObject").unwrap_or_default();
    match IncludeObject::read(asked) {
        Some(include) => Ok(include),
        None if form.what != As::Table => Ok(IncludeObject::Metadata),
        None => Err(Failure::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: \"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
        ))),
    }
}
