//! The validating policies that are in force, and what they may ask of the cluster.

use admission::cluster::{ParamKind, Scope};
use admission::selector::Selector;
use admission::{AdmissionRequest, evaluate_all};
use admission::{Binding, Cluster, KubeVersion, Policy, Report};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use serde_json::Value;
use std::sync::Arc;

use super::served::Served;
use crate::objects::Objects;
use crate::store::Store;

/// The API group of policies.
pub(super) const GROUP: &str = "admissionregistration.k8s.io";

/// The policies and bindings that are in force.
#[derive(Debug, Default)]
pub(super) struct Policies {
    policies: Vec<(Arc<Value>, Arc<Policy>)>,
    bindings: Vec<Binding>,
}

impl Policies {
    /// Takes what is stored now; what was compiled before and is unchanged is kept.
    pub fn reload(&mut self, store: &Store, version: KubeVersion) {
        let stored = Objects::list(store, GROUP, "validatingadmissionpolicies", None);
        let policies = stored.into_iter().filter_map(|object| {
            let known = self.policies.iter().find(|(source, _)| Arc::ptr_eq(source, &object));
            let policy = match known {
                Some((_, policy)) => policy.clone(),
                None => Arc::new(Policy::stored(&read::<ValidatingAdmissionPolicy>(&object)?, version)),
            };
            Some((object, policy))
        });
        let policies = policies.collect();
        self.policies = policies;
        let bindings = Objects::list(store, GROUP, "validatingadmissionpolicybindings", None);
        let bindings = bindings.iter().filter_map(|object| read::<ValidatingAdmissionPolicyBinding>(object));
        self.bindings = bindings.map(|binding| Binding::stored(&binding)).collect();
    }

    /// What the policies say to a request.
    pub fn judge(&self, request: &AdmissionRequest, cluster: &dyn Cluster) -> Report {
        evaluate_all(self.policies.iter().map(|(_, policy)| &**policy), &self.bindings, request, cluster)
    }

    pub fn are_none(&self) -> bool {
        self.bindings.is_empty() && self.policies.is_empty()
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(object: &Value) -> Option<T> {
    serde_json::from_value(object.clone()).ok()
}

/// The store as policies see it.
pub(super) struct View<'s> {
    pub store: &'s Store,
    pub served: &'s Served,
}

impl View<'_> {
    fn group_and_plural(&self, kind: &ParamKind) -> Option<(String, String)> {
        let resource = self.served.by_kind(&kind.api_version, &kind.kind)?;
        Some((resource.group.clone(), resource.plural.clone()))
    }
}

impl Cluster for View<'_> {
    fn namespace(&self, name: &str) -> Option<Arc<Value>> {
        Objects::get(self.store, "", "namespaces", "", name)
    }

    fn param_scope(&self, kind: &ParamKind) -> Option<Scope> {
        let resource = self.served.by_kind(&kind.api_version, &kind.kind)?;
        Some(if resource.namespaced { Scope::Namespaced } else { Scope::Cluster })
    }

    fn param(&self, kind: &ParamKind, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let (group, plural) = self.group_and_plural(kind)?;
        Objects::get(self.store, &group, &plural, namespace.unwrap_or_default(), name)
    }

    fn params(&self, kind: &ParamKind, namespace: Option<&str>, selector: &Selector) -> Vec<Arc<Value>> {
        let Some((group, plural)) = self.group_and_plural(kind) else { return Vec::new() };
        let mut objects = Objects::list(self.store, &group, &plural, namespace);
        objects.retain(|object| selector.matches(&object["metadata"]["labels"]));
        objects
    }
}
