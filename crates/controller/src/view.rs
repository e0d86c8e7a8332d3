//! What is kept of the objects that are watched: little, and shared.

use channels::written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use ownership::Profile;
use ownership::publication::{Keys, Publication};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::desired::{Size, Written};
use crate::liveness::Name;
use crate::shared::{Pool, Texts};

/// The field manager of our writes.
pub const FIELD_MANAGER: &str = "nodebound-controller";

/// No agent publishes as much: a Node has room for little more, and others need some of it too.
pub const MOST: Size = Size { keys: 2048, bytes: 128 * 1024 };

/// What is kept of a Node or a ShadowNode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub uid: Box<str>,
    /// The UID of the Node to which it belongs.
    pub owner: Option<Box<str>>,
    labels: Texts,
    annotations: Texts,
    /// What we applied, and what we or those whose work we took over wrote otherwise: labels and annotations of each.
    applied: [Texts; 2],
    otherwise: [Texts; 2],
    /// Whether anything on it is ours, and not that of those whose work we took over.
    is_ours: bool,
    /// How much there is, where it is too much to be kept.
    excess: Option<Size>,
}

/// What is kept of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    pub uid: Box<str>,
    pub owner: Option<Box<str>>,
    pub renewed: Option<Box<str>>,
}

/// Objects of one kind, by name.
#[derive(Debug)]
pub(crate) struct Objects<T> {
    known: HashMap<Name, (Option<u64>, T)>,
    /// The names in the list that is being read.
    listed: Option<HashSet<Name>>,
    complete: bool,
}

impl<T: PartialEq> Objects<T> {
    pub fn new() -> Self {
        Self { known: HashMap::new(), listed: None, complete: false }
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        self.known.get(name).map(|(_, object)| object)
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.known.keys()
    }

    /// Whether there was a whole list.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A list begins.
    pub fn begin(&mut self) {
        self.listed = Some(HashSet::new());
    }

    /// An object of the list: it counts, whatever was seen before.
    pub fn list(&mut self, name: &Name, version: Option<u64>, object: T) -> bool {
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        self.put(name, version, object)
    }

    /// The list is complete. Says which names are gone.
    pub fn complete(&mut self) -> Vec<Name> {
        self.complete = true;
        let Some(listed) = self.listed.take() else { return Vec::new() };
        let gone: Vec<Name> = self.known.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| drop(self.known.remove(name)));
        gone
    }

    /// An object changed, unless that is older than what is known. Says whether anything is different.
    pub fn change(&mut self, name: &Name, version: Option<u64>, object: T) -> bool {
        let known = self.known.get(name).and_then(|(version, _)| *version);
        // Versions can be compared (KEP 5504); those that cannot be are taken as they come.
        if known.zip(version).is_some_and(|(known, version)| version < known) {
            return false;
        }
        self.put(name, version, object)
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.known.remove(name).is_some()
    }

    fn put(&mut self, name: &Name, version: Option<u64>, object: T) -> bool {
        match self.known.insert(name.clone(), (version, object)) {
            Some((_, before)) => self.known.get(name).is_none_or(|(_, after)| *after != before),
            None => true,
        }
    }
}

/// The version of an object, where it is a number.
pub(crate) fn version(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_ref()?.parse().ok()
}

pub(crate) fn owner(metadata: &ObjectMeta) -> Option<Box<str>> {
    let owners = metadata.owner_references.iter().flatten();
    owners.into_iter().find(|owner| owner.kind == "Node").map(|owner| owner.uid.as_str().into())
}

/// Makes records.
#[derive(Debug)]
pub(crate) struct Recorder {
    profile: Profile,
    adopted: BTreeSet<String>,
    pool: Pool,
}

impl Recorder {
    pub fn new(profile: Profile, adopted: BTreeSet<String>) -> Self {
        Self { profile, adopted, pool: Pool::default() }
    }

