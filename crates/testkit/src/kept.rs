//! The objects of one kind as a watch tells of them, in the order of their names.

use kube::Resource;
use kube::runtime::watcher::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Namespace (empty for objects of the cluster) and name.
type Key = (String, String);
type Objects<K> = BTreeMap<Key, Arc<K>>;

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Kept<K> {
    objects: Objects<K>,
    /// What a list that is being read has so far, and what was written since it began.
    listed: Option<Objects<K>>,
    complete: bool,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { objects: Objects::new(), listed: None, complete: false }
    }
}

impl<K: Resource + Clone> Kept<K> {
    /// Follows a watch.
    pub fn heed(&mut self, event: Event<K>) {
        match event {
            Event::Apply(object) => store(&mut self.objects, &Arc::new(object)),
            Event::Delete(object) => drop(self.objects.remove(&key(&object))),
            Event::Init => self.listed = Some(Objects::new()),
            Event::InitApply(object) => store(self.listed.get_or_insert_default(), &Arc::new(object)),
            Event::InitDone => {
                self.objects = self.listed.take().unwrap_or_default();
                self.complete = true;
            }
        }
    }

    /// Remembers what a request was answered with, because the watch tells of it later than the next plan is made.
    pub fn put(&mut self, object: K) {
        let object = Arc::new(object);
        store(&mut self.objects, &object);
        if let Some(listed) = &mut self.listed {
            store(listed, &object);
        }
    }

    /// Until the watch tells what became of it, an object that was deleted counts as one that ends.
    pub fn doom(&mut self, object: &K) {
        let Some(kept) = self.objects.get_mut(&key(object)) else { return };
        if kept.meta().uid == object.meta().uid && kept.meta().deletion_timestamp.is_none() {
            let mut doomed = K::clone(kept);
            doomed.meta_mut().deletion_timestamp = kept.meta().creation_timestamp.clone();
            *kept = Arc::new(doomed);
        }
    }

    /// The objects in the order of namespaces and names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<K>> + Clone {
        self.objects.values()
    }

    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<K>> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Whether a list was read to its end.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

fn key<K: Resource>(object: &K) -> Key {
    let metadata = object.meta();
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// Resource versions of one kind are numbers that grow (KEP-5504).
fn version<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Stores what is not older than what is there.
fn store<K: Resource>(objects: &mut Objects<K>, object: &Arc<K>) {
    let key = key(object.as_ref());
    let newer =
        |kept: &Arc<K>| kept.meta().uid == object.meta().uid && version(kept.as_ref()) > version(object.as_ref());
    if !objects.get(&key).is_some_and(newer) {
        objects.insert(key, object.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Node;
    use serde_json::json;

    fn node(name: &str, uid: &str, version: &str) -> Node {
        serde_json::from_value(json!({"metadata": {"name": name, "uid": uid, "resourceVersion": version,
            "creationTimestamp": "2026-01-01T00:00:00Z"}}))
        .expect("is a Node")
    }

    fn shown(kept: &Kept<Node>) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        kept.iter()
            .map(|node| format!("{} {}", text(&node.metadata.name), text(&node.metadata.resource_version)))
            .collect()
    }

    #[test]
    fn a_list_replaces_everything_but_what_was_written_meanwhile() {
        let mut kept = Kept::default();
        kept.put(node("gone", "a", "1"));
        kept.heed(Event::Init);
        kept.heed(Event::InitApply(node("listed", "b", "2")));
        kept.put(node("written", "c", "3"));
        assert!(!kept.is_complete());
        assert_eq!(shown(&kept), ["gone 1", "written 3"]);
        kept.heed(Event::InitDone);
        assert!(kept.is_complete());
        assert_eq!(shown(&kept), ["listed 2", "written 3"]);
    }

    #[test]
    fn news_that_is_old_is_none() {
        let mut kept = Kept::default();
        kept.put(node("n", "a", "10"));
        kept.heed(Event::Apply(node("n", "a", "9")));
        assert_eq!(shown(&kept), ["n 10"]);
        kept.heed(Event::Apply(node("n", "b", "9")));
        assert_eq!(shown(&kept), ["n 9"], "another object of the name");
        kept.heed(Event::Delete(node("n", "b", "11")));
        assert!(shown(&kept).is_empty());
    }

    #[test]
    fn the_doomed_end() {
        let mut kept = Kept::default();
        kept.put(node("n", "a", "1"));
        kept.doom(&node("n", "b", "1"));
        assert!(kept.get("", "n").is_some_and(|node| node.metadata.deletion_timestamp.is_none()));
        kept.doom(&node("n", "a", "1"));
        assert!(kept.get("", "n").is_some_and(|node| node.metadata.deletion_timestamp.is_some()));
    }
}
