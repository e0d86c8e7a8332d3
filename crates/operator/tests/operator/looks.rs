//! What the operator says of profiles, and that a steady state writes nothing.

use crate::cluster::{Cluster, Looking, ours, theirs};
use admission::KubeVersion;
use manifests::install::{Installation, Part};
use operator::object::Place;
use operator::run::Report;
use ownership::identity::{NODE_NAME, POD_NAME};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_profile_is_enforced_and_says_since_when_and_by_what() {
    let (cluster, goal) = (Cluster::new().await, ours(""));
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    looking.operator.look().await.unwrap();
    let [status, reason, message] = cluster.condition("p", "Enforced").await;
    assert_eq!((&*status, &*reason), ("True", "GuardProven"), "{message}");
    assert_eq!(message, "refused 5 of 5 probes by labels, and admitted an empty one");
    assert!(cluster.events().await.contains(&("GuardProven".to_owned(), format!("Enforced=True: {message}"))));
    assert_eq!(cluster.condition("p", "Degraded").await[..2], ["False".to_owned(), "AsExpected".to_owned()]);
}

const MARKED: &str = "  liveness: {source: PodReadiness, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";

/// Over an hour, with a proof every ten minutes, of agents of ours and of somebody else, which have objects in common, and of
/// which one has a controller that the other might have had.
#[tokio::test(start_paused = true)]
async fn a_steady_state_writes_nothing() {
    let (cluster, goal) = (Cluster::new().await, ours(""));
    cluster.with_profile(&goal).await;
    cluster.write_profile(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}})).await;
    let mut other = theirs(MARKED).installation.agent_profile();
    other["metadata"]["name"] = json!("other");
    cluster.write_profile(other).await;
    let mut looking = Looking::at(&cluster);
    for _ in 0..3 {
        looking.operator.look().await.unwrap();
        sleep(Duration::from_secs(10)).await;
    }
    looking.taken();
    let before = cluster.writes().await;
    for _ in 0..60 {
        sleep(Duration::from_secs(60)).await;
        looking.operator.look().await.unwrap();
    }
    let proofs = looking.taken().iter().filter(|report| matches!(report, Report::Proven(_))).count();
    assert!((10..=14).contains(&proofs), "{proofs}");
    assert_eq!(cluster.writes().await, before);
    for profile in ["p", "other"] {
        assert_eq!(cluster.condition(profile, "Enforced").await[0], "True", "{profile}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_is_repaired_and_told() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    looking.operator.look().await.unwrap();
    let guards = goal.installation.objects(manifests::install::Part::Guards);
    let exempt =
        json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["nodes"], "scope": "*"}]);
    for (kind, pointer, value) in [
        ("ValidatingAdmissionPolicy", "/spec/failurePolicy", json!("Ignore")),
        ("ValidatingAdmissionPolicy", "/spec/matchConstraints/excludeResourceRules", exempt),
        ("ValidatingAdmissionPolicyBinding", "/spec/validationActions", json!(["Audit"])),
        ("ValidatingAdmissionPolicy", "/metadata/labels", json!({"app.kubernetes.io/managed-by": "another"})),
    ] {
        looking.taken();
        let mut object = guards.iter().find(|object| object["kind"] == kind).unwrap().clone();
        let place = operator::object::Place::of(&object);
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[field] = value;
        let found = cluster.objects.find([place.clone()]).await.unwrap();
        cluster.objects.replace(found.get(&place).unwrap(), &object).await.unwrap();
        looking.operator.look().await.unwrap();
        let reports = looking.taken();
        assert!(reports.contains(&Report::Repaired("p".to_owned(), place.clone())), "{pointer}: {reports:?}");
        assert!(reports.contains(&Report::Proven("p".to_owned())), "{pointer}: proven again");
        let told = ("GuardRepaired".to_owned(), format!("somebody had changed {place}; it is repaired"));
        assert!(cluster.events().await.contains(&told), "{pointer}");
        let repaired = cluster.objects.find([place.clone()]).await.unwrap();
        let wanted = guards.iter().find(|object| object["kind"] == kind).unwrap();
        assert_eq!(repaired.get(&place).unwrap()["spec"], wanted["spec"], "{pointer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_told_and_ends_by_itself() {
    let (cluster, goal) =
        (Cluster::new().await, theirs("  pause: {until: '2030-01-01T00:10:00Z', reason: the guard is in the way}\n"));
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    looking.operator.look().await.unwrap();
    let paused = ["False", "Paused", "paused until 2030-01-01T00:10:00Z: the guard is in the way"];
    assert_eq!(cluster.condition("p", "Enforced").await, paused);
    sleep(Duration::from_secs(600)).await;
    looking.operator.look().await.unwrap();
    assert_eq!(cluster.condition("p", "Enforced").await[..2], ["True", "GuardProven"]);
    assert!(looking.taken().iter().all(|report| !matches!(report, Report::Repaired(..))), "a pause is not tampering");
}

#[tokio::test(start_paused = true)]
async fn of_two_profiles_for_one_account_the_older_one_is_installed() {
    let (cluster, one) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&one).await;
    sleep(Duration::from_secs(1)).await;
    let mut other = one.installation.agent_profile();
    other["metadata"]["name"] = json!("a");
    cluster.write_profile(other).await;
    Looking::at(&cluster).operator.look().await.unwrap();
    assert_eq!(cluster.condition("p", "Enforced").await[0], "True");
    let [status, reason, message] = cluster.condition("a", "Degraded").await;
    assert_eq!((&*status, &*reason), ("True", "ProfileConflict"));
    assert!(
        message.contains("the AgentProfile p is about system:serviceaccount:kubevirt:kubevirt-handler too"),
        "{message}"
    );
    assert_eq!(cluster.condition("a", "Enforced").await[0], "False");
}

