//! The operator has no right that it does not use, or that it does not hold in order to grant it; the prober none that it does
//! not use.

use crate::cluster::{BY_SHADOW, Cluster, ours, theirs};
use crate::replicas::{Replica, is_enforced, recorded, until};
use manifests::install::Part;
use operator::object::Place;
use operator::plan::Goal;
use ownership::Profile;
use ownership::guard::Guard;
use ownership::spec::Channel;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::rights::{Right, rights};

const USER: &str = "system:serviceaccount:nodebound-system:nodebound-operator";
const PROBER: &str = "system:serviceaccount:nodebound-system:nodebound-prober";
const GROUPS: [&str; 2] = ["system:serviceaccounts", "system:authenticated"];

/// Whether the one is of one profile what the other is of another.
fn is_that_of_another_profile(one: &Right, other: &Right) -> bool {
    let of = |right: &Right, profile: &str| right.names.iter().any(|name| name.starts_with(profile));
    one.is_about_the_same(other) && of(one, "nodebound-p-") && of(other, "nodebound-q-")
}

/// Whether it is one of those that are granted: nobody may grant what he has not.
fn is_granted(right: &Right, granted: &[Right]) -> bool {
    let is_that = |grant: &Right| right.names.is_empty() || right.names == grant.names;
    granted.iter().any(|grant| right.is_about_the_same(grant) && is_that(grant))
}

/// While nobody looks, each object goes, or becomes another one, or is made anew as another one.
async fn tamper(cluster: &Cluster, goal: &Goal, operator: &mut Option<Replica>) {
    // The prober is not the operator's to repair.
    let goal = Goal { profile_is_given: true, ..goal.clone() };
    let places: Vec<Place> = goal.places().filter(|place| !is_ground(place)).collect();
    for change in [Change::Gone, Change::Other, Change::Immovable] {
        *operator = None;
        for place in &places {
            change.make(cluster, place).await;
        }
        *operator = Some(start(cluster));
        until("all is as it was", async || {
            let found = cluster.objects.find(places.clone()).await.unwrap();
            found.objects.len() == places.len() && !found.objects.values().any(is_another)
        })
        .await;
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Gone,
    Other,
    Immovable,
}

impl Change {
    async fn make(self, cluster: &Cluster, place: &Place) {
        let Some(mut object) = cluster.objects.find([place.clone()]).await.unwrap().objects.remove(place) else {
            return;
        };
        make_another(&mut object);
        let fixed = object.pointer("/spec/selector/matchLabels").is_some() || object.get("roleRef").is_some();
        match self {
            Self::Gone => cluster.objects.delete(place).await.unwrap(),
            Self::Other => cluster.objects.replace(&object.clone(), &object).await.unwrap(),
            Self::Immovable if fixed => {
                cluster.objects.delete(place).await.unwrap();
                let metadata = &object["metadata"];
                object["metadata"] = json!({"name": metadata["name"], "namespace": metadata["namespace"],
                    "labels": metadata["labels"]});
                if let Some(name) = object.pointer_mut("/roleRef/name") {
                    *name = json!("view");
                }
                for path in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
                    if let Some(labels) = object.pointer_mut(path) {
                        labels["another"] = json!("1");
                    }
                }
                cluster.objects.create(&object).await.unwrap();
            }
            Self::Immovable => {}
        }
    }
}

const ANOTHER: &str = "another";

/// What whoever makes them may call his own is its labels; of a definition, it is what it says.
fn make_another(object: &mut Value) {
    match &object["kind"] {
        kind if kind == "CustomResourceDefinition" => object["spec"]["names"]["singular"] = json!(ANOTHER),
        _ => object["metadata"]["labels"]["app.kubernetes.io/name"] = json!(ANOTHER),
    }
}

fn is_another(object: &Value) -> bool {
    let names = [&object["metadata"]["labels"]["app.kubernetes.io/name"], &object["spec"]["names"]["singular"]];
    names.iter().any(|name| *name == ANOTHER)
}

/// What cannot go without taking the profile along, or our programs, or the operator's rights there.
fn is_ground(place: &Place) -> bool {
    let names = ["nodebound-system", "nodebound-heartbeats", "agentprofiles.nodebound.io"];
    place.kind == "AgentProfile" || names.contains(&place.name.as_str())
}

fn start(cluster: &Cluster) -> Replica {
    Replica::of(cluster, USER, &GROUPS)
}

