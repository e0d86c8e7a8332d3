//! What is not there, not allowed or not sensible: never a green result.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::cluster::{Stage, impersonating, minting, reading, rule};
use crate::{Outcome, files, nodebound};

/// Nothing is printed but why it could not be told.
fn could_not_tell(outcome: &Outcome, why: &str) {
    assert_eq!((outcome.code, outcome.out.as_str()), (3, ""), "{why}\n{}", outcome.err);
    assert!(outcome.err.starts_with("nodebound: could not verify: "), "{}", outcome.err);
    assert!(outcome.err.contains(why), "{why}\n{}", outcome.err);
}

fn verify_with(kubeconfig: &str) -> Outcome {
    nodebound(["verify", "--profile", "kubevirt", "--kubeconfig", kubeconfig])
}

#[test]
fn no_cluster() {
    could_not_tell(&verify_with("/nowhere/kubeconfig"), "there is no cluster to look at: ");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = [
        ("a: [".to_owned(), "there is no cluster to look at: "),
        ("{}".to_owned(), "there is no cluster to look at: "),
        (kubeconfig(&format!("https://{address}")), "the cluster cannot be reached: no answer: "),
        (kubeconfig("https://host.invalid:6443"), "cannot find host.invalid"),
        (kubeconfig("https://"), "there is no cluster to look at: "),
    ];
    for (text, why) in table {
        let folder = files(&[("kubeconfig", text.as_bytes())]);
        could_not_tell(&verify_with(folder.path().join("kubeconfig").to_str().unwrap()), why);
    }
}

fn kubeconfig(server: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]})
    .to_string()
}

/// An address at which every request gets this answer.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let _ = lines.find(String::is_empty);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn what_answers_is_no_api_server() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>",
            "cannot read the version: the answer is not that of an API server",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
            "cannot read the version: the answer is not that of an API server",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            "no pod of the service account kubevirt/kubevirt-handler is running",
        ),
        ("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "cannot read the version: 404"),
        (
            "HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 24\r\n\r\n{\"message\":\"\\u001b[31m\"}",
            "cannot read the version: 403 \u{fffd}[31m",
        ),
        ("SSH-2.0-OpenSSH\r\n", "the cluster cannot be reached: no answer: "),
    ];
    for (answer, why) in table {
        let folder = files(&[("kubeconfig", kubeconfig(&answering(answer)).as_bytes())]);
        could_not_tell(&verify_with(folder.path().join("kubeconfig").to_str().unwrap()), why);
    }
}

#[test]
fn arguments_that_name_nothing() {
    let cluster = Stage::guarded().served();
    could_not_tell(&cluster.verify(&["--context", "other"]), "there is no cluster to look at: ");
    could_not_tell(
        &cluster.verify(&["--node", "node-without-labels"]),
        "no pod of the service account kubevirt/kubevirt-handler is running on node-without-labels",
    );
    could_not_tell(&cluster.verify(&["--node", "a&b=c"]), "is running on a&b=c");
    could_not_tell(
        &cluster.verify(&["--service-account", "kubevirt/nobody"]),
        "there is no service account kubevirt/nobody: the profile names an agent that does not exist here",
    );
    let unknown = nodebound(["verify", "--profile", "kubevrit"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains("`kubevrit` is neither a built-in profile"), "{}", unknown.err);
    let named = cluster.verify(&["--policy", "nobodys"]);
    assert_eq!(named.code, 1);
    assert!(named.out.contains("inert: there is no ValidatingAdmissionPolicy nobodys"), "{}", named.out);
}

#[test]
fn the_node_to_attack_from_can_be_chosen() {
    let cluster = Stage::guarded().served();
    let report = cluster.verify(&["--node", "node-2", "-o", "json"]).json();
    assert_eq!((&report["node"], &report["pod"]), (&"node-2".into(), &"virt-handler-node-2".into()));
    assert_eq!(report["conclusion"], "holds");
}

#[test]
fn no_agent_that_runs() {
    let why = "no pod of the service account kubevirt/kubevirt-handler is running";
    let changes: [fn(&mut Value); 4] = [
        |pod| pod["status"]["phase"] = json!("Pending"),
        |pod| pod["status"]["phase"] = json!("Succeeded"),
        |pod| pod["spec"]["serviceAccountName"] = json!("somebody-else"),
        |pod| pod["spec"]["nodeName"] = json!(""),
    ];
    for change in changes {
        let pods = |object: &mut Value| {
            if object["kind"] == "Pod" {
                change(object)
            }
        };
        could_not_tell(&Stage::guarded().changed(pods).served().verify(&[]), why);
    }
    could_not_tell(&Stage::guarded().only(|object| object["kind"] != "Pod").served().verify(&[]), why);
}

#[test]
fn an_operator_who_may_not_look() {
    let whole = || reading().into_iter().chain(impersonating()).chain([minting()]);
    for (group, resource, why) in [
        ("", "nodes", "cannot read the agent's Node: 403 "),
        ("", "pods", "cannot read the agent's pods: 403 "),
        ("", "serviceaccounts", "cannot read the service account: 403 "),
        ("kubevirt.io", "virtualmachineinstances", "cannot read virtualmachineinstances: 403 "),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", "cannot read the policies: 403 "),
        (
            "admissionregistration.k8s.io",
            "validatingadmissionpolicybindings",
            "cannot read the bindings of policies: 403 ",
        ),
    ] {
        let without = |mut given: Value| {
            let is_read = given["apiGroups"] == json!([group]) && given["verbs"] == json!(["get", "list"]);
            if let Some(resources) = given["resources"].as_array_mut().filter(|_| is_read) {
                resources.retain(|known| known != resource);
            }
            given
        };
        let rules: Vec<Value> = whole().map(without).filter(|given| given["resources"] != json!([])).collect();
        could_not_tell(&Stage::guarded().operator(&rules).served().verify(&[]), why);
    }
}

#[test]
fn an_operator_who_may_not_become_the_agent() {
    let why = "there is no token of kubevirt/kubevirt-handler (";
    let grant = "grant create on serviceaccounts/token, or impersonate on serviceaccounts, groups and, in ";
    let [account, extras] = impersonating();
    for more in
        [vec![], vec![account.clone()], vec![extras], vec![account, rule("", &["serviceaccounts/token"], &["get"])]]
    {
        let rules: Vec<Value> = reading().into_iter().chain(more).collect();
        let outcome = Stage::guarded().operator(&rules).served().verify(&[]);
        could_not_tell(&outcome, why);
        assert!(outcome.err.contains(grant), "{}", outcome.err);
    }
}

#[test]
fn a_release_that_serves_no_policies_guards_nothing() {
    for minor in [28, 29] {
        let outcome = Stage::new().release(minor).served().verify(&[]);
        assert_eq!((outcome.code, outcome.err.as_str()), (1, ""), "{}", outcome.out);
        let why = "WRONG  this API server serves no admissionregistration.k8s.io/v1 policies";
        assert!(outcome.out.contains(why), "{}", outcome.out);
    }
    let outcome = Stage::guarded().release(30).served().verify(&[]);
    assert_eq!(outcome.code, 0, "{}", outcome.out);
}
