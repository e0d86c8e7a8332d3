//! Volumes of pods (`ValidateVolumes` of `pkg/apis/core/validation`): the kinds that clusters without storage use in
//! full, of the others only that there is one.

use admission::FieldError;
use std::collections::BTreeSet;

use super::names;
use super::place::Place;

const MODE_RULE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const CONTAINER_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const POD_FIELDS: [&str; 13] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
    "spec.host",
];
const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// The rules of one kind of volume.
type Check = fn(&Place<'_>) -> Vec<FieldError>;

/// The kinds of volumes in the order in which the server looks for them.
const KINDS: [(&str, Check); 30] = [
    ("emptyDir", unchecked),
    ("hostPath", host_path),
    ("gitRepo", unchecked),
    ("gcePersistentDisk", unchecked),
    ("awsElasticBlockStore", unchecked),
    ("secret", secret),
    ("nfs", unchecked),
    ("iscsi", unchecked),
    ("glusterfs", unchecked),
    ("flocker", unchecked),
    ("persistentVolumeClaim", claim),
    ("rbd", unchecked),
    ("cinder", unchecked),
    ("cephfs", unchecked),
    ("quobyte", unchecked),
    ("downwardAPI", downward),
    ("fc", unchecked),
    ("flexVolume", unchecked),
    ("configMap", config_map),
    ("azureFile", unchecked),
    ("vsphereVolume", unchecked),
    ("photonPersistentDisk", unchecked),
    ("azureDisk", unchecked),
    ("portworxVolume", unchecked),
    ("storageos", unchecked),
    ("projected", projected),
    ("scaleIO", unchecked),
    ("csi", csi),
    ("ephemeral", unchecked),
    ("image", unchecked),
];

fn unchecked(_: &Place<'_>) -> Vec<FieldError> {
    Vec::new()
}

/// The names of usable volumes, and what is wrong with the others.
pub(crate) fn check<'v>(list: &Place<'v>) -> (BTreeSet<&'v str>, Vec<FieldError>) {
    let mut usable = BTreeSet::new();
    let mut errors = Vec::new();
    for volume in list.items() {
        let name = volume.child("name");
        let mut wrong = source(&volume);
        wrong.extend(if name.is_empty() { vec![name.required("")] } else { name.checked(names::label) });
        if usable.contains(name.text()) {
            wrong.push(name.duplicate());
        }
        if wrong.is_empty() {
            usable.insert(name.text());
        }
        errors.extend(wrong);
    }
    (usable, errors)
}

fn source(volume: &Place<'_>) -> Vec<FieldError> {
    let mut set = KINDS.iter().map(|(kind, check)| (volume.child(kind), check)).filter(|(source, _)| source.is_set());
    let Some((first, check)) = set.next() else {
        return vec![volume.required("must specify a volume type")];
    };
    let mut errors = check(&first);
    errors.extend(set.map(|(other, _)| other.forbidden("may not specify more than 1 volume type")));
    errors
}

/// Tokens for pods without an account.
pub(crate) fn tokens(volumes: &Place<'_>) -> Vec<FieldError> {
    let sources = volumes.items().into_iter().flat_map(|volume| volume.down(&["projected", "sources"]).items());
    let tokens = sources.map(|source| source.child("serviceAccountToken")).filter(Place::is_set);
    tokens.map(|token| token.forbidden("must not be specified when serviceAccountName is not set")).collect()
}

fn required(place: &Place<'_>) -> Option<FieldError> {
    place.is_empty().then(|| place.required(""))
}

fn mode(place: &Place<'_>) -> Option<FieldError> {
    let outside = place.number().is_some_and(|mode| !(0..=0o777).contains(&mode));
    outside.then(|| place.invalid(MODE_RULE))
}

fn host_path(place: &Place<'_>) -> Vec<FieldError> {
    let (path, kind) = (place.child("path"), place.child("type"));
    if path.is_empty() {
        return vec![path.required("")];
    }
    let mut errors: Vec<_> = no_backsteps(&path).into_iter().collect();
    if kind.is_set() && !HOST_PATH_TYPES.contains(&kind.text()) {
        errors.push(kind.not_supported(&HOST_PATH_TYPES));
    }
    errors
}

fn secret(place: &Place<'_>) -> Vec<FieldError> {
    files(place, "secretName")
}

fn config_map(place: &Place<'_>) -> Vec<FieldError> {
    files(place, "name")
}

fn claim(place: &Place<'_>) -> Vec<FieldError> {
    required(&place.child("claimName")).into_iter().collect()
}

fn csi(place: &Place<'_>) -> Vec<FieldError> {
    required(&place.child("driver")).into_iter().collect()
}

fn files(place: &Place<'_>, name: &str) -> Vec<FieldError> {
    let mut errors: Vec<_> = required(&place.child(name)).into_iter().collect();
    errors.extend(mode(&place.child("defaultMode")));
    errors.extend(place.child("items").items().iter().flat_map(key_to_path));
    errors
}

fn key_to_path(item: &Place<'_>) -> Vec<FieldError> {
    let path = item.child("path");
    let mut errors: Vec<_> = [item.child("key"), path.clone()].iter().filter_map(required).collect();
    errors.extend(not_reserved(&path));
    errors.extend(mode(&item.child("mode")));
    errors
}

/// The server gives the files the path of the volume.
fn downward(place: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = mode(&place.child("defaultMode")).into_iter().collect();
    errors.extend(place.child("items").items().iter().flat_map(|file| downward_file(&file.at(place.path().clone()))));
    errors
}

