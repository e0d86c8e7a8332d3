//! From nothing to proven, broken off at every step, and back to nothing.

use crate::cluster::{BY_SHADOW, Cluster, ours, theirs};
use manifests::install::Part;
use operator::execute::Event;
use operator::object::Place;
use operator::plan::{Change, Goal, Step};
use operator::prove::{Claim, NotProven};
use operator::remove::{RemoveError, remove};
use ownership::Profile;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_guard_is_installed_proven_repaired_and_not_taken_from_whom_it_holds() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    let installed = cluster.install(&goal).await.unwrap();
    assert_eq!(installed.steps.last(), Some(&Step::Prove));
    assert_eq!(installed.proven.unwrap().policy(), "nodebound-p");
    let again = cluster.install(&goal).await.unwrap();
    assert_eq!(again.steps, [Step::Prove], "nothing is written twice");
    let policy = goal.places().find(|place| place.kind == "ValidatingAdmissionPolicy").unwrap();
    cluster.objects.delete(&policy).await.unwrap();
    let repaired = cluster.install(&goal).await.unwrap();
    assert!(matches!(&repaired.steps[..], [Step::Apply { change: Change::Create, .. }, Step::Prove]), "{repaired:?}");
    let exposed = remove(&cluster.objects, &goal.installation, false, |_| ()).await;
    assert!(matches!(exposed, Err(RemoveError::Exposed { .. })), "{exposed:?}");
    assert_eq!(cluster.found(&goal).await.len(), goal.places().count(), "the guard is where it was");
    remove(&cluster.objects, &goal.installation, true, |_| ()).await.unwrap();
    assert_eq!(cluster.found(&goal).await, []);
    let removed = remove(&cluster.objects, &goal.installation, true, |_| ()).await.unwrap();
    assert_eq!(removed, [], "there is nothing left to remove");
}

/// Its AgentProfile has gone, and whoever uninstalls names another account: the right one may still write every Node.
#[tokio::test(start_paused = true)]
async fn a_guard_of_another_account_is_not_removed() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.install(&goal).await.unwrap();
    let other = crate::cluster::goal("{namespace: kubevirt, name: another}", "");
    let error = remove(&cluster.objects, &other.installation, false, |_| ()).await.unwrap_err();
    let RemoveError::Another { policy, account } = error else { panic!("{error}") };
    assert_eq!((&*policy.name, &*account), ("nodebound-p", "system:serviceaccount:kubevirt:another"));
    assert_eq!(cluster.found(&goal).await.len(), goal.places().count(), "the guard is where it was");
}

/// Another one would be held at once, and the former one not any more.
#[tokio::test(start_paused = true)]
async fn the_account_of_a_profile_cannot_be_changed() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.install(&goal).await.unwrap();
    let mut object = goal.installation.agent_profile();
    object["spec"]["serviceAccount"]["name"] = json!("another");
    let error = cluster.objects.apply(&object).await.unwrap_err().to_string();
    assert!(error.contains("spec.serviceAccount") && error.contains("cannot be changed"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_is_named_and_stays() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    let mut policy = goal.installation.objects(Part::Guards).remove(0);
    policy["metadata"]["labels"] = json!({});
    policy["spec"]["failurePolicy"] = json!("Ignore");
    cluster.objects.apply(&policy).await.unwrap();
    let refused = cluster.install(&goal).await.unwrap_err().to_string();
    assert!(refused.contains("ValidatingAdmissionPolicy nodebound-p is there and not ours"), "{refused}");
    assert_eq!(cluster.found(&goal).await.len(), 1, "nothing else was begun");
    cluster.install(&Goal { adopt: true, ..goal }).await.unwrap();
}

/// Neither that of what agents publish, nor that of their heartbeats.
#[tokio::test(start_paused = true)]
async fn a_guard_that_does_not_refuse_is_not_proven() {
    for claim in [Claim::Node, Claim::Elsewhere] {
        for missing in ["nodebound-p-shadownodes", "nodebound-p-leases"] {
            let (cluster, goal) = (Cluster::new().await, ours(BY_SHADOW));
            cluster.install(&goal).await.unwrap();
            let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"namespace": "nodebound-heartbeats", "name": "m"}, "spec": {}});
            cluster.objects.apply(&lease).await.unwrap();
            let connect = cluster.connect();
            let prove = async || {
                let ground = operator::prove::Ground::find(&cluster.objects, &goal.installation, claim).await.unwrap();
                operator::prove::prove(&connect, &ground, |_| ()).await
            };
            let rules = if claim == Claim::Node { ["labels", "metadata"] } else { ["own-node", "own-node"] };
            let evidence = prove().await.unwrap().evidence();
            assert!(evidence.contains(&format!("by {}, of heartbeats by {}", rules[0], rules[1])), "{evidence}");
            let is_missing = |place: &Place| place.kind == "ValidatingAdmissionPolicyBinding" && place.name == missing;
            cluster.objects.delete(&goal.places().find(is_missing).unwrap()).await.unwrap();
            let NotProven::LetIn { policy, .. } = prove().await.unwrap_err() else { panic!("it is let in") };
            assert_eq!(policy, missing);
        }
    }
}

