//! How firmly a pod's resources are promised (`pkg/apis/core/helper/qos`).

use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::validation::quantity::Quantity;

const COMPUTE: [&str; 2] = ["cpu", "memory"];

type Amounts = BTreeMap<String, Quantity>;

/// The class of a pod.
pub(super) fn of(pod: &Value) -> &'static str {
    let of_pod = pod.pointer("/spec/resources").filter(|resources| !resources.is_null());
    let (requests, limits, complete) = match of_pod {
        Some(resources) => sums(&[resources]),
        None => sums(&containers(pod)),
    };
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let limited = requests
        .iter()
        .all(|(name, requested)| limits.get(name).is_some_and(|limit| limit.compare(*requested) == Ordering::Equal));
    if complete && limited && requests.len() == limits.len() { "Guaranteed" } else { "Burstable" }
}

fn containers(pod: &Value) -> Vec<&Value> {
    static NOTHING: Value = Value::Null;
    let lists = ["/spec/containers", "/spec/initContainers"].into_iter();
    let all = lists.filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    all.map(|container| container.get("resources").unwrap_or(&NOTHING)).collect()
}

/// The requests and limits of all, and whether each limits everything.
fn sums(all: &[&Value]) -> (Amounts, Amounts, bool) {
    let (mut requests, mut limits, mut complete) = (Amounts::new(), Amounts::new(), true);
    for resources in all {
        add(&mut requests, resources.get("requests"));
        complete &= add(&mut limits, resources.get("limits")) == COMPUTE.len();
    }
    (requests, limits, complete)
}

/// Adds the amounts above zero; says how many there were.
fn add(sums: &mut Amounts, amounts: Option<&Value>) -> usize {
    let amount = |name: &str| {
        let quantity = match amounts?.get(name)? {
            Value::String(text) => Quantity::parse(text)?,
            number => Quantity::parse(&number.to_string())?,
        };
        (quantity.sign() == Ordering::Greater).then_some(quantity)
    };
    let found: Vec<_> = COMPUTE.iter().filter_map(|name| Some((*name, amount(name)?))).collect();
    for (name, quantity) in &found {
        let sum = sums.get(*name).map_or(*quantity, |sum| sum.plus(*quantity));
        sums.insert((*name).to_owned(), sum);
    }
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn classes() {
        let full = json!({"cpu": "1", "memory": "1Gi"});
        let cases = [
            (json!([{}]), "BestEffort"),
            (json!([{"resources": {"requests": {"cpu": "0"}}}]), "BestEffort"),
            (json!([{"resources": {"requests": {"cpu": "1"}}}]), "Burstable"),
            (json!([{"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}]), "Burstable"),
            (json!([{"resources": {"requests": full, "limits": full}}]), "Guaranteed"),
            (json!([{"resources": {"requests": full, "limits": full}}, {}]), "Burstable"),
            (json!([{"resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": full}}]), "Guaranteed"),
        ];
        for (containers, class) in cases {
            assert_eq!(of(&json!({"spec": {"containers": containers}})), class, "{containers}");
        }
    }
}
