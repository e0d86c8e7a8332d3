//! `nodebound test`, and the suites that come with the project.

use ownership::builtin;
use serde_json::Value;

use crate::{files, nodebound, root};

const SUITES: [(&str, usize); 7] = [
    ("suites/kubevirt.yaml", 93),
    ("suites/kubevirt-least.yaml", 38),
    ("suites/kubevirt-upstream.yaml", 44),
    ("suites/resources.yaml", 50),
    ("suites/objects-in-the-middle.yaml", 24),
    ("suites/node-features.yaml", 18),
    ("suites/shipped-versus-ours.yaml", 32),
];

#[test]
fn every_suite_of_the_project_passes() {
    let paths: Vec<&str> = SUITES.iter().map(|(path, _)| *path).collect();
    let outcome = nodebound(["test", "-o", "json"].iter().chain(&paths));
    let results = outcome.json();
    let failed: Vec<&Value> = results.as_array().unwrap().iter().filter(|case| case["result"] == "failed").collect();
    assert!(failed.is_empty() && outcome.code == 0, "{failed:#?}\n{}", outcome.err);
    for (path, cases) in SUITES {
        let of_suite = results.as_array().unwrap().iter().filter(|case| case["source"] == path);
        assert_eq!(of_suite.filter(|case| case["result"] == "passed").count(), cases, "{path}");
    }
}

#[test]
fn every_suite_of_the_folder_is_in_the_list() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("suites"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| format!("suites/{}", path.file_name().unwrap().to_str().unwrap()))
        .collect();
    let mut listed: Vec<String> = SUITES.iter().map(|(path, _)| (*path).to_owned()).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn both_profiles_guard_the_same_resources() {
    let [kubevirt, least] = ["kubevirt", "kubevirt-least"].map(|name| builtin::profile(name).unwrap().unwrap());
    assert_eq!(kubevirt.resources(), least.resources());
}

/// Of every rule of the guard on Nodes that a built-in profile has, there is a case that it refuses.
#[test]
fn every_rule_is_refused_by_some_case() {
    let mut text = String::new();
    for (path, _) in SUITES {
        text.push_str(&std::fs::read_to_string(root().join(path)).unwrap());
    }
    let rules = "operation own-node spec status metadata labels annotations values node-field introduce fields";
    for rule in rules.split(' ') {
        assert!(text.contains(&format!("rule: {rule},")) || text.contains(&format!("rule: {rule}}}")), "{rule}");
    }
}

const HEAD: &str = "apiVersion: nodebound.io/cases/v1\nkind: Suite\nmetadata: {name: s}\nprofile: kubevirt\nusers:\n  \
    agent: {account: kubevirt/kubevirt-handler, claims: {node: n1}}\nobjects:\n  \
    n1: {apiVersion: v1, kind: Node, metadata: {name: n1, labels: {kubevirt.io/a: b, x.y/z: w}}, spec: {}}\ncases:\n";

fn run(cases: &str, format: &str) -> crate::Outcome {
    let folder = files(&[("s.yaml", format!("{HEAD}{cases}").as_bytes())]);
    nodebound(["test", "-o", format, folder.path().join("s.yaml").to_str().unwrap()])
}

fn case(change: &str, expect: &str) -> String {
    format!("- {{name: c, user: agent, old: n1, patch: {{type: merge, body: {change}}}, expect: {expect}}}\n")
}

const CORDON: &str = "{spec: {unschedulable: true}}";
const FOREIGN: &str = "{metadata: {labels: {x.y/z: v}}}";
const OWNED: &str = "{metadata: {labels: {kubevirt.io/a: v}}}";

