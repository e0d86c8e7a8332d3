//! Which parameter objects a binding brings to an evaluation (`generic.CollectParams` of the API server).

use std::sync::Arc;

use serde_json::Value as Json;

use super::binding::{Binding, ParamSource};
use crate::cluster::{Cluster, ParamKind, Scope};
use crate::request::AdmissionRequest;

/// A kind of parameters that the cluster serves.
pub(super) struct ServedKind<'p> {
    kind: &'p ParamKind,
    scope: Scope,
}

/// A policy without parameters needs nothing; another one a kind that is served.
pub(super) fn served_kind<'p>(
    kind: Option<&'p ParamKind>,
    cluster: &dyn Cluster,
) -> Result<Option<ServedKind<'p>>, String> {
    kind.map(|kind| match cluster.param_scope(kind) {
        Some(scope) => Ok(ServedKind { kind, scope }),
        None => Err(format!("failed to find resource referenced by paramKind: '{}'", kind_text(kind))),
    })
    .transpose()
}

fn kind_text(kind: &ParamKind) -> String {
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    format!("{group}/{version}, Kind={}", kind.kind)
}

/// The parameters for one binding, one evaluation each; `None` stands for an evaluation where `params` is null.
pub(super) fn collect(
    kind: Option<&ServedKind<'_>>,
    binding: &Binding,
    request: &AdmissionRequest,
    cluster: &dyn Cluster,
) -> Result<Vec<Option<Arc<Json>>>, String> {
    let (Some(kind), Some(source)) = (kind, &binding.params) else {
        return Ok(vec![None]);
    };
    let found = find(kind, source, request, cluster)?;
    if found.is_empty() && source.deny_if_none {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found.into_iter().map(|object| Some(with_kind(object, kind.kind))).collect())
}

fn find(
    kind: &ServedKind<'_>,
    source: &ParamSource,
    request: &AdmissionRequest,
    cluster: &dyn Cluster,
) -> Result<Vec<Arc<Json>>, String> {
    let namespace = namespace(kind.scope, source, request)?;
    match (&source.name, &source.selector) {
        (Some(_), Some(_)) => Err("paramRef.name and paramRef.selector are mutually exclusive".to_owned()),
        (Some(name), None) => Ok(cluster.param(kind.kind, namespace, name).into_iter().collect()),
        (None, Some(selector)) => {
            selector.as_ref().map(|selector| cluster.params(kind.kind, namespace, selector)).map_err(Clone::clone)
        }
        (None, None) => Err("one of name or selector must be provided".to_owned()),
    }
}

fn namespace<'a>(
    scope: Scope,
    source: &'a ParamSource,
    request: &'a AdmissionRequest,
) -> Result<Option<&'a str>, String> {
    match (scope, source.namespace.as_deref()) {
        (Scope::Namespaced, Some(namespace)) => Ok(Some(namespace)),
        (Scope::Namespaced, None) if !request.namespace.is_empty() => Ok(Some(&request.namespace)),
        (Scope::Namespaced, None) => {
            Err("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".to_owned())
        }
        (Scope::Cluster, None) => Ok(None),
        (Scope::Cluster, Some(_)) => {
            Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned())
        }
    }
}

/// Expressions can rely on `params.kind` and `params.apiVersion`.
fn with_kind(mut object: Arc<Json>, kind: &ParamKind) -> Arc<Json> {
    if object.get("kind").is_some() || object.get("apiVersion").is_some() {
        return object;
    }
    if let Some(fields) = Arc::make_mut(&mut object).as_object_mut() {
        fields.insert("apiVersion".to_owned(), kind.api_version.as_str().into());
        fields.insert("kind".to_owned(), kind.kind.as_str().into());
    }
    object
}
