//! What is stored: objects under one revision that counts every change, and what happened to them lately.

mod collection;
mod history;
mod key;
pub mod snapshot;
pub mod watch;

#[cfg(test)]
mod model;

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

use crate::objects::Objects;
use crate::resource::GroupResource;
use collection::Collection;

pub use history::{Event, EventKind};
pub use key::Key;

/// How many changes of each resource are remembered, if nothing else is asked for.
pub const HISTORY: usize = 10_000;

/// An object of this name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the object exists")]
pub struct Exists;

/// What happened after a revision is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what happened is known after {horizon} only")]
pub struct Compacted {
    /// The oldest revision that is still good.
    pub horizon: u64,
}

/// A revision cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// It is forgotten.
    #[error(transparent)]
    Compacted(#[from] Compacted),
    /// It has not come yet.
    #[error("the revision is only {current} yet")]
    Future {
        /// The revision now.
        current: u64,
    },
}

/// An object and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'s> {
    /// Namespace and name.
    pub key: &'s Key,
    /// The object.
    pub object: &'s Arc<Value>,
}

/// The objects of a server.
#[derive(Debug)]
pub struct Store {
    resources: BTreeMap<GroupResource, Collection>,
    revision: u64,
    compacted: u64,
    /// What happened before this was in another store.
    began: u64,
    history: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(HISTORY)
    }
}

impl Store {
    /// An empty store that remembers so many changes of each resource (at least one). Like etcd's, its revision
    /// begins with 1.
    #[must_use]
    pub fn new(history: usize) -> Self {
        Self { resources: BTreeMap::new(), revision: 1, compacted: 0, began: 0, history }
    }

    /// The number of the last change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many objects of a resource there are.
    #[must_use]
    pub fn count(&self, resource: &GroupResource) -> usize {
        self.resources.get(resource).map_or(0, Collection::len)
    }

    /// Stores a new object.
    ///
    /// # Errors
    /// [`Exists`], if there is one of this name.
    pub fn create(
        &mut self,
        resource: &GroupResource,
        namespace: &str,
        name: &str,
        object: Value,
    ) -> Result<Arc<Value>, Exists> {
        let key = Key::new(namespace, name);
        let collection = self.collection(resource);
        if collection.get(&key).is_some() {
            return Err(Exists);
        }
        Ok(self.put(resource, key, object))
    }

    /// Replaces an object; `None`, if there is none of this name. Every call is a change: whoever changes nothing does
    /// not call.
    pub fn update(
        &mut self,
        resource: &GroupResource,
        namespace: &str,
        name: &str,
        object: Value,
    ) -> Option<Arc<Value>> {
        let key = Key::new(namespace, name);
        self.resources.get(resource)?.get(&key)?;
        Some(self.put(resource, key, object))
    }

    /// Deletes an object and gives its last state, with the revision of its deletion.
    pub fn delete(&mut self, resource: &GroupResource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let revision = self.revision.saturating_add(1);
        let last = self.resources.get_mut(resource)?.remove(Key::new(namespace, name), revision)?;
        self.revision = revision;
        Some(last)
    }

    /// An object.
    #[must_use]
    pub fn get(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.resources.get(resource)?.get(&Key::new(namespace, name))
    }

    /// The objects of a resource, of a namespace or of all.
    #[must_use]
    pub fn list(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(collection) = self.resources.get(resource) else { return Vec::new() };
        collection.entries(namespace.unwrap_or_default(), "").map(|entry| entry.object.clone()).collect()
    }

    /// The objects of a resource as they were at a revision.
    ///
    /// # Errors
    /// [`Unavailable`], if that is forgotten or has not come yet.
    pub fn list_at(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Value>>, Unavailable> {
        let entries = self.entries_at(resource, namespace, "", revision)?;
        Ok(entries.into_iter().map(|entry| entry.object.clone()).collect())
    }

    /// The objects of a resource as they were at a revision, with their keys, beginning with the first whose key,
    /// without the namespace that is asked for, is not before a text.
    ///
    /// # Errors
    /// [`Unavailable`], if that is forgotten or has not come yet.
    pub fn entries_at<'s>(
        &'s self,
        resource: &GroupResource,
        namespace: Option<&'s str>,
        start: &str,
        revision: u64,
    ) -> Result<Vec<Entry<'s>>, Unavailable> {
        if revision > self.revision {
            return Err(Unavailable::Future { current: self.revision });
        }
        self.reach(resource, revision)?;
        let Some(collection) = self.resources.get(resource) else { return Ok(Vec::new()) };
        let namespace = namespace.unwrap_or_default();
        if revision == self.revision {
            return Ok(collection.entries(namespace, start).collect());
        }
        Ok(collection.entries_at(namespace, start, revision))
    }

    /// What happened to a resource after a revision, oldest first.
    ///
    /// # Errors
    /// [`Compacted`], if that is not known any more.
    pub fn events(
        &self,
        resource: &GroupResource,
        after: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>>, Compacted> {
        self.reach(resource, after)?;
        let collection = self.resources.get(resource);
        Ok(collection.into_iter().flat_map(move |collection| collection.history.after(after)))
    }

    /// The same for someone who has seen everything before; nothing, if he has missed what is forgotten.
    fn events_unbroken(
        &self,
        resource: &GroupResource,
        after: u64,
    ) -> Option<impl DoubleEndedIterator<Item = &Arc<Event>>> {
        let collection = self.resources.get(resource);
        let lost = collection.map_or(0, |collection| collection.history.lost()).max(self.began);
        (after >= lost).then(|| collection.into_iter().flat_map(move |collection| collection.history.after(after)))
    }

    /// The revision of the last change of a resource; 0 if there was none.
    #[must_use]
    pub fn last_change(&self, resource: &GroupResource) -> u64 {
        self.resources.get(resource).map_or(0, |collection| collection.history.last())
    }

    /// Forgets what happened up to a revision. The present stays.
    pub fn compact(&mut self, to: u64) {
        let to = to.min(self.revision);
        self.compacted = self.compacted.max(to);
        for collection in self.resources.values_mut() {
            collection.history.compact(to);
        }
    }

    /// The oldest revision from which a resource can still be watched.
    #[must_use]
    pub fn horizon(&self, resource: &GroupResource) -> u64 {
        self.resources.get(resource).map_or(self.compacted, |collection| collection.history.horizon())
    }

    fn reach(&self, resource: &GroupResource, revision: u64) -> Result<(), Compacted> {
        let horizon = self.horizon(resource);
        if revision < horizon { Err(Compacted { horizon }) } else { Ok(()) }
    }

    fn collection(&mut self, resource: &GroupResource) -> &mut Collection {
        let (history, compacted) = (self.history, self.compacted);
        self.resources.entry(resource.clone()).or_insert_with(|| Collection::new(history, compacted))
    }

    fn put(&mut self, resource: &GroupResource, key: Key, object: Value) -> Arc<Value> {
        let revision = self.revision.saturating_add(1);
        let object = self.collection(resource).put(key, object, revision);
        self.revision = revision;
        object
    }
}

impl Objects for Store {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.get(&GroupResource::new(group, resource), namespace, name).cloned()
    }

    fn list(&self, group: &str, resource: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.list(&GroupResource::new(group, resource), namespace)
    }
}

/// Writes a revision into an object.
fn stamp(object: &mut Value, revision: u64) {
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("resourceVersion".to_owned(), Value::String(revision.to_string()));
    }
}
