//! Installations on the sandbox, on a clock that only moves when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kube::Client;
use manifests::install::{AGENT, Installation, Part, Settings};
use operator::execute::{Event, ExecuteError, Executor, Installed};
use operator::object::{Objects, Place};
use operator::plan::{Change, Goal, Step};
use operator::prove::{Claim, NotProven};
use operator::remove::{RemoveError, remove};
use sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use testkit::Controllers;
use tokio::sync::Notify;
use tokio::time::sleep;

const BY_SHADOW: &str =
    "  channel: ShadowNode\n  liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";

struct Cluster {
    sandbox: Sandbox,
    objects: Objects,
    _controllers: Controllers,
}

impl Cluster {
    /// Two Nodes, and virt-handler's account with the right to write each of them.
    async fn new() -> Self {
        let sandbox = Sandbox::start(sandbox::Settings::default()).unwrap();
        for name in ["n", "m"] {
            sandbox.plant(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
        }
        let client = Client::new(sandbox.admin(), "default");
        let cluster = Self { objects: Objects::new(client.clone()), sandbox, _controllers: Controllers::start(client) };
        let group = "rbac.authorization.k8s.io";
        let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]);
        let subject = json!({"kind": "ServiceAccount", "namespace": "kubevirt", "name": "kubevirt-handler"});
        for object in [
            json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "handler"}, "rules": rules}),
            json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "handler"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "handler"}, "subjects": [subject]}),
        ] {
            cluster.objects.apply(&object).await.unwrap();
        }
        cluster
    }

    fn executor(&self) -> Executor {
        let sandbox = self.sandbox.clone();
        let connect = Box::new(move || Ok(Client::new(sandbox.admin(), "default")));
        Executor { objects: self.objects.clone(), connect, claim: Claim::Node }
    }

    async fn install(&self, goal: &Goal) -> Result<Installed, ExecuteError> {
        self.executor().install(goal, None, |_| ()).await
    }

    async fn may(&self, account: &str, resource: Value) -> bool {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
            "spec": {"user": account, "resourceAttributes": resource}});
        self.objects.create(&review).await.unwrap()["status"]["allowed"] == true
    }

    /// Namespaces take the time that their controller takes.
    async fn is_empty_in_the_end(&self, goal: &Goal) {
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            if self.found(goal).await.is_empty() {
                return;
            }
        }
        assert_eq!(self.found(goal).await, [], "nothing is left");
    }

    async fn found(&self, goal: &Goal) -> Vec<Place> {
        self.objects.find(goal.places()).await.unwrap().objects.into_keys().collect()
    }
}

fn goal(account: &str, more: &str) -> Goal {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
        serviceAccount: {account}\n  labels: [{{domain: kubevirt.io}}]\n{more}"
    );
    let profile = ownership::parse::profile(&text).unwrap();
    Goal {
        installation: Installation { profile, settings: Settings::default() },
        adopt: false,
        profile_is_given: false,
    }
}

fn theirs(more: &str) -> Goal {
    goal("{namespace: kubevirt, name: kubevirt-handler}", more)
}

fn ours(more: &str) -> Goal {
    goal(&format!("{{namespace: nodebound-system, name: {AGENT}}}"), more)
}

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

#[tokio::test(start_paused = true)]
async fn a_guard_that_does_not_refuse_is_not_proven() {
    let (cluster, goal) = (Cluster::new().await, theirs(""));
    cluster.install(&goal).await.unwrap();
    let binding = goal.places().find(|place| place.kind == "ValidatingAdmissionPolicyBinding").unwrap();
    cluster.objects.delete(&binding).await.unwrap();
    let ground = operator::prove::Ground::find(&cluster.objects, &goal.installation, Claim::Node).await.unwrap();
    let connect = cluster.executor().connect;
    let NotProven::LetIn { policy, .. } = operator::prove::prove(&connect, &ground, |_| ()).await.unwrap_err() else {
        panic!("it is let in");
    };
    assert_eq!(policy, "nodebound-p");
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
            let (stop, mut begun, mut proven) = (Arc::new(Notify::new()), 0, false);
            let (executor, bell) = (cluster.executor(), stop.clone());
            let install = executor.install(&goal, None, |event| {
                proven |= matches!(event, Event::Proven(_));
                begun += usize::from(matches!(&event, Event::Begins(step) if *step != Step::Prove));
                if begun == 2 {
                    bell.notify_one();
                }
            });
            tokio::select! {
                biased;
                () = stop.notified() => {}
                done = install => drop(done.unwrap()),
            }
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

#[tokio::test(start_paused = true)]
async fn a_trial_is_not_proven_and_grants_nothing() {
    let (cluster, goal) = (Cluster::new().await, ours("  actions: [Audit]\n"));
    let installed = cluster.install(&goal).await.unwrap();
    assert_eq!(installed.proven, None);
    let account = goal.installation.profile.username();
    assert!(!cluster.may(account, json!({"verb": "patch", "resource": "nodes", "version": "v1"})).await);
}
