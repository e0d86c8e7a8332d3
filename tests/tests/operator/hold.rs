//! KubeVirt stays at its version, by a webhook that nobody answers.

use operator::object::{Place as At, RequestError};
use serde_json::{Value, json};
use std::time::Duration;
use tests::server::Place;
use tokio::time::sleep;

use crate::cluster::{Cluster, DIRECT, goal};

/// KubeVirt's object and its operator, of one version.
fn product() -> Vec<Value> {
    let names = json!({"kind": "KubeVirt", "plural": "kubevirts", "singular": "kubevirt", "listKind": "KubeVirtList"});
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let labels = json!({"kubevirt.io": "virt-operator"});
    let container = json!({"name": "virt-operator", "image": "registry/virt-operator:v1.0.0"});
    vec![
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "kubevirts.kubevirt.io", "annotations": {"api-approved.kubernetes.io": "unapproved"}},
            "spec": {"group": "kubevirt.io", "names": names, "scope": "Namespaced", "versions": [{"name": "v1",
                "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free}}}}]}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}}),
        json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {"namespace": "kubevirt", "name": "kubevirt"},
            "spec": {"imageTag": "v1.0.0"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "kubevirt", "name": "virt-operator", "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}),
    ]
}

async fn changed(cluster: &Cluster, object: &Value, pointer: &str, value: &Value) -> Result<(), RequestError> {
    let place = At::of(object);
    let found = cluster.admin.find([place.clone()]).await?;
    let there = found.get(&place).expect("it is there");
    let (mut object, (parent, field)) = (there.clone(), pointer.rsplit_once('/').expect("a path"));
    object.pointer_mut(parent).expect("it has one")[field] = value.clone();
    cluster.admin.replace(there, &object).await
}

pub async fn back(place: Place) {
    let cluster = Cluster::bare(&place).await;
    let objects = product();
    for object in &objects {
        cluster.apply(object).await;
    }
    let (product, operator) = (&objects[2], &objects[3]);
    let goal = goal("{namespace: kubevirt, name: kubevirt-handler}", DIRECT);
    cluster.apply(&goal.installation.hold().expect("it is KubeVirt's agent")).await;
    let image = "/spec/template/spec/containers/0/image";
    for (number, (object, pointer)) in [(product, "/spec/imageTag"), (operator, image)].into_iter().enumerate() {
        let mut refused = None;
        for version in 1..100 {
            // It takes a moment to be in force.
            let value = json!(format!("registry/v{number}.{version}"));
            refused = changed(&cluster, object, pointer, &value).await.err().map(|error| error.to_string());
            if refused.is_some() {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        let refused = refused.expect("it is held back");
        assert!(refused.contains(".hold.nodebound.io"), "{refused}");
        assert!(refused.contains("kubernetes-1.30-is-needed-for-the-guard-of-p"), "{refused}");
    }
    changed(&cluster, product, "/spec/configuration", &json!({"a": "b"})).await.expect("is not held back");
    changed(&cluster, operator, "/spec/replicas", &json!(1)).await.expect("is not held back");
}