#[test]
fn whatever_is_otherwise_than_expected_fails() {
    let table = [
        (OWNED, "notMatched", "expected notMatched; got allow"),
        (OWNED, "{deny: {}}", "expected deny by guard; got allow"),
        (
            CORDON,
            "allow",
            "expected allow; got deny by nodebound-kubevirt: nodebound/kubevirt: spec: spec may not change",
        ),
        (CORDON, "{deny: {rule: status}}", "expected deny by guard, rule status; got deny"),
        (CORDON, "{deny: {policy: other}}", "expected deny by other; got deny"),
        (CORDON, "{deny: {layer: policy}}", "expected deny by policy; got deny"),
        (CORDON, "{deny: {message: x}}", "expected deny by guard, `x`; got deny"),
        (CORDON, "{error: {}}", "expected error; got deny"),
        (FOREIGN, "{deny: {rule: labels, keys: [x.y/z, a]}}", "keys a, x.y/z; got deny"),
        (FOREIGN, "{deny: {rule: labels, keys: []}}", "got deny"),
    ];
    for (change, expect, message) in table {
        let outcome = run(&case(change, expect), "json");
        assert_eq!(outcome.code, 1, "{expect}");
        let detail = outcome.json()[0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(message), "{expect}: {detail}");
    }
    let outcome = run(&case(FOREIGN, "{deny: {policy: nodebound-kubevirt, rule: labels, keys: [x.y/z]}}"), "json");
    assert_eq!((outcome.code, outcome.json()[0]["result"].as_str()), (0, Some("passed")), "{outcome:?}");
}

#[test]
fn the_formats_say_the_same() {
    let cases = format!(
        "{}{}- {{name: later, references: [r], user: agent, old: n1, patch: {{type: apply, body: {{}}}}, expect: allow, notRun: {{offline: because}}}}\n",
        case(OWNED, "allow"),
        case(CORDON, "allow").replace("name: c,", "name: d,"),
    );
    let json = run(&cases, "json").json();
    let results: Vec<&str> = json.as_array().unwrap().iter().map(|case| case["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["passed", "failed", "notRun"]);
    assert_eq!((&json[2]["detail"], &json[2]["references"][0]), (&"because".into(), &"r".into()));
    let mut yaml: Value = serde_saphyr::from_str(&run(&cases, "yaml").out).unwrap();
    for (index, case) in yaml.as_array_mut().unwrap().iter_mut().enumerate() {
        case["source"] = json[index]["source"].clone();
    }
    assert_eq!(yaml, json);
    let table = run(&cases, "table").out;
    assert!(table.contains("FAILED  d     expected allow") && table.contains("  1       1       1\n"), "{table}");
    let junit = run(&cases, "junit").out;
    for part in [
        "<testsuites name=\"nodebound\" tests=\"3\" skipped=\"1\" failures=\"1\"",
        "<skipped message=\"because\"",
        "<failure",
    ] {
        assert!(junit.contains(part), "{part}\n{junit}");
    }
}

#[test]
fn a_suite_that_makes_no_sense_is_bad_input_and_the_others_run() {
    let good = format!("{HEAD}{}", case(OWNED, "allow"));
    let table = [
        ("a: [".to_owned(), "bad.yaml: line "),
        (
            format!("{HEAD}- {{name: c, user: nobody, old: n1, new: n1, expect: allow}}\n"),
            "bad.yaml: line 10: case `c`: user: the suite has no user `nobody`",
        ),
        (format!("{HEAD}[]\n"), "bad.yaml: line"),
        (good.replace("profile: kubevirt", "profile: nowhere.yaml"), "`nowhere.yaml` is neither a built-in profile"),
        (good.replace("profile: kubevirt", "policies: [nowhere.yaml]"), "nowhere.yaml: cannot be read"),
        (good.replace("expect: allow", "expect: {deny: {layer: rbac}}"), "the layer rbac cannot be seen offline"),
    ];
    for (bad, message) in table {
        let folder = files(&[("bad.yaml", bad.as_bytes()), ("good.yaml", good.as_bytes())]);
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let outcome = nodebound(["test".to_owned(), path("bad.yaml"), path("good.yaml")]);
        assert_eq!(outcome.code, 2, "{message}");
        assert!(outcome.err.contains(message), "{message}\n{}", outcome.err);
        assert!(outcome.out.contains("good.yaml  1       0       0"), "{}", outcome.out);
    }
}
