//! Defaults that depend on other fields, by the structures that they belong to.

use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

use super::defaulting::{child, fill_field};

type Object = Map<String, Value>;

type Rule = fn(&mut Object);

/// What is done to the structures of a type (its OpenAPI name without `io.k8s.api.`).
pub(super) const RULES: &[(&str, Rule)] = &[
    ("core.v1.Pod", pod),
    ("core.v1.PodSpec", pod_spec),
    ("core.v1.PodStatus", pod_status),
    ("core.v1.Container", container),
    ("core.v1.EphemeralContainer", container),
    ("core.v1.ImageVolumeSource", image_volume),
    ("core.v1.Volume", volume),
    ("core.v1.Node", node),
    ("core.v1.Namespace", namespace),
    ("core.v1.Secret", secret),
    ("core.v1.Service", service),
    ("core.v1.ServicePort", service_port),
    ("apps.v1.DeploymentSpec", deployment_spec),
    ("apps.v1.DaemonSetSpec", daemon_set_spec),
    ("rbac.v1.Subject", subject),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition", definition),
];

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn get<'o>(object: &'o mut Object, name: &str) -> Option<&'o mut Object> {
    object.get_mut(name)?.as_object_mut()
}

fn objects<'o>(object: &'o mut Object, name: &str) -> impl Iterator<Item = &'o mut Object> {
    let items = object.get_mut(name).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn set(object: &mut Object, name: &str, value: impl Into<Value>) {
    object.insert(name.to_owned(), value.into());
}

/// Gives a field that may be `null` a value if it has none.
fn fill(object: &mut Object, name: &str, value: impl Into<Value>) {
    fill_field(object, name, true, &value.into());
}

fn pod(pod: &mut Object) {
    if let Some(annotations) = get(child(pod, "metadata"), "annotations") {
        annotations.retain(|key, _| !INIT_CONTAINER_ANNOTATIONS.contains(&key.as_str()));
    }
    drop_empty(child(pod, "metadata"), "annotations");
    let spec = child(pod, "spec");
    for list in ["containers", "initContainers"] {
        objects(spec, list).for_each(request_limits);
    }
    fill(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            objects(spec, list).for_each(open_host_ports);
        }
    }
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
        set(spec, "terminationGracePeriodSeconds", 1);
    }
}

/// Annotations of a time before init containers were fields; they are dropped.
const INIT_CONTAINER_ANNOTATIONS: &[&str] = &[
    "pod.beta.kubernetes.io/init-containers",
    "pod.alpha.kubernetes.io/init-containers",
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-container-statuses",
];

fn drop_empty(object: &mut Object, name: &str) {
    if get(object, name).is_some_and(|map| map.is_empty()) {
        object.remove(name);
    }
}

/// What is limited but not requested is requested to the limit.
fn request_limits(container: &mut Object) {
    let Some(resources) = get(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let requests = child(resources, "requests");
    for (name, amount) in limits {
        requests.entry(name).or_insert(amount);
    }
}

fn open_host_ports(container: &mut Object) {
    for port in objects(container, "ports") {
        if let Some(number) = port.get("containerPort").cloned().filter(|number| *number != 0) {
            fill_field(port, "hostPort", false, &number);
        }
    }
}

/// `serviceAccount` is an old name of `serviceAccountName`.
fn pod_spec(spec: &mut Object) {
    let account = match text(spec, "serviceAccountName") {
        "" => text(spec, "serviceAccount").to_owned(),
        name => name.to_owned(),
    };
    if !account.is_empty() {
        set(spec, "serviceAccountName", account.clone());
        set(spec, "serviceAccount", account);
    }
}

fn pod_status(status: &mut Object) {
    mirror(status, "podIP", "podIPs", |ip| json!({"ip": ip}), |item| item.get("ip")?.as_str());
}

fn node(node: &mut Object) {
    mirror(child(node, "spec"), "podCIDR", "podCIDRs", |range| json!(range), Value::as_str);
    let status = child(node, "status");
    if let Some(capacity) = status.get("capacity").cloned() {
        fill(status, "allocatable", capacity);
    }
}

/// Keeps a field equal to the first item of a list; the field wins.
fn mirror(object: &mut Object, single: &str, list: &str, item: fn(&str) -> Value, read: fn(&Value) -> Option<&str>) {
    let first = object.get(list).and_then(|items| items.get(0)).and_then(read).unwrap_or_default();
    match text(object, single) {
        "" if first.is_empty() => {}
        "" => set(object, single, first.to_owned()),
        own if own == first => {}
        own => set(object, list, vec![item(own)]),
    }
}

fn container(container: &mut Object) {
    let policy = pull_policy(text(container, "image"));
    fill_field(container, "imagePullPolicy", false, &policy);
}

fn image_volume(source: &mut Object) {
    let policy = pull_policy(text(source, "reference"));
    fill_field(source, "pullPolicy", false, &policy);
}

/// `Always` for the tag `latest`, which is meant where there is neither tag nor digest.
fn pull_policy(image: &str) -> Value {
    static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(REFERENCE_PATTERN).ok());
    let parts = REFERENCE.as_ref().and_then(|pattern| pattern.captures(image));
    let latest = parts.is_some_and(|parts| match (parts.name("tag"), parts.name("digest")) {
        (None, digest) => digest.is_none(),
        (Some(tag), _) => tag.as_str() == "latest",
    });
    Value::from(if latest { "Always" } else { "IfNotPresent" })
}

