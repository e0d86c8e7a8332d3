//! The direct channel against the sandbox, guard included, on a clock that only moves when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stage;

use channels::failure::{Cause, Refuser};
use channels::{Keep, Publish as _, Wanted};
use kube::api::DeleteParams;
use ownership::guard::Rule;
use ownership::matcher::Pattern;
use sandbox::adversity::{Effect, When};
use serde_json::json;
use stage::{Stage, agent, least, nobody_on, persist, rule, wanted};
use std::time::Duration;

const MODEL: &str = "cpu-model.node.kubevirt.io/Penryn";
const VENDOR: &str = "cpu-vendor.node.kubevirt.io/Intel";
const SCHEDULABLE: &str = "kubevirt.io/schedulable";
const HEARTBEAT: &str = "kubevirt.io/heartbeat";

fn beat(time: &str) -> Wanted {
    wanted(&[(SCHEDULABLE, "true"), (MODEL, "true")], &[(HEARTBEAT, time)])
}

#[tokio::test(start_paused = true)]
async fn only_what_differs_is_written_and_an_equal_publication_asks_nobody() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    let first = beat("2026-01-01T00:00:00Z");
    assert_eq!(channel.publish(&first).await.unwrap().writes, 1, "a Node without labels and annotations");
    let (get, patch) = ("GET /api/v1/nodes/n", "PATCH /api/v1/nodes/n?&fieldManager=nodebound-agent");
    assert_eq!(stage.requests(), [get, patch]);
    for _ in 0..3 {
        assert_eq!(channel.publish(&first).await.unwrap().writes, 0);
    }
    assert_eq!(stage.requests(), [""; 0], "an unchanged publication asks nobody");
    assert_eq!(channel.publish(&beat("2026-01-01T00:01:00Z")).await.unwrap().writes, 1);
    assert_eq!(stage.requests(), [patch], "the answer to the last write says what the Node is");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_wrote_is_removed_and_nothing_else() {
    let stage = Stage::new().await;
    stage.patched_by("kubectl", json!({"labels": {"example.org/x": "1", VENDOR: "true"}})).await;
    let both = wanted(&[(MODEL, "true"), ("kubevirt.io/sev", "true"), ("kubevirt.io/realtime", "true")], &[]);
    stage.channel().publish(&both).await.unwrap();
    stage.patched_by("kubectl", json!({"labels": {"kubevirt.io/realtime": "false"}})).await;
    let restarted = &mut stage.channel();
    restarted.publish(&wanted(&[(MODEL, "true")], &[])).await.unwrap();
    let labels = stage.labels().await;
    let left: Vec<&str> = labels.keys().map(String::as_str).collect();
    assert_eq!(left, [MODEL, VENDOR, "example.org/x", "kubevirt.io/realtime"], "sev was ours, realtime no more");
}

