//! The requests that a real API server was asked about, recorded at a webhook. They are not part of the project.

use serde_json::Value;
use std::path::PathBuf;

use crate::comparison::{OURS, THEIRS, alone};
use crate::{SHIPPED, files, nodebound, root};

const ACCOUNT: &str = "rec-kubevirt/kubevirt-handler";

fn recorded() -> PathBuf {
    root().join("../shared/data/admission-reviews/node-requests.jsonl")
}

fn records(profile: &str, policy: Option<&str>) -> Value {
    let path = recorded();
    let mut arguments = vec!["check", "-o", "json", "--profile", profile, "--service-account", ACCOUNT];
    arguments.extend(policy.iter().flat_map(|policy| ["--policy", policy]));
    arguments.push(path.to_str().unwrap());
    let outcome = nodebound(arguments);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    outcome.json()
}

fn refused(records: &Value) -> Vec<(u64, &str)> {
    let records = records.as_array().unwrap().iter().filter(|record| record["outcome"] == "deny");
    records.map(|record| (record["index"].as_u64().unwrap(), record["rule"].as_str().unwrap())).collect()
}

#[test]
#[cfg_attr(not(recorded), ignore = "the recorded requests are not beside the project")]
fn every_attack_but_on_values_is_refused_and_nothing_else() {
    let records = records("kubevirt", None);
    assert_eq!(records.as_array().unwrap().len(), 47);
    for record in records.as_array().unwrap() {
        let expected = match record["kind"].as_str().unwrap() {
            "legitimate" | "attack: value" => "allow",
            "unrelated identity" => "notMatched",
            _ => "deny",
        };
        assert_eq!(record["outcome"], expected, "{record}");
    }
    let expected = [
        (10, "spec"),
        (11, "spec"),
        (12, "status"),
        (13, "status"),
        (14, "labels"),
        (15, "labels"),
        (16, "operation"),
        (17, "metadata"),
        (18, "own-node"),
        (19, "own-node"),
        (20, "own-node"),
        (21, "own-node"),
        (22, "own-node"),
        (23, "own-node"),
        (24, "operation"),
        (25, "own-node"),
        (26, "own-node"),
        (27, "own-node"),
        (28, "own-node"),
        (29, "labels"),
        (30, "labels"),
        (31, "labels"),
        (32, "labels"),
        (33, "labels"),
        (34, "labels"),
        (35, "labels"),
        (36, "labels"),
        (37, "labels"),
        (38, "annotations"),
        (39, "annotations"),
        (40, "annotations"),
        (41, "metadata"),
        (42, "operation"),
    ];
    assert_eq!(refused(&records), expected);
}

#[test]
#[cfg_attr(not(recorded), ignore = "the recorded requests are not beside the project")]
fn the_least_profile_refuses_three_more() {
    let [least, kubevirt] = ["kubevirt-least", "kubevirt"].map(|profile| records(profile, None));
    let known = refused(&kubevirt);
    let more: Vec<_> = refused(&least).into_iter().filter(|refusal| !known.contains(refusal)).collect();
    assert_eq!(more, [(5, "labels"), (8, "labels"), (44, "values")]);
    assert_eq!(refused(&least).len(), known.len() + more.len());
}

#[test]
#[cfg_attr(not(recorded), ignore = "the recorded requests are not beside the project")]
fn ours_and_theirs_each_refuse_something_alone() {
    let text = std::fs::read_to_string(root().join(SHIPPED)).unwrap();
    let shipped = text.replace("serviceaccount:kubevirt:", "serviceaccount:rec-kubevirt:");
    let folder = files(&[("shipped.yaml", shipped.as_bytes())]);
    let policy = folder.path().join("shipped.yaml");
    let records = records("kubevirt", policy.to_str());
    let expected = [
        (12, "status"),
        (13, "status"),
        (14, "labels"),
        (16, "operation"),
        (20, "own-node"),
        (21, "own-node"),
        (22, "own-node"),
        (24, "operation"),
        (34, "labels"),
        (35, "labels"),
        (36, "labels"),
        (37, "labels"),
        (38, "annotations"),
        (42, "operation"),
    ];
    assert_eq!(alone(&records, OURS, THEIRS), expected);
    let theirs = alone(&records, THEIRS, OURS);
    assert_eq!(theirs.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [5, 6]);
    assert!(theirs.iter().all(|(_, message)| message.contains("no such key")), "{theirs:?}");
}
