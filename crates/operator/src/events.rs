//! Events for whoever looks with kubectl: on the profile, and on the KubeVirt object where there is one.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::{Objects, Place, RequestError};

/// The namespace of Events about objects that have none (`ValidateEventCreate` in `pkg/apis/core/validation`).
const NAMESPACE: &str = "default";
/// The longest message of an Event, in bytes (the same place).
const LONGEST: usize = 1024;

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether somebody should look.
    pub warning: bool,
    /// For scripts.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Writes the news as Events about the profile and every KubeVirt object.
///
/// # Errors
/// [`RequestError`]
pub async fn tell(objects: &Objects, profile: &Value, news: &News, now: Timestamp) -> Result<(), RequestError> {
    let kubevirts = Place {
        api_version: "kubevirt.io/v1".to_owned(),
        kind: "KubeVirt".to_owned(),
        namespace: None,
        name: String::new(),
    };
    let mut about = vec![reference(&Place::of(profile), profile)];
    // Where there is none, or it may not be seen, nobody looks there.
    for object in objects.list(&kubevirts).await.unwrap_or_default() {
        let place =
            Place { namespace: object["metadata"]["namespace"].as_str().map(str::to_owned), ..kubevirts.clone() };
        about.push(reference(&place, &object));
    }
    for object in about {
        objects.create(&event(&object, news, now)).await?;
    }
    Ok(())
}

fn reference(place: &Place, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut reference = json!({"apiVersion": place.api_version, "kind": place.kind, "name": metadata["name"],
        "uid": metadata["uid"]});
    if let Some(namespace) = &place.namespace {
        reference["namespace"] = json!(namespace);
    }
    reference
}

fn event(about: &Value, news: &News, now: Timestamp) -> Value {
    let namespace = about["namespace"].as_str().unwrap_or(NAMESPACE);
    let message = news.message.get(..news.message.floor_char_boundary(LONGEST)).unwrap_or_default();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    json!({"apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": "nodebound-operator-", "namespace": namespace},
        "involvedObject": about, "type": if news.warning { "Warning" } else { "Normal" },
        "reason": news.reason, "message": message, "source": {"component": "nodebound-operator"},
        "firstTimestamp": now, "lastTimestamp": now, "count": 1})
}
