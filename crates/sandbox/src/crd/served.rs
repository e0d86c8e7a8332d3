//! What a definition makes the server serve
//! (`apiextensions-apiserver/pkg/apiserver/{customresource_discovery_controller,customresource_handler}.go`).

use std::sync::Arc;

use serde_json::Value;

use super::structural::Schema;
use super::types::{self, Metadata};
use super::view::{self, Part, flag, text, versions};
use crate::resource::{Resource, Subresource};

const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const VERBS_WHEN_GOING: [&str; 5] = ["delete", "deletecollection", "get", "list", "watch"];
const SUBRESOURCE_VERBS: [&str; 3] = ["get", "patch", "update"];

/// The resources of all served versions, under the accepted names; none before the definition is established.
#[must_use]
pub fn resources(definition: &Arc<Value>, metadata: Metadata<'_>) -> Vec<Resource> {
    if !is_true(definition, "Established") {
        return Vec::new();
    }
    let served = versions(definition).iter().filter(|version| flag(version, "served"));
    served.map(|version| resource(definition, version, metadata)).collect()
}

fn is_true(definition: &Value, kind: &str) -> bool {
    view::condition(definition, kind).is_some_and(|condition| condition["status"] == "True")
}

fn resource(definition: &Arc<Value>, version: &Value, metadata: Metadata<'_>) -> Resource {
    let names = &definition["status"]["acceptedNames"];
    let name = |field: &str| text(names, &format!("/{field}")).to_owned();
    let (group, kind) = (text(definition, "/spec/group"), name("kind"));
    let schema = version.pointer("/schema/openAPIV3Schema").map(Schema::read).unwrap_or_default();
    let type_name = open_api_name(group, text(version, "/name"), &kind);
    let (types, root) = types::build(&schema, type_name, &kind, metadata);
    let verbs = if is_true(definition, "Terminating") { VERBS_WHEN_GOING.as_slice() } else { VERBS.as_slice() };
    Resource {
        group: group.to_owned(),
        version: text(version, "/name").to_owned(),
        plural: name("plural"),
        singular: name("singular"),
        list_kind: name("listKind"),
        kind,
        namespaced: text(definition, "/spec/scope") == "Namespaced",
        short_names: list(names, "shortNames"),
        categories: list(names, "categories"),
        verbs: owned(verbs),
        subresources: subresources(Part::Subresources.of(version)),
        types: Arc::new(types),
        root,
        selectable_fields: selectable(version),
        definition: Some(Arc::clone(definition)),
    }
}

/// The group's parts in reverse order, the version and the kind.
fn open_api_name(group: &str, version: &str, kind: &str) -> String {
    let reversed: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn list(names: &Value, field: &str) -> Vec<String> {
    names[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn subresources(subresources: &Value) -> Vec<Subresource> {
    let scale = ["autoscaling", "v1", "Scale"].map(str::to_owned);
    let known = [("status", None), ("scale", Some(scale.into()))];
    let given = known.into_iter().filter(|(name, _)| subresources.get(name).is_some_and(|part| !part.is_null()));
    given.map(|(name, kind)| Subresource { name: name.to_owned(), kind, verbs: owned(&SUBRESOURCE_VERBS) }).collect()
}

fn selectable(version: &Value) -> Vec<String> {
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    let paths = fields.map(|field| text(field, "/jsonPath"));
    paths.map(|path| path.strip_prefix('.').unwrap_or(path).to_owned()).collect()
}
