//! The cluster object `AgentProfile`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use k8s_openapi::{ClusterResourceScope, Metadata, Resource};
use ownership::Profile;
use ownership::profile::FieldError;
use ownership::spec::AgentProfileSpec;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Who an agent is, and which metadata of its Node it owns: a profile as an object of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentProfile {
    /// The object's metadata. Its name is the profile's.
    pub metadata: ObjectMeta,
    /// The profile as it was written.
    pub spec: AgentProfileSpec,
    /// What the operator found.
    pub status: Option<AgentProfileStatus>,
}

/// Whether a profile is enforced, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentProfileStatus {
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version of the operator that wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operator_version: String,
    /// The version of the API server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server_version: String,
    /// Since when tokens have been seen that name their node, as in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_since: Option<String>,
    /// The guard that is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardStatus>,
    /// `Enforced`, `Progressing`, `Degraded`, `Available`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionSchema>")]
    pub conditions: Vec<Condition>,
}

/// A guard and its last proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// The policy that refused.
    pub policy: String,
    /// When it was last written down that it refused. Proofs are made more often than they are written.
    pub proven_at: String,
    /// What was seen.
    pub evidence: String,
}

/// A `metav1.Condition`, for the schema.
#[derive(schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes")]
struct ConditionSchema {
    r#type: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: String,
    observed_generation: Option<i64>,
}

impl Resource for AgentProfile {
    const API_VERSION: &'static str = ownership::parse::API_VERSION;
    const GROUP: &'static str = "nodebound.io";
    const KIND: &'static str = ownership::parse::KIND;
    const VERSION: &'static str = "v1alpha1";
    const URL_PATH_SEGMENT: &'static str = "agentprofiles";
    type Scope = ClusterResourceScope;
}

impl Metadata for AgentProfile {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The object as it is on the wire.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: AgentProfileSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<AgentProfileStatus>,
}

impl Serialize for AgentProfile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = Wire {
            api_version: Self::API_VERSION.to_owned(),
            kind: Self::KIND.to_owned(),
            metadata: self.metadata.clone(),
            spec: self.spec.clone(),
            status: self.status.clone(),
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AgentProfile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { api_version, kind, metadata, spec, status } = Wire::deserialize(deserializer)?;
        if (api_version.as_str(), kind.as_str()) != (Self::API_VERSION, Self::KIND) {
            let message = format!("is {api_version} {kind}, not {} {}", Self::API_VERSION, Self::KIND);
            return Err(serde::de::Error::custom(message));
        }
        Ok(Self { metadata, spec, status })
    }
}

/// An AgentProfile with fields that cannot be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct InvalidProfile(pub Vec<FieldError>);

impl fmt::Display for InvalidProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&errors.join("; "))
    }
}

impl TryFrom<AgentProfile> for Profile {
    type Error = InvalidProfile;

    /// The same checks as for a file.
    fn try_from(object: AgentProfile) -> Result<Self, InvalidProfile> {
        let name = object.metadata.name.unwrap_or_default();
        Self::new(&name, object.spec).map_err(InvalidProfile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::{builtin, parse};

    #[test]
    fn an_object_and_a_file_are_the_same_profile() {
        for (name, text) in builtin::PROFILES {
            let object: AgentProfile = serde_saphyr::from_str(text).unwrap();
            let json = serde_json::to_string(&object).unwrap();
            assert_eq!(serde_json::from_str::<AgentProfile>(&json).unwrap(), object, "{name}");
            assert_eq!(Profile::try_from(object).unwrap(), parse::profile(text).unwrap(), "{name}");
        }
    }

    #[test]
    fn another_kind_is_refused() {
        let json = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {}, "spec": {"serviceAccount": {"namespace": "a", "name": "b"}}}"#;
        let error = serde_json::from_str::<AgentProfile>(json).unwrap_err().to_string();
        assert!(error.contains("is v1 Node, not nodebound.io/v1alpha1 AgentProfile"), "{error}");
    }

    #[test]
    fn an_object_passes_the_checks_of_a_file() {
        let json = r#"{"apiVersion": "nodebound.io/v1alpha1", "kind": "AgentProfile", "metadata": {"name": "P"},
            "spec": {"serviceAccount": {"namespace": "a", "name": "b"}, "labels": [{"prefix": "a.b"}]}}"#;
        let object: AgentProfile = serde_json::from_str(json).unwrap();
        let InvalidProfile(errors) = Profile::try_from(object).unwrap_err();
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["metadata.name", "spec.labels[0].prefix"]);
    }
}
