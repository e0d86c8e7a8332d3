//! What is found, in every format.

use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;
use std::collections::BTreeSet;

use super::cluster::Stage;
use crate::{Outcome, nodebound};

#[test]
fn without_a_policy_everything_gets_through() {
    let cluster = Stage::new().served();
    let table = cluster.verify(&[]);
    assert_eq!((table.code, table.err.as_str()), (1, ""), "{}", table.out);
    for line in [
        "A  Cordon nodes                                                     got through 10",
        "G  Evict a pod of another node                                      stopped 2       RBAC",
        "nodebound-kubevirt is installed            WRONG  inert: there is no ValidatingAdmissionPolicy nodebound-kubevirt",
        "got through  lure-by-cordon          cordon another node, by merge patch",
        "\nkubevirt/kubevirt-handler is not bound as the profile kubevirt says: ",
    ] {
        assert!(table.out.contains(line), "{line}\n{}", table.out);
    }
    assert!(!table.out.contains('\u{1b}') && table.out.lines().all(|line| line == line.trim_end()), "{}", table.out);
    let json = breaches(&cluster.verify(&["-o", "json"]));
    assert_eq!(of_junit(&cluster.verify(&["-o", "junit"])), json);
    let sarif = of_sarif(&cluster.verify(&["-o", "sarif"]));
    let checks = BTreeSet::from(["installed".to_owned()]);
    let recipes: BTreeSet<String> = json.into_iter().map(|(recipe, _)| recipe).collect();
    assert_eq!(sarif, &recipes | &checks);
}

/// Recipe and name of what got through, of the form for programs.
fn breaches(outcome: &Outcome) -> BTreeSet<(String, String)> {
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    let report = outcome.json();
    assert_eq!(report["conclusion"], "broken");
    let trials = report["trials"].as_array().unwrap().iter().filter(|trial| trial["outcome"] == "breach");
    let breaches: BTreeSet<_> = trials.map(|trial| (text(&trial["recipe"]), text(&trial["name"]))).collect();
    assert!(
        breaches.len() > 100 && breaches.contains(&("lure-by-cordon".into(), "cordon another node, by PUT".into()))
    );
    breaches
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What is no success, with the recipe if it is one.
pub(super) fn failures(outcome: &Outcome) -> impl Iterator<Item = (String, String, NonSuccessKind)> {
    let report = Report::deserialize_from_str(&outcome.out).unwrap();
    let cases = report.test_suites.into_iter().flat_map(|suite| suite.test_cases);
    cases.filter_map(|case| {
        let TestCaseStatus::NonSuccess { kind, .. } = case.status else { return None };
        let recipe = case.classname.map_or(String::new(), |name| name.to_string());
        Some((recipe, case.name.to_string(), kind))
    })
}

/// The same of the form for CI systems, where the check that failed has no recipe.
fn of_junit(outcome: &Outcome) -> BTreeSet<(String, String)> {
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    let (checks, trials): (Vec<_>, Vec<_>) = failures(outcome).partition(|(recipe, ..)| recipe.is_empty());
    assert_eq!(checks.len(), 2, "{checks:?}");
    trials.into_iter().map(|(recipe, name, _)| (recipe, name)).collect()
}

/// The rules of the results of the form for code scanners, each of which is declared once.
fn of_sarif(outcome: &Outcome) -> BTreeSet<String> {
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""));
    let log = outcome.json();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&"2.1.0".into(), 1));
    let run = &log["runs"][0];
    let declared: Vec<String> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| text(&rule["id"])).collect();
    let once: BTreeSet<String> = declared.iter().cloned().collect();
    assert_eq!(once.len(), declared.len(), "{declared:?}");
    let results = run["results"].as_array().unwrap();
    for result in results {
        assert_eq!((&result["kind"], &result["level"]), (&"fail".into(), &"error".into()));
        assert!(!text(&result["message"]["text"]).is_empty());
        let place = &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
        assert!(text(place).starts_with("kubevirt/kubevirt-handler"), "{place}");
    }
    let used: BTreeSet<String> = results.iter().map(|result| text(&result["ruleId"])).collect();
    assert!(used.is_subset(&once), "{used:?}");
    used
}

#[test]
fn with_the_guard_nothing_does() {
    let cluster = Stage::guarded().served();
    let page = cluster.file("report.html").display().to_string();
    let table = cluster.verify(&["--report", &page]);
    assert_eq!((table.code, table.err), (0, format!("the report is {page}\n")), "{}", table.out);
    let sentence = "kubevirt/kubevirt-handler is bound to its node and to what it owns: 139 attacks stopped, \
        0 got through; 23 legitimate writes admitted, 0 blocked";
    assert!(table.out.ends_with(&format!("\n{sentence}\n")), "{}", table.out);
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("139 attacks stopped"), "{html:.500}");

    let json = cluster.verify(&["-o", "json"]).json();
    assert_eq!((&json["conclusion"], &json["sentence"]), (&"holds".into(), &sentence.into()));
    assert_eq!((&json["means"]["token"], json["means"].get("unproven")), (&true.into(), None));
    let yaml: Value = serde_saphyr::from_str(&cluster.verify(&["-o", "yaml"]).out).unwrap();
    assert_eq!(kinds(&yaml), kinds(&json));
    let junit = cluster.verify(&["-o", "junit"]);
    assert_eq!((junit.code, failures(&junit).count()), (0, 0));
    let sarif = cluster.verify(&["-o", "sarif"]);
    let run = sarif.json()["runs"][0].take();
    assert_eq!((sarif.code, run["results"].as_array().unwrap().len()), (0, 0), "{}", run["results"]);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len(), 0);
}

/// What does not differ from one run to the next.
fn kinds(report: &Value) -> Vec<(&Value, &Value, &Value)> {
    let trials = report["trials"].as_array().unwrap().iter();
    trials.map(|trial| (&trial["recipe"], &trial["name"], &trial["outcome"])).collect()
}

#[test]
fn whatever_was_not_tried_is_said_with_the_reason() {
    let table = Stage::guarded().served().verify(&[]);
    for line in [
        "R              the profile allows any value\n",
        "S              the profile sets no limit\n",
        "bare-node      needs a Node that exists for nothing else: name one with --danger-write\n",
    ] {
        assert!(table.out.contains(line), "{line}\n{}", table.out);
    }
}

#[test]
fn verbose_lists_what_was_as_it_should_be() {
    let table = Stage::guarded().served().verify(&["--verbose"]);
    assert!(table.out.contains("cordon another node, by merge patch"), "{}", table.out);
    assert!(table.out.contains("guard nodebound-kubevirt (own-node): nodebound/kubevirt: own-node: "), "{}", table.out);
    assert_eq!(nodebound(["verify"]).code, 2, "a profile is needed");
}
