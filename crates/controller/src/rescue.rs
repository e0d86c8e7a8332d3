//! The requests that are made for the virtual machines of one node.

use channels::{Trouble, answered};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use kube::{Api, Client};
use ownership::spec::ServiceAccount;

use crate::liveness::Name;
use crate::stranded::{NODE, failure, is_orphaned, is_running, stranded};
use crate::view::FIELD_MANAGER;

/// What became of the machines of a node.
#[derive(Debug, Default)]
pub(crate) struct Rescued {
    /// Machines that are Failed now: namespace, name and UID.
    pub failed: Vec<[String; 3]>,
    /// Whether there are machines, and no agent is to be expected.
    pub orphaned: bool,
    /// What could not be done.
    pub troubles: Vec<Trouble>,
}

/// The resource of virtual machine instances.
pub(crate) fn machines() -> ApiResource {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachineInstance");
    ApiResource::from_gvk_with_plural(&kind, "virtualmachineinstances")
}

/// Gives up the machines of a node that have no living pod there. One that fails does not keep the others.
pub(crate) async fn rescue(client: Client, agent: ServiceAccount, node: Name, exists: bool) -> Rescued {
    let mut rescued = Rescued::default();
    if let Err(trouble) = attempt(&client, &agent, &node, exists, &mut rescued).await {
        rescued.troubles.push(trouble);
    }
    rescued
}

async fn attempt(
    client: &Client,
    agent: &ServiceAccount,
    node: &str,
    exists: bool,
    rescued: &mut Rescued,
) -> Result<(), Trouble> {
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &machines());
    let on_node = ListParams::default().labels(&format!("{NODE} in ({node})"));
    let found: Vec<DynamicObject> = answered(all.list(&on_node)).await?.items.into_iter().filter(is_running).collect();
    if found.is_empty() {
        return Ok(());
    }
    let there = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let pods = answered(Api::<Pod>::all(client.clone()).list(&there)).await?.items;
    if exists {
        let sets: Api<DaemonSet> = Api::namespaced(client.clone(), &agent.namespace);
        let sets = answered(sets.list(&ListParams::default())).await?.items;
        rescued.orphaned = is_orphaned(agent, &pods, &sets);
    }
    for machine in stranded(&found, &pods) {
        match give_up(client, machine).await {
            Ok(()) => rescued.failed.push(reference(machine)),
            Err(trouble) => rescued.troubles.push(trouble),
        }
    }
    Ok(())
}

async fn give_up(client: &Client, machine: &DynamicObject) -> Result<(), Trouble> {
    let [namespace, name, _] = reference(machine);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &machines());
    let patch = serde_json::from_value(failure(machine)).map_err(|error| Trouble::unreadable(&error))?;
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    answered(api.patch(&name, &parameters, &Patch::<()>::Json(patch))).await.map(drop)
}

fn reference(machine: &DynamicObject) -> [String; 3] {
    let metadata = &machine.metadata;
    [&metadata.namespace, &metadata.name, &metadata.uid].map(|text| text.clone().unwrap_or_default())
}
