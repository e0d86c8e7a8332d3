//! A place in what happens to a resource, from which someone watches.

use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;

use super::{Event, EventKind, Store};
use crate::failure::Failure;
use crate::listing::{ListOptions, too_large};
use crate::resource::GroupResource;

/// Marks the bookmark after the last of the initial events (KEP-3157).
pub const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Says which objects are watched.
pub type Matches = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`.
    pub kind: &'static str,
    /// The object. Of a bookmark there is `metadata` only: kind, version and empty fields are for the sender to add.
    pub object: Arc<Value>,
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// With what there is, if the store has come to `at_least`.
    Present { at_least: u64, bookmark: bool },
    /// With what happens from now on.
    Now,
    /// With what happened after a revision.
    After(u64),
    /// It has begun.
    Begun,
}

/// A watch of one resource. Times are the caller's: he asks for events when something happened, and for bookmarks when
/// it is time for one.
#[derive(Clone)]
pub struct Cursor {
    resource: GroupResource,
    namespace: Option<String>,
    matches: Matches,
    start: Start,
    /// Everything up to here is told.
    position: u64,
    /// Bookmarks are later than this.
    floor: u64,
}

impl fmt::Debug for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Cursor");
        out.field("resource", &self.resource).field("namespace", &self.namespace).field("start", &self.start);
        out.field("position", &self.position).finish_non_exhaustive()
    }
}

impl Cursor {
    /// A watch as the options ask for it (`Watch` in `staging/src/k8s.io/apiserver/pkg/storage/cacher/cacher.go`).
    #[must_use]
    pub fn new(resource: GroupResource, namespace: Option<String>, matches: Matches, options: &ListOptions) -> Self {
        let revision = options.revision().unwrap_or_default();
        let start = match options.send_initial_events {
            Some(true) => Start::Present { at_least: revision, bookmark: options.allow_watch_bookmarks },
            None if revision == 0 => Start::Present { at_least: 0, bookmark: false },
            Some(false) if revision == 0 => Start::Now,
            Some(false) | None => Start::After(revision),
        };
        Self { resource, namespace, matches, start, position: 0, floor: 0 }
    }

    /// What the watcher has not been told yet. After an error the watch is over.
    ///
    /// # Errors
    /// What an event of type `ERROR` carries: 410, if that is forgotten; 504, if the initial events shall be later than
    /// everything that happened.
    pub fn poll(&mut self, store: &Store) -> Result<Vec<WatchEvent>, Failure> {
        let mut told = if self.start == Start::Begun { Vec::new() } else { self.begin(store)? };
        let Some(events) = store.events_unbroken(&self.resource, self.position) else {
            return Err(too_old(self.position, store.horizon(&self.resource)));
        };
        told.extend(events.filter_map(|event| self.seen(event)));
        self.position = self.position.max(store.revision());
        Ok(told)
    }

    /// A bookmark, if there is anything new to say: watchers that begin in the future, and those whom nothing has
    /// passed by since they began, get none (`process` in `…/storage/cacher/cache_watcher.go`).
    pub fn bookmark(&mut self, store: &Store) -> Option<WatchEvent> {
        let untold = store.events_unbroken(&self.resource, self.position);
        if self.start == Start::Begun && untold.is_some_and(|mut events| events.next().is_none()) {
            self.position = self.position.max(store.revision());
        }
        (self.position > self.floor).then(|| bookmark(self.position, false))
    }

    fn begin(&mut self, store: &Store) -> Result<Vec<WatchEvent>, Failure> {
        let start = std::mem::replace(&mut self.start, Start::Begun);
        let horizon = store.horizon(&self.resource);
        self.position = match start {
            Start::Begun => return Ok(Vec::new()),
            Start::Present { at_least, .. } if at_least > store.revision() => {
                return Err(too_large(at_least, store.revision()));
            }
            Start::After(revision) if revision < horizon => return Err(too_old(revision, horizon)),
            Start::Present { .. } | Start::Now => store.revision(),
            Start::After(revision) => revision,
        };
        self.floor = self.position;
        Ok(match start {
            Start::Present { bookmark, .. } => self.present(store, bookmark),
            Start::Now | Start::After(_) | Start::Begun => Vec::new(),
        })
    }

    fn present(&self, store: &Store, with_bookmark: bool) -> Vec<WatchEvent> {
        let objects = store.list(&self.resource, self.namespace.as_deref());
        let watched = objects.into_iter().filter(|object| (self.matches)(object));
        let mut told: Vec<WatchEvent> = watched.map(|object| WatchEvent { kind: "ADDED", object }).collect();
        told.extend(with_bookmark.then(|| bookmark(store.revision(), true)));
        told
    }

    /// A change as someone sees it who sees some objects only (`convertToWatchEvent`).
    fn seen(&self, event: &Event) -> Option<WatchEvent> {
        if !event.key.is_in(self.namespace.as_deref()) {
            return None;
        }
        let is = event.kind != EventKind::Deleted && (self.matches)(&event.object);
        let was = event.previous.as_ref().is_some_and(|previous| (self.matches)(previous));
        match (was, is) {
            (false, false) => None,
            (false, true) => Some(WatchEvent { kind: "ADDED", object: event.object.clone() }),
            (true, true) => Some(WatchEvent { kind: "MODIFIED", object: event.object.clone() }),
            (true, false) => Some(WatchEvent { kind: "DELETED", object: event.departed() }),
        }
    }
}

fn bookmark(revision: u64, ends_the_initial: bool) -> WatchEvent {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    if ends_the_initial {
        metadata.insert("annotations".to_owned(), json!({ INITIAL_EVENTS_END: "true" }));
    }
    WatchEvent { kind: "BOOKMARK", object: Arc::new(json!({ "metadata": metadata })) }
}

fn too_old(revision: u64, horizon: u64) -> Failure {
    Failure::expired(format!("too old resource version: {revision} ({horizon})"))
}
