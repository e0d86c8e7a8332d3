//! Who owns what after a create, update or patch (`apimachinery/pkg/util/managedfields/internal`:
//! `fieldmanager.go`, `managedfieldsupdater.go`, `skipnonapplied.go`, `stripmeta.go`).

use serde_json::{Map, Value};

use super::blank::{blank, is_native};
use super::compare::compare;
use super::entries::{self, Entries};
use super::form::Place;
use super::path::Path;
use super::set::Set;
use super::validate::Errors;
use super::{Manager, Operation};
use crate::schema::Schema;

/// Fields of every object that nobody owns; the last element of a path below `metadata`.
const OF_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

/// Fields that are never owned.
fn never_owned() -> Set {
    let of_root = ["apiVersion", "kind", "metadata"].map(|name| Path::fields(&[name]));
    let of_metadata = OF_METADATA.map(|name| Path::fields(&["metadata", name]));
    of_root.iter().chain(&of_metadata).collect()
}

/// A set without the fields that are never owned.
pub(super) fn stripped(set: &Set) -> Set {
    set.difference(&never_owned())
}

/// What is the same for all steps of a request.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    pub(super) place: Place<'r>,
    pub(super) now: &'r str,
    pub(super) ignored: &'r Set,
}

/// Writes `metadata.managedFields` of an object that was created, updated or patched (everything but server-side
/// apply): what changed from `live` belongs to `manager` now and to nobody else.
///
/// `live` is `None` on a create. The managed fields that `new` comes with are the request's: they replace the live
/// ones if they are valid, `[{}]` ends the tracking, as does `[]` except on custom resources, and on a subresource they
/// are ignored. Both objects must
/// be in the form in which they are stored. Fields at and below `ignored` are reset by what serves the request: they
/// change no ownership. An entry of another API version is compared as it is, without a conversion.
pub fn update(
    live: Option<&Value>,
    new: &mut Value,
    manager: &Manager,
    schema: Schema<'_>,
    now: &str,
    ignored: &[Path],
) {
    let ignored = ignored.iter().collect();
    let request = Request { place: Place::root(schema), now, ignored: &ignored };
    let asked = entries::take(new).filter(|asked| !is_dropped(asked, schema));
    let mut entries = known(live, asked.as_ref(), manager);
    if entries.is_empty() && live.is_some_and(is_stored) {
        return;
    }
    let nothing;
    let old = match live {
        Some(live) => live,
        None => {
            nothing = blank(schema);
            &nothing
        }
    };
    if record(&mut entries, old, new, manager, request).is_ok() {
        entries::store(new, &entries);
    }
}

/// The metadata of custom resources is encoded anew before anybody looks at it, which drops an empty list.
fn is_dropped(asked: &Value, schema: Schema<'_>) -> bool {
    !is_native(schema) && asked.as_array().is_some_and(Vec::is_empty)
}

fn is_stored(object: &Value) -> bool {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    uid.is_some_and(|uid| !uid.is_empty())
}

/// The entries to begin with: those of the request, or those of the live object.
fn known(live: Option<&Value>, asked: Option<&Value>, manager: &Manager) -> Entries {
    let of_live = || Entries::decode(live.and_then(|live| live.pointer("/metadata/managedFields"))).unwrap_or_default();
    if !manager.subresource.is_empty() {
        return of_live();
    }
    match asked {
        Some(Value::Array(asked)) if is_reset(asked) => Entries::default(),
        asked => Entries::decode(asked).ok().filter(|entries| !entries.is_empty()).unwrap_or_else(of_live),
    }
}

fn is_reset(asked: &[Value]) -> bool {
    match asked {
        [] => true,
        [Value::Object(only)] => only.values().all(|value| value.is_null() || value.as_str() == Some("")),
        [only] => only.is_null(),
        _ => false,
    }
}

/// Records what a manager changed by an update. The error is an object that cannot be compared.
pub(super) fn record(
    entries: &mut Entries,
    old: &Value,
    new: &Value,
    manager: &Manager,
    request: Request<'_>,
) -> Result<(), Errors> {
    entries.reconcile(request.place);
    let changes = compare(old, new, request.place)?.without(request.ignored);
    entries.give_up(&changes, None);
    let taken = stripped(&changes.written());
    if !taken.is_empty() {
        let manager = manager.named();
        let owned = entries.get(&manager).map(|entry| entry.fields.union(&taken)).unwrap_or(taken);
        entries.put(&manager, owned, Some(request.now.to_owned()));
    }
    entries.cap();
    Ok(())
}

/// Records the fields of an object that was not tracked before its first apply.
pub(super) fn record_before_first_apply(
    entries: &mut Entries,
    nothing: &Value,
    live: &Value,
    applier: &Manager,
    request: Request<'_>,
) -> Result<(), Errors> {
    let name = "before-first-apply".to_owned();
    let before = Manager { name, operation: Operation::Update, ..applier.clone() };
    record(entries, nothing, live, &before, request)
}

/// A copy of an object without its managed fields.
pub(super) fn without_managed_fields(object: &Value) -> Value {
    let keep = |fields: &Map<String, Value>| -> Map<String, Value> {
        let kept = fields.iter().filter(|(name, _)| *name != "managedFields");
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let part = |(name, value): (&String, &Value)| match value {
        Value::Object(metadata) if name == "metadata" => (name.clone(), Value::Object(keep(metadata))),
        value => (name.clone(), value.clone()),
    };
    object.as_object().map_or_else(|| object.clone(), |object| Value::Object(object.iter().map(part).collect()))
}
