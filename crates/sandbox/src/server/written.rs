//! Events as they were written for one watcher, for the others that are told the same.

use bytes::Bytes;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many lines are remembered: watchers that keep up ask for the newest.
const REMEMBERED: usize = 64;

#[derive(Debug)]
struct Line {
    /// What is told of; while it is held here, no other object has its place in memory.
    object: Arc<Value>,
    kind: &'static str,
    api_version: String,
    bytes: Bytes,
}

/// The lines that were written last.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<VecDeque<Line>>);

impl Written {
    /// The line of an event, written if nobody did before.
    pub fn line(
        &self,
        object: &Arc<Value>,
        kind: &'static str,
        api_version: &str,
        write: impl FnOnce() -> Bytes,
    ) -> Bytes {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |line: &&Line| Arc::ptr_eq(&line.object, object) && line.kind == kind && line.api_version == api_version;
        if let Some(line) = lines.iter().rev().find(same) {
            return line.bytes.clone();
        }
        let bytes = write();
        if lines.len() == REMEMBERED {
            lines.pop_front();
        }
        let (object, api_version) = (object.clone(), api_version.to_owned());
        lines.push_back(Line { object, kind, api_version, bytes: bytes.clone() });
        bytes
    }
}
