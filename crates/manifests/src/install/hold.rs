//! What holds back another version of the guarded product while its guard cannot be had.

use serde_json::{Value, json};

use super::Installation;

/// The fields by which a KubeVirt object asks for another version (`KubeVirtSpec` in `staging/src/kubevirt.io/api/core/v1`).
const ASKS: [&str; 3] = ["imageTag", "imageRegistry", "imagePrefix"];
/// A label that KubeVirt's agents own.
const OF_KUBEVIRT: &str = "kubevirt.io/schedulable";

impl Installation {
    /// A webhook that nobody answers, and so refuses: another version in the KubeVirt object, another image of virt-operator.
    /// Everything else of them passes by its conditions, which are served from Kubernetes 1.28 on. The refusal names the path,
    /// which is written for people.
    ///
    /// None for agents of ours, which are held back by themselves, and for products other than KubeVirt.
    #[must_use]
    pub fn hold(&self) -> Option<Value> {
        let profile = &self.profile;
        let is_of_kubevirt = !self.is_ours() && profile.labels().owns(OF_KUBEVIRT);
        is_of_kubevirt.then(|| {
            let name = self.hold_name();
            let namespace =
                json!({"matchLabels": {"kubernetes.io/metadata.name": profile.service_account().namespace}});
            let operator = json!({"matchLabels": {"kubevirt.io": "virt-operator"}});
            let hooks = [
                self.hook("kubevirts", ["kubevirt.io", "*", "kubevirts"], json!({}), json!({}), &asks()),
                self.hook("virt-operator", ["apps", "v1", "deployments"], namespace, operator, IMAGES),
            ];
            self.owned(
                json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": name}, "webhooks": hooks}),
            )
        })
    }

    pub(super) fn hold_name(&self) -> String {
        format!("nodebound-{}-hold", self.profile.name())
    }

    fn hook(
        &self,
        name: &str,
        [group, version, resource]: [&str; 3],
        namespaces: Value,
        objects: Value,
        changes: &str,
    ) -> Value {
        let path = format!("/kubernetes-1.30-is-needed-for-the-guard-of-{}", self.profile.name());
        json!({"name": format!("{name}.hold.nodebound.io"), "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 1,
            "namespaceSelector": namespaces, "objectSelector": objects,
            "clientConfig": {"service": {"namespace": self.settings.namespace, "name": "nodebound-holds-back-upgrades",
                "path": path, "port": 443}},
            "matchConditions": [{"name": "another-version", "expression": changes}],
            "rules": [{"apiGroups": [group], "apiVersions": [version], "operations": ["UPDATE"],
                "resources": [resource], "scope": "Namespaced"}]})
    }
}

const IMAGES: &str =
    "object.spec.template.spec.containers.map(c, c.image) != oldObject.spec.template.spec.containers.map(c, c.image)";

/// Whether any of the fields is another one.
fn asks() -> String {
    let value = |object: &str, field: &str| {
        format!("(has({object}.spec) && has({object}.spec.{field}) ? {object}.spec.{field} : '')")
    };
    let differs = ASKS.map(|field| format!("{} != {}", value("object", field), value("oldObject", field)));
    differs.join(" || ")
}