/// The grammar of image references (the CNCF distribution project's `reference` package).
const REFERENCE_PATTERN: &str = concat!(
    r"^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*",
    r"|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?",
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
    r"(?::(?P<tag>[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}))?",
    r"(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$",
);

/// A volume of no kind is an empty directory.
fn volume(volume: &mut Object) {
    if volume.iter().all(|(name, value)| name == "name" || value.is_null()) {
        set(volume, "emptyDir", json!({}));
    }
}

fn namespace(namespace: &mut Object) {
    let metadata = child(namespace, "metadata");
    let name = text(metadata, "name").to_owned();
    if !name.is_empty() {
        set(child(metadata, "labels"), "kubernetes.io/metadata.name", name);
    }
}

/// Plain texts become data and are gone.
fn secret(secret: &mut Object) {
    use base64::Engine as _;
    let Some(Value::Object(texts)) = secret.remove("stringData") else { return };
    let data = child(secret, "data");
    for (key, value) in texts {
        let value = value.as_str().unwrap_or_default();
        set(data, &key, base64::engine::general_purpose::STANDARD.encode(value));
    }
}

fn service(service: &mut Object) {
    let spec = child(service, "spec");
    fill_affinity(spec);
    let kind = text(spec, "type").to_owned();
    let kind = if kind.is_empty() { "ClusterIP" } else { &kind };
    let has_external_ips = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    if matches!(kind, "LoadBalancer" | "NodePort") || kind == "ClusterIP" && has_external_ips {
        fill_field(spec, "externalTrafficPolicy", false, &Value::from("Cluster"));
    }
    if matches!(kind, "LoadBalancer" | "NodePort" | "ClusterIP") {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
        let balancer = get(service, "status").and_then(|status| get(status, "loadBalancer"));
        balancer.into_iter().for_each(name_ingress_modes);
    }
}

fn fill_affinity(spec: &mut Object) {
    match text(spec, "sessionAffinity") {
        "" | "None" => drop(spec.remove("sessionAffinityConfig")),
        "ClientIP" => {
            let timeout =
                spec.get("sessionAffinityConfig").and_then(|config| config.get("clientIP")?.get("timeoutSeconds"));
            if timeout.is_none_or(Value::is_null) {
                set(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
            }
        }
        _ => {}
    }
}

fn name_ingress_modes(balancer: &mut Object) {
    for ingress in objects(balancer, "ingress") {
        if !text(ingress, "ip").is_empty() {
            fill(ingress, "ipMode", "VIP");
        }
    }
}

fn service_port(port: &mut Object) {
    let number = port.get("port").cloned().unwrap_or_default();
    fill_field(port, "targetPort", false, &number);
}

fn deployment_spec(spec: &mut Object) {
    let share = Value::from("25%");
    fill_rollout(child(spec, "strategy"), &share, &share);
}

fn daemon_set_spec(spec: &mut Object) {
    fill_rollout(child(spec, "updateStrategy"), &Value::from(1), &Value::from(0));
}

fn fill_rollout(strategy: &mut Object, unavailable: &Value, surge: &Value) {
    fill_field(strategy, "type", false, &Value::from("RollingUpdate"));
    if text(strategy, "type") == "RollingUpdate" {
        let rolling = child(strategy, "rollingUpdate");
        fill(rolling, "maxUnavailable", unavailable.clone());
        fill(rolling, "maxSurge", surge.clone());
    }
}

fn subject(subject: &mut Object) {
    if matches!(text(subject, "kind"), "User" | "Group") {
        fill_field(subject, "apiGroup", false, &Value::from("rbac.authorization.k8s.io"));
    }
}

fn definition(definition: &mut Object) {
    let spec = child(definition, "spec");
    fill(spec, "conversion", json!({"strategy": "None"}));
    let names = child(spec, "names");
    let kind = text(names, "kind").to_owned();
    if !kind.is_empty() {
        fill_field(names, "singular", false, &Value::from(kind.to_lowercase()));
        fill_field(names, "listKind", false, &Value::from(format!("{kind}List")));
    }
    let stored = objects(spec, "versions").find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let stored: Vec<Value> = stored.and_then(|version| version.get("name").cloned()).into_iter().collect();
    let status = child(definition, "status");
    if status.get("storedVersions").and_then(Value::as_array).is_none_or(Vec::is_empty) && !stored.is_empty() {
        set(status, "storedVersions", stored);
    }
}
