//! `nodebound render`.

use serde_json::Value;

use crate::{files, nodebound};

fn kinds(objects: &[Value]) -> Vec<(&str, &str)> {
    objects
        .iter()
        .map(|object| (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap()))
        .collect()
}

const EXPECTED: [(&str, &str); 4] = [
    ("ValidatingAdmissionPolicy", "nodebound-kubevirt"),
    ("ValidatingAdmissionPolicy", "nodebound-kubevirt-resources"),
    ("ValidatingAdmissionPolicyBinding", "nodebound-kubevirt"),
    ("ValidatingAdmissionPolicyBinding", "nodebound-kubevirt-resources"),
];

#[test]
fn yaml_and_json_are_the_same_objects_policies_first() {
    let yaml = nodebound(["render", "--profile", "kubevirt"]);
    assert_eq!(yaml.code, 0);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml.out).unwrap();
    assert_eq!(kinds(&documents), EXPECTED);
    let json = nodebound(["render", "--profile", "kubevirt", "-o", "json"]).json();
    assert_eq!((json["kind"].as_str(), json["apiVersion"].as_str()), (Some("List"), Some("v1")));
    assert_eq!(json["items"].as_array().unwrap(), &documents);
}

#[test]
fn what_is_rendered_is_what_check_takes_as_policies() {
    let rendered = nodebound(["render", "--profile", "kubevirt-least"]);
    let folder = files(&[("policies.yaml", rendered.out.as_bytes())]);
    let path = folder.path().join("policies.yaml");
    let checked = nodebound(["check", "-o", "json", "--policy", path.to_str().unwrap(), crate::SAMPLE]);
    let direct = nodebound(["check", "-o", "json", "--profile", "kubevirt-least", crate::SAMPLE]);
    assert_eq!((checked.code, checked.err.as_str()), (1, ""));
    assert_eq!(checked.json(), direct.json());
}

#[test]
fn another_account_is_guarded_on_request() {
    let outcome = nodebound(["render", "--profile", "kubevirt", "--service-account", "openshift-cnv/kubevirt-handler"]);
    assert!(outcome.out.contains("system:serviceaccount:openshift-cnv:kubevirt-handler"));
    assert!(!outcome.out.contains("system:serviceaccount:kubevirt:kubevirt-handler"));
}

const PROFILE: &str = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
    serviceAccount: {namespace: a, name: b}\n";

#[test]
fn risks_are_said_beside_the_result() {
    let text = format!("{PROFILE}  labels: [{{domain: kubernetes.io}}]\n  node: Any\n");
    let folder = files(&[("p.yaml", text.as_bytes())]);
    let outcome = nodebound(["render", "--profile", folder.path().join("p.yaml").to_str().unwrap()]);
    assert_eq!(outcome.code, 0);
    for message in ["warning: spec.node: Any lets root", "warning: spec.labels: `kubernetes.io` belongs to Kubernetes"]
    {
        assert!(outcome.err.contains(message), "{}", outcome.err);
    }
    assert!(!outcome.out.contains("warning"));
}

#[test]
fn a_channel_without_a_guard_is_refused() {
    let text = format!("{PROFILE}  labels: [{{domain: example.com}}]\n  channel: Pull\n");
    let folder = files(&[("p.yaml", text.as_bytes())]);
    let outcome = nodebound(["render", "--profile", folder.path().join("p.yaml").to_str().unwrap()]);
    assert_eq!((outcome.code, outcome.out.as_str()), (2, ""));
    assert!(
        outcome.err.contains("spec.channel: Pull: this version has no guard for this channel yet"),
        "{}",
        outcome.err
    );
}
