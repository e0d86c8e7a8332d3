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
