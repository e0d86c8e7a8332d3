//! What of the API a Pod refers to (`k8s.io/kubernetes/pkg/api/pod/util.go`, `HasAPIObjectReference`).

use serde_json::Value;

use crate::identity::value::{is_set, list, quoted, text};
use crate::rbac::pod_references::{config_maps, secrets};

/// What something is called, and what it needs.
type Table<const N: usize> = [(&'static str, &'static str); N];

/// Volumes that need nothing from the server.
const PLAIN_VOLUMES: [&str; 22] = [
    "/awsElasticBlockStore",
    "/azureDisk",
    "/cephfs",
    "/cinder",
    "/downwardAPI",
    "/emptyDir",
    "/fc",
    "/flexVolume",
    "/flocker",
    "/gcePersistentDisk",
    "/gitRepo",
    "/hostPath",
    "/image",
    "/iscsi",
    "/nfs",
    "/photonPersistentDisk",
    "/portworxVolume",
    "/quobyte",
    "/rbd",
    "/scaleIO",
    "/storageos",
    "/vsphereVolume",
];

/// Volumes that do, and what.
const NEEDY_VOLUMES: Table<7> = [
    ("/configMap", "configmaps (via configmap volumes)"),
    ("/secret", "secrets (via secret volumes)"),
    ("/csi", "csidrivers (via CSI volumes)"),
    ("/glusterfs", "endpoints (via glusterFS volumes)"),
    ("/persistentVolumeClaim", "persistentvolumeclaims"),
    ("/ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("/azureFile", "secrets (via azureFile volumes)"),
];

/// Parts of projected volumes that do.
const NEEDY_SOURCES: Table<5> = [
    ("/configMap", "configmaps (via projected volumes)"),
    ("/secret", "secrets (via projected volumes)"),
    ("/serviceAccountToken", "serviceaccounts (via projected volumes)"),
    ("/clusterTrustBundle", "clustertrustbundles"),
    ("/podCertificate", "podcertificates"),
];

/// The first thing that a Pod refers to.
///
/// # Errors
/// The server's text for a volume of no known sort.
pub(super) fn first(pod: &Value) -> Result<Option<&'static str>, String> {
    let direct = [
        (!text(pod, "/spec/serviceAccountName").is_empty(), "serviceaccounts"),
        (!secrets(pod).is_empty(), "secrets"),
        (!config_maps(pod).is_empty(), "configmaps"),
        (!list(pod, "/spec/resourceClaims").is_empty(), "resourceclaims"),
    ];
    if let Some((_, what)) = direct.into_iter().find(|(refers, _)| *refers) {
        return Ok(Some(what));
    }
    let found = list(pod, "/spec/volumes").iter().map(of_volume).find(|found| *found != Ok(None));
    found.unwrap_or(Ok(None))
}

fn of_volume(volume: &Value) -> Result<Option<&'static str>, String> {
    let name = quoted(text(volume, "/name"));
    if let Some(what) = needed(volume, &NEEDY_VOLUMES) {
        return Ok(Some(what));
    }
    if is_set(volume, "/projected") {
        let sources = list(volume, "/projected/sources");
        let found = sources.iter().map(|source| of_source(source, &name)).find(|found| *found != Ok(None));
        return found.unwrap_or(Ok(None));
    }
    let plain = PLAIN_VOLUMES.iter().any(|plain| is_set(volume, plain));
    plain.then_some(None).ok_or_else(|| format!("unknown volume type for volume  {name}"))
}

fn of_source(source: &Value, volume: &str) -> Result<Option<&'static str>, String> {
    let needed = needed(source, &NEEDY_SOURCES);
    if needed.is_some() || is_set(source, "/downwardAPI") {
        return Ok(needed);
    }
    Err(format!("unknown source for projected volume {volume}"))
}

fn needed(value: &Value, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(pointer, _)| is_set(value, pointer)).map(|(_, what)| *what)
}
