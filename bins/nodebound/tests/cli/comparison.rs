//! Two policies side by side: which requests only one of them refuses.

use serde_json::Value;

use crate::{SAMPLE, SHIPPED, nodebound, root};

/// Index and rule of the requests that one of two policies refuses and the other does not.
fn alone<'r>(records: &'r Value, refusing: &str, other: &str) -> Vec<(u64, &'r str)> {
    let refuses = |record: &Value, policy: &str| {
        let policies = record["policies"].as_array().unwrap();
        policies.iter().any(|o| o["policy"] == policy && (o["outcome"] == "deny" || o["outcome"] == "error"))
    };
    let records = records.as_array().unwrap().iter();
    let only = records.filter(|record| refuses(record, refusing) && !refuses(record, other));
    only.map(|r| (r["index"].as_u64().unwrap(), r["rule"].as_str().or(r["message"].as_str()).unwrap())).collect()
}

const OURS: &str = "nodebound-kubevirt";
const THEIRS: &str = "kubevirt-node-restriction-policy";

#[test]
fn the_sample_shows_what_only_ours_refuses() {
    let outcome = nodebound(["check", "-o", "json", "--profile", "kubevirt", "--policy", SHIPPED, SAMPLE]);
    let records = outcome.json();
    assert_eq!(alone(&records, OURS, THEIRS), [(7, "labels"), (8, "labels"), (10, "operation")]);
    assert_eq!(alone(&records, THEIRS, OURS), []);
}

#[test]
fn the_table_has_a_column_for_each() {
    let table = nodebound(["check", "--profile", "kubevirt", "--policy", SHIPPED, SAMPLE]).out;
    assert!(table.starts_with(&format!("A  {OURS}\nB  {THEIRS}\n")), "{table}");
    let row = |index: &str| table.lines().find(|line| line.starts_with(index)).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row("4 ")[1..5], ["deny", "own-node", "deny", "UPDATE"]);
    assert_eq!(row("7 ")[1..5], ["deny", "labels", "-", "A"]);
    assert!(table.contains(&format!("A  {OURS}                7        3")), "{table}");
    assert!(table.contains(&format!("B  {THEIRS}  4        0")), "{table}");
}

/// The recorded requests of a real API server; they are not part of the project.
#[test]
fn recorded_requests_show_what_each_refuses_alone() {
    let recorded = root().join("../shared/data/admission-reviews/node-requests.jsonl");
    if !recorded.exists() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"not run: the recorded requests are not here\n");
        return;
    }
    let text = std::fs::read_to_string(root().join(SHIPPED)).unwrap();
    let shipped = text.replace("serviceaccount:kubevirt:", "serviceaccount:rec-kubevirt:");
    let folder = crate::files(&[("shipped.yaml", shipped.as_bytes())]);
    let policy = folder.path().join("shipped.yaml");
    let account = "rec-kubevirt/kubevirt-handler";
    let arguments = ["check", "-o", "json", "--profile", "kubevirt", "--service-account", account, "--policy"];
    let paths = [policy.to_str().unwrap(), recorded.to_str().unwrap()];
    let records = nodebound(arguments.iter().chain(&paths)).json();
    let ours = alone(&records, OURS, THEIRS);
    let expected: Vec<u64> = vec![12, 13, 14, 16, 20, 21, 22, 24, 34, 35, 36, 37, 38, 42];
    assert_eq!(ours.iter().map(|(index, _)| *index).collect::<Vec<_>>(), expected);
    assert_eq!(ours[0], (12, "status"));
    let theirs = alone(&records, THEIRS, OURS);
    assert_eq!(theirs.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [5, 6]);
    assert!(theirs.iter().all(|(_, message)| message.contains("no such key")), "{theirs:?}");
}
