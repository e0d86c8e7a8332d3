//! A Node that exists for nothing but an attack on it.

use anyhow::{Context, ensure};
use attack::Credentials;
use attack::exchange::{Sent, send};
use kube::Client;
use serde_json::json;

/// A Node of ours, until it is removed.
pub(crate) struct Scratch<'a> {
    client: &'a Client,
    name: Option<&'a str>,
}

impl<'a> Scratch<'a> {
    /// Creates the Node, if one is wanted. One that is there already is somebody's.
    pub(crate) async fn create(client: &'a Client, name: Option<&'a str>) -> anyhow::Result<Self> {
        if let Some(name) = name {
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"unschedulable": true}});
            let answer = send(client, &Credentials::Own, &Sent::json("POST", "/api/v1/nodes", node)).await?;
            ensure!(answer.code != 409, "--danger-write: there is a Node {name} already; name one that does not exist");
            ensure!(answer.is_success(), "cannot create the Node {name}: {}", answer.message());
        }
        Ok(Self { client, name })
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let Some(name) = self.name else { return Ok(()) };
        let said = || format!("the Node {name} was created for this and could not be deleted: delete it");
        let answer = send(self.client, &Credentials::Own, &Sent::bare("DELETE", format!("/api/v1/nodes/{name}"))).await;
        let answer = answer.with_context(said)?;
        ensure!(answer.is_success() || answer.code == 404, "{}: {}", said(), answer.message());
        Ok(())
    }
}
