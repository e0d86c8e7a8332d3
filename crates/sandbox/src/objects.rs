//! How parts of the server read what is stored.

use serde_json::Value;
use std::sync::Arc;

/// Read access to stored objects.
pub trait Objects {
    /// One object; the namespace is empty for objects of the whole cluster.
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// The objects of a resource, of one namespace or of all, in the order of namespace and name.
    fn list(&self, group: &str, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>>;
}