/// Neither the operator's own objects nor those of another profile.
#[tokio::test(start_paused = true)]
async fn no_profile_has_a_name_that_makes_its_objects_those_of_others() {
    let (cluster, goal) = (Cluster::new().await, ours(""));
    let by_shadow = ours(crate::cluster::BY_SHADOW);
    for object in by_shadow.installation.operator().iter().filter(|object| object["kind"] != "Deployment") {
        cluster.objects.apply(object).await.unwrap();
    }
    cluster.with_profile(&goal).await;
    sleep(Duration::from_secs(1)).await;
    let names =
        [("probes", true), ("operator-nodes", true), ("p-resources", true), ("p-controller", true), ("p-hold", false)];
    for (name, _) in names {
        let mut object = theirs("").installation.agent_profile();
        object["metadata"]["name"] = json!(name);
        object["spec"]["serviceAccount"]["name"] = json!(format!("agent-{name}"));
        cluster.write_profile(object).await;
    }
    let mut looking = Looking::at(&cluster);
    for _ in 0..3 {
        looking.operator.look().await.unwrap();
    }
    for (name, is_taken) in names {
        let expected = if is_taken { ["False", "ProfileConflict"] } else { ["True", "GuardProven"] };
        assert_eq!(cluster.condition(name, "Enforced").await[..2], expected, "{name}");
    }
    let places = [
        ("nodebound-probes", "probe"),
        ("nodebound-operator-nodes", "operator writes no Node"),
        ("nodebound-p-hold", "agent-p-hold"),
    ];
    for (name, part) in places {
        let place = Place { name: name.to_owned(), ..Place::of(&goal.installation.objects(Part::Guards)[0]) };
        let found = cluster.objects.find([place.clone()]).await.unwrap();
        assert!(found.get(&place).unwrap()["spec"].to_string().contains(part), "{name}");
    }
    let message = &cluster.condition("probes", "Degraded").await[2];
    assert!(message.contains("the operator needs the") && message.contains("rename the AgentProfile"), "{message}");
}