async fn lives(cluster: &Cluster, goal: &Goal) {
    let object = goal.installation.agent_profile();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.write_profile(object).await;
    until("it is enforced", async || {
        let profile = cluster.profile(&name).await;
        let is_seen = profile["status"]["observedGeneration"] == profile["metadata"]["generation"];
        is_seen && is_enforced(cluster, &name).await
    })
    .await;
    let guard =
        if goal.installation.profile.channel() == Channel::ShadowNode { Guard::ShadowNodes } else { Guard::Nodes };
    assert_eq!(cluster.profile(&name).await["status"]["guard"]["policy"], guard.policy_name(&name));
}

#[tokio::test(start_paused = true)]
async fn every_right_is_used_or_granted() {
    let (cluster, log) = recorded().await;
    let alive = "  liveness: {source: PodReadiness, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";
    let [mut other, mut watched] = ["", alive].map(theirs);
    for goal in [&mut other, &mut watched] {
        goal.installation.profile = Profile::new("q", goal.installation.profile.spec().clone()).unwrap();
    }
    let (direct, shadow) = (ours(""), ours(BY_SHADOW));
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "kubevirt", "name": "kubevirt-handler"}}),
    ] {
        cluster.objects.apply(&object).await.unwrap();
    }
    let objects: Vec<Value> = [&direct, &other].into_iter().flat_map(|goal| goal.installation.operator()).collect();
    for object in objects.iter().filter(|object| object["kind"] != "Deployment") {
        cluster.objects.apply(object).await.unwrap();
    }
    let (mut operator, _prober) = (Some(start(&cluster)), cluster.prober(PROBER, &GROUPS));
    lives(&cluster, &direct).await;
    lives(&cluster, &shadow).await;
    tamper(&cluster, &shadow, &mut operator).await;
    lives(&cluster, &direct).await;
    // Upgrades were held back before, and are not any more.
    cluster.objects.create(&other.installation.hold().unwrap()).await.unwrap();
    lives(&cluster, &other).await;
    let granted = rights(&granted(&[direct, shadow, ours(alive), other, watched]));
    for (user, granted) in [(USER, &*granted), (PROBER, &[])] {
        let events: Vec<Value> = log.events().into_iter().filter(|event| event["user"]["username"] == user).collect();
        let all = rights(&of_account(&objects, user));
        let is_used = |right: &Right| events.iter().any(|event| right.is_used(event));
        // What was needed for one profile is what would be for the other.
        let likewise =
            |right: &Right| all.iter().any(|other| is_that_of_another_profile(other, right) && is_used(other));
        let idle = |right: &&Right| !is_granted(right, granted) && !is_used(right) && !likewise(right);
        let idle: Vec<String> = all.iter().filter(idle).map(|right| format!("{right:?}")).collect();
        assert!(idle.is_empty(), "{user}: never used, and not granted: {idle:#?}");
        assert_eq!(refused(&events), BTreeSet::new(), "{user}: nothing is missing");
    }
}

/// The roles that are bound to it: they have the names of their bindings.
fn of_account(objects: &[Value], user: &str) -> Vec<Value> {
    let bound = |object: &&Value| {
        let subject = &object["subjects"][0];
        user.ends_with(&format!(":{}:{}", text(subject, "namespace"), text(subject, "name")))
    };
    let names: BTreeSet<&str> = objects
        .iter()
        .filter(|object| object.get("subjects").is_some())
        .filter(bound)
        .map(|binding| text(&binding["roleRef"], "name"))
        .collect();
    let of = |object: &&Value| object.get("rules").is_some() && names.contains(text(&object["metadata"], "name"));
    objects.iter().filter(of).cloned().collect()
}

fn text<'o>(object: &'o Value, field: &str) -> &'o str {
    object[field].as_str().unwrap_or_default()
}

/// What two rules give can be taken from one of them without a loss.
#[test]
fn no_right_is_given_twice() {
    for goal in [ours(""), ours(BY_SHADOW), theirs("")] {
        for user in [USER, PROBER] {
            let all = rights(&of_account(&goal.installation.operator(), user));
            for (number, right) in all.iter().enumerate() {
                let others = all.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, other)| other);
                let twice: Vec<&Right> = others.filter(|other| other.covers(right)).collect();
                assert!(twice.is_empty(), "{right:?} is also given by {twice:?}");
            }
        }
    }
}

/// The roles that are installed.
fn granted(goals: &[Goal]) -> Vec<Value> {
    let parts = [Part::ProbeRights, Part::Rights];
    goals.iter().flat_map(|goal| parts.map(|part| goal.installation.objects(part))).flatten().collect()
}

/// What the operator asked for, in its own name, and may not do.
fn refused(events: &[Value]) -> BTreeSet<String> {
    let refused =
        events.iter().filter(|event| event["responseStatus"]["code"] == 403 && event["impersonatedUser"].is_null());
    refused
        .map(|event| format!("{} {}: {}", event["verb"], event["requestURI"], event["responseStatus"]["message"]))
        .collect()
}
