//! Two policies side by side: which requests only one of them refuses.

use serde_json::Value;

use crate::{SAMPLE, SHIPPED, nodebound};

/// Index and rule of the requests that one of two policies refuses and the other does not.
pub(crate) fn alone<'r>(records: &'r Value, refusing: &str, other: &str) -> Vec<(u64, &'r str)> {
    let refuses = |record: &Value, policy: &str| {
        let policies = record["policies"].as_array().unwrap();
        policies.iter().any(|o| o["policy"] == policy && (o["outcome"] == "deny" || o["outcome"] == "error"))
    };
    let records = records.as_array().unwrap().iter();
    let only = records.filter(|record| refuses(record, refusing) && !refuses(record, other));
    only.map(|r| (r["index"].as_u64().unwrap(), r["rule"].as_str().or(r["message"].as_str()).unwrap())).collect()
}

pub(crate) const OURS: &str = "nodebound-kubevirt";
pub(crate) const THEIRS: &str = "kubevirt-node-restriction-policy";

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
    let row = |index: &str| {
        table.lines().find(|line| line.starts_with(index)).unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("4 ")[1..5], ["deny", "own-node", "deny", "UPDATE"]);
    assert_eq!(row("7 ")[1..5], ["deny", "labels", "-", "A"]);
    assert!(table.contains(&format!("A  {OURS}                7        3")), "{table}");
    assert!(table.contains(&format!("B  {THEIRS}  4        0")), "{table}");
}