#[tokio::test(start_paused = true)]
async fn a_handover_adopts_owned_keys_of_the_other_agent_only() {
    let stage = Stage::new().await;
    let labels = json!({MODEL: "true", VENDOR: "true", "example.org/x": "1"});
    stage.patched_by("virt-handler", json!({"labels": labels})).await;
    stage.channel().publish(&wanted(&[(MODEL, "true")], &[])).await.unwrap();
    assert!(stage.labels().await.contains_key(VENDOR), "without the switch it stays");
    let mut adopting = stage.channel().adopting(["virt-handler"]);
    adopting.publish(&wanted(&[(MODEL, "true")], &[])).await.unwrap();
    assert_eq!(stage.labels().await.into_keys().collect::<Vec<_>>(), [MODEL, "example.org/x"]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_and_kept_labels_remove_nothing() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    channel
        .publish(&wanted(&[(MODEL, "true"), (VENDOR, "true")], &[(HEARTBEAT, "2026-01-01T00:00:00Z")]))
        .await
        .unwrap();
    let mark = Wanted { keep: Keep::Everything, ..wanted(&[(SCHEDULABLE, "false")], &[]) };
    channel.publish(&mark).await.unwrap();
    assert_eq!(stage.labels().await.len(), 3);
    let keep = Keep::Labels(vec![Pattern::Prefix("cpu-model.node.kubevirt.io/".to_owned())]);
    channel.publish(&Wanted { keep, ..wanted(&[], &[]) }).await.unwrap();
    assert_eq!(stage.labels().await.into_keys().collect::<Vec<_>>(), [MODEL]);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_is_undone_as_soon_as_it_is_seen() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    channel.publish(&beat("2026-01-01T00:00:00Z")).await.unwrap();
    stage.patched_by("virt-controller", json!({"labels": {SCHEDULABLE: "false"}})).await;
    assert_eq!(channel.publish(&beat("2026-01-01T00:01:00Z")).await.unwrap().writes, 2);
    assert_eq!(stage.labels().await[SCHEDULABLE], "true");
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_survived_and_named_once() {
    let table = [
        (Effect::Conflict, Cause::Conflict, 0),
        (Effect::TooMany { retry_after: 7 }, Cause::Busy, 7),
        (Effect::Refuse(500), Cause::Server(500), 0),
        (Effect::Refuse(503), Cause::Server(503), 0),
        (Effect::Delay(60_000), Cause::Late, 0),
    ];
    for (effect, cause, asked) in table {
        let stage = Stage::new().await;
        stage.sandbox.trouble(vec![rule(effect, When::First(3))]);
        let (done, failures) = persist(&mut stage.channel(), &beat("2026-01-01T00:00:00Z")).await;
        let told: Vec<bool> = failures.iter().map(|failure| failure.first).collect();
        assert_eq!(told, [true, false, false], "{cause:?}");
        assert!(failures.iter().all(|failure| failure.cause == cause), "{failures:?}");
        assert!(failures.iter().all(|failure| failure.after >= Duration::from_secs(asked)), "{failures:?}");
        assert!(done.writes <= 1, "a late write may have been done all the same");
        assert_eq!(stage.labels().await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_given_up_is_not_taken_for_done() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    channel.publish(&beat("2026-01-01T00:00:00Z")).await.unwrap();
    stage.sandbox.trouble(vec![rule(Effect::Delay(5_000), When::First(1))]);
    let second = beat("2026-01-01T00:01:00Z");
    tokio::time::timeout(Duration::from_secs(1), channel.publish(&second)).await.expect_err("is given up");
    stage.requests();
    assert_eq!(channel.publish(&second).await.unwrap().writes, 1);
    assert!(stage.requests()[0].starts_with("GET"), "what the Node is, is not known and read");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_vanishes_and_comes_back_is_another_one() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    channel.publish(&beat("2026-01-01T00:00:00Z")).await.unwrap();
    stage.delete().await;
    let gone = channel.publish(&beat("2026-01-01T00:01:00Z")).await.expect_err("is gone");
    assert_eq!((gone.cause, gone.first), (Cause::Gone, true));
    stage.register(json!({"example.org/x": "1"})).await;
    let (done, failures) = persist(&mut channel, &beat("2026-01-01T00:02:00Z")).await;
    assert_eq!((done.writes, failures.len()), (1, 0));
    assert_eq!(stage.labels().await.len(), 3, "the whole publication is there again");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_replaced_unseen_is_not_written_by_mistake() {
    let stage = Stage::new().await;
    let mut channel = stage.channel();
    channel.publish(&beat("2026-01-01T00:00:00Z")).await.unwrap();
    stage.delete().await;
    stage.register(json!({})).await;
    let second = beat("2026-01-01T00:01:00Z");
    let failure = channel.publish(&second).await.expect_err("carries the UID of the Node that is gone");
    assert_eq!(failure.cause, Cause::Conflict, "{failure}");
    assert_eq!(stage.labels().await.len(), 0);
    assert_eq!(channel.publish(&second).await.unwrap().writes, 1);
    assert_eq!(stage.labels().await.len(), 2, "the whole publication, not what the old Node lacked");
}

#[tokio::test(start_paused = true)]
async fn the_guard_and_rbac_are_told_apart_and_each_told_once() {
    let stage = Stage::new().await;
    // An agent that believes in another profile than the guard's: it owns the whole domain.
    let wide = ownership::builtin::profile("kubevirt").unwrap().unwrap();
    let mut channel = stage.channel_of(agent("n"), wide.for_account(least().service_account().clone()));
    let bad = wanted(&[("kubevirt.io/lure", "true")], &[]);
    let refused = channel.publish(&bad).await.expect_err("is refused");
    let keys = std::collections::BTreeSet::from(["kubevirt.io/lure".to_owned()]);
    let guard = Refuser::Guard { policy: "nodebound-kubevirt-least".to_owned(), rule: Rule::Labels, keys };
    assert_eq!((refused.cause, refused.first), (Cause::Refused(guard), true));
    assert!(!channel.publish(&bad).await.expect_err("is refused").first, "told once");
    let good = wanted(&[(MODEL, "true")], &[]);
    channel.publish(&good).await.unwrap();
    assert!(channel.publish(&bad).await.expect_err("is refused").first, "news after a success");

    let bindings: kube::Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> =
        kube::Api::all(kube::Client::new(stage.sandbox.admin(), "default"));
    bindings.delete("agent", &DeleteParams::default()).await.unwrap();
    let refused = channel.publish(&good).await.expect_err("has no right");
    assert_eq!((refused.cause, refused.first), (Cause::Refused(Refuser::Rbac), true));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_on_the_node_sends_nothing() {
    let stage = Stage::new().await;
    for user in [nobody_on(), agent("m"), sandbox::server::administrator()] {
        let failure = stage.channel_of(user, least()).publish(&wanted(&[(MODEL, "true")], &[])).await;
        let failure = failure.expect_err("is not this node's agent");
        assert_eq!(failure.cause, Cause::Refused(Refuser::Channel), "{failure}");
        assert!(stage.requests().iter().all(|request| request.starts_with("GET")));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_profile_does_not_own_is_left_out_and_the_rest_is_written() {
    let stage = Stage::new().await;
    let mixed = wanted(&[(MODEL, "true"), ("node-role.kubernetes.io/control-plane", ""), (SCHEDULABLE, "x")], &[]);
    let done = stage.channel().publish(&mixed).await.unwrap();
    let rules: Vec<Rule> = done.left_out.iter().map(|refusal| refusal.rule).collect();
    assert_eq!((done.writes, rules), (1, vec![Rule::Values, Rule::Labels]));
    assert_eq!(stage.labels().await.into_keys().collect::<Vec<_>>(), [MODEL]);
}
