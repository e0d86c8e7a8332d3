//! What happened to the objects of one resource.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::{Key, stamp};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It was deleted.
    Deleted,
}

/// A change of an object.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The revision that it made.
    pub revision: u64,
    /// Of which object.
    pub key: Key,
    /// The object afterwards; of a deleted one its last state, with the revision of the deletion.
    pub object: Arc<Value>,
    /// The object before.
    pub previous: Option<Arc<Value>>,
    departed: OnceLock<Arc<Value>>,
}

impl Event {
    pub(super) fn new(
        kind: EventKind,
        revision: u64,
        key: Key,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) -> Self {
        Self { kind, revision, key, object, previous, departed: OnceLock::new() }
    }

    /// The object as those see it go who may not see what became of it: as it was before, with the new revision
    /// (`convertToWatchEvent` in `staging/src/k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go`).
    #[must_use]
    pub fn departed(&self) -> Arc<Value> {
        let Some(previous) = self.previous.as_ref().filter(|_| self.kind != EventKind::Deleted) else {
            return self.object.clone();
        };
        let stamped = || {
            let mut object = Value::clone(previous);
            stamp(&mut object, self.revision);
            Arc::new(object)
        };
        self.departed.get_or_init(stamped).clone()
    }
}

/// The last changes of one resource, oldest first.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
    /// The oldest revision that the future can still be told from.
    horizon: u64,
    /// The revision of the last change that was forgotten; 0 for none.
    lost: u64,
}

impl History {
    pub fn new(capacity: usize, horizon: u64) -> Self {
        Self { events: VecDeque::new(), capacity: capacity.max(1), horizon, lost: 0 }
    }

    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// A change too many pushes the oldest one out. What remains then begins with the change after it, and a watch
    /// may begin right before that (`getAllEventsSinceLocked` in `…/storage/cacher/watch_cache.go`).
    pub fn push(&mut self, event: Event) {
        self.events.push_back(Arc::new(event));
        if self.events.len() > self.capacity {
            self.forget_oldest();
            let oldest = self.events.front().map_or(self.lost, |event| event.revision.saturating_sub(1));
            self.horizon = self.horizon.max(oldest);
        }
    }

    pub fn compact(&mut self, to: u64) {
        while self.events.front().is_some_and(|event| event.revision <= to) {
            self.forget_oldest();
        }
        self.horizon = self.horizon.max(to);
    }

    fn forget_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.lost = event.revision;
        }
    }

    /// The revision of the last change; 0 for none.
    pub fn last(&self) -> u64 {
        self.events.back().map_or(self.lost, |event| event.revision)
    }

    /// What came after a revision. Who asks has mostly seen all but the newest, so the end is searched first.
    pub fn after(&self, revision: u64) -> impl DoubleEndedIterator<Item = &Arc<Event>> + ExactSizeIterator {
        let seen = self.events.iter().rposition(|event| event.revision <= revision);
        self.events.range(seen.map_or(0, |index| index + 1)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn history(capacity: usize, revisions: &[u64]) -> History {
        let mut history = History::new(capacity, 1);
        for &revision in revisions {
            let object = Arc::new(json!({"metadata": {}}));
            history.push(Event::new(EventKind::Added, revision, Key::new("", "a"), object, None));
        }
        history
    }

    #[test]
    fn what_is_too_much_is_forgotten_from_the_start() {
        let table: [(usize, &[u64], u64, u64); 5] =
            [(3, &[], 1, 0), (3, &[5, 7, 9], 1, 0), (3, &[5, 7, 9, 20], 6, 5), (1, &[5, 7], 6, 5), (0, &[5, 9], 8, 5)];
        for (capacity, revisions, horizon, lost) in table {
            let history = history(capacity, revisions);
            assert_eq!((history.horizon(), history.lost()), (horizon, lost), "{capacity} {revisions:?}");
            assert_eq!(history.last(), revisions.last().copied().unwrap_or_default());
        }
    }

    #[test]
    fn compaction_moves_the_horizon_and_keeps_the_rest() {
        let mut history = history(10, &[5, 7, 9]);
        history.compact(8);
        assert_eq!((history.horizon(), history.lost()), (8, 7));
        for (revision, after) in [(0, vec![9]), (8, vec![9]), (9, vec![]), (10, vec![])] {
            assert_eq!(history.after(revision).map(|event| event.revision).collect::<Vec<_>>(), after);
        }
        history.compact(3);
        assert_eq!(history.horizon(), 8);
    }

    #[test]
    fn the_departed_has_the_old_content_and_the_new_revision() {
        let state = |label: &str, revision: &str| {
            Arc::new(json!({"metadata": {"labels": {"l": label}, "resourceVersion": revision}}))
        };
        let key = || Key::new("", "a");
        let left = Event::new(EventKind::Modified, 9, key(), state("new", "9"), Some(state("old", "4")));
        assert_eq!(left.departed(), state("old", "9"));
        assert!(Arc::ptr_eq(&left.departed(), &left.departed()));
        let gone = Event::new(EventKind::Deleted, 9, key(), state("old", "9"), Some(state("old", "4")));
        assert!(Arc::ptr_eq(&gone.departed(), &gone.object));
    }
}
