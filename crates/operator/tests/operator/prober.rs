//! The prober beside the operator: what it says is what is enforced, and what it does not say any more is not.

use crate::cluster::{BY_SHADOW, Cluster, Looking, ours, theirs};
use crate::replicas::{recorded, until};
use api::finding::{Ending, Finding};
use k8s_openapi::api::coordination::v1::Lease;
use manifests::install::Part;
use operator::execute::{Executor, Prover};
use operator::object::Place;
use operator::plan::Goal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::rights::Log;
use tokio::time::sleep;

const MASTERS: [&str; 1] = ["system:masters"];

fn looking(cluster: &Cluster) -> Looking {
    let prover = Prover::Another { clock: cluster.clock() };
    Looking::through(Executor { prover, ..cluster.executor() })
}

/// What the prober says of the profile `p`, now.
async fn said(cluster: &Cluster) -> Option<Finding> {
    let lease = Place {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some("nodebound-system".to_owned()),
        name: "nodebound-prober-p".to_owned(),
    };
    let found = cluster.objects.find([lease.clone()]).await.unwrap();
    let lease: Lease = serde_json::from_value(found.get(&lease)?.clone()).unwrap();
    Finding::read(&lease, cluster.clock()()).ok()
}

fn binding(goal: &Goal) -> Value {
    goal.installation.objects(Part::Guards).into_iter().find(|guard| guard["kind"] == BINDING).unwrap()
}

const BINDING: &str = "ValidatingAdmissionPolicyBinding";

#[tokio::test(start_paused = true)]
async fn a_guard_is_enforced_as_long_as_the_prober_says_so() {
    let (cluster, _log) = recorded().await;
    for more in ["", BY_SHADOW] {
        cluster.with_profile(&ours(more)).await;
        let mut looking = looking(&cluster);
        looking.operator.look().await.unwrap();
        let [status, reason, message] = cluster.condition("p", "Enforced").await;
        assert_eq!((&*status, &*reason), ("Unknown", "ProberSilent"), "{more}: {message}");
        assert!(!cluster.may(AGENT, json!({"verb": "get", "resource": "nodes"})).await, "{more}: nothing is granted");
        let prober = cluster.prober("prober", &MASTERS);
        looking.operator.look().await.unwrap();
        let [status, reason, message] = cluster.condition("p", "Enforced").await;
        assert_eq!((&*status, &*reason), ("True", "GuardProven"), "{more}: {message}");
        assert_eq!(message, "refused 5 of 5 probes by own-node", "{more}");
        drop(prober);
        sleep(Duration::from_secs(6 * 60)).await;
        looking.operator.look().await.unwrap();
        let [status, reason, message] = cluster.condition("p", "Enforced").await;
        assert_eq!((&*status, &*reason), ("Unknown", "ProberSilent"), "{more}");
        assert!(message.contains("the prober has been silent since 2030-01-01T"), "{message}");
        let goal = Goal { profile_is_given: true, ..ours(more) };
        assert!(!cluster.found(&goal).await.is_empty(), "what was installed stays");
        operator::remove::remove(&cluster.objects, &goal.installation, true, |_| ()).await.unwrap();
        until("all of it is gone", async || cluster.found(&goal).await.is_empty()).await;
        crate::replicas::ground(&cluster).await;
    }
}

const AGENT: &str = "system:serviceaccount:nodebound-system:nodebound-agent";

