//! `nodebound demo`: the whole story, with nothing but the tool.

use serde_json::Value;

use crate::{files, nodebound};

#[test]
fn both_tables_are_shown_and_nothing_else() {
    let outcome = nodebound(["demo"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    for line in [
        "1. Root on node-1 has the token of kubevirt/kubevirt-handler, which may do everything about nodes\n",
        "   ATTACK                                                           UNGUARDED       GUARDED     REFUSED BY\n",
        "A  Cordon nodes                                                     got through 10  stopped 10  guard: own-node, guard: spec\n",
        "  THE AGENT'S OWN WRITES ",
        "\nkubevirt/kubevirt-handler is bound to its node and to what it owns: ",
        "2. The ways to protect nodes that KubeVirt's design weighs, each with the role that it would grant\n",
        "   OPTION                                 A  B  C  D  E  F  G  H  I  J  K  L  M  N  O  P  Q  R  S  T  U  WRITES\n",
        "WHAT ELSE IT OPENS\n",
        "bytes for 170 labels a node, and the object is full at ",
    ] {
        assert!(outcome.out.contains(line), "{line}\n{}", outcome.out);
    }
    assert!(!outcome.out.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn the_form_for_programs_and_the_page_have_the_same_story() {
    let folder = files(&[]);
    let page = folder.path().join("demo.html").display().to_string();
    let outcome = nodebound(["demo", "-o", "json", "--report", &page]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, format!("the report is {page}\n").as_str()));
    let json = outcome.json();
    assert!(count(&json["before"], "breach") > 100 && count(&json["before"], "defect") == 0);
    assert_eq!((count(&json["after"], "breach"), count(&json["after"], "blocked")), (0, 0));
    let options = json["matrix"]["options"].as_array().unwrap();
    let numbers: Vec<&str> = options.iter().map(|option| option["number"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["-", "1", "1", "2", "3", "4", "5", "6", "7"]);
    let recipes = json["matrix"]["recipes"].as_array().unwrap().len();
    assert!(options.iter().all(|option| option["cells"].as_array().unwrap().len() == recipes));
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("ShadowNode"), "{html:.500}");
}

fn count(report: &Value, outcome: &str) -> usize {
    report["trials"].as_array().unwrap().iter().filter(|trial| trial["outcome"] == outcome).count()
}

#[test]
fn what_it_does_not_take_is_wrong_usage() {
    assert_eq!(nodebound(["demo", "-o", "junit"]).code, 2);
    assert_eq!(nodebound(["demo", "x"]).code, 2);
}
