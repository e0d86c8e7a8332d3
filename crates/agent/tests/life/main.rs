//! The running agent against the sandbox, guard included, on a clock that only moves when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod day;
mod stage;

use agent::keys;
use agent::report::Report;
use agent::run::Ended;
use channels::failure::{Cause, Refuser};
use sandbox::adversity::{Effect, When};
use serde_json::{Value, json};
use stage::{Stage, pass, trouble};
use std::time::Duration;

const VENDOR: &str = "cpu-vendor.node.kubevirt.io/Intel";

fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

#[tokio::test(start_paused = true)]
async fn unschedulable_until_ready_and_at_the_end() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    stage.patch("n", json!({"labels": {keys::SCHEDULABLE: "true"}})).await;
    let running = stage.boot(&machine, 1);
    pass(30).await;
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("false"));
    assert_eq!(stage.says("n", VENDOR).await, text("true"), "the rest is published all the same");
    assert_eq!(machine.writes().len(), 2, "a mark, and everything");
    machine.write("ready", "");
    pass(6).await;
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("true"));
    machine.remove("ready");
    pass(11).await;
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("false"));
    machine.write("ready", "");
    pass(16).await;
    let (before, _) = stage.node("n").await;
    assert_eq!(running.stop().await, Ended::Marked);
    let (mut after, _) = stage.node("n").await;
    assert_eq!(after.insert(keys::SCHEDULABLE.to_owned(), "true".to_owned()), text("false"));
    assert_eq!(after, before, "a mark changes nothing else");
}

