//! The operator has no right that it does not use, or that it does not hold in order to grant it.

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

const USER: &str = "system:serviceaccount:nodebound-system:nodebound-operator";

/// A verb on a resource, in a namespace or everywhere, on names or on all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    namespace: Option<String>,
    group: String,
    resource: String,
    names: Vec<String>,
    verb: String,
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Every right that these roles give.
fn rights(objects: &[Value]) -> Vec<Right> {
    let mut rights = Vec::new();
    for role in objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"))) {
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in role["rules"].as_array().unwrap() {
            for (group, resource) in product(&texts(&rule["apiGroups"]), &texts(&rule["resources"])) {
                for verb in texts(&rule["verbs"]) {
                    let (namespace, group, resource) = (namespace.clone(), group.clone(), resource.clone());
                    rights.push(Right { namespace, group, resource, names: texts(&rule["resourceNames"]), verb });
                }
            }
        }
    }
    rights
}

fn product<A: Clone, B: Clone>(left: &[A], right: &[B]) -> Vec<(A, B)> {
    left.iter().flat_map(|left| right.iter().map(move |right| (left.clone(), right.clone()))).collect()
}

impl Right {
    /// Whether a request needed it.
    fn is_used(&self, event: &Value) -> bool {
        if self.verb == "impersonate" {
            return self.impersonates(event);
        }
        let about = &event["objectRef"];
        let text = |field: &str| about[field].as_str().unwrap_or_default();
        let resource = match text("subresource") {
            "" => text("resource").to_owned(),
            below => format!("{}/{below}", text("resource")),
        };
        // Whoever applies what is not there creates it.
        let created = event["verb"] == "patch" && event["responseStatus"]["code"] == 201;
        event["impersonatedUser"].is_null()
            && (event["verb"] == self.verb.as_str() || (created && self.verb == "create"))
            && resource == self.resource
            && text("apiGroup") == self.group
            && self.namespace.as_deref().is_none_or(|namespace| namespace == text("namespace"))
            && self.is_on(text("name"))
    }

    fn impersonates(&self, event: &Value) -> bool {
        let user = &event["impersonatedUser"];
        let name = self.names.first().map_or("", String::as_str);
        match self.resource.strip_prefix("userextras/") {
            Some(key) => texts(&user["extra"][key]).iter().any(|value| value == name),
            None if self.resource == "groups" => texts(&user["groups"]).iter().any(|group| group == name),
            None => user["username"].as_str().is_some_and(|user| user.ends_with(&format!(":{name}"))),
        }
    }

    /// Whether it is a right to the object of that name.
    fn is_on(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|known| known == name)
    }

    fn is_about_the_same(&self, other: &Self) -> bool {
        (&self.group, &self.resource, &self.verb) == (&other.group, &other.resource, &other.verb)
    }

    fn is_that_of_another_profile(&self, other: &Self) -> bool {
        let of = |right: &Self, profile: &str| right.names.iter().any(|name| name.starts_with(profile));
        self.is_about_the_same(other) && of(self, "nodebound-p-") && of(other, "nodebound-q-")
    }

    fn covers(&self, other: &Self) -> bool {
        let within = self.namespace.is_none() || self.namespace == other.namespace;
        let all = self.names.is_empty() || (!other.names.is_empty() && other.names.iter().all(|name| self.is_on(name)));
        self.is_about_the_same(other) && within && all
    }

    /// Whether it is one of those that are granted: nobody may grant what he has not.
    fn is_granted(&self, granted: &[Right]) -> bool {
        granted
            .iter()
            .any(|grant| self.is_about_the_same(grant) && (self.names.is_empty() || self.names == grant.names))
    }
}

/// While nobody looks, each object goes, or becomes another one, or is made anew as another one.
async fn tamper(cluster: &Cluster, goal: &Goal, operator: &mut Option<Replica>) {
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
    Replica::of(cluster, USER, &["system:serviceaccounts", "system:authenticated"])
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
    let mut operator = Some(start(&cluster));
    lives(&cluster, &direct).await;
    lives(&cluster, &shadow).await;
    tamper(&cluster, &shadow, &mut operator).await;
    lives(&cluster, &direct).await;
    // Upgrades were held back before, and are not any more.
    cluster.objects.create(&other.installation.hold().unwrap()).await.unwrap();
    lives(&cluster, &other).await;
    let events: Vec<Value> = log.events().into_iter().filter(|event| event["user"]["username"] == USER).collect();
    let granted = rights(&granted(&[direct, shadow, ours(alive), other, watched]));
    let all = rights(&objects);
    let is_used = |right: &Right| events.iter().any(|event| right.is_used(event));
    // What was needed for one profile is what would be for the other.
    let likewise = |right: &Right| all.iter().any(|other| other.is_that_of_another_profile(right) && is_used(other));
    let idle = |right: &&Right| !right.is_granted(&granted) && !is_used(right) && !likewise(right);
    let idle: Vec<String> = all.iter().filter(idle).map(|right| format!("{right:?}")).collect();
    assert!(idle.is_empty(), "never used, and not granted: {idle:#?}");
    assert_eq!(refused(&events), BTreeSet::new(), "nothing is missing");
}

/// What two rules give can be taken from one of them without a loss.
#[test]
fn no_right_is_given_twice() {
    for goal in [ours(""), ours(BY_SHADOW), theirs("")] {
        let all = rights(&goal.installation.operator());
        for (number, right) in all.iter().enumerate() {
            let others = all.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, other)| other);
            let twice: Vec<&Right> = others.filter(|other| other.covers(right)).collect();
            assert!(twice.is_empty(), "{right:?} is also given by {twice:?}");
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
