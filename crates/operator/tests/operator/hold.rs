//! KubeVirt stays at its version while its guard cannot be had.

use crate::cluster::{Cluster, Looking, theirs};
use manifests::install::Settings;
use operator::object::{Objects, Place, RequestError};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

fn place(api_version: &str, kind: &str, name: &str) -> Place {
    let namespace = (kind != "ValidatingWebhookConfiguration").then(|| "kubevirt".to_owned());
    Place { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name: name.to_owned() }
}

fn product() -> Place {
    place("kubevirt.io/v1", "KubeVirt", "kubevirt")
}

fn operator() -> Place {
    place("apps/v1", "Deployment", "virt-operator")
}

fn hold() -> Place {
    place("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "nodebound-p-hold")
}

/// KubeVirt's object and its operator, of one version.
async fn furnish(cluster: &Cluster) {
    let names = json!({"kind": "KubeVirt", "plural": "kubevirts", "singular": "kubevirt", "listKind": "KubeVirtList"});
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let labels = json!({"kubevirt.io": "virt-operator"});
    let container = json!({"name": "virt-operator", "image": "registry/virt-operator:v1.0.0"});
    for object in [
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "kubevirts.kubevirt.io"},
            "spec": {"group": "kubevirt.io", "names": names, "scope": "Namespaced", "versions": [{"name": "v1",
                "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free}}}}]}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}}),
        json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"namespace": "kubevirt", "name": "kubevirt"},
            "spec": {"imageTag": "v1.0.0"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "kubevirt", "name": "virt-operator", "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}),
    ] {
        cluster.write_profile(object).await;
    }
}

async fn changed(objects: &Objects, place: &Place, pointer: &str, value: Value) -> Result<(), RequestError> {
    let there = objects.find([place.clone()]).await?.get(place).unwrap().clone();
    let mut object = there.clone();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[field] = value;
    objects.replace(&there, &object).await
}

/// Another version of either is refused, and the refusal says what is needed; everything else of them passes.
async fn is_held(cluster: &Cluster) {
    let image = "/spec/template/spec/containers/0/image";
    for (place, pointer, value) in
        [(product(), "/spec/imageTag", json!("v1.1.0")), (operator(), image, json!("registry/virt-operator:v1.1.0"))]
    {
        let error = changed(&cluster.objects, &place, pointer, value).await.unwrap_err().to_string();
        assert!(error.contains("hold.nodebound.io"), "{place}: {error}");
        assert!(error.contains("kubernetes-1.30-is-needed-for-the-guard-of-p"), "{place}: {error}");
    }
    for (place, pointer) in [(product(), "/spec/configuration"), (operator(), "/spec/replicas")] {
        let value = if pointer.ends_with("replicas") { json!(1) } else { json!({"a": "b"}) };
        changed(&cluster.objects, &place, pointer, value).await.unwrap();
    }
}

async fn is_there(cluster: &Cluster) -> bool {
    !cluster.objects.find([hold()]).await.unwrap().objects.is_empty()
}

#[tokio::test(start_paused = true)]
async fn upgrades_are_held_back_until_the_guard_is_in_force() {
    let mut cluster = Cluster::new().await;
    cluster.upgrade(29);
    furnish(&cluster).await;
    cluster.with_profile(&theirs("")).await;
    let settings = Settings { hold_upgrades: true, ..Settings::default() };
    let mut looking = Looking::with(cluster.executor(), settings);
    looking.operator.look().await.unwrap();
    is_held(&cluster).await;
    let [_, reason, message] = cluster.condition("p", "Progressing").await;
    assert!(reason == "StepPending" && message.contains("nor another version of KubeVirt"), "{reason}: {message}");
    cluster.objects.delete(&hold()).await.unwrap();
    looking.operator.look().await.unwrap();
    is_held(&cluster).await;
    cluster.upgrade(32);
    looking.operator.look().await.unwrap();
    assert_eq!(cluster.condition("p", "Enforced").await[0], "True");
    assert!(!is_there(&cluster).await, "it is free");
    changed(&cluster.objects, &product(), "/spec/imageTag", json!("v1.1.0")).await.unwrap();
}

/// Nobody asked for it, or everything is rolled out all the same.
#[tokio::test(start_paused = true)]
async fn upgrades_are_not_held_back_otherwise() {
    for (hold_upgrades, more) in [(false, ""), (true, "  enforcement: Permissive\n")] {
        let mut cluster = Cluster::new().await;
        cluster.upgrade(29);
        furnish(&cluster).await;
        cluster.with_profile(&theirs(more)).await;
        let mut looking = Looking::with(cluster.executor(), Settings { hold_upgrades, ..Settings::default() });
        looking.operator.look().await.unwrap();
        sleep(Duration::from_secs(60)).await;
        looking.operator.look().await.unwrap();
        assert!(!is_there(&cluster).await, "{hold_upgrades} {more}");
        changed(&cluster.objects, &product(), "/spec/imageTag", json!("v1.1.0")).await.unwrap();
    }
}
