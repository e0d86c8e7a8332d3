//! Reports for whoever looks at the Node with kubectl, as Events.

use k8s_openapi::api::core::v1::Event;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

use crate::publication::timestamp;
use crate::report::Report;

/// The namespace of Events about objects that have none (`ValidateEventCreate` in `pkg/apis/core/validation`).
const NAMESPACE: &str = "default";
/// The longest message of an Event, in bytes (the same place).
const LONGEST: usize = 1024;
/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes Events about one Node.
#[derive(Clone, Debug)]
pub struct Events {
    events: Api<Event>,
    node: String,
}

impl Events {
    /// By this client, who must be allowed to create Events in the namespace `default`.
    #[must_use]
    pub fn new(client: Client, node: &str) -> Self {
        Self { events: Api::namespaced(client, NAMESPACE), node: node.to_owned() }
    }

    /// Writes an Event, if the report is worth one.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn tell(&self, report: &Report, now: SystemTime) -> kube::Result<()> {
        let Some(reason) = reason(report) else { return Ok(()) };
        let event = event(&self.node, reason, &report.to_string(), now);
        let event = serde_json::from_value(event).map_err(kube::Error::SerdeError)?;
        let late = |_| Err(kube::Error::Service("no answer in time".into()));
        timeout(PATIENCE, self.events.create(&PostParams::default(), &event)).await.unwrap_or_else(late).map(drop)
    }
}

/// One word for what somebody has to do about it; nothing where the server that would be told is the trouble.
fn reason(report: &Report) -> Option<&'static str> {
    match report {
        Report::Failed(failure) if failure.cause.is_refusal() => Some("PublicationRefused"),
        Report::Misconfigured(_) => Some("ConfigurationInvalid"),
        // virt-handler's word.
        Report::ObsoleteHostModel(_) => Some("HostModelIsObsolete"),
        _ => None,
    }
}

fn event(node: &str, reason: &str, message: &str, now: SystemTime) -> Value {
    let now = timestamp(now);
    // As the kubelet does, who does not know the UID of its Node either.
    let about = json!({"kind": "Node", "apiVersion": "v1", "name": node, "uid": node});
    json!({
        "metadata": {"generateName": "nodebound-agent-", "namespace": NAMESPACE},
        "involvedObject": about,
        "type": "Warning", "reason": reason, "message": cut(message),
        "source": {"component": "nodebound-agent", "host": node},
        "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    })
}

fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(LONGEST)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::{Sandbox, Settings};

    #[tokio::test(start_paused = true)]
    async fn what_somebody_has_to_do_something_about_becomes_an_event() {
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        let client = Client::new(sandbox.admin(), "default");
        let events = Events::new(client.clone(), "n");
        let long = Report::ObsoleteHostModel("é".repeat(2000));
        for report in [Report::ObsoleteHostModel("Penryn".into()), long, Report::Recovered, Report::Published(1)] {
            events.tell(&report, SystemTime::UNIX_EPOCH).await.unwrap();
        }
        let written = Api::<Event>::all(client).list(&kube::api::ListParams::default()).await.unwrap().items;
        let reasons: Vec<Option<&str>> = written.iter().map(|event| event.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("HostModelIsObsolete"); 2]);
        assert!(written.iter().all(|event| event.involved_object.name.as_deref() == Some("n")));
    }
}
