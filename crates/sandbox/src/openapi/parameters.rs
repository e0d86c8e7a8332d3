//! The query parameters of operations.

use serde_json::{Value, json};

/// Name, type and meaning.
type Parameter = (&'static str, &'static str, &'static str);

const DRY_RUN: Parameter = ("dryRun", "string", "With the value All nothing is stored.");
const CONTINUE: Parameter = ("continue", "string", "Where the list goes on, from the answer before.");
const FIELDS: Parameter = ("fieldSelector", "string", "Which objects, by their fields.");
const LABELS: Parameter = ("labelSelector", "string", "Which objects, by their labels.");
const LIMIT: Parameter = ("limit", "integer", "How many objects at most.");
const VERSION: Parameter = ("resourceVersion", "string", "Which state of the objects.");
const MATCH: Parameter = ("resourceVersionMatch", "string", "How resourceVersion is meant.");
const INITIAL: Parameter = ("sendInitialEvents", "boolean", "Whether a watch begins with the objects that there are.");
const TIMEOUT: Parameter = ("timeoutSeconds", "integer", "How long the call may last.");
const GRACE: Parameter = ("gracePeriodSeconds", "integer", "How long an object has to end.");
const ORPHAN: Parameter = ("orphanDependents", "boolean", "Older form of propagationPolicy.");
const PROPAGATION: Parameter =
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground.");

pub(super) const NONE: &[Parameter] = &[];

pub(super) const LIST: &[Parameter] = &[
    ("allowWatchBookmarks", "boolean", "Whether a watch may tell how far it is."),
    CONTINUE,
    FIELDS,
    LABELS,
    LIMIT,
    VERSION,
    MATCH,
    INITIAL,
    TIMEOUT,
    ("watch", "boolean", "Whether changes are sent as they happen."),
];

pub(super) const WRITE: &[Parameter] = &[
    DRY_RUN,
    ("fieldManager", "string", "In whose name fields are set."),
    ("fieldValidation", "string", "What becomes of unknown and duplicate fields: Ignore, Warn or Strict."),
];

/// Besides those of [`WRITE`].
pub(super) const PATCH: &[Parameter] = &[("force", "boolean", "Whether apply takes fields that others own.")];

pub(super) const DELETE: &[Parameter] = &[DRY_RUN, GRACE, ORPHAN, PROPAGATION];

pub(super) const DELETE_COLLECTION: &[Parameter] =
    &[CONTINUE, DRY_RUN, FIELDS, GRACE, LABELS, LIMIT, ORPHAN, PROPAGATION, VERSION, MATCH, INITIAL, TIMEOUT];

/// Parameters of the query.
pub(super) fn query(parameters: &[Parameter]) -> Vec<Value> {
    let describe = |(name, ty, description): &Parameter| json!({"name": name, "in": "query", "description": description, "schema": {"type": ty, "uniqueItems": true}});
    parameters.iter().map(describe).collect()
}

/// A part of the path.
pub(super) fn of_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": format!("The {name}."),
        "schema": {"type": "string", "uniqueItems": true}})
}

/// What every path takes.
pub(super) fn pretty() -> Value {
    json!({"name": "pretty", "in": "query", "description": "Whether the answer is laid out for people.",
        "schema": {"type": "string", "uniqueItems": true}})
}
