//! Who watches what. A change wakes the watches of its resource and no others.

use futures_util::task::AtomicWaker;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::resource::GroupResource;
use crate::store::Store;

/// The watches of a server.
#[derive(Debug, Default)]
pub(super) struct Audience(Mutex<BTreeMap<GroupResource, Row>>);

/// The watches of one resource.
#[derive(Debug, Default)]
struct Row {
    /// The change that it was told of last.
    revision: u64,
    next: u64,
    seats: BTreeMap<u64, Arc<Ear>>,
}

#[derive(Debug, Default)]
struct Ear {
    waker: AtomicWaker,
    changed: AtomicBool,
    cut: AtomicBool,
}

/// The place of one watch, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    audience: Arc<Audience>,
    resource: GroupResource,
    number: u64,
    ear: Arc<Ear>,
}

impl Audience {
    /// A place from which a resource is watched. It is told of a change first, so that it looks at what there is.
    pub fn seat(self: &Arc<Self>, resource: GroupResource) -> Seat {
        let ear = Arc::new(Ear { changed: AtomicBool::new(true), ..Ear::default() });
        let number = {
            let mut rows = self.rows();
            let row = rows.entry(resource.clone()).or_default();
            let number = row.next;
            row.next += 1;
            row.seats.insert(number, ear.clone());
            number
        };
        Seat { audience: self.clone(), resource, number, ear }
    }

    /// Tells of what has changed. The wakers are for the caller to wake when he holds no lock.
    #[must_use]
    pub fn tell(&self, store: &Store) -> Vec<Waker> {
        let mut rows = self.rows();
        let changed = rows.iter_mut().filter_map(|(resource, row)| {
            let revision = store.last_change(resource);
            (std::mem::replace(&mut row.revision, revision) != revision).then_some(row)
        });
        changed.flat_map(|row| row.seats.values()).filter_map(|ear| ear.hear(&ear.changed)).collect()
    }

    /// Ends all watches. The wakers are for the caller to wake when he holds no lock.
    #[must_use]
    pub fn cut(&self) -> Vec<Waker> {
        let rows = self.rows();
        rows.values().flat_map(|row| row.seats.values()).filter_map(|ear| ear.hear(&ear.cut)).collect()
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<GroupResource, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, resource: &GroupResource, number: u64) {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(resource) else { return };
        row.seats.remove(&number);
        if row.seats.is_empty() {
            rows.remove(resource);
        }
    }
}

impl Ear {
    fn hear(&self, what: &AtomicBool) -> Option<Waker> {
        what.store(true, Ordering::Release);
        self.waker.take()
    }
}

impl Seat {
    /// Whether the watch is to end.
    pub fn is_cut(&self) -> bool {
        self.ear.cut.load(Ordering::Acquire)
    }

    /// Ready when there is a change, or an end, that was not told of here before.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.has_heard() {
            return Poll::Ready(());
        }
        self.ear.waker.register(context.waker());
        // What came between the question and the registration wakes nobody.
        if self.has_heard() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_heard(&self) -> bool {
        self.is_cut() || self.ear.changed.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.audience.leave(&self.resource, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn store(resources: &[&str]) -> Store {
        let mut store = Store::default();
        for resource in resources {
            store.create(&GroupResource::new("", resource), "", "a", json!({})).expect("is new");
        }
        store
    }

    fn is_ready(seat: &Seat) -> bool {
        seat.poll(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_change_wakes_those_who_watch_its_resource_once() {
        let audience = Arc::new(Audience::default());
        let [nodes, pods, more] = ["nodes", "pods", "nodes"].map(|name| audience.seat(GroupResource::new("", name)));
        assert!(is_ready(&nodes) && is_ready(&pods) && is_ready(&more), "all look at what there is first");
        assert!(!is_ready(&nodes) && !is_ready(&pods) && !is_ready(&more));
        let mut store = store(&["nodes"]);
        assert_eq!(audience.tell(&store).len(), 2);
        assert!(is_ready(&nodes) && !is_ready(&nodes) && is_ready(&more) && !is_ready(&pods));
        assert!(audience.tell(&store).is_empty(), "there is nothing new");
        store.delete(&GroupResource::new("", "nodes"), "", "a").expect("is there");
        assert_eq!(audience.tell(&store).len(), 1, "the other has not waited since");
        assert!(is_ready(&nodes) && is_ready(&more) && !is_ready(&pods));
    }

    #[test]
    fn a_cut_is_for_all_that_are_there() {
        let audience = Arc::new(Audience::default());
        let before = audience.seat(GroupResource::new("", "nodes"));
        assert!(is_ready(&before) && !before.is_cut());
        assert!(!is_ready(&before));
        assert_eq!(audience.cut().len(), 1);
        assert!(before.is_cut() && is_ready(&before) && is_ready(&before));
        assert!(!audience.seat(GroupResource::new("", "nodes")).is_cut());
    }

    #[test]
    fn who_leaves_takes_no_place() {
        let audience = Arc::new(Audience::default());
        let seats = ["nodes", "nodes", "pods"].map(|name| audience.seat(GroupResource::new("", name)));
        assert_eq!(audience.rows().len(), 2);
        drop(seats);
        assert!(audience.rows().is_empty());
    }
}