    /// Of a Node, what its agent owns and what we wrote.
    pub fn node(&mut self, metadata: &ObjectMeta) -> Record {
        let (applied, otherwise) = self.written(metadata);
        let is_ours = has_ours(metadata);
        let ours =
            |keys: &BTreeSet<String>, more: &BTreeSet<String>, key: &str| keys.contains(key) || more.contains(key);
        let labels = self.profile.labels().clone();
        let labels = self
            .texts(metadata.labels.as_ref(), |key| labels.owns(key) || ours(&applied.labels, &otherwise.labels, key));
        let annotations = self.profile.annotations().clone();
        let annotations = self.texts(metadata.annotations.as_ref(), |key| {
            annotations.owns(key) || ours(&applied.annotations, &otherwise.annotations, key)
        });
        let [applied, otherwise] = [applied, otherwise].map(|keys| self.keys(&keys));
        let uid = metadata.uid.as_deref().unwrap_or_default().into();
        Record { uid, owner: None, labels, annotations, applied, otherwise, is_ours, excess: None }
    }

    /// Of a ShadowNode, everything, if it is not too much.
    pub fn shadow(&mut self, metadata: &ObjectMeta) -> Record {
        let size = size(metadata);
        let excess = (size.keys > MOST.keys || size.bytes > MOST.bytes).then_some(size);
        let kept = excess.is_none();
        let none = self.keys(&Keys::default());
        Record {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            owner: owner(metadata),
            labels: self.texts(metadata.labels.as_ref(), |_| kept),
            annotations: self.texts(metadata.annotations.as_ref(), |_| kept),
            applied: none.clone(),
            otherwise: none,
            is_ours: false,
            excess,
        }
    }

    fn texts(&mut self, map: Option<&BTreeMap<String, String>>, keep: impl Fn(&str) -> bool) -> Texts {
        let pairs = map.into_iter().flatten().filter(|(key, _)| keep(key));
        self.pool.texts(pairs.map(|(key, value)| (key.as_str(), value.as_str())))
    }

    fn keys(&mut self, Keys { labels, annotations }: &Keys) -> [Texts; 2] {
        [labels, annotations].map(|keys| self.pool.texts(keys.iter().map(|key| (key.as_str(), ""))))
    }

    fn written(&self, metadata: &ObjectMeta) -> (Keys, Keys) {
        let entries = metadata.managed_fields.iter().flatten();
        let (applied, otherwise): (Vec<_>, Vec<_>) =
            entries.filter(|entry| self.concerns(entry)).partition(|entry| is_applied(entry));
        (self.keys_of(&applied), self.keys_of(&otherwise))
    }

    fn concerns(&self, entry: &ManagedFieldsEntry) -> bool {
        let manager = entry.manager.as_deref().unwrap_or_default();
        manager == FIELD_MANAGER || self.adopted.contains(manager)
    }

    fn keys_of(&self, entries: &[&ManagedFieldsEntry]) -> Keys {
        let mut managers = self.adopted.clone();
        managers.insert(FIELD_MANAGER.to_owned());
        written(&json!({"metadata": {"managedFields": entries}}), &managers)
    }
}

fn has_ours(metadata: &ObjectMeta) -> bool {
    let entries = metadata.managed_fields.iter().flatten();
    entries.into_iter().any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.subresource.is_none())
}

fn is_applied(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Apply") && entry.manager.as_deref() == Some(FIELD_MANAGER)
}

fn size(metadata: &ObjectMeta) -> Size {
    let mut size = Size::default();
    let maps = [&metadata.labels, &metadata.annotations].into_iter().flatten().flatten();
    maps.for_each(|(key, value)| size.add(key, value));
    size
}

impl Record {
    /// As a decision looks at it.
    pub fn object(&self, name: &str) -> Value {
        let (labels, annotations) = (map(&self.labels), map(&self.annotations));
        json!({"metadata": {"name": name, "uid": self.uid, "labels": labels, "annotations": annotations}})
    }

    pub fn written(&self) -> Written {
        let keys = |[labels, annotations]: &[Texts; 2]| {
            let keys = |texts: &Texts| texts.iter().map(|(key, _)| key.to_owned()).collect();
            Keys { labels: keys(labels), annotations: keys(annotations) }
        };
        Written { applied: keys(&self.applied), otherwise: keys(&self.otherwise) }
    }

    /// What is published, or how much too much it is; nothing, if there is nothing in it.
    pub fn publication(&self) -> Result<Option<Publication>, Size> {
        if let Some(size) = self.excess {
            return Err(size);
        }
        let publication = Publication { labels: map(&self.labels), annotations: map(&self.annotations) };
        Ok((!self.labels.is_empty() || !self.annotations.is_empty()).then_some(publication))
    }

    /// Whether anything on it is ours.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key)
    }
}

fn map(texts: &Texts) -> BTreeMap<String, String> {
    texts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
