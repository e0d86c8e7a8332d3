//! `nodebound check` on recordings that can be read.

use serde_json::{Value, json};

use crate::{SAMPLE, SHIPPED, files, nodebound, root, with_input};

fn sample() -> String {
    std::fs::read_to_string(root().join(SAMPLE)).unwrap()
}

fn outcomes(records: &Value) -> Vec<(u64, &str, &str)> {
    records
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["index"].as_u64().unwrap(), r["outcome"].as_str().unwrap(), r["rule"].as_str().unwrap_or("")))
        .collect()
}

#[test]
fn the_sample_is_judged_as_the_readme_shows() {
    let outcome = nodebound(["check", "--profile", "kubevirt", "-o", "json", SAMPLE]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    let expected = [
        (1, "allow", ""),
        (2, "allow", ""),
        (3, "allow", ""),
        (4, "deny", "own-node"),
        (5, "deny", "spec"),
        (6, "deny", "labels"),
        (7, "deny", "labels"),
        (8, "deny", "labels"),
        (9, "deny", "own-node"),
        (10, "deny", "operation"),
        (11, "allow", ""),
        (12, "notMatched", ""),
    ];
    assert_eq!(outcomes(&outcome.json()), expected);
}

#[test]
fn a_record_says_everything() {
    let outcome = nodebound(["check", "--profile", "kubevirt", "-o", "json", SAMPLE]);
    let mut record = outcome.json()[5].clone();
    let policies = record.as_object_mut().unwrap().remove("policies").unwrap();
    let expected = json!({
        "source": SAMPLE, "index": 6, "uid": record["uid"],
        "description": "control-plane role on its own node", "kind": "attack: foreign label",
        "outcome": "deny", "policy": "nodebound-kubevirt", "binding": "nodebound-kubevirt", "rule": "labels",
        "message": "nodebound/kubevirt: labels: not owned by this agent: node-role.kubernetes.io/control-plane",
        "reason": "Forbidden", "code": 403, "keys": ["node-role.kubernetes.io/control-plane"],
    });
    assert_eq!(record, expected);
    assert_eq!(policies[1]["outcome"], "notMatched");
    assert_eq!(policies[1]["policy"], "nodebound-kubevirt-resources");
}

#[test]
fn the_formats_say_the_same() {
    let json = nodebound(["check", "--profile", "kubevirt", "-o", "json", SAMPLE]).json();
    let yaml = nodebound(["check", "--profile", "kubevirt", "-o", "yaml", SAMPLE]).out;
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), json);
    let table = nodebound(["check", "--profile", "kubevirt", SAMPLE]).out;
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[6].starts_with("6   deny"), "{}", rows[6]);
    assert!(rows[6].ends_with("labels: not owned by this agent: node-role.kubernetes.io/control-plane"), "{}", rows[6]);
    assert_eq!(rows.last(), Some(&"12 requests: 4 allowed, 7 denied, 0 errors, 1 not matched"));
    assert!(!table.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn every_form_of_recording_is_read() {
    let lines = sample();
    let reviews: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["review"].clone()).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews});
    let documents: Vec<String> = reviews.iter().map(|review| serde_saphyr::to_string(review).unwrap()).collect();
    let forms = [
        lines.clone(),
        lines.replace('\n', "\r\n"),
        format!("\n{lines}\n\n"),
        reviews.iter().map(|review| format!("{review}\n")).collect(),
        serde_json::to_string(&reviews).unwrap(),
        serde_json::to_string_pretty(&reviews).unwrap(),
        serde_json::to_string_pretty(&list).unwrap(),
        documents.join("---\n"),
        serde_saphyr::to_string(&list).unwrap(),
    ];
    let expected = nodebound(["check", "--profile", "kubevirt", "-o", "json", SAMPLE]);
    let folder = files(&[]);
    for (index, form) in forms.iter().enumerate() {
        let path = folder.path().join(format!("form-{index}"));
        std::fs::write(&path, form).unwrap();
        let outcome = nodebound(["check", "--profile", "kubevirt", "-o", "json", path.to_str().unwrap()]);
        assert_eq!(outcome.err, "", "form {index}");
        assert_eq!(outcomes(&outcome.json()), outcomes(&expected.json()), "form {index}");
    }
}

#[test]
fn standard_input_is_a_source() {
    let outcome = with_input(["check", "--profile", "kubevirt", "-o", "json", "-"], sample().as_bytes());
    assert_eq!(outcomes(&outcome.json()).len(), 12);
    assert_eq!(outcome.json()[0]["source"], "-");
}

#[test]
fn the_exit_code_is_0_if_nothing_is_refused() {
    let first: String = sample().lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_eq!(with_input(["check", "--profile", "kubevirt", "-"], first.as_bytes()).code, 0);
    let outcome = nodebound(["check", "--profile", "kubevirt", "--service-account", "other/agent", SAMPLE]);
    assert_eq!(outcome.code, 0, "another account is not concerned");
    assert!(outcome.out.contains("12 not matched"));
}

#[test]
fn several_sources_are_told_apart() {
    let outcome = nodebound(["check", "--profile", "kubevirt", SAMPLE, SAMPLE]);
    assert_eq!(outcome.out.matches(SAMPLE).count(), 2);
    assert!(outcome.out.ends_with("24 requests: 8 allowed, 14 denied, 0 errors, 2 not matched\n"));
}

#[test]
fn a_policy_without_a_binding_counts_as_bound_with_deny() {
    let text = std::fs::read_to_string(root().join(SHIPPED)).unwrap();
    let (policy, binding) = text.split_once("---\n").unwrap();
    let astray = binding.replace("policyName: kubevirt-node-restriction-policy", "policyName: nobody");
    let folder =
        files(&[("policy.yaml", policy.as_bytes()), ("astray.yaml", format!("{policy}---\n{astray}").as_bytes())]);
    let check = |name: &str| {
        let path = folder.path().join(name);
        nodebound(["check", "-o", "json", "--policy", path.to_str().unwrap(), SAMPLE])
    };
    let unbound = check("policy.yaml");
    assert!(unbound.err.contains("policy kubevirt-node-restriction-policy has no binding"), "{}", unbound.err);
    assert_eq!(unbound.json()[4]["message"], "this user cannot modify spec of node");
    assert_eq!(unbound.code, 1);
    assert!(check("astray.yaml").err.contains("names the policy nobody, which is in no file"));
}

#[test]
fn a_trial_run_refuses_nothing_and_says_what_it_would() {
    let profile = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: trial}\nspec:\n  \
        serviceAccount: {namespace: kubevirt, name: kubevirt-handler}\n  labels: [{domain: kubevirt.io}]\n  actions: [Audit]\n";
    let folder = files(&[("trial.yaml", profile.as_bytes())]);
    let path = folder.path().join("trial.yaml");
    let outcome = nodebound(["check", "-o", "json", "--profile", path.to_str().unwrap(), SAMPLE]);
    let record = &outcome.json()[4];
    assert_eq!((record["outcome"].as_str(), record["rule"].as_str()), (Some("allow"), Some("spec")));
    assert_eq!((&record["code"], outcome.code), (&Value::Null, 0));
}

#[test]
fn an_input_cannot_write_on_the_terminal() {
    let line = sample().lines().next().unwrap().replace("\"heartbeat\"", "\"\\u001b[2Jgone\"");
    let outcome = with_input(["check", "--profile", "kubevirt", "-"], line.as_bytes());
    assert!(!outcome.out.contains('\u{1b}') && outcome.out.contains("[2Jgone"), "{}", outcome.out);
}
