//! OpenAPI 3.0: one document for each group and version, as kubectl reads them to apply, compare, validate and explain
//! (`k8s.io/kube-openapi/pkg/handler3`, `pkg/builder3`), and the types of all of them in one document of OpenAPI 2.0.

pub mod answer;
mod custom;
mod parameters;
mod paths;
mod schemas;
mod v2;

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use self::schemas::Schemas;
use crate::catalog::groups;
use crate::discovery::hash;
use crate::resource::Resource;

/// A document ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What the index and the `ETag` (there in quotes) tell clients it by.
    pub hash: String,
    /// The document as JSON.
    pub body: Vec<u8>,
}

/// The documents about everything that is served. They are dear to make and to be kept until other resources are served.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    documents: BTreeMap<String, Document>,
    /// Made when it is first asked for.
    v2: OnceLock<v2::Types>,
}

impl Documents {
    /// Makes the documents about resources.
    #[must_use]
    pub fn of(resources: &[Arc<Resource>]) -> Self {
        let places = groups(resources).into_iter().flat_map(|group| {
            let place = move |version: String| {
                if group.name.is_empty() { version } else { format!("{}/{version}", group.name) }
            };
            group.versions.into_iter().map(place).collect::<Vec<_>>()
        });
        let documents = places.map(|place| (path(&place), Document::of(&document(&place, resources)))).collect();
        Self { documents, v2: OnceLock::new() }
    }

    /// `/openapi/v3`: where the documents are.
    #[must_use]
    pub fn index(&self) -> Value {
        let entry = |(path, document): (&String, &Document)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.hash);
            (path.clone(), json!({"serverRelativeURL": url}))
        };
        json!({"paths": self.documents.iter().map(entry).collect::<Map<_, _>>()})
    }

    /// The document at `/openapi/v3/PATH`, such as `api/v1` or `apis/apps/v1`. A request whose `hash` is another than
    /// the document's is redirected to it with 301; one with no hash gets it, but is not to keep it.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Document> {
        self.documents.get(path)
    }

    /// `/openapi/v2`: the answer, and its media type.
    #[must_use]
    pub fn answer_v2(&self, accept: &str, if_none_match: &str) -> (answer::DocumentAnswer, &'static str) {
        let bodies = || self.documents.values().map(|document| document.body.as_slice());
        self.v2.get_or_init(|| v2::Types::of(bodies())).answer(accept, if_none_match)
    }
}

impl Document {
    fn of(document: &Value) -> Self {
        let body = document.to_string().into_bytes();
        Self { hash: hash(&body), body }
    }
}

fn path(group_version: &str) -> String {
    let root = if group_version.contains('/') { "apis" } else { "api" };
    format!("{root}/{group_version}")
}

/// `/openapi/v3` of resources; see [`Documents`], which keeps what this makes.
#[must_use]
pub fn index(resources: &[Arc<Resource>]) -> Value {
    Documents::of(resources).index()
}

/// The document of one group and version: `v1`, `apps/v1`.
#[must_use]
pub fn document(group_version: &str, resources: &[Arc<Resource>]) -> Value {
    let mut schemas = Schemas::new(resources);
    let mut paths = Map::new();
    for resource in resources.iter().filter(|resource| resource.api_version() == group_version) {
        if resource.is_custom() {
            custom::add(resource, &mut schemas);
        }
        paths::add(resource, &mut schemas, &mut paths);
    }
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": paths,
        "components": {"schemas": schemas.finish(), "securitySchemes": security()}})
}

fn security() -> Value {
    json!({"BearerToken": {"type": "apiKey", "description": "A bearer token.", "name": "authorization", "in": "header"}})
}

#[cfg(test)]
mod tests;
