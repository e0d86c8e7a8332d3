//! From nothing to proven, to another version, to another channel, and back to nothing.

use manifests::install::Settings;
use operator::plan::Goal;
use operator::remove::{RemoveError, remove};
use operator::run::Report;
use tests::server::Place;

use crate::cluster::{Cluster, DIRECT, SHADOW, goal, ours};
use crate::product::Product;

/// Nobody is granted anything that is an attack; but whoever maintains a guard can remove it, once there is one.
fn nothing(breach: &str) -> bool {
    breach.starts_with("nodebound-operator: disarm-the-guard: ")
}

/// Whoever copies for all nodes writes what the agent owns on each of them, and no more.
fn copying(breach: &str) -> bool {
    nothing(breach)
        || breach.starts_with("nodebound-controller: ") && COPIES.iter().any(|recipe| breach.contains(recipe))
}
/// What it may is an attack of an agent, which has one node.
const COPIES: [&str; 2] = ["domain-lure", "token-without-claim"];

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

/// Its operator takes back every change of what is its own: whoever changed any of it would fight for ever.
pub async fn theirs(place: Place) {
    let goal = goal("{namespace: kubevirt, name: kubevirt-handler}", DIRECT);
    let mut cluster = Cluster::bare(&place).await;
    let product = Product::install(&cluster).await;
    cluster.employ(&goal).await;
    let all = cluster.breaches(&goal).await;
    assert!(all.iter().any(|breach| breach.starts_with("kubevirt-handler: ")), "{all:#?}");
    let before = product.versions(&cluster).await;
    assert!(cluster.step_by_step(&goal, nothing).await > 3);
    let left = cluster.breaches(&goal).await;
    assert!(left.iter().all(|breach| !breach.starts_with("kubevirt-handler: ")), "{left:#?}");
    is_enforced(&cluster).await;
    assert_eq!(product.versions(&cluster).await, before, "nothing of the product was written");
    let refused = remove(&cluster.admin, &goal.installation, false, |_| ()).await;
    assert!(matches!(refused, Err(RemoveError::Exposed { .. })), "{refused:?}");
    assert_eq!(product.versions(&cluster).await, before);
    product.takes_back(&cluster).await;
    remove(&cluster.admin, &goal.installation, true, |_| ()).await.expect("is forced");
    cluster.until_gone(&goal).await;
}