/// Its guard stays, and nobody says any more that it is in force.
#[tokio::test(start_paused = true)]
async fn a_profile_that_becomes_invalid_is_not_enforced_for_ever() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    looking.operator.look().await.unwrap();
    let valid = goal.installation.agent_profile();
    let mut invalid = valid.clone();
    invalid["spec"]["labels"] = json!([{"key": "a", "domain": "b"}]);
    for (object, expected) in [(invalid, ["Unknown", "InvalidProfile"]), (valid, ["True", "GuardProven"])] {
        // A definition of before, which checks nothing.
        let mut definition = Installation::definitions(false).remove(0);
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let place = Place::of(&definition);
        let there = cluster.objects.find([place.clone()]).await.unwrap().objects.remove(&place).unwrap();
        cluster.objects.replace(&there, &definition).await.unwrap();
        cluster.write_profile(object).await;
        looking.operator.look().await.unwrap();
        assert_eq!(cluster.condition("p", "Enforced").await[..2], expected);
        assert_eq!(cluster.found(&goal).await.len(), goal.places().count(), "the guard is where it was");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_of_the_guards_themselves_is_nobodys_agent() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&goal).await;
    let mut object = goal.installation.agent_profile();
    object["metadata"]["name"] = json!("q");
    object["spec"]["serviceAccount"] = json!({"namespace": "nodebound-system", "name": "nodebound-operator"});
    cluster.write_profile(object).await;
    Looking::at(&cluster).operator.look().await.unwrap();
    let [status, reason, message] = cluster.condition("q", "Degraded").await;
    assert_eq!((&*status, &*reason), ("True", "ProfileConflict"));
    assert!(message.contains("nodebound-operator is an account of nodebound itself"), "{message}");
}

/// What it installed stays, and that nobody minds it is told.
#[tokio::test(start_paused = true)]
async fn a_profile_that_has_gone_leaves_its_guard() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    looking.operator.look().await.unwrap();
    assert!(looking.taken().contains(&Report::Orphaned(0)));
    cluster.objects.delete(&Place::of(&goal.installation.agent_profile())).await.unwrap();
    looking.operator.look().await.unwrap();
    let told = looking.taken();
    assert!(told.contains(&Report::Gone("p".to_owned())) && told.contains(&Report::Orphaned(1)), "{told:?}");
    assert_eq!(cluster.found(&goal).await.len(), goal.places().count() - 1, "the guard is where it was");
}

