//! The entries of `metadata.managedFields` (`apimachinery/pkg/util/managedfields/internal`: `managedfields.go`,
//! `capmanagers.go`).

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::compare::Changes;
use super::form::Place;
use super::reconcile::reconcile;
use super::set::Set;
use super::{Manager, Operation, fields_v1};

/// So many entries of updates an object keeps; older ones are merged.
const MAX_UPDATE_ENTRIES: usize = 10;

/// Who owns what, by the identity of the owner.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: Manager,
    pub(super) time: Option<String>,
    pub(super) fields: Set,
}

impl Entry {
    fn decode(index: usize, entry: &Value) -> Result<Self, String> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let operation = Operation::parse(text("operation")).ok_or("operation must be `Apply` or `Update`")?;
        if text("apiVersion").is_empty() {
            return Err("apiVersion must not be empty".to_owned());
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
            other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}")),
        }
        let fields = entry.get("fieldsV1").map_or(Some(Set::default()), fields_v1::decode);
        let fields =
            fields.ok_or_else(|| format!("error decoding versioned set from entry {index}: error decoding set"))?;
        let time = entry.get("time").and_then(Value::as_str).map(canonical_time);
        let manager = Manager {
            name: text("manager").to_owned(),
            operation,
            api_version: text("apiVersion").to_owned(),
            subresource: text("subresource").to_owned(),
        };
        Ok(Self { manager, time, fields })
    }

    fn encode(&self) -> Value {
        let mut out = json!({
            "operation": self.manager.operation.as_str(),
            "apiVersion": self.manager.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields_v1::encode(&self.fields),
        });
        let optional = [
            ("manager", self.manager.name.as_str()),
            ("subresource", self.manager.subresource.as_str()),
            ("time", self.time.as_deref().unwrap_or_default()),
        ];
        for (name, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
            out[name] = json!(text);
        }
        out
    }

    fn seconds(&self) -> i64 {
        let time = self.time.as_deref().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        time.map_or(0, |time| time.timestamp())
    }
}

fn canonical_time(text: &str) -> String {
    let time = DateTime::parse_from_rfc3339(text);
    time.map_or_else(|_| text.to_owned(), |time| time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl Entries {
    /// The entries of `metadata.managedFields`, or what is wrong with them.
    pub(super) fn decode(fields: Option<&Value>) -> Result<Self, String> {
        let encoded = fields.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let decoded = encoded.iter().enumerate().map(|(index, entry)| {
            let entry = Entry::decode(index, entry)?;
            Ok((entry.manager.identity(), entry))
        });
        decoded.collect::<Result<_, String>>().map(Self)
    }

    /// `metadata.managedFields`, in the order of the server; `None` if nobody owns anything.
    pub(super) fn encode(&self) -> Option<Value> {
        let mut entries: Vec<&Entry> = self.0.values().collect();
        entries.sort_by_cached_key(|entry| {
            let Manager { name, operation, api_version, subresource } = &entry.manager;
            (operation.as_str(), entry.seconds(), name, api_version, subresource)
        });
        Some(entries.into_iter().map(Entry::encode).collect()).filter(|_| !self.is_empty()).map(Value::Array)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, manager: &Manager) -> Option<&Entry> {
        self.0.get(&manager.identity())
    }

    /// The entries by identity.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.0.iter()
    }

    /// Everything that somebody owns.
    pub(super) fn all_fields(&self) -> Set {
        self.0.values().fold(Set::default(), |all, entry| all.union(&entry.fields))
    }

    /// Adapts the sets to the type.
    pub(super) fn reconcile(&mut self, place: Place<'_>) {
        for entry in self.0.values_mut() {
            entry.fields = reconcile(std::mem::take(&mut entry.fields), place);
        }
    }

    /// Takes what was written or removed from everybody but one.
    pub(super) fn give_up(&mut self, changes: &Changes, except: Option<&Manager>) {
        let except = except.map(Manager::identity);
        let lost = changes.written().union(&changes.removed);
        for (_, entry) in self.0.iter_mut().filter(|(identity, _)| Some(*identity) != except.as_ref()) {
            entry.fields = entry.fields.difference(&lost);
        }
        self.0.retain(|_, entry| !entry.fields.is_empty());
    }

    /// Sets what a manager owns; an empty set removes it.
    pub(super) fn put(&mut self, manager: &Manager, fields: Set, time: Option<String>) {
        let identity = manager.identity();
        if fields.is_empty() {
            self.0.remove(&identity);
        } else {
            self.0.insert(identity, Entry { manager: manager.clone(), time, fields });
        }
    }

    /// Merges the oldest entries of updates until there are few enough of them.
    pub(super) fn cap(&mut self) {
        let updates = self.0.iter().filter(|(_, entry)| entry.manager.operation == Operation::Update);
        let mut updates: Vec<_> = updates.map(|(identity, entry)| (entry.seconds(), identity.clone())).collect();
        updates.sort();
        let mut excess = updates.len().saturating_sub(MAX_UPDATE_ENTRIES);
        let mut first_of: BTreeMap<String, String> = BTreeMap::new();
        for (_, identity) in updates {
            let Some(entry) = self.0.get(&identity).filter(|_| excess > 0) else { continue };
            let version = entry.manager.api_version.clone();
            if let Some(first) = first_of.get(&version) {
                self.collapse(&identity, first, &version);
                excess -= 1;
            } else {
                first_of.insert(version, identity);
            }
        }
    }

    /// Moves an entry to the one for old updates, which begins as the first entry of its version.
    fn collapse(&mut self, identity: &str, first: &str, version: &str) {
        let bucket = Manager {
            name: "ancient-changes".to_owned(),
            operation: Operation::Update,
            api_version: version.to_owned(),
            subresource: String::new(),
        };
        if self.get(&bucket).is_none() {
            let fields = self.0.remove(first).map(|entry| entry.fields).unwrap_or_default();
            self.put(&bucket, fields, None);
        }
        let Some(entry) = self.0.remove(identity) else { return };
        let fields = self.get(&bucket).map(|bucket| bucket.fields.union(&entry.fields)).unwrap_or_default();
        self.put(&bucket, fields, entry.time);
    }
}

/// Takes `metadata.managedFields` out of an object.
pub(super) fn take(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

/// Writes `metadata.managedFields` of an object.
pub(super) fn store(object: &mut Value, entries: &Entries) {
    let Some(encoded) = entries.encode() else { return };
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("managedFields".to_owned(), encoded);
    }
}