fn downward_file(file: &Place<'_>) -> Vec<FieldError> {
    let (path, pod, container) = (file.child("path"), file.child("fieldRef"), file.child("resourceFieldRef"));
    let mut errors: Vec<_> = required(&path).into_iter().collect();
    errors.extend(not_reserved(&path));
    match (pod.is_set(), container.is_set()) {
        (false, false) => errors.push(file.required("one of fieldRef and resourceFieldRef is required")),
        (false, true) => errors.extend(resource_field(&container, true)),
        (true, both) => {
            errors.extend(field(&pod, &VOLUME_FIELDS));
            let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
            errors.extend(both.then(|| FieldError::invalid(file.path(), "resource", detail)));
        }
    }
    errors.extend(mode(&file.child("mode")));
    errors
}

fn projected(place: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = mode(&place.child("defaultMode")).into_iter().collect();
    errors.extend(place.child("sources").items().iter().flat_map(|source| projection(source, place)));
    errors
}

fn projection(source: &Place<'_>, volume: &Place<'_>) -> Vec<FieldError> {
    let named = ["secret", "configMap"].into_iter().map(|kind| source.child(kind)).filter(Place::is_set);
    let mut errors: Vec<_> = named.flat_map(|one| files(&one, "name")).collect();
    let downward = source.child("downwardAPI");
    let items = downward.child("items").items();
    errors.extend(items.iter().flat_map(|file| downward_file(&file.at(downward.path().clone()))));
    errors.extend(token(&source.child("serviceAccountToken"), volume));
    let kinds = ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];
    if kinds.iter().filter(|kind| source.child(kind).is_set()).count() > 1 {
        errors.push(source.forbidden("may not specify more than 1 volume type per source"));
    }
    errors
}

fn token(token: &Place<'_>, volume: &Place<'_>) -> Vec<FieldError> {
    if !token.is_set() {
        return Vec::new();
    }
    let (seconds, path) = (token.child("expirationSeconds"), token.child("path").at(volume.path().child("path")));
    let mut errors = Vec::new();
    match seconds.number().unwrap_or(3600) {
        ..600 => errors.push(seconds.invalid("may not specify a duration less than 10 minutes")),
        4_294_967_297.. => errors.push(seconds.invalid("may not specify a duration larger than 2^32 seconds")),
        _ => {}
    }
    errors.extend(required(&path));
    errors.extend(not_reserved(&path));
    errors
}

/// A path below a volume (`validateLocalDescendingPath`).
pub(crate) fn descending(path: &Place<'_>) -> Vec<FieldError> {
    let absolute = path.text().starts_with('/').then(|| path.invalid_text("must be a relative path"));
    absolute.into_iter().chain(no_backsteps(path)).collect()
}

fn no_backsteps(path: &Place<'_>) -> Option<FieldError> {
    path.text().split('/').any(|step| step == "..").then(|| path.invalid_text("must not contain '..'"))
}

/// A path that is not the kubelet's own (`ValidateLocalNonReservedPath`).
fn not_reserved(path: &Place<'_>) -> Vec<FieldError> {
    let mut errors = descending(path);
    if path.text().starts_with("..") && !path.text().starts_with("../") {
        errors.push(path.invalid_text("must not start with '..'"));
    }
    errors
}

/// A field of the pod (`validateObjectFieldSelector`).
pub(crate) fn field(reference: &Place<'_>, known: &[&str]) -> Vec<FieldError> {
    if !reference.is_set() {
        return Vec::new();
    }
    let (version, path) = (reference.child("apiVersion"), reference.child("fieldPath"));
    if let Some(missing) = [&version, &path].into_iter().find(|part| part.is_empty()) {
        return vec![missing.required("")];
    }
    if let Some((list, key)) = subscript(path.text()) {
        return entry(reference, list, key, path.text());
    }
    let whole_maps = ["metadata.annotations", "metadata.labels"];
    let problem = match (version.text(), path.text()) {
        ("v1", text) if POD_FIELDS.contains(&text) || whole_maps.contains(&text) => {
            return (!known.contains(&text)).then(|| path.not_supported(known)).into_iter().collect();
        }
        ("v1", text) => format!("field label not supported: {text}"),
        (version, _) => format!("unsupported pod version: {version}"),
    };
    vec![path.invalid_text(format!("error converting fieldPath: {problem}"))]
}

/// `metadata.labels['key']` in its two parts.
fn subscript(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix("']")?.split_once("['")
}

fn entry(reference: &Place<'_>, list: &str, key: &str, whole: &str) -> Vec<FieldError> {
    let problems = match list {
        "metadata.annotations" => names::annotation_key(key),
        "metadata.labels" => names::qualified(key),
        _ => {
            let path = reference.child("fieldPath");
            let detail = format!("error converting fieldPath: field label does not support subscript: {whole}");
            return vec![path.invalid_text(detail)];
        }
    };
    problems.into_iter().map(|problem| FieldError::invalid(reference.path(), key, problem)).collect()
}

/// A field of a container (`validateContainerResourceFieldSelector`).
pub(crate) fn resource_field(reference: &Place<'_>, in_volume: bool) -> Option<FieldError> {
    if !reference.is_set() {
        return None;
    }
    let (container, resource) = (reference.child("containerName"), reference.child("resource"));
    if in_volume && container.is_empty() {
        return Some(container.required(""));
    }
    let text = resource.text();
    let huge = ["requests.hugepages-", "limits.hugepages-"].iter().any(|prefix| text.starts_with(prefix));
    match text {
        "" => Some(resource.required("")),
        _ if huge || CONTAINER_FIELDS.contains(&text) => None,
        _ => Some(resource.not_supported(&CONTAINER_FIELDS)),
    }
}