/// What comes after the proof cannot be done: the guard is in force all the same, is not proven again for it, and something is wrong.
#[tokio::test(start_paused = true)]
async fn a_guard_is_in_force_though_a_later_step_fails() {
    let cluster = Cluster::new().await;
    cluster.with_profile(&theirs(MARKED)).await;
    let mut looking = Looking::at(&cluster);
    for _ in 0..3 {
        looking.operator.look().await.unwrap();
        sleep(Duration::from_secs(10)).await;
    }
    let [status, reason, message] = cluster.condition("p", "Degraded").await;
    assert_eq!((&*status, &*reason), ("True", "StepRefused"));
    assert!(message.contains("namespaces \"kubevirt\" not found"), "{message}");
    assert_eq!(cluster.condition("p", "Enforced").await[..2], ["True", "GuardProven"]);
    assert_eq!(cluster.condition("p", "Progressing").await[..2], ["True", "StepPending"]);
    let proofs = looking.taken().iter().filter(|report| matches!(report, Report::Proven(_))).count();
    assert_eq!(proofs, 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_nobody_uses_is_told() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.with_profile(&goal).await;
    Looking::at(&cluster).operator.look().await.unwrap();
    let [status, reason, message] = cluster.condition("p", "Degraded").await;
    assert_eq!((&*status, &*reason), ("True", "AccountUnused"), "{message}");
    assert_eq!(message, "the service account kubevirt/kubevirt-handler does not exist");
    assert_eq!(cluster.condition("p", "Enforced").await[0], "True", "it is guarded all the same");
}

/// On each version: what there is, and what is said.
#[tokio::test(start_paused = true)]
async fn clusters_of_every_age() {
    let table = [
        (28, "Strict", ["False", "PolicyNotServed"], false),
        (29, "Strict", ["False", "PolicyNotServed"], false),
        (29, "Permissive", ["False", "PolicyNotServed"], true),
        (30, "Strict", ["True", "GuardProven"], true),
        (32, "Strict", ["True", "GuardProven"], true),
        (36, "Permissive", ["True", "GuardProven"], true),
    ];
    for (minor, enforcement, enforced, has_agents) in table {
        let settings = sandbox::Settings { version: KubeVersion::minor(minor), ..sandbox::Settings::default() };
        let cluster = Cluster::with(settings).await;
        let goal = ours(&format!("  enforcement: {enforcement}\n"));
        cluster.with_profile(&goal).await;
        Looking::at(&cluster).operator.look().await.unwrap();
        let found = cluster.condition("p", "Enforced").await;
        assert_eq!(found[..2], enforced, "1.{minor} {enforcement}: {found:?}");
        let sets = cluster.found(&goal).await.into_iter().filter(|place| place.kind == "DaemonSet").count();
        assert_eq!(sets == 1, has_agents, "1.{minor} {enforcement}");
    }
}

/// What the cluster was asked to enforce, is not able to, and is again and again asked whether it is by now: releases come and
/// go under the operator, which stays. Events tell of each change, once.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_upgraded_is_guarded_by_what_it_serves() {
    let (mut cluster, goal) = (Cluster::new().await, ours(""));
    cluster.upgrade(28);
    cluster.bears(&[POD_NAME]);
    cluster.with_profile(&goal).await;
    let mut looking = Looking::at(&cluster);
    let releases = [
        (28, "PolicyNotServed", None),
        (29, "PolicyNotServed", None),
        (30, "NodeClaimMissing", Some(true)),
        (31, "NodeClaimMissing", Some(true)),
        (32, "NodeClaimMissing", Some(true)),
    ];
    for (minor, reason, lenient) in releases {
        cluster.upgrade(minor);
        cluster.bears(if minor < 32 { &[POD_NAME] } else { &[POD_NAME, NODE_NAME] });
        for _ in 0..3 {
            looking.operator.look().await.unwrap();
            sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(cluster.condition("p", "Enforced").await[..2], ["False", reason], "1.{minor}");
        assert_eq!(lets_unclaimed_pass(&cluster).await, lenient, "1.{minor}");
        let expected = if minor < 32 { None } else { Some(json!(["Audit"])) };
        assert_eq!(rehearsal(&cluster).await, expected, "1.{minor}");
    }
    sleep(Duration::from_secs(62 * 60)).await;
    looking.operator.look().await.unwrap();
    assert_eq!(cluster.condition("p", "Enforced").await[..2], ["True", "GuardProven"]);
    assert_eq!(lets_unclaimed_pass(&cluster).await, Some(false));
    assert_eq!(rehearsal(&cluster).await, None, "it is in force");
    let mut told: Vec<String> = cluster.events().await.into_iter().map(|(reason, _)| reason).collect();
    told.sort();
    assert_eq!(told, ["GuardProven", "NodeClaimMissing", "PolicyNotServed"], "each once");
}

/// What is done with writes that the guard to come will refuse, if it is rehearsed.
async fn rehearsal(cluster: &Cluster) -> Option<serde_json::Value> {
    let binding = ours("").installation.rehearsal().remove(1);
    let place = Place::of(&binding);
    let found = cluster.objects.find([place.clone()]).await.unwrap();
    let there = found.get(&place)?;
    assert_eq!(there["spec"]["policyName"], "nodebound-p-rehearsal");
    Some(there["spec"]["validationActions"].clone())
}

/// Whether the guard, if there is one, lets tokens pass that name no node.
async fn lets_unclaimed_pass(cluster: &Cluster) -> Option<bool> {
    let guards = ours("").installation.objects(Part::Guards);
    let place = Place::of(&guards[0]);
    let found = cluster.objects.find([place.clone()]).await.unwrap();
    found.get(&place).map(|policy| policy["spec"].to_string().contains("!variables.claimed"))
}
