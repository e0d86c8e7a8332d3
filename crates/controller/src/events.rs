//! Reports for whoever looks with kubectl, as Events on the ShadowNode, or on the Node where there is none.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde_json::json;

use channels::{Trouble, answered};
use ownership::Profile;
use ownership::spec::Channel;

use crate::report::Report;

/// The namespace of Events about objects that have none (`ValidateEventCreate` in `pkg/apis/core/validation`).
const NAMESPACE: &str = "default";
/// The longest message of an Event, in bytes (the same place).
const LONGEST: usize = 1024;

/// Writes Events.
#[derive(Clone, Debug)]
pub struct Events {
    events: Api<Event>,
    about: (String, String),
}

impl Events {
    /// By this client, who must be allowed to create Events in the namespace `default`.
    #[must_use]
    pub fn new(client: Client, profile: &Profile) -> Self {
        let about = match profile.channel() {
            Channel::ShadowNode => (api::ShadowNode::api_version(&()), api::ShadowNode::kind(&())),
            _ => ("v1".into(), "Node".into()),
        };
        Self { events: Api::namespaced(client, NAMESPACE), about: (about.0.into_owned(), about.1.into_owned()) }
    }

    /// Writes an Event, if the report is worth one.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn tell(&self, report: &Report, now: Timestamp) -> Result<(), Trouble> {
        let Some((node, reason)) = report.event() else { return Ok(()) };
        let (version, kind) = &self.about;
        let (now, message) = (Time(now), report.to_string());
        let event = json!({
            "metadata": {"generateName": "nodebound-controller-", "namespace": NAMESPACE},
            "involvedObject": {"apiVersion": version, "kind": kind, "name": &**node, "uid": &**node},
            "type": if report.is_warning() { "Warning" } else { "Normal" },
            "reason": reason, "message": cut(&message),
            "source": {"component": "nodebound-controller"},
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        });
        let event = serde_json::from_value(event).map_err(|error| Trouble::unreadable(&error))?;
        answered(self.events.create(&PostParams::default(), &event)).await.map(drop)
    }
}

fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(LONGEST)).unwrap_or(message)
}
