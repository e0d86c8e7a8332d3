//! The older documents, one per group and one per version (`k8s.io/apiserver/pkg/endpoints/discovery`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::catalog::Group;
use crate::resource::{Resource, Subresource};

/// `/api`: the versions of the core group.
pub(super) fn core_versions(address: &str) -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]})
}

/// `/apis`: the groups.
pub(super) fn group_list(groups: &[Group]) -> Value {
    let groups: Vec<Value> = groups.iter().filter(|group| !group.name.is_empty()).map(group_entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`: a group.
pub(super) fn group_document(group: &Group) -> Value {
    let mut document = group_entry(group);
    document["kind"] = json!("APIGroup");
    document["apiVersion"] = json!("v1");
    document
}

fn group_entry(group: &Group) -> Value {
    let entry = |version: &String| json!({"groupVersion": format!("{}/{version}", group.name), "version": version});
    let versions: Vec<Value> = group.versions.iter().map(entry).collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": group.name, "versions": versions, "preferredVersion": preferred})
}

/// `/api/v1` and `/apis/GROUP/VERSION`: the resources of a version. That of the core group has no `apiVersion`.
pub(super) fn resource_list(group: &str, version: &str, resources: &[Arc<Resource>]) -> Value {
    let of_version = resources.iter().filter(|resource| resource.group == group && resource.version == version);
    let entries: Vec<Value> = of_version.flat_map(|resource| entries(resource)).collect();
    if group.is_empty() {
        return json!({"kind": "APIResourceList", "groupVersion": version, "resources": entries});
    }
    let group_version = format!("{group}/{version}");
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries})
}

fn entries(resource: &Resource) -> Vec<Value> {
    let subresources = resource.subresources.iter().map(|sub| sub_entry(resource, sub));
    std::iter::once(entry(resource)).chain(subresources).collect()
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({"name": resource.plural, "singularName": resource.singular,
        "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs});
    for (field, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            entry[field] = json!(names);
        }
    }
    if resource.verbs.iter().any(|verb| verb == "list") {
        entry["storageVersionHash"] = json!(storage_hash(resource));
    }
    entry
}

fn sub_entry(resource: &Resource, sub: &Subresource) -> Value {
    let mut entry = json!({"name": format!("{}/{}", resource.plural, sub.name), "singularName": "",
        "namespaced": resource.namespaced, "kind": resource.kind, "verbs": sub.verbs});
    if let Some((group, version, kind)) = &sub.kind {
        entry["kind"] = json!(kind);
        if (group, version) != (&resource.group, &resource.version) {
            entry["group"] = json!(group);
            entry["version"] = json!(version);
        }
    }
    entry
}

/// Tells clients when objects are stored in another version: the start of a hash over group, version and kind
/// (`k8s.io/apiserver/pkg/endpoints/discovery/storageversionhash.go`).
fn storage_hash(resource: &Resource) -> String {
    let (group, version) = stored_as(resource);
    let hash = digest(&SHA256, format!("{group}/{version}/{}", resource.kind).as_bytes());
    BASE64_STANDARD.encode(hash.as_ref().get(..8).unwrap_or_default())
}

/// Events of both groups are stored as those of the core group, definitions still in their beta version.
fn stored_as(resource: &Resource) -> (&str, &str) {
    match resource.group.as_str() {
        "events.k8s.io" => return ("", &resource.version),
        "apiextensions.k8s.io" => return (&resource.group, "v1beta1"),
        _ => {}
    }
    let versions = resource.definition.as_ref().and_then(|definition| definition["spec"]["versions"].as_array());
    let stored = versions.into_iter().flatten().find(|version| version["storage"] == json!(true));
    let version = stored.and_then(|version| version["name"].as_str());
    (&resource.group, version.unwrap_or(&resource.version))
}
