//! The agent patches an object with the name of its Node, which a controller copies.
//!
//! The controller makes the object; where it has not done so yet, a try fails with [`Cause::Gone`](crate::Cause::Gone) and
//! is worth another. The sign of life is a Lease of the same name, so that the object itself is written only when
//! something changes. What is on the Node is read from the Node: an administrator annotates that, not its shadow.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use ownership::Profile;
use ownership::guard::HEARTBEATS;
use ownership::request::Object;
use serde_json::{Value, json};

use crate::patched::{FIELD_MANAGER, NodeNameError, Patched, seen};
use crate::trouble::{Trouble, answered};
use crate::{Backoff, Cause, Done, Failure, Publish, Seen, Wanted};

/// The channel.
#[derive(Debug)]
pub struct ShadowNode {
    shadow: Patched<api::ShadowNode>,
    nodes: Api<Node>,
    heartbeat: Option<Heartbeat>,
}

/// The annotation that becomes a Lease.
#[derive(Debug)]
struct Heartbeat {
    annotation: String,
    leases: Api<Lease>,
    /// What the Lease says, where that is known.
    renewed: Option<String>,
}

impl ShadowNode {
    /// A channel to the Node of that name, for the agent of that profile.
    ///
    /// # Errors
    /// [`NodeNameError`]
    pub fn new(client: Client, node: &str, profile: Profile, backoff: Backoff) -> Result<Self, NodeNameError> {
        let (nodes, shadows) = (Api::all(client.clone()), Api::all(client.clone()));
        Ok(Self { shadow: Patched::new(client, shadows, node, profile, backoff)?, nodes, heartbeat: None })
    }

    /// Publishes the time of this annotation as the renewal of the Lease, and never as an annotation, where the profile
    /// says that the sign of life is a Lease.
    #[must_use]
    pub fn beating(mut self, client: Client, annotation: impl Into<String>) -> Self {
        let leases = Api::namespaced(client, HEARTBEATS);
        let by_lease = self.shadow.profile().beats_by_lease();
        self.heartbeat = by_lease.then(|| Heartbeat { annotation: annotation.into(), leases, renewed: None });
        self
    }

    async fn try_once(&mut self, wanted: &Wanted) -> Result<Done, Trouble> {
        let Some(heartbeat) = &mut self.heartbeat else { return self.shadow.try_once(wanted).await };
        let mut wanted = wanted.clone();
        let beat = wanted.publication.annotations.remove(&heartbeat.annotation);
        let done = self.shadow.try_once(&wanted).await;
        // A publication that is refused is no reason to look dead.
        let renewed = match beat.and_then(|beat| renewal(&beat)) {
            Some(time) => heartbeat.renew(self.shadow.name(), time).await,
            None => Ok(false),
        };
        let mut done = done?;
        done.writes += u32::from(renewed?);
        Ok(done)
    }

    async fn node(&self) -> Result<Seen, Trouble> {
        let node = answered(self.nodes.get_metadata(self.shadow.name())).await?;
        let node = serde_json::to_value(node).map_err(|error| Trouble::unreadable(&error))?;
        Object::new(&node).map(seen).map_err(|error| Trouble::unreadable(&error))
    }
}

impl Heartbeat {
    async fn renew(&mut self, name: &str, time: String) -> Result<bool, Trouble> {
        if self.renewed.as_ref() == Some(&time) {
            return Ok(false);
        }
        self.renewed = None;
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let body = Patch::Merge(json!({"spec": {"renewTime": time}}));
        answered(self.leases.patch_metadata(name, &parameters, &body)).await?;
        self.renewed = Some(time);
        Ok(true)
    }
}

/// The time as a Lease has it; nothing if it is none.
fn renewal(text: &str) -> Option<String> {
    let time = MicroTime(text.parse::<Timestamp>().ok()?);
    serde_json::to_value(time).ok().as_ref().and_then(Value::as_str).map(str::to_owned)
}

impl Publish for ShadowNode {
    async fn read(&mut self) -> Result<Seen, Failure> {
        let node = self.node().await.map_err(|trouble| self.shadow.fail(trouble))?;
        // Whoever deletes a ShadowNode by hand tells nobody: from time to time it is read anew.
        match self.shadow.read().await {
            Ok(_) | Err(Trouble { cause: Cause::Gone, .. }) => Ok(node),
            Err(trouble) => Err(self.shadow.fail(trouble)),
        }
    }

    async fn publish(&mut self, wanted: &Wanted) -> Result<Done, Failure> {
        match self.try_once(wanted).await {
            Ok(done) => {
                self.shadow.succeed();
                Ok(done)
            }
            Err(trouble) => Err(self.shadow.fail(trouble)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_becomes_a_time_with_microseconds() {
        assert_eq!(renewal("2026-01-01T00:00:00Z").as_deref(), Some("2026-01-01T00:00:00.000000Z"));
        assert_eq!(renewal("2026-01-01T01:00:00.5+01:00").as_deref(), Some("2026-01-01T00:00:00.500000Z"));
        assert_eq!(renewal("yesterday"), None);
    }
}
