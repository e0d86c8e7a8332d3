//! What the server fills into a definition: defaults, status, accepted names
//! (`apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go`, `pkg/registry/customresourcedefinition/strategy.go`,
//! `pkg/controller/{status,establish}`).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::view::{self, flag, text, versions};

/// Fills in what a definition leaves out: names, the conversion, the stored version.
pub fn default_definition(definition: &mut Value) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    let storage = storage_version(definition).map(str::to_owned);
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(Value::Object(names)) = spec.get_mut("names") {
        let list_kind = if kind.is_empty() { String::new() } else { format!("{kind}List") };
        fill_text(names, "singular", kind.to_lowercase());
        fill_text(names, "listKind", list_kind);
    }
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec.insert(String::from("conversion"), json!({"strategy": "None"}));
    }
    let service =
        spec.get_mut("conversion").and_then(|conversion| conversion.pointer_mut("/webhook/clientConfig/service"));
    if let Some(Value::Object(service)) = service {
        service.entry("port").or_insert(json!(443));
    }
    if definition["status"]["storedVersions"].as_array().is_none_or(Vec::is_empty)
        && let Some(storage) = storage
    {
        definition["status"]["storedVersions"] = json!([storage]);
    }
}

fn fill_text(fields: &mut Map<String, Value>, name: &str, text: String) {
    let is_empty = fields.get(name).is_none_or(|value| value.is_null() || value == "");
    if is_empty && !text.is_empty() {
        fields.insert(name.to_owned(), Value::String(text));
    }
}

fn storage_version(definition: &Value) -> Option<&str> {
    versions(definition).iter().find(|version| flag(version, "storage")).map(|version| text(version, "/name"))
}

/// Gives a definition that is to be created its first status.
pub fn prepare_create(definition: &mut Value) {
    let stored: Vec<&str> = storage_version(definition).into_iter().collect();
    let stored = if stored.is_empty() { Value::Null } else { json!(stored) };
    definition["status"] =
        json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": stored});
    definition["metadata"]["generation"] = json!(1);
}

/// Gives a definition that replaces another the other's status, with the version that is stored from now on.
pub fn prepare_update(new: &mut Value, old: &Value) {
    new["status"] = old["status"].clone();
    let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
    new["metadata"]["generation"] = json!(if new["spec"] == old["spec"] { generation } else { generation + 1 });
    let Some(storage) = storage_version(new).map(str::to_owned) else { return };
    let mut stored = new["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
    if !stored.iter().any(|known| *known == storage) {
        stored.push(Value::String(storage));
        new["status"]["storedVersions"] = Value::Array(stored);
    }
}

/// The status after the server has looked at the names: what of them is accepted, and whether the resource is served.
/// None if nothing changes. `others` are all other definitions, `now` is the time of a change.
#[must_use]
pub fn accept_names(definition: &Value, others: &[&Value], now: &str) -> Option<Value> {
    let before = &definition["status"];
    let mut status = before.clone();
    if definition["spec"]["names"] != before["acceptedNames"] {
        let (names, accepted) = decide(definition, others);
        status["acceptedNames"] = names;
        set_condition(&mut status, accepted, now);
    }
    let is_true = |status: &Value, kind: &str| {
        view::condition(&json!({"status": status}), kind).is_some_and(|condition| condition["status"] == "True")
    };
    if !is_true(&status, "Established") {
        let established = if is_true(&status, "NamesAccepted") {
            condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted")
        } else {
            condition("Established", false, "NotAccepted", "not all names are accepted")
        };
        set_condition(&mut status, established, now);
    }
    (status != *before).then_some(status)
}

fn condition(kind: &str, is_true: bool, reason: &str, message: &str) -> Value {
    let status = if is_true { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// Sets a condition; its time stays unless its status changes.
fn set_condition(status: &mut Value, mut condition: Value, now: &str) {
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let place = conditions.iter().position(|known| known["type"] == condition["type"]);
    let known = place.and_then(|place| conditions.get(place)).filter(|known| known["status"] == condition["status"]);
    condition["lastTransitionTime"] = known.map_or_else(|| json!(now), |known| known["lastTransitionTime"].clone());
    match place.and_then(|place| conditions.get_mut(place)) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    status["conditions"] = Value::Array(conditions);
}

/// Names that others of the same group use.
#[derive(Default)]
struct Used<'v> {
    resources: BTreeSet<&'v str>,
    kinds: BTreeSet<&'v str>,
}

impl<'v> Used<'v> {
    fn by(group: &str, others: &[&'v Value]) -> Self {
        let mut used = Self::default();
        for other in others.iter().filter(|other| text(other, "/spec/group") == group) {
            let names = &other["status"]["acceptedNames"];
            used.resources.extend([text(names, "/plural"), text(names, "/singular")]);
            used.resources.extend(names["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str));
            used.kinds.extend([text(names, "/kind"), text(names, "/listKind")]);
        }
        used
    }
}

/// The accepted names and the condition about them; of several conflicts the last is told.
fn decide(definition: &Value, others: &[&Value]) -> (Value, Value) {
    let used = Used::by(text(definition, "/spec/group"), others);
    let (wanted, had) = (&definition["spec"]["names"], &definition["status"]["acceptedNames"]);
    let mut names = Map::new();
    let mut conflict = None;
    let mut single = |field: &str, reason: &'static str, taken: &BTreeSet<&str>| {
        let (name, accepted) = (text(wanted, &format!("/{field}")), text(had, &format!("/{field}")));
        let is_free = name == accepted || !taken.contains(name);
        if !is_free {
            conflict = Some((reason, format!("\"{name}\" is already in use")));
        }
        names.insert(field.to_owned(), json!(if is_free { name } else { accepted }));
        conflict.clone()
    };
    single("plural", "PluralConflict", &used.resources);
    let early = single("singular", "SingularConflict", &used.resources);
    let (short_names, problem) = short_names(wanted, had, &used.resources);
    single("kind", "KindConflict", &used.kinds);
    let late = single("listKind", "ListKindConflict", &used.kinds);
    let conflict = if late == early { problem.map(|text| ("ShortNamesConflict", text)).or(late) } else { late };
    names.insert(String::from("shortNames"), short_names);
    names.insert(String::from("categories"), wanted["categories"].clone());
    let accepted = match conflict {
        Some((reason, text)) => condition("NamesAccepted", false, reason, &text),
        None => condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
    };
    (without_empty(names), accepted)
}

fn short_names(wanted: &Value, had: &Value, taken: &BTreeSet<&str>) -> (Value, Option<String>) {
    let list = |names: &Value| -> Vec<String> {
        names["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (new, old) = (list(wanted), list(had));
    let conflicts: BTreeSet<String> = new
        .iter()
        .filter(|name| !old.contains(name) && taken.contains(name.as_str()))
        .map(|name| format!("\"{name}\" is already in use"))
        .collect();
    let texts: Vec<&str> = conflicts.iter().map(String::as_str).collect();
    match texts.as_slice() {
        [] => (json!(new), None),
        [only] => (json!(old), Some((*only).to_owned())),
        several => (json!(old), Some(format!("[{}]", several.join(", ")))),
    }
}

/// The kind and the plural are always there.
fn without_empty(names: Map<String, Value>) -> Value {
    let is_empty = |value: &Value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
    let kept = names.into_iter().filter(|(name, value)| matches!(name.as_str(), "kind" | "plural") || !is_empty(value));
    Value::Object(kept.collect())
}
