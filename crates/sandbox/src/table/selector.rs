//! Selectors as text.

use serde_json::Value;

use super::read::Read;

/// `a=b,c=d`, or `<none>` (`k8s.io/apimachinery/pkg/labels/labels.go`).
pub(super) fn labels(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object);
    let pairs =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let text = pairs.collect::<Vec<_>>().join(",");
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// `a=b,c in (x,y),d notin (q),!e,z` in the order of keys; nothing if an operator is unknown
/// (`k8s.io/apimachinery/pkg/labels/selector.go`).
pub(super) fn format(selector: Option<&Value>) -> Option<String> {
    let Some(selector) = selector else { return Some(String::new()) };
    let plain = selector.get("matchLabels").and_then(Value::as_object);
    let plain = plain.into_iter().flatten();
    let mut parts: Vec<(&str, String)> =
        plain.map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or_default()))).collect();
    for expression in selector.items("/matchExpressions") {
        parts.push((expression.text("/key"), requirement(expression)?));
    }
    parts.sort_by(|one, other| one.0.cmp(other.0));
    Some(parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(","))
}

fn requirement(expression: &Value) -> Option<String> {
    let key = expression.text("/key");
    let mut values: Vec<&str> = values(expression);
    values.sort_unstable();
    let values = values.join(",");
    Some(match expression.text("/operator") {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        _ => return None,
    })
}

fn values(expression: &Value) -> Vec<&str> {
    expression.items("/values").iter().filter_map(Value::as_str).collect()
}

/// A selector as the server shows it where it has no better form: the generated `String` of its type
/// (`k8s.io/apimachinery/pkg/apis/meta/v1/generated.pb.go`).
pub(super) fn go_syntax(selector: &Value) -> String {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let labels: String = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    let expressions: String = selector.items("/matchExpressions").iter().map(go_requirement).collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

fn go_requirement(expression: &Value) -> String {
    let (key, operator) = (expression.text("/key"), expression.text("/operator"));
    format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values(expression).join(" "))
}
