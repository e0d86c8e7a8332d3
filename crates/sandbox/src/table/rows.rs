//! The cells of the built-in kinds (`pkg/printers/internalversion/printers.go`).

use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::age::since;
use super::read::Read;
use super::selector::{self, labels};

pub(super) fn name(object: &Value) -> Value {
    json!(object.text("/metadata/name"))
}

pub(super) fn age(object: &Value, now: i64) -> Value {
    json!(since(object.text("/metadata/creationTimestamp"), now))
}

pub(super) fn name_and_age(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), age(object, now)]
}

pub(super) fn name_and_creation(object: &Value, _: i64) -> Vec<Value> {
    vec![name(object), json!(object.text_or("/metadata/creationTimestamp", "0001-01-01T00:00:00Z"))]
}

pub(super) fn namespace(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.text("/status/phase")), age(object, now)]
}

pub(super) fn secret(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.text("/type")), json!(object.size("/data")), age(object, now)]
}

pub(super) fn config_map(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.size("/data") + object.size("/binaryData")), age(object, now)]
}

pub(super) fn lease(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.text("/spec/holderIdentity")), age(object, now)]
}

pub(super) fn node(object: &Value, now: i64) -> Vec<Value> {
    let info = |field: &str| object.text_or(field, "<unknown>");
    let mut kernel = info("/status/nodeInfo/kernelVersion").to_owned();
    if let architecture @ [_, ..] = object.text("/status/nodeInfo/architecture").as_bytes() {
        kernel = format!("{kernel} ({})", String::from_utf8_lossy(architecture));
    }
    vec![
        name(object),
        json!(node_status(object)),
        json!(node_roles(object)),
        age(object, now),
        json!(object.text("/status/nodeInfo/kubeletVersion")),
        json!(node_address(object, "InternalIP")),
        json!(node_address(object, "ExternalIP")),
        json!(info("/status/nodeInfo/osImage")),
        json!(kernel),
        json!(info("/status/nodeInfo/containerRuntimeVersion")),
    ]
}

