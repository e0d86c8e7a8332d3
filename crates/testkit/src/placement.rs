//! Which pods may be on which Nodes: selectors, affinity, taints.

use k8s_openapi::api::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration,
};
use kube::ResourceExt;

/// The taint of a Node on which nothing new shall be placed (`TaintNodeUnschedulable` in `pkg/apis/core/taints.go`).
pub(crate) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";

/// Whether a pod asks for such a Node: `nodeSelector` and the required node affinity
/// (`k8s.io/component-helpers/scheduling/corev1/nodeaffinity`).
#[must_use]
pub fn selects(spec: &PodSpec, node: &Node) -> bool {
    let labels = node.labels();
    let mut selector = spec.node_selector.iter().flatten();
    selector.all(|(key, value)| labels.get(key) == Some(value))
        && required(spec).is_none_or(|selector| selector.node_selector_terms.iter().any(|term| matches(term, node)))
}

fn required(spec: &PodSpec) -> Option<&NodeSelector> {
    spec.affinity.as_ref()?.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref()
}

/// A term without requirements matches nothing.
fn matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let label = |one: &NodeSelectorRequirement| holds(one, node.labels().get(&one.key).map(String::as_str));
    let field = |one: &NodeSelectorRequirement| {
        let value = (one.key == "metadata.name").then(|| node.name_any());
        holds(one, value.as_deref())
    };
    (!expressions.is_empty() || !fields.is_empty()) && expressions.iter().all(label) && fields.iter().all(field)
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|one| one == value));
    let compared = |compare: fn(&i64, &i64) -> bool| {
        let numbers = value.and_then(|value| value.parse().ok()).zip(values.first().and_then(|one| one.parse().ok()));
        numbers.is_some_and(|(left, right)| compare(&left, &right))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared(i64::gt),
        "Lt" => compared(i64::lt),
        _ => false,
    }
}

/// The pod's node, if an affinity to the field `metadata.name` binds it to one, as it does for the pods of a DaemonSet.
#[must_use]
pub fn pinned(spec: &PodSpec) -> Option<&str> {
    let terms = &required(spec)?.node_selector_terms;
    let fields = terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    let mut named = fields.filter(|field| field.key == "metadata.name" && field.operator == "In");
    named.next()?.values.as_ref()?.first().map(String::as_str)
}

/// Whether a pod may be started on a Node with these taints.
#[must_use]
pub fn admits(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    tolerated(taints, tolerations, &[NO_SCHEDULE, NO_EXECUTE])
}

/// Whether a pod may stay on a Node with these taints.
#[must_use]
pub fn keeps(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    tolerated(taints, tolerations, &[NO_EXECUTE])
}

