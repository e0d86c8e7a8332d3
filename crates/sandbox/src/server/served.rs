//! What is served now: the built-in resources of the emulated release, and those of the definitions in the store.

use serde_json::Value;
use std::sync::Arc;

use crate::crd;
use crate::resource::Resource;
use crate::schema::Types;

/// The name of the type of `metadata`.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// A custom resource with what its definition demands of objects.
#[derive(Clone, Debug)]
pub(super) struct Custom {
    pub resource: Arc<Resource>,
    pub compiled: Arc<crd::Compiled>,
}

/// What is served now.
#[derive(Debug, Default)]
pub(super) struct Served {
    builtin: Vec<Arc<Resource>>,
    custom: Vec<Custom>,
}

impl Served {
    pub fn new(builtin: Vec<Resource>) -> Self {
        Self { builtin: builtin.into_iter().map(Arc::new).collect(), custom: Vec::new() }
    }

    /// Takes the custom resources from the definitions that there are now.
    pub fn define(&mut self, definitions: &[Arc<Value>], types: &Types) {
        self.custom = definitions.iter().flat_map(|definition| self.kept_or_compiled(definition, types)).collect();
    }

    fn kept_or_compiled(&self, definition: &Arc<Value>, types: &Types) -> Vec<Custom> {
        let of = |custom: &&Custom| custom.resource.definition.as_ref().is_some_and(|own| Arc::ptr_eq(own, definition));
        let kept: Vec<Custom> = self.custom.iter().filter(of).cloned().collect();
        if kept.is_empty() { compile(definition, types) } else { kept }
    }

    pub fn all(&self) -> Vec<Arc<Resource>> {
        self.builtin.iter().cloned().chain(self.custom.iter().map(|custom| custom.resource.clone())).collect()
    }

    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let hit =
            |resource: &Resource| resource.group == group && resource.version == version && resource.plural == plural;
        let builtin = self.builtin.iter().find(|resource| hit(resource)).cloned();
        builtin.or_else(|| self.custom.iter().map(|custom| &custom.resource).find(|resource| hit(resource)).cloned())
    }

    pub fn by_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.all().into_iter().find(|resource| resource.kind == kind && resource.api_version() == api_version)
    }

    pub fn has_group(&self, group: &str) -> bool {
        self.all().iter().any(|resource| resource.group == group)
    }

    /// What the definition of a custom resource demands.
    pub fn compiled(&self, resource: &Resource) -> Option<Arc<crd::Compiled>> {
        let same = |custom: &&Custom| {
            let own = &custom.resource;
            (&own.group, &own.version, &own.plural) == (&resource.group, &resource.version, &resource.plural)
        };
        self.custom.iter().find(same).map(|custom| custom.compiled.clone())
    }
}

fn compile(definition: &Arc<Value>, types: &Types) -> Vec<Custom> {
    let id = types.named(OBJECT_META).unwrap_or_default();
    let resources = crd::resources(definition, crd::Metadata { types, id });
    let custom = resources.into_iter().filter_map(|resource| {
        let compiled = Arc::new(crd::Compiled::new(definition, &resource.version)?);
        Some(Custom { resource: Arc::new(resource), compiled })
    });
    custom.collect()
}
