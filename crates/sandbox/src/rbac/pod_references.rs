//! Which objects a Pod refers to (`k8s.io/kubernetes/pkg/api/v1/pod/util.go`).

use serde_json::Value;

use crate::identity::value::{list, text};

const CONTAINERS: [&str; 3] = ["/spec/containers", "/spec/initContainers", "/spec/ephemeralContainers"];
/// Where volumes name a Secret.
const SECRET_VOLUMES: [&str; 10] = [
    "/azureFile/secretName",
    "/cephfs/secretRef/name",
    "/cinder/secretRef/name",
    "/csi/nodePublishSecretRef/name",
    "/flexVolume/secretRef/name",
    "/iscsi/secretRef/name",
    "/rbd/secretRef/name",
    "/scaleIO/secretRef/name",
    "/secret/secretName",
    "/storageos/secretRef/name",
];

/// The names of the Secrets that a Pod refers to.
#[must_use]
pub(crate) fn secrets(pod: &Value) -> Vec<&str> {
    let pulling = list(pod, "/spec/imagePullSecrets").iter().map(|reference| text(reference, "/name"));
    let volumes = list(pod, "/spec/volumes").iter().flat_map(|volume| {
        let projected = list(volume, "/projected/sources").iter().map(|source| text(source, "/secret/name"));
        SECRET_VOLUMES.iter().map(|pointer| text(volume, pointer)).chain(projected)
    });
    let used = in_containers(pod, "/secretRef/name", "/valueFrom/secretKeyRef/name");
    pulling.chain(volumes).chain(used).filter(|name| !name.is_empty()).collect()
}

/// The names of the ConfigMaps that a Pod refers to.
#[must_use]
pub(crate) fn config_maps(pod: &Value) -> Vec<&str> {
    let volumes = list(pod, "/spec/volumes").iter().flat_map(|volume| {
        let projected = list(volume, "/projected/sources").iter().map(|source| text(source, "/configMap/name"));
        projected.chain([text(volume, "/configMap/name")])
    });
    let used = in_containers(pod, "/configMapRef/name", "/valueFrom/configMapKeyRef/name");
    volumes.chain(used).filter(|name| !name.is_empty()).collect()
}

/// The names of the claims that a Pod refers to; those of ephemeral volumes are named after Pod and volume.
#[must_use]
pub(crate) fn claims(pod: &Value) -> Vec<String> {
    let name = |volume: &Value| match volume.get("ephemeral").filter(|source| !source.is_null()) {
        Some(_) => format!("{}-{}", text(pod, "/metadata/name"), text(volume, "/name")),
        None => text(volume, "/persistentVolumeClaim/claimName").to_owned(),
    };
    list(pod, "/spec/volumes").iter().map(name).filter(|name| !name.is_empty()).collect()
}

fn in_containers<'v>(pod: &'v Value, all: &'static str, one: &'static str) -> impl Iterator<Item = &'v str> {
    let containers = CONTAINERS.iter().flat_map(|containers| list(pod, containers));
    containers.flat_map(move |container| {
        let all = list(container, "/envFrom").iter().map(move |source| text(source, all));
        all.chain(list(container, "/env").iter().map(move |variable| text(variable, one)))
    })
}
