//! A store as a value that can be kept in a file.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::sync::Arc;
use thiserror::Error;

use super::{Key, Store};
use crate::resource::GroupResource;

/// The version of the form that this code writes and reads.
const FORM: u32 = 1;

/// What a store holds at one revision. What happened before is not kept: to a store that is made of it, all of that is
/// compacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version of this form.
    form: u32,
    /// The revision of the store.
    revision: u64,
    /// The objects, in the order of resources and keys.
    objects: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group: String,
    resource: String,
    #[serde(serialize_with = "write_shared", deserialize_with = "read_shared")]
    object: Arc<Value>,
}

/// A snapshot is not one of a store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It has a form of another version.
    #[error("a snapshot of form {0} cannot be read; this is form {FORM}")]
    Form(u32),
    /// It has no revision that a store can have.
    #[error("a store cannot have revision {0}")]
    Revision(u64),
    /// An object is not one that can be stored.
    #[error("object {index} ({resource}): {why}")]
    Object {
        /// Which of them, from 0.
        index: usize,
        /// Its resource.
        resource: GroupResource,
        /// What is wrong.
        why: &'static str,
    },
}

impl Store {
    /// What is stored now.
    #[must_use]
    pub fn to_snapshot(&self) -> Snapshot {
        let kept = |resource: &GroupResource, object: &Arc<Value>| Kept {
            group: resource.group.clone(),
            resource: resource.resource.clone(),
            object: object.clone(),
        };
        let all = self
            .resources
            .iter()
            .flat_map(|(resource, collection)| collection.iter().map(move |(_, object)| kept(resource, object)));
        Snapshot { form: FORM, revision: self.revision, objects: all.collect() }
    }

    /// A store with what was stored, that remembers so many changes of each resource from now on.
    ///
    /// # Errors
    /// [`SnapshotError`] on anything that [`Store::to_snapshot`] would not have written.
    pub fn from_snapshot(snapshot: Snapshot, history: usize) -> Result<Self, SnapshotError> {
        if snapshot.form != FORM {
            return Err(SnapshotError::Form(snapshot.form));
        }
        // etcd counts with a signed number, and so do the clients that compare revisions.
        if snapshot.revision == 0 || i64::try_from(snapshot.revision).is_err() {
            return Err(SnapshotError::Revision(snapshot.revision));
        }
        let mut store = Self::new(history);
        store.revision = snapshot.revision;
        store.compacted = snapshot.revision;
        store.began = snapshot.revision;
        for (index, kept) in snapshot.objects.into_iter().enumerate() {
            let resource = GroupResource { group: kept.group, resource: kept.resource };
            let restored = store.restore(&resource, kept.object);
            restored.map_err(|why| SnapshotError::Object { index, resource, why })?;
        }
        Ok(store)
    }

    fn restore(&mut self, resource: &GroupResource, object: Arc<Value>) -> Result<(), &'static str> {
        if resource.resource.is_empty() {
            return Err("it has no resource");
        }
        let key = key_of(&object)?;
        if revision_of(&object).is_none_or(|revision| revision == 0 || revision > self.revision) {
            return Err("metadata.resourceVersion is not a revision of this store");
        }
        if self.collection(resource).restore(key, object) { Ok(()) } else { Err("it is there twice") }
    }
}

fn key_of(object: &Value) -> Result<Key, &'static str> {
    let metadata = object.get("metadata").ok_or("it has no metadata")?;
    let name = metadata.get("name").and_then(Value::as_str).ok_or("metadata.name is not a text")?;
    let namespace = match metadata.get("namespace") {
        None => "",
        Some(namespace) => namespace.as_str().ok_or("metadata.namespace is not a text")?,
    };
    let is_segment = |text: &str| !matches!(text, "." | "..") && !text.contains(['/', '%', '\0']);
    if name.is_empty() || !is_segment(name) || !is_segment(namespace) {
        return Err("name or namespace is not a part of a path");
    }
    Ok(Key::new(namespace, name))
}