fn node_status(node: &Value) -> String {
    let ready = node.items("/status/conditions").iter().rfind(|condition| condition.text("/type") == "Ready");
    let status = match ready.map(|condition| condition.text("/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let held = if node.truth("/spec/unschedulable") { ",SchedulingDisabled" } else { "" };
    format!("{status}{held}")
}

fn node_roles(node: &Value) -> String {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let role = |(key, value): (&String, &Value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    let roles: BTreeSet<String> =
        labels.into_iter().flatten().filter_map(role).filter(|role| !role.is_empty()).collect();
    joined_or(roles, ",", "<none>")
}

fn node_address<'v>(node: &'v Value, ty: &str) -> &'v str {
    let address = node.items("/status/addresses").iter().find(|address| address.text("/type") == ty);
    address.map_or("<none>", |address| address.text("/address"))
}

fn joined_or(texts: impl IntoIterator<Item = String>, separator: &str, none: &str) -> String {
    let texts: Vec<String> = texts.into_iter().collect();
    if texts.is_empty() { none.to_owned() } else { texts.join(separator) }
}

/// Where the two kinds of events keep the same things.
struct EventFields {
    object: &'static str,
    message: &'static str,
    count: &'static str,
    first: &'static str,
    last: &'static str,
    source: &'static str,
    controller: &'static str,
}

pub(super) fn core_event(event: &Value, now: i64) -> Vec<Value> {
    const FIELDS: EventFields = EventFields {
        object: "/involvedObject",
        message: "/message",
        count: "/count",
        first: "/firstTimestamp",
        last: "/lastTimestamp",
        source: "/source",
        controller: "/reportingComponent",
    };
    event_cells(event, &FIELDS, now)
}

pub(super) fn event(event: &Value, now: i64) -> Vec<Value> {
    const FIELDS: EventFields = EventFields {
        object: "/regarding",
        message: "/note",
        count: "/deprecatedCount",
        first: "/deprecatedFirstTimestamp",
        last: "/deprecatedLastTimestamp",
        source: "/deprecatedSource",
        controller: "/reportingController",
    };
    event_cells(event, &FIELDS, now)
}

fn event_cells(event: &Value, fields: &EventFields, now: i64) -> Vec<Value> {
    let object = event.pointer(fields.object).unwrap_or(&Value::Null);
    let source = event.pointer(fields.source).unwrap_or(&Value::Null);
    let first = since(event.text_or(fields.first, event.text("/eventTime")), now);
    let (last, count) = event_recurrence(event, fields, &first, now);
    vec![
        json!(last),
        json!(event.text("/type")),
        json!(event.text("/reason")),
        json!(event_target(object)),
        json!(object.text("/fieldPath")),
        json!(event_source(event, source, fields)),
        json!(event.text(fields.message).trim()),
        json!(first),
        json!(count),
        name(event),
    ]
}

fn event_recurrence(event: &Value, fields: &EventFields, first: &str, now: i64) -> (String, i64) {
    if let Some(series) = event.get("series").filter(|series| series.is_object()) {
        return (since(series.text("/lastObservedTime"), now), series.whole("/count"));
    }
    let last = match event.text(fields.last) {
        "" => first.to_owned(),
        last => since(last, now),
    };
    (last, event.whole(fields.count).max(1))
}

fn event_target(object: &Value) -> String {
    let kind = object.text("/kind").to_lowercase();
    match object.text("/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn event_source(event: &Value, source: &Value, fields: &EventFields) -> String {
    let component = source.text_or("/component", event.text(fields.controller));
    match source.text_or("/host", event.text("/reportingInstance")) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}

/// The containers, images and selector of a template.
fn template(object: &Value, selector: String) -> [Value; 3] {
    let containers = object.items("/spec/template/spec/containers");
    let all = |field: &str| containers.iter().map(|one| one.text(field)).collect::<Vec<_>>().join(",");
    [json!(all("/name")), json!(all("/image")), json!(selector)]
}

fn selector_or_none(object: &Value) -> String {
    match selector::format(object.pointer("/spec/selector")) {
        Some(text) if text.is_empty() => "<none>".to_owned(),
        Some(text) => text,
        None => "<error>".to_owned(),
    }
}

pub(super) fn daemon_set(object: &Value, now: i64) -> Vec<Value> {
    let counts = [
        "/status/desiredNumberScheduled",
        "/status/currentNumberScheduled",
        "/status/numberReady",
        "/status/updatedNumberScheduled",
        "/status/numberAvailable",
    ];
    let mut cells = vec![name(object)];
    cells.extend(counts.map(|count| json!(object.whole(count))));
    cells.push(json!(labels(object.pointer("/spec/template/spec/nodeSelector"))));
    cells.push(age(object, now));
    cells.extend(template(object, selector_or_none(object)));
    cells
}

pub(super) fn disruption_budget(object: &Value, now: i64) -> Vec<Value> {
    let bound = |field: &str| match &object["spec"][field] {
        Value::Null => json!("N/A"),
        Value::String(share) => json!(share),
        number => json!(number.to_string()),
    };
    vec![
        name(object),
        bound("minAvailable"),
        bound("maxUnavailable"),
        json!(object.whole("/status/disruptionsAllowed")),
        age(object, now),
    ]
}

pub(super) fn deployment(object: &Value, now: i64) -> Vec<Value> {
    let ready = format!("{}/{}", object.whole("/status/readyReplicas"), object.whole("/spec/replicas"));
    let mut cells = vec![
        name(object),
        json!(ready),
        json!(object.whole("/status/updatedReplicas")),
        json!(object.whole("/status/availableReplicas")),
        age(object, now),
    ];
    let selector = selector::format(object.pointer("/spec/selector"));
    cells.extend(template(object, selector.unwrap_or_else(|| "<invalid>".to_owned())));
    cells
}

pub(super) fn replica_set(object: &Value, now: i64) -> Vec<Value> {
    let counts = ["/spec/replicas", "/status/replicas", "/status/readyReplicas"];
    let mut cells = vec![name(object)];
    cells.extend(counts.map(|count| json!(object.whole(count))));
    cells.push(age(object, now));
    cells.extend(template(object, selector_or_none(object)));
    cells
}

pub(super) fn controller_revision(object: &Value, now: i64) -> Vec<Value> {
    let owners = object.items("/metadata/ownerReferences");
    let controller = owners.iter().find(|owner| owner.truth("/controller"));
    let controller = controller.map_or_else(|| "<none>".to_owned(), controller_name);
    vec![name(object), json!(controller), json!(object.whole("/revision")), age(object, now)]
}

/// `daemonset.apps/name`.
fn controller_name(owner: &Value) -> String {
    let group = owner.text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let kind = owner.text("/kind");
    let full = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
    format!("{}/{}", full.to_lowercase(), owner.text("/name"))
}

pub(super) fn role_binding(object: &Value, now: i64) -> Vec<Value> {
    let subjects = |kind: &str, show: fn(&Value) -> String| {
        let of_kind = object.items("/subjects").iter().filter(|subject| subject.text("/kind") == kind);
        json!(of_kind.map(show).collect::<Vec<_>>().join(", "))
    };
    let plain = |subject: &Value| subject.text("/name").to_owned();
    let account = |subject: &Value| format!("{}/{}", subject.text("/namespace"), subject.text("/name"));
    vec![
        name(object),
        json!(format!("{}/{}", object.text("/roleRef/kind"), object.text("/roleRef/name"))),
        age(object, now),
        subjects("User", plain),
        subjects("Group", plain),
        subjects("ServiceAccount", account),
    ]
}

pub(super) fn policy(object: &Value, now: i64) -> Vec<Value> {
    let kind = object.pointer("/spec/paramKind").filter(|kind| kind.is_object());
    let kind = kind.map_or_else(unset, |kind| format!("{}/{}", kind.text("/apiVersion"), kind.text("/kind")));
    vec![name(object), json!(object.size("/spec/validations")), json!(kind), age(object, now)]
}

fn unset() -> String {
    "<unset>".to_owned()
}

pub(super) fn policy_binding(object: &Value, now: i64) -> Vec<Value> {
    let parameter = object.pointer("/spec/paramRef").filter(|parameter| parameter.is_object());
    let parameter = parameter.map_or_else(unset, parameter_reference);
    vec![name(object), json!(object.text("/spec/policyName")), json!(parameter), age(object, now)]
}

fn parameter_reference(reference: &Value) -> String {
    let selector = reference.get("selector").filter(|selector| selector.is_object());
    match (reference.text("/name"), selector) {
        ("", Some(selector)) => selector::go_syntax(selector),
        ("", None) => unset(),
        (name, _) => format!("{}/{name}", reference.text_or("/namespace", "*")),
    }
}

pub(super) fn webhooks(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.size("/webhooks")), age(object, now)]
}

pub(super) fn scale(object: &Value, now: i64) -> Vec<Value> {
    vec![name(object), json!(object.whole("/spec/replicas")), json!(object.whole("/status/replicas")), age(object, now)]
}
