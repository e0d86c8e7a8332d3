//! The metadata of all objects of all kinds, those of CustomResourceDefinitions included.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta};
use kube::discovery::{Discovery, Scope, verbs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

use crate::cluster::{RESPITE, Task, follow};
use crate::kept::Kept;

/// What every object has.
pub(crate) type Metadata = PartialObjectMeta<DynamicObject>;

/// Group and plural.
pub(crate) type Id = (String, String);

/// A kind, and its objects.
#[derive(Debug)]
pub(crate) struct Family {
    pub resource: ApiResource,
    pub namespaced: bool,
    pub objects: Kept<Metadata>,
}

impl Family {
    pub fn new(resource: ApiResource, namespaced: bool) -> Self {
        Self { resource, namespaced, objects: Kept::default() }
    }

    pub fn id(&self) -> Id {
        (self.resource.group.clone(), self.resource.plural.clone())
    }
}

/// All kinds.
#[derive(Debug, Default)]
pub(crate) struct Families {
    pub all: BTreeMap<Id, Family>,
    /// Whether the kinds are known.
    pub found: bool,
}

impl Families {
    /// Whether the objects of all kinds are known.
    pub fn are_complete(&self) -> bool {
        self.found && self.all.values().all(|family| family.objects.is_complete())
    }
}

/// All objects, shared by who watches and who acts.
#[derive(Clone)]
pub(crate) struct Everything {
    pub client: Client,
    families: Arc<Mutex<Families>>,
    changes: watch::Sender<()>,
}

impl Everything {
    pub fn new(client: Client) -> Self {
        Self { client, families: Arc::default(), changes: watch::Sender::new(()) }
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub fn families(&self) -> MutexGuard<'_, Families> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to the objects of a kind; where it is namespaced, to those of one namespace.
    pub fn api(&self, resource: &ApiResource, namespace: &str) -> Api<Metadata> {
        match namespace {
            "" => Api::all_with(self.client.clone(), resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, resource),
        }
    }

    /// Keeps up with all kinds.
    pub async fn follow(self) {
        let builtin = self.discover().await;
        let mut tasks: BTreeMap<Id, Task> = BTreeMap::new();
        let mut definitions = Kept::<CustomResourceDefinition>::default();
        let mut custom = BTreeSet::new();
        follow(Api::all(self.client.clone()), |event| {
            definitions.heed(event);
            custom.extend(definitions.iter().map(|definition| id_of(definition)));
            if definitions.is_complete() {
                let fixed = builtin.iter().filter(|(resource, _)| !custom.contains(&id(resource))).cloned();
                let defined = definitions.iter().filter_map(|definition| defined(definition));
                self.watch(fixed.chain(defined).collect(), &mut tasks);
            }
        })
        .await;
    }

    /// Begins and ends watches, so that these kinds are watched.
    fn watch(&self, wanted: Vec<(ApiResource, bool)>, tasks: &mut BTreeMap<Id, Task>) {
        let ids: BTreeSet<Id> = wanted.iter().map(|(resource, _)| id(resource)).collect();
        tasks.retain(|id, _| ids.contains(id));
        {
            let mut families = self.families();
            families.all.retain(|id, _| ids.contains(id));
            for (resource, namespaced) in wanted {
                tasks.entry(id(&resource)).or_insert_with(|| {
                    families.all.insert(id(&resource), Family::new(resource.clone(), namespaced));
                    Task::spawn(self.clone().follow_one(resource))
                });
            }
            families.found = true;
        }
        self.changes.send_modify(|()| ());
    }

    async fn follow_one(self, resource: ApiResource) {
        let id = id(&resource);
        follow(self.api(&resource, ""), |event| {
            if let Some(family) = self.families().all.get_mut(&id) {
                family.objects.heed(event);
            }
            self.changes.send_modify(|()| ());
        })
        .await;
    }

    /// What the server serves. It is asked until it answers.
    async fn discover(&self) -> Vec<(ApiResource, bool)> {
        loop {
            if let Ok(discovery) = Discovery::new(self.client.clone()).run_aggregated().await {
                return served(&discovery);
            }
            tokio::time::sleep(RESPITE).await;
        }
    }
}

fn id(resource: &ApiResource) -> Id {
    (resource.group.clone(), resource.plural.clone())
}

/// The kinds whose objects can be watched and deleted. Events are served by two groups; one is enough.
fn served(discovery: &Discovery) -> Vec<(ApiResource, bool)> {
    let all = discovery.groups_alphabetical().into_iter().flat_map(|group| group.recommended_resources());
    let mut served: Vec<(ApiResource, bool)> = all
        .filter(|(_, able)| [verbs::LIST, verbs::WATCH, verbs::DELETE].iter().all(|verb| able.supports_operation(verb)))
        .filter(|(resource, _)| resource.group != "events.k8s.io")
        .map(|(resource, able)| (resource, able.scope == Scope::Namespaced))
        .collect();
    served.sort_by_key(|(resource, _)| id(resource));
    served
}

fn id_of(definition: &CustomResourceDefinition) -> Id {
    (definition.spec.group.clone(), definition.spec.names.plural.clone())
}

/// The kind of a definition that is established, in a version that is served.
fn defined(definition: &CustomResourceDefinition) -> Option<(ApiResource, bool)> {
    let mut conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.find(|condition| condition.type_ == "Established" && condition.status == "True")?;
    if definition.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let spec = &definition.spec;
    let version = &spec.versions.iter().filter(|version| version.served).max_by_key(|version| version.storage)?.name;
    let resource = ApiResource {
        group: spec.group.clone(),
        version: version.clone(),
        api_version: format!("{}/{version}", spec.group),
        kind: spec.names.kind.clone(),
        plural: spec.names.plural.clone(),
    };
    Some((resource, spec.scope == "Namespaced"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_that_is_established_is_a_kind() {
        let definition = |established: &str| -> CustomResourceDefinition {
            serde_json::from_value(json!({"metadata": {"name": "things.example.com"},
                "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
                    "versions": [{"name": "v1", "served": false, "storage": true}, {"name": "v2", "served": true, "storage": false}]},
                "status": {"conditions": [{"type": "Established", "status": established}]}}))
            .expect("is a definition")
        };
        let (resource, namespaced) = defined(&definition("True")).expect("is a kind");
        assert_eq!(
            (resource.api_version.as_str(), resource.kind.as_str(), namespaced),
            ("example.com/v2", "Thing", true)
        );
        assert!(defined(&definition("False")).is_none());
    }
}
