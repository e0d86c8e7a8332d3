//! Everything that is served in one document: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::catalog::Group;
use crate::resource::{Resource, Subresource};

/// The document about groups, in their order.
pub(super) fn document<'g>(groups: impl Iterator<Item = &'g Group>, resources: &[Arc<Resource>]) -> Value {
    let items: Vec<Value> = groups.map(|group| item(group, resources)).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn item(group: &Group, resources: &[Arc<Resource>]) -> Value {
    let versions: Vec<Value> = group.versions.iter().map(|name| version(&group.name, name, resources)).collect();
    let metadata = if group.name.is_empty() { json!({}) } else { json!({"name": group.name}) };
    json!({"metadata": metadata, "versions": versions})
}

fn version(group: &str, version: &str, resources: &[Arc<Resource>]) -> Value {
    let of_version = resources.iter().filter(|resource| resource.group == group && resource.version == version);
    let mut served: Vec<&Resource> = of_version.map(Arc::as_ref).collect();
    served.sort_by(|one, other| one.plural.cmp(&other.plural));
    let resources: Vec<Value> = served.into_iter().map(describe).collect();
    json!({"version": version, "resources": resources, "freshness": "Current"})
}

fn describe(resource: &Resource) -> Value {
    let mut described = json!({
        "resource": resource.plural,
        "responseKind": own_kind(resource),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    });
    for (field, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            described[field] = json!(names);
        }
    }
    if !resource.subresources.is_empty() {
        described["subresources"] = resource.subresources.iter().map(|sub| describe_sub(resource, sub)).collect();
    }
    described
}

fn describe_sub(resource: &Resource, sub: &Subresource) -> Value {
    let kind = match &sub.kind {
        Some((group, version, kind)) if (group, version) == (&resource.group, &resource.version) => {
            json!({"group": "", "version": "", "kind": kind})
        }
        Some((group, version, kind)) => json!({"group": group, "version": version, "kind": kind}),
        None => own_kind(resource),
    };
    json!({"subresource": sub.name, "responseKind": kind, "verbs": sub.verbs})
}

/// Built-in resources leave group and version to the reader.
fn own_kind(resource: &Resource) -> Value {
    let (group, version) = if resource.is_custom() { (&*resource.group, &*resource.version) } else { ("", "") };
    json!({"group": group, "version": version, "kind": resource.kind})
}
