//! A cluster in the sandbox, protected in one way, and attacked.

use anyhow::Context;
use api::cases::ResourceName;
use attack::exchange::{Sent, send};
use attack::ground::{Held, name};
use attack::report::Report;
use attack::{Credentials, Plan, Server, Wanted, inspect, survey};
use kube::Client;
use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use super::option::{Middle, Way, named};

/// The nodes of the demonstration; the attack comes from the first.
const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// A Node without labels and annotations.
const BARE: &str = "node-without-labels";

/// Attacks a fresh cluster that is protected in one way.
pub(crate) async fn attacked(way: &Way, seen: impl FnMut()) -> anyhow::Result<Report> {
    let sandbox = Sandbox::start(Settings::default())?;
    let server = Server {
        address: String::new(),
        operator: Client::new(sandbox.admin(), "default"),
        nobody: Client::new(sandbox.connection(), "default"),
    };
    build(&server, way).await?;
    let wanted = Wanted { node: Some(NODES[0].to_owned()), scratch: Some(BARE.to_owned()), ..Wanted::default() };
    let mut found = survey(&server, way.profile()?, &wanted).await.context("the demonstration has no agent")?;
    if let Some(middle) = way.middle {
        found.ground.objects.extend(held(&server, middle).await?);
    }
    let trials = Plan::new(&found.ground).run(&server, &found.ground, &found.keys, seen).await;
    let checks = if way.guards.is_empty() { Vec::new() } else { inspect::checks(&found, &[]) };
    Ok(Report::new(&found, Vec::new(), checks, trials))
}

/// How many trials an attack has at most, for those who show progress.
pub(crate) const TRIALS: u64 = 400;

async fn build(server: &Server, way: &Way) -> anyhow::Result<()> {
    let mut objects: Vec<Value> = serde_saphyr::from_str(include_str!("cluster.yaml"))?;
    for node in NODES {
        objects.extend(named::<Vec<Value>>(include_str!("node.yaml"), node)?);
    }
    for middle in way.middle.into_iter().filter(|middle| !middle.is_there()) {
        let nodes = if middle.is_shared() { &NODES[..1] } else { &NODES[..] };
        objects.extend(nodes.iter().map(|node| middle.object(node)).collect::<anyhow::Result<Vec<_>>>()?);
    }
    objects.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": BARE}, "spec": {}}));
    objects.extend(way.role(NODES[0]));
    objects.extend(way.policies()?);
    for object in &objects {
        create(server, object).await?;
    }
    Ok(())
}

/// Creates an object, and gives it its status.
async fn create(server: &Server, object: &Value) -> anyhow::Result<()> {
    let collection = collection(object)?;
    let created = asked(server, Sent::json("POST", collection.clone(), object.clone())).await?;
    if let Some(status) =
        object.get("status").filter(|_| !object["kind"].as_str().is_some_and(|kind| kind.starts_with("VirtualMachine")))
    {
        let mut with_status = created;
        with_status["status"] = status.clone();
        let path = format!("{collection}/{}/status", name(object));
        asked(server, Sent::json("PUT", path, with_status)).await?;
    }
    Ok(())
}

async fn asked(server: &Server, sent: Sent) -> anyhow::Result<Value> {
    let answer = send(&server.operator, &Credentials::Own, &sent).await?;
    anyhow::ensure!(answer.is_success(), "{} {}: {} {}", sent.method, sent.path, answer.code, answer.message());
    Ok(answer.body)
}

/// Where objects of a kind are.
fn collection(object: &Value) -> anyhow::Result<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (_, plural) =
        PLURALS.iter().find(|(known, _)| *known == kind).with_context(|| format!("{kind} is unknown here"))?;
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let namespace =
        object["metadata"]["namespace"].as_str().map_or(String::new(), |name| format!("/namespaces/{name}"));
    Ok(format!("{root}/{api_version}{namespace}/{plural}"))
}

const PLURALS: [(&str, &str); 13] = [
    ("Namespace", "namespaces"),
    ("ServiceAccount", "serviceaccounts"),
    ("CustomResourceDefinition", "customresourcedefinitions"),
    ("Node", "nodes"),
    ("Pod", "pods"),
    ("VirtualMachineInstance", "virtualmachineinstances"),
    ("ShadowNode", "shadownodes"),
    ("NodeFeature", "nodefeatures"),
    ("KubeVirt", "kubevirts"),
    ("ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "clusterrolebindings"),
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
];

/// The objects in the middle, of the own node and of another one.
async fn held(server: &Server, middle: Middle) -> anyhow::Result<Vec<Held>> {
    let mut held = Vec::new();
    for (node, is_own) in [(NODES[0], true), (NODES[1], false)] {
        if middle.is_shared() && is_own {
            continue;
        }
        let object = middle.object(node)?;
        let path = format!("{}/{}", collection(&object)?, name(&object));
        let stored = asked(server, Sent::bare("GET", path)).await?;
        held.push(Held { resource: resource(&object, middle), is_own, object: stored });
    }
    Ok(held)
}

fn resource(object: &Value, middle: Middle) -> ResourceName {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ResourceName { group: group.to_owned(), version: version.to_owned(), resource: middle.resource().to_owned() }
}
