//! Pods that are made from a template, and whose they are.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text that differs where templates differ (FNV-1a of the JSON, 32 bits).
#[must_use]
pub fn hash(template: &PodTemplateSpec) -> String {
    let json = serde_json::to_string(template).unwrap_or_default();
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", json.bytes().fold(0x811c_9dc5, mix))
}

/// A pod of an owner, whose name the API server completes.
pub(crate) fn pod<K>(owner: &K, template: &PodTemplateSpec, labels: &[(&str, String)]) -> Pod
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let given = template.metadata.clone().unwrap_or_default();
    let own = labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let labels = given.labels.into_iter().flatten().chain(own).collect();
    let metadata = ObjectMeta {
        generate_name: Some(format!("{}-", owner.name_any())),
        namespace: owner.namespace(),
        labels: Some(labels),
        annotations: given.annotations,
        finalizers: given.finalizers,
        owner_references: Some(vec![reference(owner)]),
        ..ObjectMeta::default()
    };
    Pod { metadata, spec: template.spec.clone(), status: None }
}

/// The reference to an owner that decides over what it owns.
pub(crate) fn reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Objects by the identifier of who decides over them.
pub(crate) type Owned<'a, K> = BTreeMap<&'a str, Vec<&'a Arc<K>>>;

pub(crate) fn owned<'a, K: Resource + 'a>(objects: impl Iterator<Item = &'a Arc<K>>) -> Owned<'a, K> {
    let mut owned = Owned::new();
    for object in objects {
        let mut references = object.meta().owner_references.iter().flatten();
        if let Some(owner) = references.find(|reference| reference.controller == Some(true)) {
            owned.entry(owner.uid.as_str()).or_default().push(object);
        }
    }
    owned
}

/// What belongs to an owner.
pub(crate) fn of<'a, 'b, K>(owned: &'b Owned<'a, K>, owner: &impl Resource) -> &'b [&'a Arc<K>] {
    let uid = owner.meta().uid.as_deref().unwrap_or_default();
    owned.get(uid).map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn ends(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some()
}

pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Whether the pod has run to its end.
pub(crate) fn is_over(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The node that a pod is bound to.
pub(crate) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

pub(crate) fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}

/// Which way a percentage becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounded {
    Up,
    Down,
}

/// A number of a total, given as one or as a percentage (`k8s.io/apimachinery/pkg/util/intstr`).
pub(crate) fn share(value: Option<&IntOrString>, total: i32, rounded: Rounded) -> Option<i32> {
    match value? {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let hundredfold = percent.saturating_mul(i64::from(total));
            let carry = if rounded == Rounded::Up { 99 } else { 0 };
            i32::try_from(hundredfold.saturating_add(carry).div_euclid(100)).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_differ_where_templates_do() {
        let template = |image: &str| -> PodTemplateSpec {
            serde_json::from_value(json!({"spec": {"containers": [{"name": "c", "image": image}]}}))
                .expect("is a template")
        };
        assert_eq!(hash(&template("a")), hash(&template("a")));
        assert_ne!(hash(&template("a")), hash(&template("b")));
        assert_eq!(hash(&template("a")).len(), 8);
    }

    #[test]
    fn shares() {
        let percent = |text: &str| IntOrString::String(text.to_owned());
        let cases = [
            (IntOrString::Int(3), 10, Rounded::Up, Some(3)),
            (percent("25%"), 10, Rounded::Up, Some(3)),
            (percent("25%"), 10, Rounded::Down, Some(2)),
            (percent("100%"), 7, Rounded::Down, Some(7)),
            (percent("25"), 10, Rounded::Up, None),
            (percent("x%"), 10, Rounded::Up, None),
        ];
        for (value, total, rounded, expected) in cases {
            assert_eq!(share(Some(&value), total, rounded), expected, "{value:?}");
        }
        assert_eq!(share(None, 10, Rounded::Up), None);
    }
}
