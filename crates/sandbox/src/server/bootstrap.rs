//! What is there before anybody asked for it.

use serde_json::{Value, json};

use super::create::text;
use super::state::State;
use crate::rbac;
use crate::resource::GroupResource;
use crate::schema::defaulting;
use crate::store::Store;

/// The namespaces that an API server makes itself (`pkg/controlplane/controller/systemnamespaces`).
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl State {
    /// Fills an empty store.
    pub fn bootstrap(&mut self) {
        for name in NAMESPACES {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
                "status": {"phase": "Active"}});
            self.plant(&GroupResource::new("", "namespaces"), namespace);
        }
        for object in rbac::bootstrap::objects(self.settings.version) {
            let plural = format!("{}s", object["kind"].as_str().unwrap_or_default().to_ascii_lowercase());
            self.plant(&GroupResource::new(rbac::GROUP, &plural), object);
        }
        self.plant(&GroupResource::new("", "services"), kubernetes_service());
    }

    /// Begins with an empty store. Its revisions begin anew, too, as those of a new etcd do.
    pub fn lose_everything(&mut self) {
        self.store = Store::new(self.settings.history);
        self.follow_everything();
        self.bootstrap();
    }

    /// Stores an object as it is, but for defaults and identity.
    pub fn plant(&mut self, resource: &GroupResource, mut object: Value) {
        if let Some(kind) = object["kind"].as_str().map(str::to_owned) {
            defaulting::fill((&resource.group, "v1", &kind), &mut object);
        }
        let uid = self.uid();
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["creationTimestamp"] = json!(self.clock.timestamp());
        let (namespace, name) = (text(&object, "namespace"), text(&object, "name"));
        // The store is empty, so nothing can stand in the way.
        let _ = self.store.create(resource, &namespace, &name, object);
        self.follow(resource);
    }
}

fn kubernetes_service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
        "status": {"loadBalancer": {}}})
}
