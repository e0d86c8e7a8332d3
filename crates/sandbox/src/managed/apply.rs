//! Server-side apply (`structured-merge-diff/merge/update.go`; `apimachinery/pkg/util/managedfields/internal`:
//! `structuredmerge.go`, `fieldmanager.go`, `versioncheck.go`).

use serde_json::Value;

use super::Manager;
use super::blank::blank;
use super::compare::compare;
use super::conflict::{self, Conflict};
use super::entries::{self, Entries};
use super::field_set::fields_of;
use super::form::Place;
use super::last_applied;
use super::merge::merge;
use super::path::{self, Path};
use super::remove::prune;
use super::update::{self, Request, stripped};
use super::validate::validate;
use crate::failure::Failure;
use crate::schema::Schema;

/// Refuses an applied object of another kind than the one that the path serves: 400 `invalid object type: …`.
///
/// # Errors
/// If `apiVersion` or `kind` of the object differ.
pub fn expect_kind(applied: &Value, api_version: &str, kind: &str) -> Result<(), Failure> {
    let text = |name: &str| applied.get(name).and_then(Value::as_str).unwrap_or_default();
    if (text("apiVersion"), text("kind")) == (api_version, kind) {
        return Ok(());
    }
    Err(Failure::bad_request(format!("invalid object type: {}", type_of(applied))))
}

/// Group, version and kind as messages have them: `apps/v1, Kind=Deployment`, `/v1, Kind=Node`.
fn type_of(object: &Value) -> String {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let slash = if text("apiVersion").contains('/') { "" } else { "/" };
    format!("{slash}{}, Kind={}", text("apiVersion"), text("kind"))
}

/// Namespace, name and type of an object, as messages have them.
fn what(object: &Value) -> String {
    let text = |name: &str| object.pointer(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}; {}", text("/metadata/namespace"), text("/metadata/name"), type_of(object))
}

/// Why an attempt to apply failed.
enum Obstacle {
    Conflicts(Vec<Conflict>),
    Failed(Failure),
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Conflicts(conflicts) => conflict::failure(&conflicts),
            Obstacle::Failed(failure) => failure,
        }
    }
}

/// Server-side apply: the live object with the applied one merged into it by their type, without what this manager
/// applied before, does not apply any more and nobody else owns, and with `metadata.managedFields` brought up to date.
///
/// `live` is `None` if the object is to be created. The result has not been decoded or defaulted; nothing but merging
/// was done to it. The arguments are those of [`super::update()`].
///
/// # Errors
/// 409 for conflicts (none with `force`), 400 if the applied object has managed fields, 500 if it does not fit its
/// type.
pub fn apply(
    live: Option<&Value>,
    applied: &Value,
    manager: &Manager,
    force: bool,
    schema: Schema<'_>,
    now: &str,
    ignored: &[Path],
) -> Result<Value, Failure> {
    let ignored = ignored.iter().collect();
    let request = Request { place: Place::root(schema), now, ignored: &ignored };
    let known = Entries::decode(live.and_then(|live| live.pointer("/metadata/managedFields")));
    let mut known = known.map_err(|why| Failure::internal(format!("failed to decode managed fields: {why}")))?;
    let live = live.map_or_else(|| blank(schema), update::without_managed_fields);
    if known.is_empty() {
        let tracked = update::record_before_first_apply(&mut known, &blank(schema), &live, manager, request);
        tracked.map_err(|why| Failure::internal(format!("failed to create manager for existing fields: {why}")))?;
    }
    let attempt = Attempt { live: &live, applied, known, manager: &manager.named(), request };
    let (mut object, entries) = attempt.run(force)?;
    last_applied::keep_in_step(&mut object, applied, manager);
    entries::store(&mut object, &entries);
    Ok(object)
}

struct Attempt<'a> {
    live: &'a Value,
    applied: &'a Value,
    known: Entries,
    manager: &'a Manager,
    request: Request<'a>,
}

impl Attempt<'_> {
    /// Conflicts about fields that kubectl applied from the client before are no conflicts for its server-side apply.
    fn run(&self, force: bool) -> Result<(Value, Entries), Failure> {
        match self.once(force) {
            Err(Obstacle::Conflicts(conflicts)) if self.manager.name == last_applied::MANAGER => {
                let allowed = last_applied::unchanged_fields(self.live, &self.manager.api_version, self.request.place);
                let left = allowed.map_or(conflicts.clone(), |allowed| conflict::outside(conflicts, &allowed));
                if left.is_empty() { Ok(self.once(true)?) } else { Err(Obstacle::Conflicts(left).into()) }
            }
            other => Ok(other?),
        }
    }

    fn once(&self, force: bool) -> Result<(Value, Entries), Obstacle> {
        self.check()?;
        let Request { place, now, ignored } = self.request;
        let mut entries = self.known.clone();
        entries.reconcile(place);
        let merged = merge(self.live, self.applied, place);
        let merged = merged.map_err(|why| Failure::internal(format!("failed to merge config: {why}")))?;

        let last = entries.get(self.manager).cloned();
        let fields = fields_of(self.applied, place).recursive_difference(ignored);
        let time = last.as_ref().and_then(|last| last.time.clone());
        entries.put(self.manager, fields.clone(), time.clone());
        let last = last.map(|last| last.fields).unwrap_or_default();
        let object = prune(merged, &last, &entries.all_fields(), place);

        let changes = compare(self.live, &object, place);
        let changes = changes.map_err(|why| Failure::internal(format!("failed to compare objects: {why}")))?;
        let changes = changes.without(ignored);
        let conflicts = conflict::conflicts(&entries, &changes, self.manager);
        if !force && !conflicts.is_empty() {
            return Err(Obstacle::Conflicts(conflicts));
        }
        entries.give_up(&changes, Some(self.manager));
        let time = if path::same(self.live, &object) { time } else { Some(now.to_owned()) };
        entries.put(self.manager, stripped(&fields), time);
        Ok((object, entries))
    }

    fn check(&self) -> Result<(), Failure> {
        if self.applied.pointer("/metadata/managedFields").is_some_and(Value::is_array) {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        let wrong = |object: &str, value: &Value, why: &dyn std::fmt::Display| {
            Failure::internal(format!("failed to create typed {object} object ({}): {why}", what(value)))
        };
        let errors = validate(self.applied, self.request.place, false);
        if !errors.is_empty() {
            return Err(wrong("patch", self.applied, &errors));
        }
        let errors = validate(self.live, self.request.place, true);
        if !errors.is_empty() {
            return Err(wrong("live", self.live, &errors));
        }
        Ok(())
    }
}
