//! The requests that the controller makes for one node.

use api::ShadowNode;
use channels::{Cause, Refuser, Trouble, answered};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::discovery::ApiResource;
use kube::{Api, Client};
use ownership::guard::HEARTBEATS;
use ownership::publication::NodePatch;
use ownership::spec::ServiceAccount;
use serde_json::{Value, json};

use crate::desired::Way;
use crate::liveness::Name;
use crate::report::Kind;
use crate::rescue::{self, Rescued, rescue};
use crate::view::FIELD_MANAGER;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Makes an object of the Node's name that goes with the Node of that UID.
    Make(Kind, Box<str>),
    /// Removes the object of that UID.
    Remove(Kind, Box<str>),
    /// Writes the Node.
    Write(NodePatch, Way),
}

/// What became of the steps of a node.
#[derive(Debug)]
pub(crate) struct Worked {
    pub node: Name,
    /// The steps that were done.
    pub done: Vec<Done>,
    /// Why the next one was not.
    pub trouble: Option<Trouble>,
}

/// A step that was done.
#[derive(Debug)]
pub(crate) enum Done {
    Made(Kind),
    Removed(Kind),
    /// The Node after it.
    Wrote(Box<PartialObjectMeta<Node>>),
}

/// What a fresh look at the object with the sign of life showed.
#[derive(Debug)]
pub(crate) enum Fresh {
    Node(PartialObjectMeta<Node>),
    Shadow(PartialObjectMeta<ShadowNode>),
    Lease(DynamicObject),
    Pods(Vec<Pod>),
    /// There is no such object, or none to look at.
    Nothing,
}

/// The ways to the objects.
#[derive(Clone)]
pub(crate) struct Cluster {
    nodes: Api<Node>,
    publications: Api<ShadowNode>,
    shadows: Api<DynamicObject>,
    leases: Api<DynamicObject>,
    /// In the namespace of the agents.
    pods: Api<Pod>,
    client: Client,
}

impl Cluster {
    pub fn new(client: Client, agents: &str) -> Self {
        Self {
            pods: Api::namespaced(client.clone(), agents),
            nodes: Api::all(client.clone()),
            publications: Api::all(client.clone()),
            shadows: Api::all_with(client.clone(), &shadow_nodes()),
            leases: leases(client.clone()),
            client,
        }
    }

    /// Does the steps in their order. One that fails keeps none of the others: a Node is marked whether or not the objects
    /// in the middle can be made.
    pub async fn work(self, node: Name, steps: Vec<Step>) -> Worked {
        let (mut done, mut trouble) = (Vec::new(), None);
        for step in steps {
            match self.step(&node, step).await {
                Ok(step) => done.push(step),
                Err(failed) => trouble = trouble.or(Some(failed)),
            }
        }
        Worked { node, done, trouble }
    }

    async fn step(&self, node: &str, step: Step) -> Result<Done, Trouble> {
        match step {
            Step::Make(kind, uid) => self.make(kind, node, &uid).await.map(|()| Done::Made(kind)),
            Step::Remove(kind, uid) => self.remove(kind, node, &uid).await.map(|()| Done::Removed(kind)),
            Step::Write(patch, way) => self.write(&patch, way).await.map(|node| Done::Wrote(Box::new(node))),
        }
    }

    fn objects(&self, kind: Kind) -> &Api<DynamicObject> {
        if kind == Kind::Leases { &self.leases } else { &self.shadows }
    }

    async fn make(&self, kind: Kind, node: &str, uid: &str) -> Result<(), Trouble> {
        let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}]);
        let metadata = json!({"name": node, "ownerReferences": owner});
        let resource = if kind == Kind::Leases { ApiResource::erase::<Lease>(&()) } else { shadow_nodes() };
        let object =
            json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": {}});
        let object = serde_json::from_value(object).map_err(|error| Trouble::unreadable(&error))?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match answered(self.objects(kind).create(&parameters, &object)).await {
            // It is not the object that is not there, but its namespace or its kind.
            Err(Trouble { cause: Cause::Gone, message, asked }) => {
                Err(Trouble { cause: Cause::Refused(Refuser::Other(404)), message, asked })
            }
            made => made.map(drop),
        }
    }

    async fn remove(&self, kind: Kind, node: &str, uid: &str) -> Result<(), Trouble> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams::default().preconditions(preconditions);
        answered(self.objects(kind).delete(node, &parameters)).await.map(drop)
    }

    async fn write(&self, patch: &NodePatch, way: Way) -> Result<PartialObjectMeta<Node>, Trouble> {
        let (body, parameters): (Patch<Value>, _) = match way {
            // Only owned keys are in it, so that only those are taken from others.
            Way::Apply => (Patch::Apply(patch.apply_patch()), PatchParams::apply(FIELD_MANAGER).force()),
            Way::Merge => {
                let manager = Some(FIELD_MANAGER.to_owned());
                (Patch::Merge(patch.merge_patch()), PatchParams { field_manager: manager, ..PatchParams::default() })
            }
        };
        answered(self.nodes.patch_metadata(patch.node(), &parameters, &body)).await
    }

    async fn pods(&self, node: &str) -> Result<Vec<Pod>, Trouble> {
        let there = ListParams::default().fields(&format!("spec.nodeName={node}"));
        answered(self.pods.list(&there)).await.map(|pods| pods.items)
    }

    /// Does what is to be done for the virtual machines of a node.
    pub async fn rescue(self, agent: ServiceAccount, node: Name, exists: bool) -> Rescued {
        rescue(self.client, agent, node, exists).await
    }

    /// Looks at the object with the sign of life.
    pub async fn look(self, kind: Kind, node: &str) -> Result<Fresh, Trouble> {
        let looked = match kind {
            Kind::Nodes => answered(self.nodes.get_metadata(node)).await.map(Fresh::Node),
            Kind::Leases => answered(self.leases.get(node)).await.map(Fresh::Lease),
            Kind::ShadowNodes => answered(self.publications.get_metadata(node)).await.map(Fresh::Shadow),
            Kind::Pods => self.pods(node).await.map(Fresh::Pods),
            Kind::DaemonSets | Kind::VirtualMachines => Ok(Fresh::Nothing),
        };
        match looked {
            Err(Trouble { cause: Cause::Gone, .. }) => Ok(Fresh::Nothing),
            looked => looked,
        }
    }
}

fn shadow_nodes() -> ApiResource {
    ApiResource::erase::<ShadowNode>(&())
}

/// Leases that are read as they are: one with a time that is none stops nothing.
pub(crate) fn leases(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, HEARTBEATS, &ApiResource::erase::<Lease>(&()))
}

/// Virtual machine instances, of which the metadata is enough.
pub(crate) fn machines(client: Client) -> Api<PartialObjectMeta<DynamicObject>> {
    Api::all_with(client, &rescue::machines())
}
