//! From one channel to the other, and from one version to the other: nothing is taken from pods that still run.

use crate::cluster::{BY_SHADOW, Cluster, ours};
use manifests::install::{AGENT, Settings};
use operator::object::Place;
use operator::plan::{Goal, Step};
use serde_json::{Value, json};

fn patch(group: &str, resource: &str) -> Value {
    json!({"verb": "patch", "group": group, "resource": resource, "version": "*"})
}

/// Broken off after every step: while pods of before run, what they write stays theirs to write; afterwards it is not.
#[tokio::test(start_paused = true)]
async fn rights_of_both_channels_last_as_long_as_pods_of_both() {
    let cluster = Cluster::new().await;
    let (direct, shadow) = (ours(""), ours(BY_SHADOW));
    let account = direct.installation.profile.username().to_owned();
    cluster.install(&direct).await.unwrap();
    for (goal, kept, given) in [
        (&shadow, patch("", "nodes"), patch("nodebound.io", "shadownodes")),
        (&direct, patch("nodebound.io", "shadownodes"), patch("", "nodes")),
    ] {
        let before = cluster.agents().await;
        assert_eq!(before.len(), 2, "an agent on each node");
        let (mut with_both, mut steps) = (false, 0);
        while !cluster.one_step(goal, |_| ()).await {
            let (old, new) = (cluster.may(&account, kept.clone()).await, cluster.may(&account, given.clone()).await);
            let pods = cluster.agents().await;
            assert!(old || !pods.iter().any(|sum| before.contains(sum)), "{kept}: taken from pods that run");
            assert!(new || pods.iter().all(|sum| before.contains(sum)), "{given}: not given to pods that run");
            with_both |= old && new;
            steps += 1;
            assert!(steps < 100, "it comes to an end");
        }
        assert!(with_both, "{kept}");
        assert!(!cluster.may(&account, kept.clone()).await, "{kept}: taken away in the end");
        assert!(cluster.may(&account, given.clone()).await, "{given}");
        assert_eq!(cluster.install(goal).await.unwrap().steps, [Step::Prove], "and nothing is left to do");
        assert!(cluster.agents().await.iter().all(|sum| !before.contains(sum)));
    }
}

/// One pod first; and agents before the controller, or after it where the version goes back.
#[tokio::test(start_paused = true)]
async fn an_upgrade_tries_one_pod_first() {
    let cluster = Cluster::new().await;
    let at = |tag: &str| {
        let mut goal = ours(BY_SHADOW);
        goal.installation.settings = Settings { tag: tag.to_owned(), ..Settings::default() };
        Goal { profile_is_given: true, ..goal }
    };
    cluster.install(&at("v1.0.0")).await.unwrap();
    for (tag, expected) in
        [("v1.1.0", ["DaemonSet", "DaemonSet", "Deployment"]), ("v1.0.0", ["Deployment", "DaemonSet", "DaemonSet"])]
    {
        let goal: Goal = at(tag);
        let installed = cluster.install(&goal).await.unwrap();
        let kinds: Vec<String> = installed.steps.iter().filter_map(Step::place).map(|place| place.kind).collect();
        assert_eq!(kinds, expected, "{tag}");
        let most: Vec<Value> = installed.steps.iter().filter_map(most_unavailable).collect();
        assert_eq!(most, [json!(1), json!("10%")], "{tag}");
        let set = cluster.objects.find(goal.places().filter(|place| place.name == AGENT)).await.unwrap();
        let image =
            set.objects.values().find_map(|object| object.pointer("/spec/template/spec/containers/0/image").cloned());
        assert!(image.unwrap().as_str().unwrap().ends_with(tag));
    }
}

fn most_unavailable(step: &Step) -> Option<Value> {
    let Step::Apply { object, .. } = step else { return None };
    let _: Place = Place::of(object);
    object.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable").cloned()
}
