//! ClusterRoles that gather the rules of others (`k8s.io/kubernetes/pkg/controller/clusterroleaggregation`).

use admission::selector::Selector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;
use std::sync::Arc;

use crate::identity::value::{is_set, list, text};

/// The rules that a ClusterRole is to have, gathered from all ClusterRoles, which come in the order of their names.
/// `None` if it gathers none, has them already, or has a selector that cannot be used.
#[must_use]
pub fn aggregate(cluster_role: &Value, all: &[Arc<Value>]) -> Option<Vec<Value>> {
    if !is_set(cluster_role, "/aggregationRule") {
        return None;
    }
    let mut rules: Vec<Value> = Vec::new();
    for selector in list(cluster_role, "/aggregationRule/clusterRoleSelectors") {
        let selector = usable(selector)?;
        for other in all.iter().filter(|other| is_gathered(other, cluster_role, &selector)) {
            for rule in list(other, "/rules") {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    (rules != list(cluster_role, "/rules")).then_some(rules)
}

fn usable(selector: &Value) -> Option<Selector> {
    let selector: LabelSelector = serde_json::from_value(selector.clone()).ok()?;
    Selector::new(&selector).ok()
}

fn is_gathered(other: &Value, into: &Value, selector: &Selector) -> bool {
    let labels = other.pointer("/metadata/labels").unwrap_or(&Value::Null);
    text(other, "/metadata/name") != text(into, "/metadata/name") && selector.matches(labels)
}
