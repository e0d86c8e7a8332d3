//! Clusters that are not as simple: one node, and KubeVirt's own policy beside ours.

use attack::stage;
use serde_json::{Value, json};

use super::cluster::{Stage, impersonating, minting, reading, shipped};

fn one_node(all: Stage) -> Stage {
    let elsewhere = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        ["node-2", "node-3"].iter().any(|node| name.ends_with(node)) || name == stage::BARE
    };
    all.only(|object| !elsewhere(object))
}

fn trials<'a>(report: &'a Value, recipe: &'a str) -> impl Iterator<Item = &'a Value> {
    report["trials"].as_array().unwrap().iter().filter(move |trial| trial["recipe"] == recipe)
}

#[test]
fn with_one_node_the_claim_of_another_is_imitated() {
    let cluster = one_node(Stage::guarded()).served();
    let outcome = cluster.verify(&["-o", "json"]);
    let report = outcome.json();
    assert_eq!(outcome.code, 0, "{}", report["sentence"]);
    assert!(trials(&report, "domain-lure").all(|trial| trial["note"] == "the cluster has one node"));
    let foreign = trials(&report, "token-without-claim").find(|trial| trial["name"] == "claim of another node");
    let foreign = foreign.unwrap();
    assert_eq!((&foreign["outcome"], &foreign["refusal"]["rule"]), (&"stopped".into(), &"own-node".into()));
    let curl = foreign["curl"].as_str().unwrap();
    assert!(curl.contains("node-name: nodebound-another-node"), "{curl}");
    let table = cluster.verify(&[]).out;
    assert!(table.contains("the cluster has one node\n"), "{table}");
}

#[test]
fn with_one_node_and_no_impersonation_that_is_unproven() {
    let rules: Vec<Value> = reading().into_iter().chain([minting()]).collect();
    let cluster = one_node(Stage::guarded()).operator(&rules).served();
    let outcome = cluster.verify(&[]);
    assert_eq!((outcome.code, outcome.err.as_str()), (3, ""), "{}", outcome.out);
    let said = "no such write could be made: the cluster has one node, and the account may not be impersonated";
    assert!(outcome.out.contains(said), "{}", outcome.out);
    assert_eq!(cluster.verify(&["--allow-unproven"]).code, 0);
    let rules: Vec<Value> = reading().into_iter().chain(impersonating()).collect();
    let outcome = one_node(Stage::guarded()).operator(&rules).served().verify(&[]);
    let borrowed = outcome.out.contains("its identity was borrowed") && !outcome.out.contains(said);
    assert!(outcome.code == 3 && borrowed, "{}\n{}", outcome.out, outcome.err);
}

#[test]
fn an_agent_that_may_delete_any_of_its_guards_is_not_bound() {
    let group = "admissionregistration.k8s.io";
    for (resource, name) in [
        ("validatingadmissionpolicies", "nodebound-kubevirt"),
        ("validatingadmissionpolicybindings", "nodebound-kubevirt-resources"),
    ] {
        let mut rules = stage::widest_rules();
        let delete =
            json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": ["delete"]});
        rules.as_array_mut().unwrap().push(delete);
        let widened = |object: &mut Value| {
            if object["kind"] == "ClusterRole" {
                object["rules"] = rules.clone();
            }
        };
        let outcome = Stage::guarded().changed(widened).served().verify(&[]);
        assert_eq!(outcome.code, 1, "{}", outcome.out);
        let what = if resource.ends_with("bindings") { "binding" } else { "policy" };
        let breach = format!("got through  disarm-the-guard  delete the policy: {what} {name}\n");
        assert!(outcome.out.contains(&breach), "{}", outcome.out);
    }
}

/// Which of two refusing policies reports is the API server's choice; some requests only one of them refuses.
#[test]
fn what_another_policy_refuses_is_listed_as_its() {
    let theirs = "kubevirt-node-restriction-policy";
    let cluster = Stage::guarded().with(shipped()).served();
    let outcome = cluster.verify(&["-o", "json", "--danger-write", "nodebound-scratch"]);
    let report = outcome.json();
    let proof = ["capacity-zero", "labels-through-status", "create-or-delete-nodes", "kubelet-proxy"];
    for trial in proof.iter().flat_map(|recipe| trials(&report, recipe)) {
        assert_eq!(trial["refusal"]["policy"], "nodebound-kubevirt", "only ours refuses it: {trial}");
    }
    for (recipe, name, policy) in [
        ("look-alike-keys", "label notkubevirt.io/nodebound-probe", "nodebound-kubevirt"),
        ("domain-lure", "label cpumanager of another node", theirs),
        ("bare-node", "the first label", theirs),
    ] {
        let trial = trials(&report, recipe).find(|trial| trial["name"] == name).unwrap();
        assert_eq!(trial["refusal"]["policy"], policy, "{trial}");
    }
    let blocked = trials(&report, "bare-node").all(|trial| trial["outcome"] == "defect");
    assert!(outcome.code == 1 && blocked, "a legitimate write is refused, if not by ours: {}", report["sentence"]);
    let beside = cluster.verify(&[]);
    let note = format!("note  also judging this account: {theirs};");
    assert!(beside.code == 0 && beside.out.contains(&note), "{}", beside.out);
}

/// API servers hand out long lists in pages; what is looked for is on the second one.
#[test]
fn in_a_large_cluster_the_agent_and_its_objects_are_found() {
    let crowd = (0..500).flat_map(|index| {
        let name = format!("a-{index:03}");
        let [pod, machine] = OF_NODE_2.map(|text| text.replace("NAME", &name));
        [pod, machine].map(|text| serde_saphyr::from_str::<Value>(&text).unwrap())
    });
    let cluster = Stage::guarded().with(crowd).served();
    let outcome = cluster.verify(&["--node", "node-3", "-o", "json"]);
    let report = outcome.json();
    assert_eq!((outcome.code, &report["pod"]), (0, &"virt-handler-node-3".into()));
    assert!(trials(&report, "object-in-the-middle").all(|trial| trial["outcome"] == "stopped"));
    assert!(trials(&report, "own-objects").all(|trial| trial["outcome"] == "admitted"));
}

const OF_NODE_2: [&str; 2] = [
    "{apiVersion: v1, kind: Pod, metadata: {name: NAME, namespace: kubevirt}, status: {phase: Running}, \
      spec: {nodeName: node-2, serviceAccountName: kubevirt-handler, containers: [{name: c, image: i}]}}",
    "{apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: NAME, namespace: default}, \
      spec: {}, status: {nodeName: node-2}}",
];
