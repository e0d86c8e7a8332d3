//! A cluster with the testkit's workload controllers, the operator's account, and attackers with tokens of our accounts.

use attack::ground::{AgentPod, Ground};
use attack::{Keys, Outcome, Plan, Speaker};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use manifests::install::{self, Installation, Settings};
use operator::execute::{Event, Executor, Prover};
use operator::object::{Objects, Place as At};
use operator::plan::{Goal, Step};
use operator::run::{Clock, Operator, Report};
use ownership::spec::ServiceAccount;
use ownership::{Profile, parse};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::Controllers;
use testkit::rights::Log;
use tests::prober::{clock, prober};
use tests::server::{Place, Server};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// More than any wait in a story.
const PATIENCE: Duration = Duration::from_secs(120);
/// Attacks come from the first, and are on the second; the last is for what runs beside the API server.
const NODES: [&str; 3] = ["here", "there", "above"];

pub const DIRECT: &str = "";
pub const SHADOW: &str =
    "  channel: ShadowNode\n  liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";

pub struct Cluster {
    pub server: Server,
    pub admin: Objects,
    token: String,
    start: Instant,
    probing: JoinSet<()>,
    _controllers: Controllers,
}

pub fn goal(account: &str, more: &str) -> Goal {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  serviceAccount: {account}\n  \
        labels: [{{domain: kubevirt.io}}]\n  annotations: [{{domain: kubevirt.io}}]\n{more}"
    );
    let profile = parse::profile(&text).expect("is valid");
    let installation = Installation { profile, settings: Settings::default() };
    Goal { installation, adopt: false, profile_is_given: true, rehearses: false }
}

pub fn ours(more: &str) -> Goal {
    goal(&format!("{{namespace: nodebound-system, name: {}}}", install::AGENT), more)
}

impl Cluster {
    /// Nodes, and the operator's objects as they are applied by hand.
    pub async fn start(place: &Place, goal: &Goal) -> Self {
        let mut cluster = Self::bare(place).await;
        cluster.employ(goal).await;
        cluster
    }

    /// On a sandbox, with its audit log.
    pub async fn recorded(goal: &Goal) -> (Self, Log) {
        let log = Log::default();
        let mut cluster = Self::on(Server::recorded(log.clone())).await;
        cluster.employ(goal).await;
        (cluster, log)
    }

    /// Without the operator.
    pub async fn bare(place: &Place) -> Self {
        Self::on(Server::with_roles(place).await).await
    }

    async fn on(server: Server) -> Self {
        let client = server.client();
        for name in NODES {
            let mut labels = json!({"kubernetes.io/hostname": name});
            if name == NODES[2] {
                labels["node-role.kubernetes.io/control-plane"] = json!("");
            }
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
            server.create("/api/v1/nodes", &node).await;
        }
        let (admin, controllers) = (Objects::new(client.clone()), Controllers::start(client));
        let (token, start, probing) = (String::new(), Instant::now(), JoinSet::new());
        Self { server, admin, token, start, probing, _controllers: controllers }
    }

    /// The operator and the prober of these stories are in this test.
    pub async fn employ(&mut self, goal: &Goal) {
        let objects = goal.installation.operator();
        for object in objects.iter().filter(|object| object["kind"] != "Deployment") {
            self.apply(object).await;
        }
        self.apply(&goal.installation.agent_profile()).await;
        self.token = self.server.exchange().token("nodebound-system", "nodebound-operator", None).await;
        self.probing = prober(self.prober().await, self.start);
    }

    pub async fn prober(&self) -> Client {
        self.server.bearing(&self.server.exchange().token("nodebound-system", install::PROBER, None).await)
    }

    pub fn clock(&self) -> Clock {
        clock(self.start)
    }

