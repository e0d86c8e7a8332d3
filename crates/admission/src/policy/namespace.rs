//! The namespace that expressions see as `namespaceObject` (`CreateNamespaceObject` of the API server).

use serde_json::{Map, Value as Json};

use crate::cluster::Cluster;
use crate::request::AdmissionRequest;

/// Metadata of a Namespace that expressions do not see.
const HIDDEN: [&str; 3] = ["managedFields", "ownerReferences", "selfLink"];

/// The request's namespace as expressions see it; none for objects without a namespace, and for Namespaces.
///
/// A namespace that is not known is an error only if an expression may look at it.
pub(super) fn visible(needed: bool, request: &AdmissionRequest, cluster: &dyn Cluster) -> Result<Option<Json>, String> {
    if !needed || request.namespace.is_empty() || is_namespace(request) {
        return Ok(None);
    }
    match cluster.namespace(&request.namespace) {
        Some(namespace) => Ok(Some(without_hidden(&namespace))),
        None => Err(format!("namespaces \"{}\" not found", request.namespace)),
    }
}

fn is_namespace(request: &AdmissionRequest) -> bool {
    let kind = request.requested_kind();
    (&*kind.group, &*kind.version, &*kind.kind) == ("", "v1", "Namespace")
}

/// Metadata, spec and status, the latter two even if they are empty.
fn without_hidden(namespace: &Json) -> Json {
    let part = |name: &str| namespace.get(name).filter(|part| part.is_object()).cloned();
    let empty = || Json::Object(Map::new());
    let mut metadata = part("metadata").unwrap_or_else(empty);
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    }
    let mut visible = Map::new();
    visible.insert("metadata".to_owned(), metadata);
    visible.insert("spec".to_owned(), part("spec").unwrap_or_else(empty));
    visible.insert("status".to_owned(), part("status").unwrap_or_else(empty));
    Json::Object(visible)
}
