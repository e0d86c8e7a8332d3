//! What is rendered is committed, so that every change of a policy is seen.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use manifests::{documents, guards, render};
use ownership::guard::Guard;
use ownership::{Profile, builtin, parse};
use std::path::Path;

/// Compares with `tests/golden/<name>.yaml`; `UPDATE_GOLDEN=1` writes it.
#[track_caller]
fn assert_golden(name: &str, guardings: &[manifests::Guarding]) {
    let objects: Vec<_> = guardings.iter().flat_map(manifests::Guarding::objects).collect();
    let text = documents(&objects).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.yaml"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; if that is meant, run the test with UPDATE_GOLDEN=1", path.display());
}

fn built_in(name: &str) -> Profile {
    builtin::profile(name).unwrap().unwrap()
}

#[test]
fn the_guards_of_the_built_in_profiles() {
    for (name, _) in builtin::PROFILES {
        assert_golden(name, &guards(&built_in(name)));
    }
}

#[test]
fn the_guards_of_the_objects_in_the_middle() {
    let least = built_in("kubevirt-least");
    for (name, guard) in
        [("shadownodes", Guard::ShadowNodes), ("leases", Guard::Leases), ("nodefeatures", Guard::NodeFeatures)]
    {
        assert_golden(name, &[render(&least, guard)]);
    }
}

#[test]
fn the_guard_with_every_option() {
    let text = include_str!("every-option.yaml");
    assert_golden("every-option", &guards(&parse::profile(text).unwrap()));
}

#[test]
fn a_profile_gets_the_guards_that_it_needs() {
    let kinds = |spec: &str| {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
             serviceAccount: {{namespace: ns, name: agent}}\n  labels: [{{key: k}}]\n{spec}"
        );
        guards(&parse::profile(&text).unwrap()).into_iter().map(|g| g.guard).collect::<Vec<_>>()
    };
    let table = [
        ("", vec![Guard::Nodes]),
        ("  resources: [{group: g, version: v1, resource: r, node: [a]}]\n", vec![Guard::Nodes, Guard::Resources]),
        ("  channel: ShadowNode\n", vec![Guard::Nodes, Guard::ShadowNodes]),
        ("  channel: NodeFeature\n", vec![Guard::Nodes, Guard::NodeFeatures]),
        ("  liveness: {source: Lease, mark: {label: k, value: a}}\n", vec![Guard::Nodes, Guard::Leases]),
        ("  liveness: {source: PodReadiness, mark: {label: k, value: a}}\n", vec![Guard::Nodes]),
    ];
    for (spec, expected) in table {
        assert_eq!(kinds(spec), expected, "{spec}");
    }
}