fn tolerated(taints: &[Taint], tolerations: &[Toleration], effects: &[&str]) -> bool {
    let hard = taints.iter().filter(|taint| effects.contains(&taint.effect.as_str()));
    hard.into_iter().all(|taint| tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

/// `ToleratesTaint` in `k8s.io/api/core/v1/toleration.go`, without the operators that compare numbers.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let agrees = |wanted: Option<&str>, actual: &str| wanted.is_none_or(|wanted| wanted.is_empty() || wanted == actual);
    let value = || toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
    agrees(toleration.effect.as_deref(), &taint.effect)
        && agrees(toleration.key.as_deref(), &taint.key)
        && match toleration.operator.as_deref().unwrap_or_default() {
            "" | "Equal" => value(),
            "Exists" => true,
            _ => false,
        }
}

/// The taints of a Node, with the one that stands for a cordon.
#[must_use]
pub fn taints(node: &Node) -> Vec<Taint> {
    let Some(spec) = &node.spec else { return Vec::new() };
    let mut taints = spec.taints.clone().unwrap_or_default();
    let told = taints.iter().any(|taint| taint.key == UNSCHEDULABLE);
    if spec.unschedulable == Some(true) && !told {
        taints.push(Taint { key: UNSCHEDULABLE.to_owned(), effect: NO_SCHEDULE.to_owned(), ..Taint::default() });
    }
    taints
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(value: Value) -> Node {
        serde_json::from_value(value).expect("is a Node")
    }

    fn spec(mut value: Value) -> PodSpec {
        value["containers"] = json!([]);
        serde_json::from_value(value).expect("is the specification of a pod")
    }

    fn required(terms: Value) -> Value {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
    }

    #[test]
    fn selectors_and_affinity() {
        let node = node(json!({"metadata": {"name": "n1", "labels": {"zone": "a", "size": "8"}}}));
        let expression = |key: &str, operator: &str, values: Value| {
            required(json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]))
        };
        let field = |name: &str| {
            required(json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}]))
        };
        let cases = [
            (json!({}), true),
            (json!({"nodeSelector": {"zone": "a"}}), true),
            (json!({"nodeSelector": {"zone": "b"}}), false),
            (json!({"nodeSelector": {"zone": "a", "other": ""}}), false),
            (expression("zone", "In", json!(["b", "a"])), true),
            (expression("zone", "NotIn", json!(["a"])), false),
            (expression("other", "NotIn", json!(["a"])), true),
            (expression("zone", "Exists", json!([])), true),
            (expression("zone", "DoesNotExist", json!([])), false),
            (expression("size", "Gt", json!(["7"])), true),
            (expression("size", "Lt", json!(["8"])), false),
            (expression("zone", "Lt", json!(["8"])), false),
            (expression("zone", "Unknown", json!(["a"])), false),
            (field("n1"), true),
            (field("n2"), false),
            (required(json!([])), false),
            (required(json!([{}])), false),
            (required(json!([{}, {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}])), true),
        ];
        for (pod, expected) in cases {
            assert_eq!(selects(&spec(pod.clone()), &node), expected, "{pod}");
        }
        assert_eq!(pinned(&spec(field("n7"))), Some("n7"));
        assert_eq!(pinned(&spec(json!({}))), None);
    }

    #[test]
    fn taints_and_tolerations() {
        let taint = |effect: &str| json!([{"key": "k", "value": "v", "effect": effect}]);
        let cases = [
            (json!([]), json!([]), (true, true)),
            (taint("NoSchedule"), json!([]), (false, true)),
            (taint("NoExecute"), json!([]), (false, false)),
            (taint("PreferNoSchedule"), json!([]), (true, true)),
            (taint("NoExecute"), json!([{"operator": "Exists"}]), (true, true)),
            (taint("NoExecute"), json!([{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]), (false, false)),
            (taint("NoSchedule"), json!([{"key": "k", "value": "v"}]), (true, true)),
            (taint("NoSchedule"), json!([{"key": "k", "operator": "Equal", "value": "w"}]), (false, true)),
            (taint("NoSchedule"), json!([{"key": "l", "operator": "Exists"}]), (false, true)),
            (taint("NoSchedule"), json!([{"key": "k", "operator": "Gt", "value": "v"}]), (false, true)),
        ];
        for (taints, tolerations, expected) in cases {
            let taints: Vec<Taint> = serde_json::from_value(taints).expect("are taints");
            let parsed: Vec<Toleration> = serde_json::from_value(tolerations.clone()).expect("are tolerations");
            let actual = (admits(&taints, &parsed), keeps(&taints, &parsed));
            assert_eq!(actual, expected, "{taints:?} {tolerations}");
        }
    }

    #[test]
    fn a_cordon_is_a_taint() {
        let keys = |value| taints(&node(value)).into_iter().map(|taint| taint.key).collect::<Vec<_>>();
        assert_eq!(keys(json!({"spec": {"unschedulable": true}})), [UNSCHEDULABLE]);
        let told = json!({"spec": {"unschedulable": true, "taints": [{"key": UNSCHEDULABLE, "effect": "NoSchedule"}]}});
        assert_eq!(keys(told), [UNSCHEDULABLE]);
        assert!(keys(json!({"metadata": {}})).is_empty());
    }
}
