//! A Node that exists for nothing but an attack on it.

use anyhow::{Context, ensure};
use attack::Credentials;
use attack::exchange::{Sent, send};
use attack::ground::uid;
use kube::Client;
use serde_json::json;

/// A Node of ours, until it is removed.
pub(crate) struct Scratch<'a> {
    client: &'a Client,
    node: Option<Node<'a>>,
}

struct Node<'a> {
    name: &'a str,
    uid: String,
}

impl<'a> Scratch<'a> {
    /// Creates the Node, if one is wanted. One that is there already is somebody's.
    pub(crate) async fn create(client: &'a Client, name: Option<&'a str>) -> anyhow::Result<Self> {
        let node = match name {
            Some(name) => Some(Node { name, uid: created(client, name).await? }),
            None => None,
        };
        Ok(Self { client, node })
    }

    /// Deletes the Node that was created, and none that took its place.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let Some(Node { name, uid }) = self.node else { return Ok(()) };
        let said = || format!("the Node {name} was created for this and could not be deleted: delete it");
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
        let request = Sent::json("DELETE", format!("/api/v1/nodes/{name}"), options);
        let answer = send(self.client, &Credentials::Own, &request).await.with_context(said)?;
        let is_gone = answer.is_success() || matches!(answer.code, 404 | 409);
        ensure!(is_gone, "{}: {}", said(), answer.message());
        Ok(())
    }
}

/// The UID of a new Node.
async fn created(client: &Client, name: &str) -> anyhow::Result<String> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"unschedulable": true}});
    let answer = send(client, &Credentials::Own, &Sent::json("POST", "/api/v1/nodes", node)).await;
    let answer =
        answer.with_context(|| format!("whether the Node {name} was created is unknown: look for it and delete it"))?;
    ensure!(answer.code != 409, "--danger-write: there is a Node {name} already; name one that does not exist");
    ensure!(answer.is_success(), "cannot create the Node {name}: {}", answer.message());
    Ok(uid(&answer.body).to_owned())
}
