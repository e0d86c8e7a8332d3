//! Objects by their names, read and written over plain requests, whatever their kind.

use attack::Answer;
use attack::exchange::{Credentials, NoAnswer, Sent, send};
use kube::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use thiserror::Error;
use tokio::time::sleep;

/// The field manager of what is installed.
pub const FIELD_MANAGER: &str = "nodebound-operator";

/// How long a server is left alone that has too much to do, and has done nothing of what was asked.
const BUSY: Duration = Duration::from_secs(1);
/// How often it is asked again.
const TRIES: usize = 5;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Its group and version, as in `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Place {
    /// Where this object is.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap_or_default(),
        }
    }

    /// The path of the object.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    /// The path where objects of its kind are.
    #[must_use]
    pub fn collection(&self) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        let namespace = self.namespace.as_ref().map(|name| format!("namespaces/{name}/")).unwrap_or_default();
        format!("/{root}/{}/{namespace}{}", self.api_version, plural(&self.kind))
    }
}

/// The name of the resource of a kind: all that is installed goes by the rule.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What is there, by where it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The objects.
    pub objects: BTreeMap<Place, Value>,
    /// Kinds that the API server does not serve.
    pub unserved: BTreeSet<String>,
}

impl Found {
    /// What is there.
    #[must_use]
    pub fn get(&self, place: &Place) -> Option<&Value> {
        self.objects.get(place)
    }
}

/// A request that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// There is no answer.
    #[error("{place}: {error}")]
    NoAnswer {
        /// What it was about.
        place: Place,
        /// Why there is none.
        error: NoAnswer,
    },
    /// The server refused.
    #[error("{place}: the API server refused to {verb} it ({code}): {message}")]
    Refused {
        /// What it was about.
        place: Place,
        /// What was tried.
        verb: &'static str,
        /// The HTTP code.
        code: u16,
        /// What the server said.
        message: String,
        /// Whether it knows the kind, where it says that something is not found.
        served: bool,
    },
}

impl RequestError {
    /// Whether it may be different soon: nobody decided, or a kind is not served yet.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused { code, .. } => matches!(code, 404 | 408 | 409 | 429 | 500..=599),
        }
    }
}

/// The way to the objects.
#[derive(Clone)]
pub struct Objects {
    client: Client,
}

impl Objects {
    /// Over this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// What there is in these places.
    ///
    /// # Errors
    /// [`RequestError`]; what is not there, or not even served, is none.
    pub async fn find(&self, places: impl IntoIterator<Item = Place>) -> Result<Found, RequestError> {
        let mut found = Found::default();
        for place in places {
            match self.ask("get", &place, Sent::bare("GET", place.path())).await {
                Ok(object) => drop(found.objects.insert(place, object)),
                Err(RequestError::Refused { code: 404, served: true, .. }) => {}
                Err(RequestError::Refused { code: 404, served: false, .. }) => {
                    found.unserved.insert(place.kind);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The objects of the kind of this place, all of them or as many as its name says, which then is a query.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn list(&self, place: &Place) -> Result<Vec<Value>, RequestError> {
        let query = if place.name.starts_with('?') { place.name.as_str() } else { "" };
        let listed = self.ask("list", place, Sent::bare("GET", format!("{}{query}", place.collection()))).await?;
        Ok(listed["items"].as_array().cloned().unwrap_or_default())
    }

    /// Applies an object, as the owner of every field that it has.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn apply(&self, object: &Value) -> Result<(), RequestError> {
        self.apply_as(FIELD_MANAGER, object).await
    }

    /// The same as another field manager.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn apply_as(&self, manager: &str, object: &Value) -> Result<(), RequestError> {
        let place = Place::of(object);
        let path = format!("{}?fieldManager={manager}&force=true", place.path());
        let media_type = "application/apply-patch+yaml".to_owned();
        let sent = Sent { media_type, ..Sent::json("PATCH", path, object.clone()) };
        self.ask("apply", &place, sent).await.map(drop)
    }

    /// Replaces what was found there, so that nothing that somebody added is left, but other labels and annotations.
    ///
    /// # Errors
    /// [`RequestError`]; a conflict, if it is another one by now.
    pub async fn replace(&self, found: &Value, object: &Value) -> Result<(), RequestError> {
        let place = Place::of(object);
        let mut object = object.clone();
        let mut metadata = found["metadata"].clone();
        for map in ["labels", "annotations"] {
            let Some(wanted) = object["metadata"][map].as_object() else { continue };
            for (key, value) in wanted {
                metadata[map][key] = value.clone();
            }
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("managedFields");
        }
        object["metadata"] = metadata;
        let path = format!("{}?fieldManager={FIELD_MANAGER}", place.path());
        self.ask("replace", &place, Sent::json("PUT", path, object)).await.map(drop)
    }

    /// Merges this into the status of an object.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn report(&self, place: &Place, status: &Value) -> Result<(), RequestError> {
        let path = format!("{}/status?fieldManager={FIELD_MANAGER}", place.path());
        let media_type = "application/merge-patch+json".to_owned();
        let sent = Sent { media_type, ..Sent::json("PATCH", path, json!({"status": status})) };
        self.ask("write the status of", place, sent).await.map(drop)
    }

    /// The metrics of the API server, in the text form of Prometheus, where they may be read.
    pub async fn metrics(&self) -> Option<String> {
        let request = http::Request::get("/metrics").body(Vec::new()).ok()?;
        self.client.request_text(request).await.ok()
    }

    /// The version of the API server.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn version(&self) -> Result<String, RequestError> {
        let place = Place { api_version: "v1".into(), kind: "Version".into(), namespace: None, name: "server".into() };
        let version = self.ask("read", &place, Sent::bare("GET", "/version")).await?;
        Ok(version["gitVersion"].as_str().unwrap_or_default().to_owned())
    }

    /// Deletes what is there.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn delete(&self, place: &Place) -> Result<(), RequestError> {
        match self.ask("delete", place, Sent::bare("DELETE", place.path())).await {
            Ok(_) | Err(RequestError::Refused { code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Creates an object that nobody keeps, such as a review, and says what the server made of it.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn create(&self, object: &Value) -> Result<Value, RequestError> {
        let place = Place::of(object);
        self.ask("create", &place, Sent::json("POST", place.collection(), object.clone())).await
    }

    async fn ask(&self, verb: &'static str, place: &Place, sent: Sent) -> Result<Value, RequestError> {
        let mut answer = self.once(place, &sent).await?;
        for _ in 0..TRIES {
            if answer.code != 429 {
                break;
            }
            sleep(BUSY).await;
            answer = self.once(place, &sent).await?;
        }
        if answer.is_success() {
            return Ok(answer.body);
        }
        let (code, message) = (answer.code, answer.message().to_owned());
        // A server that knows the kind names the object that it does not find.
        let served = code != 404 || answer.body.pointer("/details/name").is_some();
        Err(RequestError::Refused { place: place.clone(), verb, code, message, served })
    }

    async fn once(&self, place: &Place, sent: &Sent) -> Result<Answer, RequestError> {
        let answer = send(&self.client, &Credentials::Own, sent).await;
        answer.map_err(|error| RequestError::NoAnswer { place: place.clone(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifests::install::{Installation, Part, Settings};

    #[test]
    fn every_object_that_is_installed_has_a_path() {
        let profile = ownership::builtin::profile("kubevirt").unwrap().unwrap();
        let installation = Installation { profile, settings: Settings::default() };
        let paths: Vec<String> =
            installation.objects(Part::Guards).iter().map(|object| Place::of(object).path()).collect();
        let admission = "/apis/admissionregistration.k8s.io/v1";
        assert_eq!(paths[0], format!("{admission}/validatingadmissionpolicies/nodebound-kubevirt"));
        assert_eq!(paths[1], format!("{admission}/validatingadmissionpolicybindings/nodebound-kubevirt"));
        let account = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"namespace": "a", "name": "b"}});
        assert_eq!(Place::of(&account).path(), "/api/v1/namespaces/a/serviceaccounts/b");
        assert_eq!(Place::of(&account).to_string(), "ServiceAccount a/b");
    }
}
