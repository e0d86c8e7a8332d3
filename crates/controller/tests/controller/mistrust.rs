//! Agents and clusters that mean no good, or that are only half there: what must not depend on them does not.

use api::finding::Ending;
use channels::Cause;
use controller::desired::Held;
use controller::{Report, Settings};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::json;
use std::time::Duration;

use crate::stage::{CONTROLLER, HEARTBEAT, Running, SCHEDULABLE, Stage, of_somebody_else, pass, profile, text, time};

const X: &str = "kubevirt.io/x";

async fn without_binding(stage: &Stage, name: &str) -> ValidatingAdmissionPolicyBinding {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(stage.admin.clone());
    let mut binding = bindings.get(name).await.unwrap();
    bindings.delete(name, &DeleteParams::default()).await.unwrap();
    (binding.metadata.resource_version, binding.metadata.uid) = (None, None);
    binding
}

async fn bind(stage: &Stage, binding: &ValidatingAdmissionPolicyBinding) {
    Api::all(stage.admin.clone()).create(&PostParams::default(), binding).await.unwrap();
}

fn count(controller: &Running, is_it: impl Fn(&Report) -> bool) -> usize {
    controller.reports().iter().filter(|report| is_it(report)).count()
}

/// virt-handler still runs, and our agent is to come some day.
#[tokio::test(start_paused = true)]
async fn a_node_whose_agent_is_still_somebody_elses_is_not_silent() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let adopted = ["virt-handler".to_owned()].into();
    let controller = stage.controller_with(true, Settings { adopted, ..Settings::default() });
    for _ in 0..30 {
        let beat = json!({"labels": {SCHEDULABLE: "true"}, "annotations": {HEARTBEAT: time(stage.now())}});
        stage.patched_by("virt-handler", "n", beat).await;
        pass(60).await;
    }
    assert_eq!((controller.silences(), controller.writes("n").len()), (vec![], 0));
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("true"));
}

/// Its own limits are no way for an agent to keep its node schedulable.
#[tokio::test(start_paused = true)]
async fn a_mark_has_room_whatever_the_agent_fills() {
    let stage = Stage::with(profile(", limits: {ownedKeys: 3}"), 1).await;
    stage.register("n").await;
    stage.controller(true);
    pass(10).await;
    let mut agent = stage.agent("n", &[(X, "1"), ("kubevirt.io/y", "1"), ("kubevirt.io/z", "1")]);
    agent.beat(stage.now()).await.unwrap();
    pass(60).await;
    agent.beat(stage.now()).await.unwrap();
    assert_eq!(stage.says("n", SCHEDULABLE).await, None);
    pass(400).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
    let account = ownership::spec::ServiceAccount { namespace: "nodebound-system".into(), name: "c".into() };
    let own_guard = manifests::install::controllers_profile(&stage.profile, account);
    assert_eq!(own_guard.limits().owned_keys, None, "its own guard would refuse the fourth key");
}