#[tokio::test(start_paused = true)]
async fn in_a_steady_state_there_is_one_write_for_each_heartbeat() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.write("ready", "");
    let running = stage.boot(&machine, 1);
    pass(60).await;
    machine.writes();
    let before = stage.node("n").await;
    pass(6 * 3600).await;
    let writes = machine.writes();
    let gaps: Vec<Duration> = writes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (most, mean) = (Duration::from_secs(137), 6 * 3600 / gaps.len());
    assert!(gaps.iter().all(|gap| *gap <= most), "{gaps:?}");
    assert!((75..110).contains(&mean), "{mean} s from heartbeat to heartbeat");
    let after = stage.node("n").await;
    assert_eq!(after.0, before.0, "no label has changed");
    assert_ne!(after.1[keys::HEARTBEAT], before.1[keys::HEARTBEAT]);
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_changes_no_pace() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.write("ready", "");
    let running = stage.boot(&machine, 1);
    pass(60).await;
    // Ten years on, back, before 1970, and beyond what has a form.
    for jump in [315_360_000, 0, -3_600_000_000, 400_000_000_000] {
        stage.jump.store(jump, std::sync::atomic::Ordering::Relaxed);
        machine.forget();
        pass(1320).await;
        let beats = machine.writes().len();
        let pace = if jump == 400_000_000_000 { 0..=1 } else { 10..=22 };
        assert!(pace.contains(&beats), "{jump}: {beats} heartbeats in 22 minutes");
        assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("true"));
    }
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_restart_removes_what_is_gone_and_keeps_the_rest_meanwhile() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.host_model("Haswell");
    let running = stage.boot(&machine, 1);
    pass(10).await;
    let haswell = keys::Family::HostModel.key("Haswell");
    assert_eq!(stage.says("n", &haswell).await, text("true"));
    running.stop().await;
    assert_eq!(stage.says("n", &haswell).await, text("true"), "a mark removes nothing");
    machine.host_model("Skylake");
    let running = stage.boot(&machine, 2);
    pass(10).await;
    assert_eq!(stage.says("n", &haswell).await, None);
    assert_eq!(stage.says("n", &keys::Family::HostModel.key("Skylake")).await, text("true"));
    assert_eq!(stage.says("n", "example.org/x").await, text("1"));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_published_within_seconds() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.host_model("Haswell");
    let running = stage.boot(&machine, 1);
    pass(30).await;
    machine.host_model("Broadwell");
    pass(12).await;
    assert_eq!(stage.says("n", &keys::Family::HostModel.key("Broadwell")).await, text("true"));
    assert_eq!(stage.says("n", &keys::Family::HostModel.key("Haswell")).await, None);
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn an_annotation_of_the_administrator_keeps_the_labeller_away() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.host_model("Haswell");
    let running = stage.boot(&machine, 1);
    pass(30).await;
    stage.patch("n", json!({"annotations": {keys::SKIP_LABELLER: ""}, "labels": {VENDOR: Value::Null}})).await;
    machine.host_model("Broadwell");
    pass(600).await;
    assert_eq!(stage.says("n", VENDOR).await, None);
    assert_eq!(stage.says("n", &keys::Family::HostModel.key("Haswell")).await, text("true"));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_is_asked_rarely_and_told_once() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    machine.write("ready", "");
    let running = stage.boot(&machine, 1);
    pass(200).await;
    machine.forget();
    stage.sandbox.trouble(vec![trouble(Effect::Refuse(503), When::Always, false)]);
    pass(600).await;
    let failures: Vec<Report> =
        machine.reports().into_iter().filter(|report| matches!(report, Report::Failed(_))).collect();
    assert!(
        matches!(failures.as_slice(), [Report::Failed(failure)] if failure.cause == Cause::Server(503)),
        "{failures:?}"
    );
    assert!(machine.writes().len() <= 3, "without knowing the Node there is nothing to write");
    machine.host_model("Haswell");
    stage.sandbox.trouble(Vec::new());
    pass(62).await;
    assert_eq!(stage.says("n", &keys::Family::HostModel.key("Haswell")).await, text("true"));
    assert!(machine.reports().contains(&Report::Recovered));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_guard_is_no_storm_and_heals() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    let running = stage.boot(&machine, 1);
    pass(30).await;
    machine.forget();
    // Somebody tightens the guard: nothing of the agent's may be written any more.
    let policies: kube::Api<k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy> =
        kube::Api::all(kube::Client::new(stage.sandbox.admin(), "default"));
    let expression = "nodebound/kubevirt-least: values: value not allowed: kubevirt.io/heartbeat";
    let tight =
        json!({"spec": {"validations": [{"expression": "false", "message": expression, "reason": "Forbidden"}]}});
    let merge = kube::api::Patch::Merge(tight);
    let name = "nodebound-kubevirt-least";
    let old = policies.get(name).await.unwrap();
    policies.patch(name, &kube::api::PatchParams::default(), &merge).await.unwrap();
    pass(3600).await;
    let failed: Vec<Report> = machine.reports().into_iter().filter(Report::is_warning).collect();
    let [Report::Failed(failure)] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(matches!(&failure.cause, Cause::Refused(Refuser::Guard { policy, .. }) if policy == name), "{failure}");
    assert!(machine.writes().len() < 3600 / 20, "on average every half a minute");
    let fixed = kube::api::Patch::Merge(json!({"spec": {"validations": old.spec.and_then(|spec| spec.validations)}}));
    policies.patch(name, &kube::api::PatchParams::default(), &fixed).await.unwrap();
    pass(62).await;
    assert!(machine.reports().contains(&Report::Recovered));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn the_mark_at_the_end_is_retried_and_then_given_up() {
    let table = [
        (When::First(3), false, Ended::Marked, "false"),
        (When::Always, false, Ended::Unmarked, "true"),
        (When::Always, true, Ended::Unmarked, "true"),
    ];
    for (when, twice, ended, says) in table {
        let stage = Stage::new();
        let machine = stage.machine("n").await;
        machine.write("ready", "");
        let running = stage.boot(&machine, 1);
        pass(30).await;
        stage.sandbox.trouble(vec![trouble(Effect::Refuse(503), when, true)]);
        let began = tokio::time::Instant::now();
        let end = if twice { running.stop_twice().await } else { running.stop().await };
        let took = began.elapsed().as_secs();
        let most = if twice { 1 } else { 20 };
        assert_eq!((end, took <= most), (ended, true), "{when:?}: {took} s");
        assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text(says), "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_configuration_keeps_the_old_one_and_says_so() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    let running = stage.boot(&machine, 1);
    pass(30).await;
    machine.reports();
    machine.write("agent.yaml", "readiness: [");
    machine.write("ready", "");
    pass(30).await;
    let said: Vec<Report> = machine.reports().into_iter().filter(Report::is_warning).collect();
    assert!(matches!(said.as_slice(), [Report::Misconfigured(_)]), "{said:?}");
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("true"), "the readiness input of before counts");
    machine.write("agent.yaml", "{virsh: false, readiness: [file: /nowhere]}");
    pass(30).await;
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("false"));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_is_published_anew() {
    let stage = Stage::new();
    let machine = stage.machine("n").await;
    let running = stage.boot(&machine, 1);
    pass(30).await;
    stage.nodes.delete("n", &kube::api::DeleteParams::default()).await.unwrap();
    pass(600).await;
    let node = json!({"metadata": {"name": "n", "labels": {"example.org/y": "1"}}});
    stage.nodes.create(&kube::api::PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    pass(62).await;
    assert_eq!(stage.says("n", VENDOR).await, text("true"));
    assert_eq!(stage.says("n", keys::SCHEDULABLE).await, text("false"));
    running.kill();
}

#[tokio::test(start_paused = true)]
async fn a_handover_cleans_up_and_keeps_virt_handlers_labeller_away() {
    let stage = Stage::of_a_handover();
    let machine = stage.machine("n").await;
    let stale = json!({"cpu-model.node.kubevirt.io/486": "true", VENDOR: "true", "example.org/z": "1"});
    stage.patch_by("virt-handler", "n", json!({"labels": stale})).await;
    let running = stage.boot(&machine, 1);
    pass(30).await;
    let (labels, annotations) = stage.node("n").await;
    assert!(!labels.contains_key("cpu-model.node.kubevirt.io/486"), "virt-handler's, and not ours");
    assert!(labels.contains_key(VENDOR) && labels.contains_key("example.org/z"));
    assert_eq!(annotations[keys::SKIP_LABELLER], keys::TAKEN_OVER);
    pass(3600).await;
    assert_eq!(stage.node("n").await.0, labels, "our own annotation does not keep ourselves away");
    stage.patch("n", json!({"annotations": {keys::SKIP_LABELLER: "true"}})).await;
    pass(600).await;
    assert_eq!(stage.node("n").await.1[keys::SKIP_LABELLER], "true", "an administrator's stays");
    running.kill();
}