/// Broken off after every single step, and gone on with: at no moment is anything granted that nobody was seen to hold.
#[tokio::test(start_paused = true)]
async fn an_installation_that_is_broken_off_goes_on_and_grants_nothing_early() {
    for more in [BY_SHADOW, ""] {
        let (cluster, goal) = (Cluster::new().await, ours(more));
        let steps = goal.whole(&Default::default()).unwrap().steps.len();
        let account = goal.installation.profile.username().to_owned();
        let patch = json!({"verb": "patch", "resource": "nodes", "version": "v1"});
        for _ in 0..steps {
            let mut proven = false;
            cluster.one_step(&goal, |event| proven |= matches!(event, Event::Proven(_))).await;
            let granted = cluster.may(&account, patch.clone()).await;
            assert!(!granted || (proven && more.is_empty()), "{more}: granted without a proof");
        }
        let last = cluster.install(&goal).await.unwrap();
        assert_eq!(last.steps, [Step::Prove], "{more}: it has come to its end");
        assert_eq!(cluster.may(&account, patch).await, more.is_empty(), "by ShadowNode no Node is written");
        remove(&cluster.objects, &goal.installation, false, |_| ()).await.unwrap();
        cluster.is_empty_in_the_end(&goal).await;
    }
}

/// What programs may do for it goes with it, and what they may do for others stays.
#[tokio::test(start_paused = true)]
async fn of_two_profiles_one_is_removed_with_its_rights() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    let mut other = theirs("");
    other.installation.profile = Profile::new("q", other.installation.profile.spec().clone()).unwrap();
    let rights = |goal: &Goal| {
        let objects = goal.installation.operator().into_iter().map(|object| Place::of(&object));
        objects.filter(|place| place.api_version.starts_with("rbac")).collect::<Vec<_>>()
    };
    for goal in [&goal, &other] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubevirt"}});
        for object in [namespace].iter().chain(&goal.installation.operator()) {
            cluster.objects.apply(object).await.unwrap();
        }
        cluster.write_profile(goal.installation.agent_profile()).await;
    }
    remove(&cluster.objects, &goal.installation, true, |_| ()).await.unwrap();
    let left = cluster.objects.find(rights(&goal)).await.unwrap().objects;
    assert!(left.is_empty(), "{:?}", left.keys());
    let kept = cluster.objects.find(rights(&other)).await.unwrap().objects;
    assert!(kept.keys().any(|place| place.name == "nodebound-q-prober"), "{:?}", kept.keys());
}

#[tokio::test(start_paused = true)]
async fn a_trial_is_not_proven_and_grants_nothing() {
    let (cluster, goal) = (Cluster::new().await, ours("  actions: [Audit]\n"));
    let installed = cluster.install(&goal).await.unwrap();
    assert_eq!(installed.proven, None);
    let account = goal.installation.profile.username();
    assert!(!cluster.may(account, json!({"verb": "patch", "resource": "nodes", "version": "v1"})).await);
}

/// What agents and controller wrote goes; what others wrote, or wrote too, stays.
#[tokio::test(start_paused = true)]
async fn what_we_wrote_on_nodes_is_removed_and_nothing_else() {
    let cluster = Cluster::new().await;
    let node = |labels: serde_json::Value| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels}});
    for (manager, labels) in [
        ("nodebound-agent", json!({"kubevirt.io/a": "1", "kubevirt.io/both": "1"})),
        ("nodebound-controller", json!({"kubevirt.io/b": "1"})),
        ("somebody", json!({"kubevirt.io/both": "1", "kubevirt.io/c": "1"})),
    ] {
        cluster.objects.apply_as(manager, &node(labels)).await.unwrap();
    }
    let written = operator::remove::written(&cluster.objects).await.unwrap();
    let keys: Vec<&str> = written["n"].iter().map(String::as_str).collect();
    assert_eq!((written.len(), keys), (1, vec!["kubevirt.io/a", "kubevirt.io/b", "kubevirt.io/both"]));
    operator::remove::clear(&cluster.objects, "n").await.unwrap();
    operator::remove::clear(&cluster.objects, "gone").await.unwrap();
    let place = operator::object::Place::of(&node(json!({})));
    let found = cluster.objects.find([place.clone()]).await.unwrap();
    let labels = &found.get(&place).unwrap()["metadata"]["labels"];
    let kept: Vec<&String> = labels.as_object().unwrap().keys().filter(|key| key.starts_with("kubevirt.io/")).collect();
    assert_eq!(kept, ["kubevirt.io/both", "kubevirt.io/c"]);
}
