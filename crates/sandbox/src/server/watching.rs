//! Watches: what happens to a collection, as it happens.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

use super::audience::Seat;
use super::call::Call;
use super::clock::Clock;
use super::negotiation::{As, Form, Format};
use super::read::{Selection, include_object, list_options};
use super::reply::Body;
use super::sandbox::Inner;
use crate::failure::Failure;
use crate::listing::ListOptions;
use crate::store::watch::{Cursor, Matches, WatchEvent};
use crate::table::IncludeObject;

/// How long a watch lasts whose client does not say; kube-apiserver draws from 30 to 60 minutes.
const LASTING: Duration = Duration::from_secs(45 * 60);

/// Before it ends, a watch that asked for bookmarks gets a last one.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A running watch: the body of its answer.
struct Watch {
    inner: Arc<Inner>,
    call: Call,
    version: String,
    form: Form,
    include: IncludeObject,
    cursor: Cursor,
    clock: Clock,
    seat: Seat,
    schedule: Schedule,
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
    let namespace = (!call.namespace().is_empty()).then(|| call.namespace().to_owned());
    let cursor = Cursor::new(call.group_resource(), namespace, matches(&call, &options)?, &options);
    let watch = Watch {
        include: include_object(&call, form)?,
        clock: inner.lock().clock,
        seat: inner.audience.seat(call.group_resource()),
        schedule: Schedule::new(&options, inner.settings.bookmarks),
        version: call.resource.api_version(),
        lines: VecDeque::new(),
        over: false,
        first: true,
        inner: inner.clone(),
        call,
        form,
        cursor,
    };
    Ok(("application/json", watch.boxed_unsync()))
}

/// Which objects are watched.
fn matches(call: &Call, options: &ListOptions) -> Result<Matches, Failure> {
    let selection = Selection::read(call, options)?;
    let name = call.place.name.clone();
    if [&name, &options.label_selector, &options.field_selector].into_iter().all(String::is_empty) {
        return Ok(Arc::new(|_| true));
    }
    Ok(Arc::new(move |object| {
        (name.is_empty() || object["metadata"]["name"] == name.as_str()) && selection.matches(object)
    }))
}

impl http_body::Body for Watch {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if self.seat.is_cut() {
                return Poll::Ready(None);
            }
            if let Some(line) = self.lines.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(line))));
            }
            if self.over {
                return Poll::Ready(None);
            }
            if self.seat.poll(context).is_ready() {
                self.catch_up();
            } else {
                match ready!(self.schedule.poll(context)) {
                    Due::Bookmark => self.bookmark(),
                    Due::End => self.over = true,
                }
            }
        }
    }
}

impl Watch {
    /// Turns what happened since the last time into lines.
    fn catch_up(&mut self) {
        let told = self.cursor.poll(&self.inner.lock().store);
        match told {
            Ok(events) => events.iter().for_each(|event| self.tell(event)),
            Err(expired) => {
                self.lines.push_back(Told { kind: "ERROR", object: &expired.to_status() }.to_line());
                self.over = true;
            }
        }
    }

    fn bookmark(&mut self) {
        let event = self.cursor.bookmark(&self.inner.lock().store);
        event.iter().for_each(|event| self.tell(event));
    }

    fn tell(&mut self, event: &WatchEvent) {
        let line = match (self.form.what, event.kind) {
            (As::Object, "ADDED" | "MODIFIED" | "DELETED") => {
                self.inner.written.line(&event.object, event.kind, &self.version, || self.plain(event))
            }
            _ => self.formed(event),
        };
        self.lines.push_back(line);
    }

    /// An event as all see it who ask for objects.
    fn plain(&self, event: &WatchEvent) -> Bytes {
        if self.call.resource.is_custom() {
            return Told { kind: event.kind, object: &self.with_own_kind(event) }.to_line();
        }
        Told { kind: event.kind, object: &event.object }.to_line()
    }

    fn formed(&mut self, event: &WatchEvent) -> Bytes {
        let (resource, now) = (&self.call.resource, self.clock.seconds());
        let mut object = self.form.of(resource, self.with_own_kind(event), now, self.include);
        if self.form.what == As::Table && !std::mem::take(&mut self.first) {
            object["columnDefinitions"] = Value::Null;
        }
        Told { kind: event.kind, object: &object }.to_line()
    }

    fn with_own_kind(&self, event: &WatchEvent) -> Value {
        let mut object = Value::clone(&event.object);
        object["apiVersion"] = json!(self.version);
        object["kind"] = json!(self.call.resource.kind);
        object
    }
}

/// When a watch gets bookmarks, and when it ends.
struct Schedule {
    /// One that did not ask for bookmarks gets none.
    interval: Option<Duration>,
    bookmark: Instant,
    end: Instant,
    /// Set to the earlier one.
    timer: Pin<Box<Sleep>>,
}

/// So many seconds as Go has them: nanoseconds in 64 bits, which wrap. What is negative then is over at once.
fn go_duration(seconds: u64) -> Duration {
    let nanoseconds = seconds.wrapping_mul(1_000_000_000).cast_signed();
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

enum Due {
    Bookmark,
    End,
}

impl Schedule {
    fn new(options: &ListOptions, interval: Duration) -> Self {
        let now = Instant::now();
        let lasting = options.timeout_seconds.map_or(LASTING, go_duration);
        let interval = options.allow_watch_bookmarks.then_some(interval);
        let end = now + lasting;
        let bookmark = interval.map_or(end, |interval| now + interval.min(lasting.saturating_sub(LAST_BOOKMARK)));
        Self { interval, bookmark, end, timer: Box::pin(tokio::time::sleep_until(bookmark.min(end))) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        ready!(self.timer.as_mut().poll(context));
        let Some(interval) = self.interval.filter(|_| Instant::now() < self.end) else { return Poll::Ready(Due::End) };
        self.bookmark = self.after_bookmark(interval);
        self.timer.as_mut().reset(self.bookmark.min(self.end));
        Poll::Ready(Due::Bookmark)
    }

    fn after_bookmark(&self, interval: Duration) -> Instant {
        let last = self.end - LAST_BOOKMARK;
        if self.bookmark >= last { self.end + interval } else { (self.bookmark + interval).min(last) }
    }
}
