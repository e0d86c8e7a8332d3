//! How an observation becomes part of what is known.

use channels::{Cause, Observation};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicObject;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::liveness::Name;
use crate::report::{Kind, Report};
use crate::run::Reporter;
use crate::view::{Heartbeat, Objects, owner, version};

/// What an observation touched.
pub(crate) struct Touched {
    pub names: Vec<Name>,
    /// Whether the watch has been seen to work, or not to.
    pub sighted: Option<bool>,
}

/// Where observations of one kind are taken in, and who is told how its watch does.
pub(crate) struct Intake<'a> {
    pub kind: Kind,
    pub blind: &'a mut BTreeSet<Kind>,
    pub report: &'a mut Reporter,
}

impl Intake<'_> {
    /// Takes an observation in: what is kept of each object, `record` says.
    pub fn take_in<K: Resource, T: PartialEq>(
        self,
        objects: &mut Objects<T>,
        seen: Observation<K>,
        record: impl FnOnce(&K) -> Option<T>,
    ) -> Touched {
        let names = match seen {
            Observation::Begun => {
                objects.begin();
                return Touched { names: Vec::new(), sighted: None };
            }
            Observation::Interrupted { cause, message } => {
                self.fails(cause, message);
                return Touched { names: Vec::new(), sighted: Some(false) };
            }
            Observation::Resumed => Vec::new(),
            Observation::Complete => objects.complete(),
            Observation::Gone(object) => {
                self.kind.key(object.meta()).filter(|name| objects.remove(name)).into_iter().collect()
            }
            Observation::Listed(object) => self.put(objects, &object, record(&object), true),
            Observation::Changed(object) => self.put(objects, &object, record(&object), false),
        };
        self.works();
        Touched { names, sighted: Some(true) }
    }

    fn put<K: Resource, T: PartialEq>(
        &self,
        objects: &mut Objects<T>,
        object: &K,
        record: Option<T>,
        listed: bool,
    ) -> Vec<Name> {
        let metadata = object.meta();
        let Some(name) = self.kind.key(metadata) else { return Vec::new() };
        let touched = match (record, listed) {
            (Some(record), true) => objects.list(&name, version(metadata), record),
            (Some(record), false) => objects.change(&name, version(metadata), record),
            (None, _) => objects.remove(&name),
        };
        touched.then_some(name).into_iter().collect()
    }

    fn works(self) {
        if self.blind.remove(&self.kind) {
            (self.report)(Report::Sighted(self.kind));
        }
    }

    fn fails(self, cause: Cause, message: String) {
        if self.blind.insert(self.kind) {
            (self.report)(Report::Blind { kind: self.kind, cause, message });
        }
    }
}

impl Kind {
    /// What an object of this kind is known by: its name, which for most is that of a Node.
    fn key(self, metadata: &ObjectMeta) -> Option<Name> {
        let name = metadata.name.as_deref()?;
        match metadata.namespace.as_deref().filter(|_| self == Self::VirtualMachines) {
            Some(namespace) => Some(format!("{namespace}/{name}").into()),
            None => Some(name.into()),
        }
    }

    /// The object that an observation is about.
    pub(crate) fn named<K: Resource>(self, seen: &Observation<K>) -> Option<Name> {
        match seen {
            Observation::Listed(object) | Observation::Changed(object) | Observation::Gone(object) => {
                self.key(object.meta())
            }
            _ => None,
        }
    }
}

/// What is kept of a Lease.
pub(crate) fn heartbeat(lease: &DynamicObject) -> Heartbeat {
    let renewed = lease.data.pointer("/spec/renewTime").and_then(Value::as_str);
    Heartbeat {
        uid: lease.metadata.uid.as_deref().unwrap_or_default().into(),
        owner: owner(&lease.metadata),
        renewed: renewed.map(Into::into),
    }
}
