//! The controller against the sandbox, guards included, on a clock that only moves when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod degraded;
mod mistrust;
mod seeds;
mod stage;
mod stranded;

use channels::{Cause, Refuser};
use controller::Report;
use controller::desired::Held;
use kube::api::DeleteParams;
use ownership::guard::Rule;
use sandbox::adversity::{Effect, When};
use serde_json::{Value, json};
use stage::{SCHEDULABLE, Stage, pass, profile, text, trouble};
use std::collections::BTreeMap;
use std::time::Duration;

const X: &str = "kubevirt.io/x";
const Y: &str = "kubevirt.io/y";

/// The time that the guard's proof takes.
const PROOF: u64 = 10;

#[tokio::test(start_paused = true)]
async fn what_is_published_is_on_the_node_and_what_is_not_any_more_goes() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(1).await;
    assert_eq!(stage.counts().await, [1, 1], "the objects in the middle are there");
    let mut agent = stage.agent("n", &[(X, "1"), (Y, "1"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now()).await.unwrap();
    pass(1).await;
    assert_eq!(stage.says("n", X).await, None, "nothing before the guard has been seen to refuse");
    pass(PROOF).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", Y).await), (text("1"), text("1")));
    agent.wants(&[(X, "2"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    let mut labels = stage.labels("n").await;
    assert_eq!((labels.remove(X), labels.remove(SCHEDULABLE)), (text("2"), text("true")));
    let foreign = [("example.org/x", "1"), ("kubernetes.io/hostname", "n"), ("not-kubevirt.io/x", "1")];
    assert_eq!(labels, stage::map(&foreign), "the rest is as it was");
    assert_eq!(controller.writes("n").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_restart_is_removed_after_it() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    let mut agent = stage.agent("n", &[(X, "1"), (Y, "1")]);
    pass(1).await;
    agent.beat(stage.now()).await.unwrap();
    pass(PROOF).await;
    controller.kill();
    agent.wants(&[(X, "1")]);
    agent.beat(stage.now()).await.unwrap();
    stage.patched_by("kubectl", "n", json!({"labels": {"kubevirt.io/by-hand": "1"}})).await;
    stage.controller(true);
    pass(PROOF).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", Y).await), (text("1"), None));
    assert_eq!(stage.says("n", "kubevirt.io/by-hand").await, text("1"), "owned, but not ours");
}

#[tokio::test(start_paused = true)]
async fn in_a_steady_state_no_node_is_written() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(1).await;
    stage.agent("n", &[(X, "1"), (SCHEDULABLE, "true")]).live(&stage);
    pass(PROOF).await;
    let (writes, before) = (controller.writes("n").len(), stage.nodes.get("n").await.unwrap());
    pass(3600).await;
    assert_eq!(controller.writes("n").len(), writes);
    let after = stage.nodes.get("n").await.unwrap();
    assert_eq!(after.metadata.resource_version, before.metadata.resource_version);
}

#[tokio::test(start_paused = true)]
async fn hostile_publications_do_no_harm() {
    let long = "v".repeat(64);
    let huge = "v".repeat(200 * 1024);
    let many: BTreeMap<String, String> = (0..10_000).map(|n| (format!("kubevirt.io/k{n}"), "1".to_owned())).collect();
    let look_alikes = json!({"kubevirt.io.evil.org/x": "1", "xkubevirt.io/x": "1", "node-role.kubernetes.io/control-plane": "", X: "1"});
    let table: [(&str, Value, Option<&str>, &str); 5] = [
        ("look-alikes", json!({"labels": look_alikes}), Some("1"), "labels"),
        ("a value that is not allowed", json!({"labels": {"cpumanager": "maybe", X: "1"}}), Some("1"), "values"),
        ("too many keys", json!({"labels": many}), None, "too-much"),
        ("a huge annotation", json!({"annotations": {"kubevirt.io/huge": huge}, "labels": {X: "1"}}), None, "too-much"),
        ("nothing", json!({"labels": {"kubevirt.io/long": null}}), None, "nothing-published"),
    ];
    assert!(ownership::key::label_value(&long).is_err());
    for (name, published, expected, word) in table {
        let stage = Stage::new().await;
        for node in ["n", "other"] {
            stage.register(node).await;
        }
        let controller = stage.controller(true);
        pass(PROOF).await;
        stage.shadow("n", published).await;
        stage.shadow("other", json!({"labels": {X: "1"}})).await;
        pass(2).await;
        assert_eq!(stage.says("n", X).await.as_deref(), expected, "{name}");
        assert_eq!(stage.says("other", X).await, text("1"), "{name}: others go on");
        let labels = stage.labels("n").await;
        let foreign = labels.iter().filter(|(key, _)| !key.starts_with("kubevirt.io/")).count();
        assert_eq!(foreign, 3, "{name}: {labels:?}");
        let told = controller.reports().into_iter().filter(|report| match report {
            Report::LeftOut { node, rule, .. } => **node == *"n" && rule.as_str() == word,
            Report::Held { node, held } => **node == *"n" && held.word() == word,
            _ => false,
        });
        assert_eq!(told.count(), 1, "{name}: told once");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_flaps_delays_no_other() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
    for name in &names {
        stage.register(name).await;
    }
    let controller = stage.controller(true);
    pass(PROOF).await;
    for round in 0..1000_u32 {
        stage.shadow("n0", json!({"labels": {X: round.to_string()}})).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        if round % 50 == 25 {
            let name = &names[1 + usize::try_from(round / 50).unwrap() % 19];
            stage.shadow(name, json!({"labels": {Y: round.to_string()}})).await;
            let asked = stage.now();
            tokio::time::sleep(Duration::from_millis(5)).await;
            let took = controller.writes(name).last().map(|write| *write - asked.min(*write));
            assert!(took.is_some_and(|took| took < Duration::from_secs(1)), "{name}: {took:?}");
            assert_eq!(stage.says(name, Y).await, Some(round.to_string()), "{name}");
        }
    }
    pass(2).await;
    assert_eq!(stage.says("n0", X).await, text("999"));
    let writes = controller.writes("n0");
    assert!(writes.len() <= 13, "{} writes in ten seconds", writes.len());
}

#[tokio::test(start_paused = true)]
async fn a_publication_is_for_one_node_and_goes_with_it() {
    let stage = Stage::new().await;
    stage.register("n").await;
    stage.controller(true);
    pass(PROOF).await;
    stage.shadow("n", json!({"labels": {X: "1"}})).await;
    pass(2).await;
    assert_eq!(stage.says("n", X).await, text("1"));
    stage.delete_node("n").await;
    stage.register("n").await;
    pass(5).await;
    assert_eq!(stage.says("n", X).await, None, "the next Node of that name has its own");
    assert_eq!(stage.counts().await, [1, 1]);
    stage.delete_node("n").await;
    pass(5).await;
    assert_eq!(stage.counts().await, [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_by_hand_comes_back() {
    let stage = Stage::new().await;
    stage.register("n").await;
    stage.controller(true);
    pass(PROOF).await;
    let mut agent = stage.agent("n", &[(X, "1")]);
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    stage.shadows.delete("n", &DeleteParams::default()).await.unwrap();
    stage.leases.delete("n", &DeleteParams::default()).await.unwrap();
    pass(5).await;
    assert_eq!(stage.says("n", X).await, text("1"), "what stands, stays");
    agent.look().await;
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    let shadow = stage.shadows.get("n").await.unwrap();
    assert_eq!(shadow.metadata.labels.unwrap_or_default().get(X).map(String::as_str), Some("1"));
    agent.wants(&[(Y, "1")]);
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", Y).await), (None, text("1")));
}

#[tokio::test(start_paused = true)]
async fn an_agent_writes_its_own_objects_and_no_other() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let mut early = stage.agent("n", &[(X, "1")]);
    assert_eq!(early.beat(stage.now()).await.unwrap_err().cause, Cause::Gone, "the controller has not made it yet");
    stage.register("m").await;
    stage.controller(true);
    pass(1).await;
    early.beat(stage.now()).await.unwrap();
    let theirs = stage.agent("m", &[(X, "1")]);
    let mut stolen = theirs;
    stolen.wants(&[("example.org/x", "2")]);
    let done = stolen.beat(stage.now()).await.unwrap();
    assert_eq!(done.left_out.len(), 1, "the channel leaves it out before the guard refuses it");
}

#[tokio::test(start_paused = true)]
async fn without_a_guard_nothing_is_taken() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let policies: kube::Api<k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding> =
        kube::Api::all(stage.admin.clone());
    policies.delete("nodebound-p-shadownodes", &DeleteParams::default()).await.unwrap();
    let controller = stage.controller(true);
    pass(PROOF).await;
    stage.shadow("n", json!({"labels": {X: "1"}})).await;
    pass(60).await;
    assert_eq!(stage.says("n", X).await, None);
    assert!(controller.reports().iter().any(|report| matches!(report, Report::Held { held: Held::NotGuarded, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_marked_after_five_minutes_and_recovers_with_the_next_heartbeat() {
    let stage = Stage::new().await;
    for node in ["n", "quiet"] {
        stage.register(node).await;
    }
    let controller = stage.controller(true);
    pass(1).await;
    let agents: Vec<_> =
        ["n", "quiet"].into_iter().map(|node| stage.agent(node, &[(SCHEDULABLE, "true")]).live(&stage)).collect();
    pass(600).await;
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("true"));
    agents[1].abort();
    let last = stage.now();
    pass(400).await;
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("false"));
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"));
    let silences = controller.silences();
    let since = silences[0].0 - last;
    assert!((240..=360).contains(&since.as_secs()) && silences.len() == 1, "{silences:?} after {last:?}");
    stage.agent("quiet", &[(SCHEDULABLE, "true")]).live(&stage);
    pass(5).await;
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("true"));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_makes_nobody_silent() {
    let stage = Stage::new().await;
    let names: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
    for name in &names {
        stage.register(name).await;
    }
    let controller = stage.controller(true);
    pass(1).await;
    let _agents: Vec<_> = names.iter().map(|name| stage.agent(name, &[(SCHEDULABLE, "true")]).live(&stage)).collect();
    pass(300).await;
    stage.sandbox.trouble(vec![trouble(Effect::Refuse(503), When::Always)]);
    stage.sandbox.drop_watches();
    pass(1800).await;
    stage.sandbox.trouble(Vec::new());
    pass(900).await;
    assert_eq!(controller.silences(), []);
    for name in &names {
        assert_eq!(stage.says(name, SCHEDULABLE).await, text("true"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_leaders_loses_no_mark_and_no_publication() {
    let stage = Stage::new().await;
    for node in ["n", "quiet"] {
        stage.register(node).await;
    }
    let [first, second] = [stage.controller(true), stage.controller(false)];
    pass(1).await;
    let mut agent = stage.agent("n", &[(X, "1"), (SCHEDULABLE, "true")]);
    let quiet = stage.agent("quiet", &[(SCHEDULABLE, "true")]).live(&stage);
    agent.beat(stage.now()).await.unwrap();
    pass(125).await;
    quiet.abort();
    let last = stage.now();
    pass(200).await;
    first.kill();
    agent.wants(&[(X, "2"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now()).await.unwrap();
    pass(15).await;
    assert_eq!(stage.says("n", X).await, text("1"), "one that does not lead writes nothing");
    second.lead.send_replace(true);
    pass(2).await;
    assert_eq!(stage.says("n", X).await, text("2"));
    agent.beat(stage.now()).await.unwrap();
    pass(360 - (stage.now() - last).as_secs()).await;
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("false"));
}

#[tokio::test(start_paused = true)]
async fn a_mark_outlives_a_restart() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let first = stage.controller(true);
    pass(1).await;
    let quiet = stage.agent("n", &[(SCHEDULABLE, "true")]).live(&stage);
    pass(120).await;
    quiet.abort();
    pass(400).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
    first.kill();
    let second = stage.controller(true);
    pass(120).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"), "an old value is no sign of life");
    assert_eq!(second.writes("n").len(), 0);
    pass(400).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
}

#[tokio::test(start_paused = true)]
async fn limits_hold_a_publication_back_as_a_whole() {
    let stage = Stage::with(profile(", limits: {removedKeys: 1}"), 1).await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(PROOF).await;
    stage.shadow("n", json!({"labels": {X: "1", Y: "1", "kubevirt.io/z": "1"}})).await;
    pass(2).await;
    stage.shadow("n", json!({"labels": {X: null, Y: null, "kubevirt.io/new": "1"}})).await;
    pass(2).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", "kubevirt.io/new").await), (text("1"), None));
    assert!(
        controller.reports().iter().any(|report| matches!(report, Report::Held { held: Held::TooManyRemoved(2), .. }))
    );
    stage.shadow("n", json!({"labels": {Y: "1"}})).await;
    pass(2).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", "kubevirt.io/new").await), (None, text("1")));
}

#[tokio::test(start_paused = true)]
async fn the_guard_on_the_objects_in_the_middle_names_itself() {
    let stage = Stage::new().await;
    for node in ["n", "m"] {
        stage.register(node).await;
    }
    stage.controller(true);
    pass(1).await;
    let mut thief = stage.agent_of("m", "n", &[(X, "1")]);
    let failure = thief.beat(stage.now()).await.unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::Refused(Refuser::Channel))
            || matches!(&failure.cause, Cause::Refused(Refuser::Guard { rule: Rule::OwnNode, .. })),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_somebody_else_is_marked_and_restores_itself() {
    let stage = Stage::with(stage::of_somebody_else("Annotation"), 1).await;
    for node in ["n", "without-agent"] {
        stage.register(node).await;
    }
    let controller = stage.controller(true);
    pass(1).await;
    let beat = |minute: u64| {
        let time = format!("2026-01-01T00:{minute:02}:00Z");
        json!({"labels": {SCHEDULABLE: "true"}, "annotations": {stage::HEARTBEAT: time}})
    };
    for minute in 0..10 {
        stage.patched_by("virt-handler", "n", beat(minute)).await;
        pass(60).await;
    }
    assert_eq!(controller.writes("n").len(), 0);
    pass(300).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
    for minute in 10..20 {
        stage.patched_by("virt-handler", "n", beat(minute)).await;
        pass(60).await;
        assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"), "minute {minute}");
    }
    assert_eq!((controller.writes("n").len(), stage.says("without-agent", SCHEDULABLE).await), (1, None), "no fight");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_ready_speaks_for_its_agent() {
    let stage = Stage::with(stage::of_somebody_else("PodReadiness"), 1).await;
    stage.plant_daemon_set();
    for node in ["n", "m"] {
        stage.register(node).await;
        stage.patched_by("virt-handler", node, json!({"labels": {SCHEDULABLE: "true"}})).await;
        stage.plant_pod(node).await;
        stage.pod(node, true).await;
    }
    let controller = stage.controller(true);
    pass(600).await;
    assert_eq!(controller.silences(), []);
    stage.pod("n", false).await;
    pass(200).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"), "it may come back");
    pass(110).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(stage.admin.clone(), "kubevirt");
    pods.delete("virt-handler-m", &DeleteParams::default().grace_period(0)).await.unwrap();
    pass(2).await;
    assert_eq!(stage.says("m", SCHEDULABLE).await, text("false"), "it has ended");
}

/// Two do not write one label in turns: an agent whose pod is not ready, and that goes on to say that its node is fine,
/// is marked once.
#[tokio::test(start_paused = true)]
async fn an_agent_that_takes_its_mark_back_has_the_last_word() {
    let stage = Stage::with(stage::of_somebody_else("PodReadiness"), 1).await;
    stage.plant_daemon_set();
    stage.register("n").await;
    stage.plant_pod("n").await;
    stage.pod("n", true).await;
    let controller = stage.controller(true);
    pass(60).await;
    stage.pod("n", false).await;
    for minute in 0..60 {
        stage
            .patched_by(
                "virt-handler",
                "n",
                json!({"labels": {SCHEDULABLE: "true", "kubevirt.io/minute": minute.to_string()}}),
            )
            .await;
        pass(60).await;
    }
    assert_eq!(controller.writes("n").len(), 1, "one mark");
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"));
    let overruled = |report: &&Report| matches!(report, Report::Overruled(_));
    assert_eq!(controller.reports().iter().filter(overruled).count(), 1, "told once");
    stage.pod("n", true).await;
    pass(60).await;
    stage.pod("n", false).await;
    pass(360).await;
    assert_eq!(
        (controller.writes("n").len(), stage.says("n", SCHEDULABLE).await),
        (2, text("false")),
        "another silence"
    );
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_that_is_gone_leaves_its_ready_pods_some_time() {
    let stage = Stage::with(stage::of_somebody_else("PodReadiness"), 1).await;
    stage.plant_daemon_set();
    stage.register("n").await;
    stage.patched_by("virt-handler", "n", json!({"labels": {SCHEDULABLE: "true"}})).await;
    stage.plant_pod("n").await;
    stage.pod("n", true).await;
    let controller = stage.controller(true);
    pass(60).await;
    let sets: kube::Api<k8s_openapi::api::apps::v1::DaemonSet> = kube::Api::namespaced(stage.admin.clone(), "kubevirt");
    let orphan =
        DeleteParams { propagation_policy: Some(kube::api::PropagationPolicy::Orphan), ..DeleteParams::default() };
    sets.delete("virt-handler", &orphan).await.unwrap();
    pass(200).await;
    assert_eq!(controller.silences(), [], "it still runs");
    pass(200).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"), "but nobody would restart it");
}
