//! What is served: resources, their names, their subresources.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use crate::schema::{TypeId, Types};

/// A resource in its group, whatever the version. Displays as messages name it: `nodes`, `leases.coordination.k8s.io`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, in the plural.
    pub resource: String,
}

impl GroupResource {
    /// A resource of a group.
    #[must_use]
    pub fn new(group: &str, resource: &str) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned() }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            return out.write_str(&self.resource);
        }
        write!(out, "{}.{}", self.resource, self.group)
    }
}

/// A resource as one version of an API serves it.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version, such as `v1`.
    pub version: String,
    /// The plural that paths name.
    pub plural: String,
    /// The singular.
    pub singular: String,
    /// The kind of its objects.
    pub kind: String,
    /// The kind of a list of them.
    pub list_kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Short names that kubectl understands.
    pub short_names: Vec<String>,
    /// Groups of resources that kubectl understands, such as `all`.
    pub categories: Vec<String>,
    /// What can be done with it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// What hangs below an object: `status`, `scale`, `token`.
    pub subresources: Vec<Subresource>,
    /// The type of its objects; the root of a custom resource is a structure with `metadata`.
    pub types: Arc<Types>,
    /// Where in `types` an object begins.
    pub root: TypeId,
    /// Fields besides `metadata.name` and `metadata.namespace` that field selectors know.
    pub selectable_fields: Vec<String>,
    /// The definition that it comes from, if it is a custom resource.
    pub definition: Option<Arc<serde_json::Value>>,
}

/// What hangs below an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// The last part of the path.
    pub name: String,
    /// Group, version and kind of what is exchanged, if it is another kind than the object's.
    pub kind: Option<(String, String, String)>,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

impl Resource {
    /// The resource without its version.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        GroupResource::new(&self.group, &self.plural)
    }

    /// `v1` or `apps/v1`, as `apiVersion` has it.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether it comes from a CustomResourceDefinition.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.definition.is_some()
    }

    /// A subresource by its name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// The type of its objects.
    #[must_use]
    pub fn schema(&self) -> crate::schema::Schema<'_> {
        self.types.at(self.root)
    }
}
