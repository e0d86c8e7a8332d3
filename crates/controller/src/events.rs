//! Reports for whoever looks with kubectl, as Events on the object that they are about.

use k8s_openapi::api::core::v1::{Event, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde_json::json;

use channels::{Trouble, answered};
use ownership::Profile;
use ownership::spec::Channel;

use crate::liveness::Name;
use crate::report::{About, Report};

/// The namespace of Events about objects that have none (`ValidateEventCreate` in `pkg/apis/core/validation`).
const NAMESPACE: &str = "default";
/// The longest message of an Event, in bytes (the same place).
const LONGEST: usize = 1024;

/// Writes Events.
#[derive(Clone)]
pub struct Events {
    client: Client,
    /// API version and kind of the objects of nodes.
    of_nodes: (String, String),
    itself: ObjectReference,
}

impl Events {
    /// By this client, who must be allowed to create Events. What concerns no node is about `itself`.
    #[must_use]
    pub fn new(client: Client, profile: &Profile, itself: ObjectReference) -> Self {
        let (version, kind) = match profile.channel() {
            Channel::ShadowNode => (api::ShadowNode::api_version(&()), api::ShadowNode::kind(&())),
            _ => ("v1".into(), "Node".into()),
        };
        Self { client, of_nodes: (version.into_owned(), kind.into_owned()), itself }
    }

    /// Writes an Event, if the report is worth one.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn tell(&self, report: &Report, now: Timestamp) -> Result<(), Trouble> {
        let Some((about, reason)) = report.event() else { return Ok(()) };
        let about = self.object(about);
        let namespace = about.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned());
        let (now, message) = (Time(now), report.to_string());
        let event = json!({
            "metadata": {"generateName": "nodebound-controller-", "namespace": namespace},
            "involvedObject": about,
            "type": if report.is_warning() { "Warning" } else { "Normal" },
            "reason": reason, "message": cut(&message),
            "source": {"component": "nodebound-controller"},
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        });
        let event = serde_json::from_value(event).map_err(|error| Trouble::unreadable(&error))?;
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        answered(events.create(&PostParams::default(), &event)).await.map(drop)
    }

    fn object(&self, about: About<'_>) -> ObjectReference {
        match about {
            About::Node(node) => reference(&self.of_nodes, node),
            About::Orphans(node) => reference(&("v1".to_owned(), "Node".to_owned()), node),
            About::Machine([namespace, name, uid]) => ObjectReference {
                api_version: Some("kubevirt.io/v1".to_owned()),
                kind: Some("VirtualMachineInstance".to_owned()),
                namespace: Some(namespace.clone()),
                name: Some(name.clone()),
                uid: Some(uid.clone()),
                ..ObjectReference::default()
            },
            About::Itself => self.itself.clone(),
        }
    }
}

/// The object of a node, of which kubectl looks for the name in place of the UID.
fn reference((version, kind): &(String, String), node: &Name) -> ObjectReference {
    ObjectReference {
        api_version: Some(version.clone()),
        kind: Some(kind.clone()),
        name: Some(node.to_string()),
        uid: Some(node.to_string()),
        ..ObjectReference::default()
    }
}

fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(LONGEST)).unwrap_or(message)
}
