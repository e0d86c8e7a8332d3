//! From nothing to proven, to another version, to another channel, and back to nothing.

use manifests::install::Settings;
use operator::object::Place as At;
use operator::plan::Goal;
use operator::remove::remove;
use operator::run::Report;
use serde_json::{Value, json};
use tests::server::Place;

use crate::cluster::{Cluster, DIRECT, SHADOW, goal, ours, path};

/// Nobody is granted anything that is an attack.
fn nothing(_: &str) -> bool {
    false
}

/// Whoever copies for all nodes writes what the agent owns on each of them, and no more.
fn copying(breach: &str) -> bool {
    breach.starts_with("nodebound-controller: ") && COPIES.iter().any(|recipe| breach.contains(recipe))
}
const COPIES: [&str; 1] = ["own-labels-of-another-node"];

fn at(goal: &Goal, tag: &str) -> Goal {
    let mut goal = goal.clone();
    goal.installation.settings = Settings { tag: tag.to_owned(), ..Settings::default() };
    goal
}

async fn is_enforced(cluster: &Cluster) {
    let (mut operator, reports) = cluster.looking();
    operator.look().await.expect("can look");
    let [status, reason, message] = cluster.condition("Enforced").await;
    let told = reports.lock().expect("nobody panics with it").clone();
    assert_eq!((&*status, &*reason), ("True", "GuardProven"), "{message} {told:#?}");
    assert!(!told.iter().any(|report| matches!(report, Report::Unsaid(_) | Report::Blind(_))), "{told:#?}");
}

async fn removed(cluster: &Cluster, goal: &Goal) {
    remove(&cluster.admin, &goal.installation, false, |_| ()).await.expect("may be removed");
    cluster.until_gone(goal).await;
}

pub async fn direct(place: Place) {
    let goal = ours(DIRECT);
    let cluster = Cluster::start(&place, &goal).await;
    let installed = cluster.step_by_step(&at(&goal, "v1.0.0"), nothing).await;
    assert!(installed > 10, "{installed}");
    for tag in ["v1.1.0", "v1.0.0"] {
        assert!(cluster.step_by_step(&at(&goal, tag), nothing).await > 0, "{tag}");
        assert_eq!(cluster.step_by_step(&at(&goal, tag), nothing).await, 0, "{tag} is there");
    }
    is_enforced(&cluster).await;
    removed(&cluster, &goal).await;
}

pub async fn channels(place: Place) {
    let (direct, shadow) = (ours(DIRECT), ours(SHADOW));
    let cluster = Cluster::start(&place, &shadow).await;
    for (goal, name) in [(&shadow, "ShadowNode"), (&direct, "Direct"), (&shadow, "ShadowNode")] {
        assert!(cluster.step_by_step(goal, copying).await > 3, "{name}");
    }
    is_enforced(&cluster).await;
    removed(&cluster, &shadow).await;
}

pub async fn theirs(place: Place) {
    let goal = goal("{namespace: kubevirt, name: kubevirt-handler}", DIRECT);
    let _ = (place, goal);
}
