//! The objects of one resource, now and before.

use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::Bound;
use std::sync::Arc;

use super::history::{Event, EventKind, History};
use super::{Entry, Key, stamp};

#[derive(Debug)]
pub(super) struct Collection {
    objects: BTreeMap<Key, Arc<Value>>,
    pub history: History,
}

impl Collection {
    pub fn new(capacity: usize, horizon: u64) -> Self {
        Self { objects: BTreeMap::new(), history: History::new(capacity, horizon) }
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Puts an object without saying that anything happened; false if there is one.
    pub fn restore(&mut self, key: Key, object: Arc<Value>) -> bool {
        match self.objects.entry(key) {
            Slot::Occupied(_) => false,
            Slot::Vacant(slot) => {
                slot.insert(object);
                true
            }
        }
    }

    pub fn put(&mut self, key: Key, mut object: Value, revision: u64) -> Arc<Value> {
        stamp(&mut object, revision);
        let object = Arc::new(object);
        let previous = self.objects.insert(key.clone(), object.clone());
        let kind = if previous.is_some() { EventKind::Modified } else { EventKind::Added };
        self.history.push(Event::new(kind, revision, key, object.clone(), previous));
        object
    }

    pub fn remove(&mut self, key: Key, revision: u64) -> Option<Arc<Value>> {
        let previous = self.objects.remove(&key)?;
        let mut last = Value::clone(&previous);
        stamp(&mut last, revision);
        let last = Arc::new(last);
        self.history.push(Event::new(EventKind::Deleted, revision, key, last.clone(), Some(previous)));
        Some(last)
    }

    /// What there is from a text on, in a namespace or everywhere.
    pub fn entries<'s>(&'s self, namespace: &'s str, start: &str) -> impl Iterator<Item = Entry<'s>> {
        let prefix = prefix(namespace);
        let from = Key::bound(&[&prefix, start].concat());
        let range = self.objects.range((from, Bound::Unbounded));
        let inside = range.take_while(move |(key, _)| key.path().starts_with(&prefix));
        inside.filter(move |(key, _)| key.is_in(Some(namespace))).map(|(key, object)| Entry { key, object })
    }

    /// The same of a revision in the past. The first change of an object after it tells what it was at it.
    pub fn entries_at<'s>(&'s self, namespace: &'s str, start: &str, revision: u64) -> Vec<Entry<'s>> {
        let mut past: BTreeMap<&Key, Option<&Arc<Value>>> = BTreeMap::new();
        for event in self.history.after(revision) {
            past.entry(&event.key).or_insert(event.previous.as_ref());
        }
        let unchanged = self.entries(namespace, start).filter(|entry| !past.contains_key(entry.key));
        let mut entries: Vec<Entry<'_>> = unchanged.collect();
        let from = [&prefix(namespace), start].concat();
        let inside = |key: &Key| key.is_in(Some(namespace)) && key.path() >= from.as_str();
        let changed = past.iter().filter(|(key, _)| inside(key));
        entries.extend(changed.filter_map(|(key, object)| Some(Entry { key, object: (*object)? })));
        entries.sort_by_key(|entry| entry.key);
        entries
    }
}

fn prefix(namespace: &str) -> String {
    if namespace.is_empty() { String::new() } else { format!("{namespace}/") }
}