/// At once that it lets probes in; and that it refuses, only of the guard that it is by then, after five probes.
#[tokio::test(start_paused = true)]
async fn the_prober_sees_what_becomes_of_a_guard() {
    let (cluster, _log) = recorded().await;
    let goal = ours("");
    cluster.install(&goal).await.unwrap();
    let _prober = cluster.prober("prober", &MASTERS);
    until("it refuses", async || said(&cluster).await.is_some_and(|said| said.ending == Ending::Refused)).await;
    let before = said(&cluster).await.unwrap();
    cluster.objects.delete(&Place::of(&binding(&goal))).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let after = said(&cluster).await.unwrap();
    assert_eq!((after.ending, &*after.message, after.guards.len()), (Ending::LetIn, "Node m", 0));
    cluster.objects.apply(&binding(&goal)).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(said(&cluster).await, Some(after), "not after three probes");
    sleep(Duration::from_secs(5)).await;
    let again = said(&cluster).await.unwrap();
    assert_eq!((again.ending, &*again.guards[0].policy), (Ending::Refused, "nodebound-p"));
    assert_eq!(again.guards[0].versions[0], before.guards[0].versions[0], "the policy is that of before");
    assert_ne!(again.guards[0].versions[1], before.guards[0].versions[1], "its binding is another");
    let mut only_denies = binding(&goal);
    only_denies["spec"]["validationActions"] = json!(["Deny"]);
    cluster.objects.replace(&bound(&cluster, &goal).await, &only_denies).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(said(&cluster).await.as_ref(), Some(&again), "another guard has not been seen often enough");
    sleep(Duration::from_secs(7)).await;
    let changed = said(&cluster).await.unwrap();
    assert_eq!(changed.ending, Ending::Refused);
    assert_ne!(changed.guards, again.guards, "it is seen as it is by now");
}

async fn bound(cluster: &Cluster, goal: &Goal) -> Value {
    let place = Place::of(&binding(goal));
    cluster.objects.find([place.clone()]).await.unwrap().get(&place).unwrap().clone()
}

/// Guards that only record cannot be probed; what was said of them runs out.
#[tokio::test(start_paused = true)]
async fn of_a_trial_the_prober_says_nothing() {
    let (cluster, log) = recorded().await;
    cluster.install(&ours("  actions: [Audit]\n")).await.unwrap();
    let _prober = cluster.prober("prober", &MASTERS);
    sleep(Duration::from_secs(120)).await;
    assert_eq!((said(&cluster).await, written(&log, "prober")), (None, Vec::new()));
}

/// For an hour, nobody writes anything but the prober its Leases, about once a minute.
#[tokio::test(start_paused = true)]
async fn a_steady_state_is_said_in_leases_only() {
    let (cluster, log) = recorded().await;
    cluster.with_profile(&ours("")).await;
    let mut other = theirs("").installation.agent_profile();
    other["metadata"]["name"] = json!("q");
    cluster.write_profile(other).await;
    let _prober = cluster.prober("prober", &MASTERS);
    let mut looking = looking(&cluster);
    for _ in 0..3 {
        looking.operator.look().await.unwrap();
    }
    assert_eq!(cluster.condition("q", "Enforced").await[..2], ["True", "GuardProven"]);
    let before = written(&log, "");
    for _ in 0..60 {
        looking.operator.look().await.unwrap();
        sleep(Duration::from_secs(60)).await;
    }
    let all = written(&log, "").split_off(before.len());
    let of_others: BTreeSet<&String> = all.iter().filter(|path| !path.contains("/leases/nodebound-prober-")).collect();
    assert_eq!(of_others, BTreeSet::new());
    assert!((100..140).contains(&all.len()), "{} Leases of two profiles in an hour", all.len());
}

/// What was written, by users whose names begin like that; not who leads.
fn written(log: &Log, user: &str) -> Vec<String> {
    let events = log.events().into_iter().filter(|event| {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let is_write = ["create", "update", "patch", "delete"].contains(&text("/verb"));
        let is_kept = !text("/requestURI").contains("dryRun=All") && !text("/requestURI").contains("reviews");
        is_write && is_kept && text("/stage") == "ResponseComplete" && text("/user/username").starts_with(user)
    });
    let path = |event: Value| {
        let uri = event["requestURI"].as_str().unwrap_or_default();
        uri.split('?').next().unwrap_or(uri).to_owned()
    };
    let paths = events.map(path);
    paths.filter(|path| !path.ends_with("/leases/nodebound-prober") && !path.ends_with("/leases")).collect()
}