fn revision_of(object: &Value) -> Option<u64> {
    object.get("metadata")?.get("resourceVersion")?.as_str()?.parse().ok()
}

fn write_shared<S: Serializer>(object: &Arc<Value>, out: S) -> Result<S::Ok, S::Error> {
    object.as_ref().serialize(out)
}

fn read_shared<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Value>, D::Error> {
    Value::deserialize(from).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(resource: &str, metadata: Value) -> Value {
        json!({"resource": resource, "object": {"metadata": metadata}})
    }

    fn read(form: u32, revision: u64, objects: &[Value]) -> Result<Store, String> {
        let written = json!({"form": form, "revision": revision, "objects": objects});
        let snapshot: Snapshot = serde_json::from_value(written).map_err(|error| error.to_string())?;
        Store::from_snapshot(snapshot, 10).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_kept_comes_back_and_the_past_does_not() {
        let pods = GroupResource::new("", "pods");
        let mut store = Store::new(10);
        for (namespace, name) in [("b", "x"), ("a", "x"), ("a", "y")] {
            let object = json!({"metadata": {"name": name, "namespace": namespace}});
            store.create(&pods, namespace, name, object).expect("is new");
        }
        let text = serde_json::to_string(&store.to_snapshot()).expect("is JSON");
        let restored = Store::from_snapshot(serde_json::from_str(&text).expect("is a snapshot"), 10).expect("is good");
        assert_eq!(restored.to_snapshot(), store.to_snapshot());
        assert_eq!(restored.revision(), 4);
        assert_eq!((restored.horizon(&pods), restored.horizon(&GroupResource::new("", "nodes"))), (4, 4));
        assert_eq!(restored.list(&pods, Some("a")), store.list(&pods, Some("a")));
        assert!(restored.events(&pods, 3).is_err() && restored.events(&pods, 4).is_ok());
    }

    #[test]
    fn what_no_store_wrote_is_refused() {
        let good = || kept("pods", json!({"name": "a", "resourceVersion": "2"}));
        let of = |metadata: Value| vec![kept("pods", metadata)];
        let table: Vec<(u32, u64, Vec<Value>, &str)> = vec![
            (2, 2, vec![], "a snapshot of form 2 cannot be read; this is form 1"),
            (1, 0, vec![], "a store cannot have revision 0"),
            (1, u64::MAX, vec![], "a store cannot have revision 18446744073709551615"),
            (1, 2, vec![good(), good()], "object 1 (pods): it is there twice"),
            (1, 2, vec![kept("", json!({"name": "a", "resourceVersion": "2"}))], "object 0 (): it has no resource"),
            (1, 2, vec![json!({"resource": "pods", "object": 5})], "object 0 (pods): it has no metadata"),
            (1, 2, of(json!({"resourceVersion": "2"})), "object 0 (pods): metadata.name is not a text"),
            (1, 2, of(json!({"name": "a", "namespace": 1})), "object 0 (pods): metadata.namespace is not a text"),
            (1, 2, of(json!({"name": "a/b"})), "object 0 (pods): name or namespace is not a part of a path"),
            (
                1,
                2,
                of(json!({"name": "a", "namespace": ".."})),
                "object 0 (pods): name or namespace is not a part of a path",
            ),
            (
                1,
                2,
                of(json!({"name": "a", "resourceVersion": "3"})),
                "object 0 (pods): metadata.resourceVersion is not a revision of this store",
            ),
            (
                1,
                2,
                vec![json!({"resource": "pods", "object": {}, "x": 1})],
                "unknown field `x`, expected one of `group`, `resource`, `object`",
            ),
        ];
        assert!(read(1, 2, &[good()]).is_ok());
        for (form, revision, objects, expected) in table {
            assert_eq!(read(form, revision, &objects).expect_err(expected), expected);
        }
    }
}
