//! Watches: what happens to a collection, as it happens.

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::Call;
use super::negotiation::{As, Form, Format};
use super::read::{Selection, include_object, list_options};
use super::reply::Body;
use super::sandbox::Inner;
use crate::failure::Failure;
use crate::store::watch::{Cursor, WatchEvent};
use crate::table::IncludeObject;

/// How long a watch lasts whose client does not say; kube-apiserver draws from 30 to 60 minutes.
const LASTING: Duration = Duration::from_secs(45 * 60);

/// Before it ends, a watch that asked for bookmarks gets a last one.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A running watch.
struct Watch {
    inner: Arc<Inner>,
    call: Call,
    form: Form,
    include: IncludeObject,
    cursor: Cursor,
    changed: watch::Receiver<u64>,
    cut: watch::Receiver<u64>,
    bookmarks: Option<Duration>,
    next_bookmark: Instant,
    ends: Instant,
    lines: VecDeque<Bytes>,
    over: bool,
    first: bool,
}

/// An event as it is written.
#[derive(Serialize)]
struct Told<'e> {
    #[serde(rename = "type")]
    kind: &'e str,
    object: &'e Value,
}

impl Told<'_> {
    fn to_line(&self) -> Bytes {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line.into()
    }
}

/// What a watch waits for.
enum Woken {
    Change,
    Time,
    End,
}

/// Starts a watch.
pub(super) fn start(inner: &Arc<Inner>, call: Call) -> Result<(&'static str, Body), Failure> {
    let form = Form::read(call.header(http::header::ACCEPT))?;
    if form.format != Format::Json {
        return Err(Failure::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        ));
    }
    let options = list_options(&call, inner.settings.version)?;
    let selection = Selection::read(&call, &options)?;
    let namespace = (!call.namespace().is_empty()).then(|| call.namespace().to_owned());
    let name = call.place.name.clone();
    let matches = move |object: &Value| {
        (name.is_empty() || object["metadata"]["name"] == name.as_str()) && selection.matches(object)
    };
    let cursor = Cursor::new(call.group_resource(), namespace, Arc::new(matches), &options);
    let now = Instant::now();
    let lasting = options.timeout_seconds.map_or(LASTING, Duration::from_secs);
    let interval = inner.settings.bookmarks;
    let watch = Watch {
        include: include_object(&call, form)?,
        changed: inner.revision.subscribe(),
        cut: inner.cut.subscribe(),
        bookmarks: options.allow_watch_bookmarks.then_some(interval),
        next_bookmark: now + interval.min(lasting.saturating_sub(LAST_BOOKMARK)),
        ends: now + lasting,
        lines: VecDeque::new(),
        over: false,
        first: true,
        inner: inner.clone(),
        call,
        form,
        cursor,
    };
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next_line().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), watch))
    });
    Ok(("application/json", StreamBody::new(lines).boxed_unsync()))
}

impl Watch {
    async fn next_line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.changed.borrow_and_update();
            self.catch_up();
            if self.lines.is_empty() && !self.over {
                self.wait().await;
            }
        }
    }

    /// Turns what happened since the last time into lines.
    fn catch_up(&mut self) {
        let inner = self.inner.clone();
        let (told, now) = {
            let state = inner.lock();
            (self.cursor.poll(&state.store), state.clock.seconds())
        };
        match told {
            Ok(events) => {
                for event in events {
                    let line = self.line(&event, now);
                    self.lines.push_back(line);
                }
            }
            Err(expired) => {
                self.lines.push_back(Told { kind: "ERROR", object: &expired.to_status() }.to_line());
                self.over = true;
            }
        }
    }

    fn line(&mut self, event: &WatchEvent, now: i64) -> Bytes {
        let shared = self.form.what == As::Object && event.kind != "BOOKMARK";
        if !shared {
            return self.write(event, now);
        }
        let inner = self.inner.clone();
        let version = self.call.resource.api_version();
        inner.written.line(&event.object, event.kind, &version, || self.write(event, now))
    }

    fn write(&mut self, event: &WatchEvent, now: i64) -> Bytes {
        let resource = &self.call.resource;
        if self.form.what == As::Object && !resource.is_custom() && event.kind != "BOOKMARK" {
            return Told { kind: event.kind, object: &event.object }.to_line();
        }
        let mut object = Value::clone(&event.object);
        object["apiVersion"] = json!(resource.api_version());
        object["kind"] = json!(resource.kind);
        let mut object = self.form.of(resource, object, now, self.include);
        if self.form.what == As::Table && !std::mem::take(&mut self.first) {
            object["columnDefinitions"] = Value::Null;
        }
        Told { kind: event.kind, object: &object }.to_line()
    }

    async fn wait(&mut self) {
        let bookmark = self.bookmarks.map(|_| self.next_bookmark);
        let until = bookmark.unwrap_or(self.ends).min(self.ends);
        let woken = tokio::select! {
            changed = self.changed.changed() => if changed.is_ok() { Woken::Change } else { Woken::End },
            _ = self.cut.changed() => Woken::End,
            () = tokio::time::sleep_until(until) => Woken::Time,
        };
        match woken {
            Woken::Change => {}
            Woken::End => self.over = true,
            Woken::Time if Instant::now() >= self.ends => self.over = true,
            Woken::Time => self.bookmark(),
        }
    }

    fn bookmark(&mut self) {
        let interval = self.bookmarks.unwrap_or(LASTING);
        let last = self.ends - LAST_BOOKMARK;
        let next = self.next_bookmark + interval;
        self.next_bookmark = if self.next_bookmark >= last { self.ends + interval } else { next.min(last) };
        let inner = self.inner.clone();
        let (event, now) = {
            let state = inner.lock();
            (self.cursor.bookmark(&state.store), state.clock.seconds())
        };
        if let Some(event) = event {
            let line = self.line(&event, now);
            self.lines.push_back(line);
        }
    }
}
