use super::*;
use std::collections::BTreeMap;

fn deployment(tag: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "n", "name": "controller"},
        "spec": {"template": {"spec": {"containers": [{"image": format!("registry:5000/controller:{tag}")}]}}}})
}

fn set(template: &str, most: Value, status: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": "n", "name": "agents", "generation": 2},
        "spec": {"template": template, "updateStrategy": {"rollingUpdate": {"maxUnavailable": most}}}, "status": status})
}

fn found(object: Value) -> Found {
    Found { objects: BTreeMap::from([(Place::of(&object), object)]), ..Found::default() }
}

/// What is no version is never newer: then the order is that of going back.
#[test]
fn a_version_is_newer_by_its_numbers() {
    for (there, wanted, expected) in [
        (Some("v0.14.0"), "v0.15.0", true),
        (Some("0.14.0"), "v0.15.0", true),
        (Some("v0.14.0"), "0.15.0", true),
        (Some("v0.9.0"), "v0.10.0", true),
        (Some("v0.15.0-rc.1"), "v0.15.0", true),
        (Some("v0.15.0"), "v0.14.0", false),
        (Some("v0.15.0"), "v0.15.0", false),
        (None, "v0.15.0", false),
        (Some("v0.15.0"), "devel", false),
    ] {
        let found = there.map(|tag| found(deployment(tag))).unwrap_or_default();
        assert_eq!(upgrades(&[(Part::Controller, deployment(wanted))], &found), expected, "{there:?} {wanted}");
    }
}

/// One pod first, until it is ready; then a tenth at a time.
#[test]
fn a_new_pod_goes_ahead_of_the_others() {
    let status = |observed: u64, updated: u64, unavailable: u64| {
        json!({"observedGeneration": observed, "desiredNumberScheduled": 9, "updatedNumberScheduled": updated,
            "numberUnavailable": unavailable})
    };
    for (stage, template, most, status, expected) in [
        ("nothing changes", "new", json!("10%"), status(2, 9, 0), json!("10%")),
        ("it begins", "old", json!("10%"), status(2, 9, 0), json!(1)),
        ("nobody has seen it yet", "new", json!(1), status(1, 9, 0), json!(1)),
        ("the first one starts", "new", json!(1), status(2, 1, 1), json!(1)),
        ("the first one fails for ever", "new", json!(1), status(2, 1, 1), json!(1)),
        ("the first one is ready", "new", json!(1), status(2, 1, 0), json!("10%")),
        ("the second one starts", "new", json!(1), status(2, 2, 1), json!("10%")),
        ("the others follow", "new", json!("10%"), status(2, 5, 1), json!("10%")),
    ] {
        let next = next(set("new", json!("10%"), json!({})), &found(set(template, most, status)));
        assert_eq!(next.pointer(CANARY), Some(&expected), "{stage}");
    }
    let next = next(set("new", json!("10%"), json!({})), &Found::default());
    assert_eq!(next.pointer(CANARY), Some(&json!("10%")), "there is none yet");
}

/// A controller that becomes newer comes after the last agent.
#[test]
fn whoever_is_not_ready_is_waited_for() {
    let pending =
        json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 2});
    let ready =
        json!({"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3});
    for (status, waits) in [(pending, true), (ready, false)] {
        let agents = set("new", json!("10%"), status);
        let unsettled = unsettled_agents(&[(Part::Agents, agents.clone())], &found(agents.clone()));
        assert_eq!(unsettled, waits.then(|| Place::of(&agents)));
    }
}
