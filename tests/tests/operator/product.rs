//! A stand-in of a product that brings an agent of its own: its account, rights, pods and policy, and an operator that
//! puts each of them back as it was.

use operator::object::{Objects, Place as At};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cluster::Cluster;

/// What it compares of its objects.
const CONTENT: [&str; 3] = ["spec", "rules", "subjects"];

pub struct Product {
    objects: Vec<Value>,
    _operator: JoinSet<()>,
}

impl Product {
    /// KubeVirt with the widest role that its agent is found with, and with the policy that it ships.
    pub async fn install(cluster: &Cluster) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/policies/kubevirt-shipped.yaml");
        let text = std::fs::read_to_string(path).expect("the policy is there");
        let mut objects = vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"namespace": "kubevirt", "name": "kubevirt-handler"}}),
            pods(),
        ];
        objects.extend(attack::stage::role(&attack::stage::widest_rules()));
        objects.extend(serde_saphyr::from_multiple::<Value>(&text).expect("is YAML"));
        for object in &objects {
            cluster.apply(object).await;
        }
        let mut operator = JoinSet::new();
        operator.spawn(put_back(cluster.admin.clone(), objects.clone()));
        Self { objects, _operator: operator }
    }

    /// Of what it compares, which version there is. The DaemonSet's status is not its own.
    pub async fn versions(&self, cluster: &Cluster) -> BTreeMap<At, Value> {
        let compared = self.objects.iter().filter(|object| object["kind"] != "DaemonSet" && is_compared(object));
        cluster.versions(compared.map(At::of)).await
    }

    /// It would have noticed.
    pub async fn takes_back(&self, cluster: &Cluster) {
        let role = self.objects.iter().find(|object| object["kind"] == "ClusterRole").expect("has one");
        let place = At::of(role);
        let mut changed = found(&cluster.admin, &place).await.expect("is there");
        changed["rules"] = json!([]);
        let before = found(&cluster.admin, &place).await.expect("is there");
        cluster.admin.replace(&before, &changed).await.expect("is changed");
        for _ in 0..100 {
            sleep(Duration::from_millis(200)).await;
            if found(&cluster.admin, &place).await.is_some_and(|now| now["rules"] == role["rules"]) {
                return;
            }
        }
        panic!("nobody takes it back");
    }
}

fn is_compared(object: &Value) -> bool {
    CONTENT.iter().any(|field| object.get(field).is_some())
}

fn pods() -> Value {
    let template = json!({"metadata": {"labels": {"kubevirt.io": "virt-handler"}},
        "spec": {"serviceAccountName": "kubevirt-handler", "containers": [{"name": "virt-handler", "image": "i"}]}});
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": "kubevirt", "name": "virt-handler"},
        "spec": {"selector": {"matchLabels": {"kubevirt.io": "virt-handler"}}, "template": template}})
}

async fn found(objects: &Objects, place: &At) -> Option<Value> {
    objects.find([place.clone()]).await.ok()?.get(place).cloned()
}

/// What is not as it was when it was installed becomes so again.
async fn put_back(objects: Objects, product: Vec<Value>) {
    let mut installed = Vec::new();
    for object in product.iter().filter(|object| is_compared(object)) {
        installed.extend(found(&objects, &At::of(object)).await);
    }
    loop {
        for object in &installed {
            let Some(now) = found(&objects, &At::of(object)).await else { continue };
            if CONTENT.iter().any(|field| now.get(field) != object.get(field)) {
                // Next time, if not now.
                let _ = objects.replace(&now, object).await;
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
}
