//! `nodebound demo`: the whole story, with nothing but the tool.

use serde_json::Value;

use crate::{files, nodebound};

const README: &str = include_str!("../../../../README.md");

#[test]
fn the_readme_shows_what_is_printed() {
    let outcome = nodebound(["demo"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    let shown = README.split_once("$ cargo run --release -- demo\n").and_then(|(_, rest)| rest.split_once("```"));
    assert_eq!(outcome.out, shown.unwrap().0);
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
    assert_eq!((&json["before"]["conclusion"], &json["after"]["conclusion"]), (&"broken".into(), &"holds".into()));
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

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_tried() {
    for command in [vec!["demo"], vec!["verify", "--profile", "kubevirt"]] {
        let outcome = nodebound([command.as_slice(), &["--report", "/nowhere/page.html"]].concat());
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{command:?}");
        assert!(outcome.err.contains("cannot write /nowhere/page.html"), "{}", outcome.err);
    }
}
