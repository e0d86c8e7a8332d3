//! What the controllers of all kinds do: delete, let go, finish.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{
    Api, ApiResource, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::{Error, ResourceExt};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::everything::{Everything, Family, Metadata};

/// An object of any kind.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub resource: ApiResource,
    pub object: Arc<Metadata>,
}

impl Found {
    pub fn new(family: &Family, object: &Arc<Metadata>) -> Self {
        Self { resource: family.resource.clone(), object: object.clone() }
    }

    fn namespace(&self) -> String {
        self.object.namespace().unwrap_or_default()
    }

    fn finalizers(&self) -> &[String] {
        self.object.metadata.finalizers.as_deref().unwrap_or_default()
    }
}

/// An owner as a dependent names it.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    pub resource: ApiResource,
    pub namespace: String,
    pub reference: OwnerReference,
}

/// One change.
#[derive(Debug)]
pub(crate) enum Sweep {
    /// Deletes an object, if the server says that these owners are gone.
    Delete { found: Found, absent: Vec<Absent>, policy: PropagationPolicy },
    /// Takes references to owners away, if the server says that the absent ones are gone.
    Forget { found: Found, absent: Vec<Absent>, uids: Vec<String> },
    /// Takes a finalizer away.
    Release { found: Found, finalizer: &'static str },
    /// Finishes a namespace, if the server says that it is empty.
    Finish { namespace: String, kinds: Vec<ApiResource> },
}

impl Sweep {
    pub async fn take(self, everything: &Everything) -> Result<(), Error> {
        match self {
            Self::Delete { found, absent, policy } if all_gone(everything, &absent).await? => {
                delete(everything, &found, policy).await
            }
            Self::Forget { found, absent, uids } if all_gone(everything, &absent).await? => {
                forget(everything, &found, &uids).await
            }
            Self::Delete { .. } | Self::Forget { .. } => Ok(()),
            Self::Release { found, finalizer } => release(everything, &found, finalizer).await,
            Self::Finish { namespace, kinds } => finish(everything, &namespace, &kinds).await,
        }
    }
}

/// A watch may be late, so that the server itself is asked.
async fn all_gone(everything: &Everything, owners: &[Absent]) -> Result<bool, Error> {
    for owner in owners {
        let api = everything.api(&owner.resource, &owner.namespace);
        let there = api.get_opt(&owner.reference.name).await?;
        if there.is_some_and(|there| there.metadata.uid.as_ref() == Some(&owner.reference.uid)) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn delete(everything: &Everything, found: &Found, policy: PropagationPolicy) -> Result<(), Error> {
    let metadata = &found.object.metadata;
    let preconditions =
        Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() };
    let parameters = DeleteParams {
        propagation_policy: Some(policy),
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    everything.api(&found.resource, &found.namespace()).delete(&found.object.name_any(), &parameters).await.map(drop)
}

async fn forget(everything: &Everything, found: &Found, uids: &[String]) -> Result<(), Error> {
    let references = found.object.metadata.owner_references.as_deref().unwrap_or_default();
    let kept: Vec<&OwnerReference> = references.iter().filter(|reference| !uids.contains(&reference.uid)).collect();
    patch(everything, found, json!({"ownerReferences": kept})).await
}

async fn release(everything: &Everything, found: &Found, finalizer: &str) -> Result<(), Error> {
    let kept: Vec<&String> = found.finalizers().iter().filter(|one| *one != finalizer).collect();
    patch(everything, found, json!({"finalizers": kept})).await
}

/// Patches the metadata of the very version that is known.
async fn patch(everything: &Everything, found: &Found, mut metadata: Value) -> Result<(), Error> {
    metadata["uid"] = json!(found.object.metadata.uid);
    metadata["resourceVersion"] = json!(found.object.metadata.resource_version);
    let patch = Patch::Merge(json!({"metadata": metadata}));
    let api = everything.api(&found.resource, &found.namespace());
    api.patch(&found.object.name_any(), &PatchParams::default(), &patch).await.map(drop)
}

/// `kubernetes` in the specification of a namespace is what its controller takes away at the end
/// (`pkg/controller/namespace/deletion`).
async fn finish(everything: &Everything, name: &str, kinds: &[ApiResource]) -> Result<(), Error> {
    for kind in kinds {
        let some = everything.api(kind, name).list(&ListParams::default().limit(1)).await?;
        if !some.items.is_empty() {
            return Ok(());
        }
    }
    let namespaces: Api<Namespace> = Api::all(everything.client.clone());
    let Some(mut namespace) = namespaces.get_opt(name).await? else { return Ok(()) };
    let finalizers = namespace.spec.get_or_insert_default().finalizers.get_or_insert_default();
    let before = finalizers.len();
    finalizers.retain(|finalizer| finalizer != "kubernetes");
    if finalizers.len() == before || namespace.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    namespaces.replace_subresource("finalize", name, &PostParams::default(), &namespace).await.map(drop)
}
