//! What an evaluation may ask of the cluster beyond the request itself.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::selector::Selector;

/// A kind of object that a policy takes parameters of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParamKind {
    /// Group and version, as in `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
}

/// Whether the objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// Not.
    Cluster,
}

/// The parts of a cluster's state that policies can depend on.
///
/// Everything defaults to "not known", which makes an evaluation that needs it an error and never a pass.
pub trait Cluster {
    /// The Namespace object of this name.
    fn namespace(&self, name: &str) -> Option<Arc<Json>> {
        let _ = name;
        None
    }

    /// Where objects of a kind live; `None` if the kind is not served.
    fn param_scope(&self, kind: &ParamKind) -> Option<Scope> {
        let _ = kind;
        None
    }

    /// One parameter object by name. The namespace is given for namespaced kinds.
    fn param(&self, kind: &ParamKind, namespace: Option<&str>, name: &str) -> Option<Arc<Json>> {
        let _ = (kind, namespace, name);
        None
    }

    /// The parameter objects whose labels the selector matches, in the order in which they shall be judged.
    fn params(&self, kind: &ParamKind, namespace: Option<&str>, selector: &Selector) -> Vec<Arc<Json>> {
        let _ = (kind, namespace, selector);
        Vec::new()
    }
}

/// A cluster of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoCluster;

impl Cluster for NoCluster {}

/// A cluster of which these objects are known. Kinds without an object count as not served.
#[derive(Clone, Debug, Default)]
pub struct KnownObjects {
    objects: Vec<Arc<Json>>,
}

impl KnownObjects {
    /// Takes objects of any kind, Namespaces included.
    pub fn new(objects: impl IntoIterator<Item = Json>) -> Self {
        Self { objects: objects.into_iter().map(Arc::new).collect() }
    }

    fn of_kind<'a>(&'a self, kind: &'a ParamKind) -> impl Iterator<Item = &'a Arc<Json>> {
        self.objects.iter().filter(|object| is_kind(object, &kind.api_version, &kind.kind))
    }

    fn in_place<'a>(&'a self, kind: &'a ParamKind, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Json>> {
        self.of_kind(kind).filter(move |object| namespace.is_none() || metadata(object, "namespace") == namespace)
    }
}

fn is_kind(object: &Json, api_version: &str, kind: &str) -> bool {
    let field = |name| object.get(name).and_then(Json::as_str);
    field("apiVersion") == Some(api_version) && field("kind") == Some(kind)
}

fn metadata<'a>(object: &'a Json, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.as_str()
}

impl Cluster for KnownObjects {
    fn namespace(&self, name: &str) -> Option<Arc<Json>> {
        let mut namespaces = self.objects.iter().filter(|object| is_kind(object, "v1", "Namespace"));
        namespaces.find(|object| metadata(object, "name") == Some(name)).cloned()
    }

    fn param_scope(&self, kind: &ParamKind) -> Option<Scope> {
        let first = self.of_kind(kind).next()?;
        Some(if metadata(first, "namespace").is_some() { Scope::Namespaced } else { Scope::Cluster })
    }

    fn param(&self, kind: &ParamKind, namespace: Option<&str>, name: &str) -> Option<Arc<Json>> {
        self.in_place(kind, namespace).find(|object| metadata(object, "name") == Some(name)).cloned()
    }

    fn params(&self, kind: &ParamKind, namespace: Option<&str>, selector: &Selector) -> Vec<Arc<Json>> {
        let selected =
            |object: &&Arc<Json>| selector.matches(object.pointer("/metadata/labels").unwrap_or(&Json::Null));
        self.in_place(kind, namespace).filter(selected).cloned().collect()
    }
}
