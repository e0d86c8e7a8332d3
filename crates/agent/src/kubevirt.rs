//! The KubeVirt object, where an administrator keeps what the agent needs to know.

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

use crate::fault::{Fault, Problem, Source};
use crate::settings::Settings;

/// How long the API server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the object of the cluster. KubeVirt admits only one; of several, the first by namespace and name counts.
#[derive(Clone, Debug)]
pub struct KubeVirt {
    objects: Api<DynamicObject>,
}

impl KubeVirt {
    /// By this client, who must be allowed to list the objects.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let [group, version, kind, plural] = ["kubevirt.io", "v1", "KubeVirt", "kubevirts"].map(str::to_owned);
        let api_version = format!("{group}/{version}");
        let resource = ApiResource { group, version, api_version, kind, plural };
        Self { objects: Api::all_with(client, &resource) }
    }

    /// What the object says; nothing where the cluster has no such object, or does not know the kind.
    ///
    /// # Errors
    /// It cannot be read, or has a field of another type than KubeVirt gives it.
    pub async fn settings(&self) -> Result<Option<Settings>, Fault> {
        let parameters = ListParams::default().limit(1);
        let listed = timeout(PATIENCE, self.objects.list(&parameters)).await;
        let listed = listed.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())));
        match listed {
            Ok(list) => list.items.first().map(|object| settings(&object.data)).transpose(),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(Fault::new(Source::KubeVirt, Problem::System(brief(&error)))),
        }
    }
}

fn settings(object: &Value) -> Result<Settings, Fault> {
    Settings::from_configuration(object.pointer("/spec/configuration").unwrap_or(&Value::Null))
}

fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
