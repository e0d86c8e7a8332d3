//! A cluster in the sandbox, protected in one way, and attacked.

use anyhow::Context;
use api::cases::ResourceName;
use attack::exchange::Sent;
use attack::ground::{Held, name};
use attack::report::Report;
use attack::stage::{BARE, NODES, asked, build, collection, objects};
use attack::{Plan, Server, Wanted, inspect, survey};
use kube::Client;
use sandbox::{Sandbox, Settings};
use serde_json::Value;

use super::option::{Middle, Way};

/// How many trials an attack has at most, for those who show progress.
pub(crate) const TRIALS: u64 = 200;

/// Attacks a fresh cluster that is protected in one way.
pub(crate) async fn attacked(way: &Way, seen: impl FnMut()) -> anyhow::Result<Report> {
    let sandbox = Sandbox::start(Settings::default())?;
    let server = Server {
        address: String::new(),
        operator: Client::new(sandbox.admin(), "default"),
        nobody: Client::new(sandbox.connection(), "default"),
    };
    build(&server, &protected(way)?).await?;
    let wanted = Wanted { node: Some(NODES[0].to_owned()), scratch: Some(BARE.to_owned()), ..Wanted::default() };
    let mut found = survey(&server, way.profile()?, &wanted).await.context("the demonstration has no agent")?;
    if let Some(middle) = way.middle {
        found.ground.objects.extend(held(&server, middle).await?);
    }
    let trials = Plan::new(&found.ground).run(&server, &found.ground, &found.keys, seen).await;
    let checks = if way.guards.is_empty() { Vec::new() } else { inspect::checks(&found, &[]) };
    Ok(Report::new(&found, Vec::new(), checks, trials))
}

/// The cluster with the role of the agent, the objects in the middle and the policies.
fn protected(way: &Way) -> anyhow::Result<Vec<Value>> {
    let mut all = objects()?;
    for middle in way.middle.into_iter().filter(|middle| !middle.is_there()) {
        let nodes = if middle.is_shared() { &NODES[..1] } else { &NODES[..] };
        all.extend(nodes.iter().map(|node| middle.object(node)).collect::<anyhow::Result<Vec<_>>>()?);
    }
    all.extend(way.role(NODES[0]));
    all.extend(way.policies()?);
    Ok(all)
}

/// The objects in the middle, of the own node and of another one.
async fn held(server: &Server, middle: Middle) -> anyhow::Result<Vec<Held>> {
    let mut held = Vec::new();
    for (node, is_own) in [(NODES[0], true), (NODES[1], false)] {
        if middle.is_shared() && is_own {
            continue;
        }
        let object = middle.object(node)?;
        let stored = asked(server, &Sent::bare("GET", format!("{}/{}", collection(&object)?, name(&object)))).await?;
        held.push(Held { resource: resource(&object, middle), is_own, object: stored });
    }
    Ok(held)
}

fn resource(object: &Value, middle: Middle) -> ResourceName {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ResourceName { group: group.to_owned(), version: version.to_owned(), resource: middle.resource().to_owned() }
}