/// A value that somebody's policy refuses is no way either.
#[tokio::test(start_paused = true)]
async fn a_silent_node_is_marked_even_if_its_publication_is_refused() {
    let stage = Stage::new().await;
    stage.register("n").await;
    stage.policy(["", "nodes"], "object.metadata.?labels[?'kubevirt.io/x'].orValue('') != 'bad'").await;
    let controller = stage.controller(true);
    pass(10).await;
    let mut agent = stage.agent("n", &[(X, "good"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    agent.wants(&[(X, "bad"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now() + Duration::from_secs(1)).await.unwrap();
    pass(10).await;
    assert_eq!(count(&controller, |report| matches!(report, Report::Failed { .. })), 1);
    pass(700).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", SCHEDULABLE).await), (text("good"), text("false")));
    agent.wants(&[(X, "2"), (SCHEDULABLE, "true")]);
    agent.beat(stage.now()).await.unwrap();
    pass(2).await;
    assert_eq!((stage.says("n", X).await, stage.says("n", SCHEDULABLE).await), (text("2"), text("true")));
}

#[tokio::test(start_paused = true)]
async fn where_heartbeats_cannot_be_kept_publications_still_arrive() {
    let stage = Stage::new().await;
    let namespaces: Api<Namespace> = Api::all(stage.admin.clone());
    namespaces.delete("nodebound-heartbeats", &DeleteParams::default()).await.unwrap();
    pass(5).await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(30).await;
    stage.register("m").await;
    pass(5).await;
    let named = |report: &Report| matches!(report, Report::Failed { cause: Cause::Refused(_), .. });
    assert!(count(&controller, named) >= 1, "{:?}", controller.reports());
}

/// While nobody was seen to be held, anybody may have written anything.
#[tokio::test(start_paused = true)]
async fn what_was_written_while_the_guard_was_away_is_made_anew() {
    let stage = Stage::new().await;
    for node in ["n", "m"] {
        stage.register(node).await;
    }
    let controller = stage.controller(true);
    pass(10).await;
    let mut agents = [stage.agent("n", &[(X, "1")]), stage.agent("m", &[(X, "1")])];
    for agent in &mut agents {
        agent.beat(stage.now()).await.unwrap();
    }
    // The guard has been seen to refuse once more.
    pass(70).await;
    let binding = without_binding(&stage, "nodebound-p-shadownodes").await;
    pass(120).await;
    assert_eq!(count(&controller, |report| *report == Report::Guarded(false)), 1);
    stage.shadow("n", json!({"labels": {"kubevirt.io/poison": "1"}})).await;
    let untouched = stage.shadows.get("m").await.unwrap().metadata.uid;
    pass(60).await;
    bind(&stage, &binding).await;
    pass(60).await;
    let shadow = stage.shadows.get("n").await.unwrap().metadata;
    assert!(shadow.labels.unwrap_or_default().is_empty(), "it is another object");
    assert_eq!(stage.shadows.get("m").await.unwrap().metadata.uid, untouched, "this one nobody wrote");
    assert_eq!((stage.says("n", "kubevirt.io/poison").await, stage.says("n", X).await), (None, text("1")));
    agents[0].look().await;
    agents[0].wants(&[(X, "2")]);
    agents[0].beat(stage.now()).await.unwrap();
    pass(2).await;
    assert_eq!((stage.says("n", "kubevirt.io/poison").await, stage.says("n", X).await), (None, text("2")));
}

#[tokio::test(start_paused = true)]
async fn a_proof_needs_the_guard_on_heartbeats_and_does_not_last_for_ever() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let binding = without_binding(&stage, "nodebound-p-leases").await;
    let controller = stage.controller(true);
    pass(30).await;
    stage.shadow("n", json!({"labels": {X: "1"}})).await;
    pass(60).await;
    assert_eq!(stage.says("n", X).await, None, "heartbeats would be anybody's");
    assert!(count(&controller, |report| matches!(report, Report::Held { held: Held::NotGuarded, .. })) == 1);
    bind(&stage, &binding).await;
    pass(30).await;
    assert_eq!(stage.says("n", X).await, text("1"));
    let matches =
        Matches { users: vec!["system:serviceaccount:kubevirt:kubevirt-handler".to_owned()], ..Matches::default() };
    stage.sandbox.trouble(vec![Rule { matches, when: When::Always, effect: Effect::Refuse(500) }]);
    pass(200).await;
    assert_eq!(count(&controller, |report| *report == Report::Guarded(false)), 0);
    pass(300).await;
    assert_eq!(count(&controller, |report| *report == Report::Guarded(false)), 1, "nobody has confirmed it for long");
    let events = controller.reports();
    let held = events.iter().filter_map(Report::event).filter(|(_, reason)| *reason == "PublicationHeld");
    assert_eq!(held.count(), 0, "that it is not proven is one Event, not one a node");
}

/// Neither longer than five minutes, nor after it has said the contrary.
#[tokio::test(start_paused = true)]
async fn the_prober_is_believed_as_long_as_it_says_so() {
    let stage = Stage::new().await;
    let namespaces: Api<Namespace> = Api::all(stage.admin.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "nodebound-system"}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    stage.register("n").await;
    let controller = stage.controller_that_asks();
    pass(30).await;
    let says = async |value: &str| {
        stage.shadow("n", json!({"labels": {X: value}})).await;
        pass(10).await;
        stage.says("n", X).await
    };
    assert_eq!(says("1").await, None, "it has said nothing");
    stage.prober_says(Ending::Otherwise).await;
    assert_eq!(says("2").await, None, "it says something else");
    stage.prober_says(Ending::Refused).await;
    pass(10).await;
    assert_eq!(says("3").await, text("3"));
    pass(270).await;
    assert_eq!(says("4").await, text("4"));
    pass(30).await;
    assert_eq!(says("5").await, text("4"), "it was five minutes ago");
    assert_eq!(count(&controller, |report| *report == Report::Guarded(false)), 1);
    stage.prober_says(Ending::Refused).await;
    pass(10).await;
    assert_eq!(says("6").await, text("6"));
    stage.prober_says(Ending::LetIn).await;
    pass(10).await;
    assert_eq!(says("7").await, text("6"), "a probe was let in");
    assert_eq!(count(&controller, |report| *report == Report::Guarded(false)), 2);
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_publication_is_refused_is_not_dead() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(1).await;
    stage.agent("n", &[(X, "1")]).live(&stage);
    pass(300).await;
    stage.policy(["nodebound.io", "shadownodes"], "false").await;
    stage.shadows.delete("n", &DeleteParams::default()).await.unwrap_err();
    stage.agent("n", &[(X, "2")]).live(&stage);
    pass(1800).await;
    assert_eq!(controller.silences(), []);
}

#[tokio::test(start_paused = true)]
async fn a_mark_ends_with_the_silence_though_the_agent_never_writes_it() {
    let stage = Stage::with(of_somebody_else("PodReadiness"), 1).await;
    stage.plant_daemon_set();
    stage.register("n").await;
    stage.plant_pod("n").await;
    stage.pod("n", true).await;
    stage.controller(true);
    pass(60).await;
    stage.pod("n", false).await;
    pass(400).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, text("false"));
    stage.pod("n", true).await;
    pass(5).await;
    assert_eq!(stage.says("n", SCHEDULABLE).await, None);
}

/// With room for one job, a write that takes long and a node that is due: the clock goes on, or this hangs.
#[tokio::test(start_paused = true)]
async fn one_that_takes_long_holds_up_nobody() {
    let stage = Stage::new().await;
    for node in ["n", "quiet"] {
        stage.register(node).await;
    }
    stage.controller_with(true, Settings { parallel: 1, ..Settings::default() });
    pass(10).await;
    for node in ["n", "quiet"] {
        stage.agent(node, &[(X, "1"), (SCHEDULABLE, "true")]).beat(stage.now()).await.unwrap();
    }
    pass(290).await;
    let matches = Matches {
        users: vec![CONTROLLER.to_owned()],
        verbs: vec!["patch".to_owned()],
        names: vec!["n".to_owned()],
        ..Matches::default()
    };
    stage.sandbox.trouble(vec![Rule { matches, when: When::Always, effect: Effect::Delay(9_000) }]);
    stage.shadow("n", json!({"labels": {X: "2"}})).await;
    pass(120).await;
    assert_eq!(stage.says("quiet", SCHEDULABLE).await, text("false"));
}

#[tokio::test(start_paused = true)]
async fn one_that_flaps_is_told_of_once_a_second() {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(10).await;
    for round in 0..1000_u32 {
        let value = if round % 2 == 0 { json!("1") } else { json!(null) };
        stage.shadow("n", json!({"labels": {"example.org/foreign": value, X: "1"}})).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = count(&controller, |report| matches!(report, Report::LeftOut { .. }));
    assert!((1..=12).contains(&told), "{told} times in ten seconds");
}