    /// As the administrator. A definition takes a moment to be served.
    pub async fn apply(&self, object: &Value) {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = self.admin.apply(object).await {
            assert!(error.may_pass() && Instant::now() < end, "{object}: {error}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    pub fn operator(&self) -> Client {
        self.server.bearing(&self.token)
    }

    pub fn executor(&self) -> Executor {
        let prover = Prover::Another { clock: self.clock() };
        Executor { objects: Objects::new(self.operator()), prover, patience: PATIENCE }
    }

    /// Does one step, and breaks off. Whether there was none left.
    async fn one_step(&self, goal: &Goal) -> bool {
        let (stop, mut begun) = (Arc::new(Notify::new()), 0);
        let (executor, bell) = (self.executor(), stop.clone());
        let install = executor.install(goal, None, |event| {
            begun += usize::from(matches!(&event, Event::Begins(step) if *step != Step::Prove));
            if begun == 2 {
                bell.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = stop.notified() => false,
            done = install => {
                done.unwrap_or_else(|error| panic!("{error}"));
                true
            }
        }
    }

    /// Goes on until nothing is left to do; after each step nobody can do more than before, but for what is granted.
    pub async fn step_by_step(&self, goal: &Goal, granted: fn(&str) -> bool) -> usize {
        self.apply(&goal.installation.agent_profile()).await;
        let (mut before, mut steps) = (self.breaches(goal).await, 0);
        loop {
            let done = self.one_step(goal).await;
            let now = self.breaches(goal).await;
            let more: Vec<&String> = now.difference(&before).filter(|breach| !granted(breach)).collect();
            assert!(more.is_empty(), "after step {steps}: {more:#?}");
            if done {
                return steps;
            }
            before.clone_from(&now);
            steps += 1;
            assert!(steps < 100, "it comes to an end");
        }
    }

    /// What an attacker with tokens of our accounts gets through.
    pub async fn breaches(&self, goal: &Goal) -> BTreeSet<String> {
        let agent = goal.installation.profile.service_account().clone();
        let ours = [install::CONTROLLER, install::OPERATOR, install::PROBER];
        let ours = ours.map(|name| ServiceAccount { namespace: "nodebound-system".into(), name: name.into() });
        let mut breaches = BTreeSet::new();
        for account in [agent].into_iter().chain(ours) {
            let Some(tokens) = self.tokens(&account).await else { continue };
            let mut spec = goal.installation.profile.spec().clone();
            spec.service_account = account.clone();
            let profile = Profile::new("p", spec).expect("is as valid as before");
            let ground = self.ground(profile).await;
            let (keys, attacked) = (Keys { tokens, impersonation: false }, self.server.attacked());
            for trial in Plan::new(&ground).run(&attacked, &ground, &keys, || ()).await {
                if trial.attack && trial.outcome == Outcome::Breach {
                    breaches.insert(format!("{}: {}: {}", account.name, trial.recipe, trial.name));
                }
            }
        }
        breaches
    }

    /// Of an account that there is, tokens that are bound to a node and to nothing.
    async fn tokens(&self, account: &ServiceAccount) -> Option<BTreeMap<Speaker, String>> {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"namespace": account.namespace, "name": account.name}});
        let found = self.admin.find([At::of(&object)]).await.expect("can be looked for");
        found.get(&At::of(&object))?;
        let bound = json!({"apiVersion": "v1", "kind": "Node", "name": NODES[0]});
        let exchange = self.server.exchange();
        let here = exchange.token(&account.namespace, &account.name, Some(bound)).await;
        let unbound = exchange.token(&account.namespace, &account.name, None).await;
        Some([(Speaker::Agent, here.clone()), (Speaker::NodeBound, here), (Speaker::Unbound, unbound)].into())
    }

    async fn ground(&self, profile: Profile) -> Ground {
        let node = async |name: &str| self.server.exchange().get(&format!("/api/v1/nodes/{name}")).await.body;
        let policies = profile_policies(&profile);
        let pod = AgentPod { name: "none".into(), uid: "none".into(), node: NODES[0].into() };
        let (own, other) = (node(NODES[0]).await, node(NODES[1]).await);
        Ground { profile, pod, own, other: Some(other), victim: None, scratch: None, objects: Vec::new(), policies }
    }

    /// An operator whose reports are kept.
    pub fn looking(&self) -> (Operator, Arc<Mutex<Vec<Report>>>) {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let kept = reports.clone();
        let report = Box::new(move |report| kept.lock().expect("nobody panics with it").push(report));
        let every = Duration::from_secs(600);
        let clock = Box::new(Timestamp::now);
        let operator = Operator::new(self.executor(), Settings::default(), clock, every, 1, report);
        (operator, reports)
    }

    pub async fn versions(&self, places: impl Iterator<Item = At>) -> BTreeMap<At, Value> {
        let found = self.admin.find(places).await.expect("can be looked for");
        let version = |object: Value| object["metadata"]["resourceVersion"].clone();
        found.objects.into_iter().map(|(place, object)| (place, version(object))).collect()
    }

    /// Status and reason of a condition, and its message.
    pub async fn condition(&self, of: &str) -> [String; 3] {
        let path = "/apis/nodebound.io/v1alpha1/agentprofiles/p";
        let profile = self.server.exchange().get(path).await.body;
        let conditions = profile["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.into_iter().find(|condition| condition["type"] == of).unwrap_or_default();
        ["status", "reason", "message"].map(|field| condition[field].as_str().unwrap_or_default().to_owned())
    }

    /// Namespaces take the time that their controller takes.
    pub async fn until_gone(&self, goal: &Goal) {
        let all = || goal.installation.operator().into_iter().map(|object| At::of(&object)).chain(goal.places());
        let mut left = BTreeMap::new();
        for _ in 0..60 {
            left = self.versions(all()).await;
            if left.is_empty() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{:?} is left", left.keys());
    }
}

/// Those whose removal would lift the guard.
fn profile_policies(profile: &Profile) -> Vec<Value> {
    let name = ownership::guard::Guard::Nodes.policy_name(profile.name());
    let version = "admissionregistration.k8s.io/v1";
    ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        .map(|kind| json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}}))
        .to_vec()
}
