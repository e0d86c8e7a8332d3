//! What a server knows: its store, and what follows from it.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::sync::Arc;

use super::clock::Clock;
use super::policies::{self, Policies, View};
use super::served::Served;
use super::settings::Settings;
use crate::adversity::Adversity;
use crate::identity::authenticator::Authenticator;
use crate::objects::Objects;
use crate::openapi::Documents;
use crate::rbac::{Attributes, Decision};
use crate::resource::{GroupResource, Resource};
use crate::schema::{Types, builtin};
use crate::store::Store;
use crate::{catalog, crd, rbac};

/// The API group of definitions.
pub(super) const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

/// What a server knows.
#[derive(Debug)]
pub(super) struct State {
    pub settings: Arc<Settings>,
    pub clock: Clock,
    pub authenticator: Arc<Authenticator>,
    pub store: Store,
    pub served: Served,
    pub policies: Policies,
    /// What goes wrong on purpose.
    pub adversity: Adversity,
    documents: Option<Arc<Documents>>,
    random: StdRng,
}

impl State {
    pub fn new(settings: Arc<Settings>, clock: Clock, authenticator: Arc<Authenticator>, store: Store) -> Self {
        let served = Served::new(catalog::builtin(settings.version, builtin::types()));
        let random = StdRng::seed_from_u64(settings.seed);
        let policies = Policies::default();
        let adversity = Adversity::new(settings.seed, settings.adversity.clone());
        let mut state =
            Self { settings, clock, authenticator, store, served, policies, adversity, documents: None, random };
        state.follow_everything();
        state
    }

    /// What follows from the whole store.
    pub fn follow_everything(&mut self) {
        self.follow_definitions();
        self.follow_policies();
    }

    pub fn types() -> &'static Arc<Types> {
        builtin::types()
    }

    pub fn view(&self) -> View<'_> {
        View { store: &self.store, served: &self.served }
    }

    /// A new UID (RFC 9562, version 4).
    pub fn uid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid().to_string()
    }

    /// The five characters that a generated name ends in; the alphabet has no vowels, so no words arise.
    pub fn suffix(&mut self) -> String {
        const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5).map(|_| char::from(ALPHABET[self.random.random_range(0..ALPHABET.len())])).collect()
    }

    pub fn get(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.get(resource, namespace, name).cloned()
    }

    /// What the authorizers say.
    pub fn decide(&self, attributes: &Attributes<'_>) -> Decision {
        rbac::decide(attributes, &self.store, self.settings.version)
    }

    /// The OpenAPI documents of what is served now.
    pub fn documents(&mut self) -> Arc<Documents> {
        let served = &self.served;
        self.documents.get_or_insert_with(|| Arc::new(Documents::of(&served.all()))).clone()
    }

    /// Forgets the history: watches and continued lists of the past are told that it is gone.
    pub fn forget_history(&mut self) {
        let revision = self.store.revision();
        self.store.compact(revision);
    }

    /// Bits for identifiers.
    pub fn bits(&mut self) -> u128 {
        self.random.random()
    }

    /// What follows from a change of this resource.
    pub fn follow(&mut self, changed: &GroupResource) {
        if (changed.group.as_str(), changed.resource.as_str()) == DEFINITIONS {
            self.follow_definitions();
        }
        if changed.group == policies::GROUP {
            self.follow_policies();
        }
        if changed.group == rbac::GROUP && changed.resource == "clusterroles" {
            self.follow_roles();
        }
    }

    fn follow_definitions(&mut self) {
        self.accept_names();
        let definitions = Objects::list(&self.store, DEFINITIONS.0, DEFINITIONS.1, None);
        self.served.define(&definitions, Self::types());
        self.documents = None;
    }

    /// Definitions are served under names that no other has.
    fn accept_names(&mut self) {
        let (group, plural) = DEFINITIONS;
        let now = self.clock.timestamp();
        for definition in Objects::list(&self.store, group, plural, None) {
            let all = Objects::list(&self.store, group, plural, None);
            let others: Vec<&Value> = all
                .iter()
                .map(AsRef::as_ref)
                .filter(|other| other["metadata"]["name"] != definition["metadata"]["name"])
                .collect();
            let Some(status) = crd::accept_names(&definition, &others, &now) else { continue };
            let mut definition = Value::clone(&definition);
            definition["status"] = status;
            let name = definition["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.store.update(&GroupResource::new(group, plural), "", &name, definition);
        }
    }

    fn follow_policies(&mut self) {
        self.policies.reload(&self.store, self.settings.version);
    }

    /// Roles that are made of other roles.
    fn follow_roles(&mut self) {
        let roles = Objects::list(&self.store, rbac::GROUP, "clusterroles", None);
        for role in &roles {
            let Some(rules) = rbac::aggregation::aggregate(role, &roles) else { continue };
            let rules = Value::Array(rules);
            if role.get("rules") == Some(&rules) {
                continue;
            }
            let mut role = Value::clone(role);
            role["rules"] = rules;
            let name = role["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.store.update(&GroupResource::new(rbac::GROUP, "clusterroles"), "", &name, role);
        }
    }

    /// What the definition of a custom resource demands.
    pub fn compiled(&self, resource: &Resource) -> Option<Arc<crd::Compiled>> {
        self.served.compiled(resource)
    }
}
