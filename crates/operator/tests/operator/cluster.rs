//! A cluster on the sandbox, with the testkit's workload controllers.

use admission::{KubeVersion, UserInfo};
use app::election::Candidate;
use http::Request;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use manifests::install::{AGENT, Installation, PROBER, Settings};
use operator::execute::{Event, ExecuteError, Executor, Installed, Prover};
use operator::object::{Objects, Place};
use operator::plan::{Goal, Step};
use operator::prober::Prober;
use operator::prove::{Claim, Connect};
use operator::run::{Clock, Operator, Report};
use operator::watching;
use sandbox::{Connection, Sandbox};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use testkit::Controllers;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_service::Service;

pub const BY_SHADOW: &str =
    "  channel: ShadowNode\n  liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";

pub struct Cluster {
    pub sandbox: Sandbox,
    pub objects: Objects,
    way: Way,
    start: Instant,
    _controllers: Controllers,
}

/// A way to an API server that may become another one behind it.
#[derive(Clone)]
struct Way(Arc<Mutex<Connection>>);

impl Service<Request<Body>> for Way {
    type Response = <Connection as Service<Request<Body>>>::Response;
    type Error = <Connection as Service<Request<Body>>>::Error;
    type Future = <Connection as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.lock().unwrap().call(request)
    }
}

impl Cluster {
    /// Two Nodes, and virt-handler's account with the right to write each of them.
    pub async fn new() -> Self {
        Self::with(sandbox::Settings::default()).await
    }

    pub async fn with(settings: sandbox::Settings) -> Self {
        let sandbox = Sandbox::start(settings).unwrap();
        for name in ["n", "m"] {
            sandbox.plant(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name,
                "labels": {"node-role.kubernetes.io/control-plane": ""}}}));
        }
        let way = Way(Arc::new(Mutex::new(sandbox.admin())));
        let client = Client::new(way.clone(), "default");
        let objects = Objects::new(client.clone());
        let cluster = Self { objects, sandbox, way, start: Instant::now(), _controllers: Controllers::start(client) };
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

    pub fn connect(&self) -> Connect {
        let way = self.way.clone();
        Box::new(move || Ok(Client::new(way.clone(), "default")))
    }

    pub fn executor(&self) -> Executor {
        let prover = Prover::Itself { connect: self.connect(), claim: Claim::Node };
        Executor { objects: self.objects.clone(), prover, patience: Duration::from_secs(120) }
    }

    pub fn clock(&self) -> Clock {
        clock(self.start)
    }

    /// The prober, as that user and with those groups, until it is dropped.
    pub fn prober(&self, user: &str, groups: &[&str]) -> JoinSet<()> {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let user = UserInfo { username: user.to_owned(), groups, ..UserInfo::default() };
        let connection = self.sandbox.connection_as(user);
        let (client, wake) = (Client::new(connection.clone(), "default"), Arc::new(Notify::new()));
        let prober = Prober {
            objects: Objects::new(client.clone()),
            connect: Box::new(move || Ok(Client::new(connection.clone(), "default"))),
            settings: Settings::default(),
            identity: "prober".to_owned(),
            clock: self.clock(),
            every: Duration::from_secs(60),
            report: Box::new(|_| ()),
        };
        let (leads, leading) = watch::channel(false);
        let candidate = Candidate::new(client.clone(), "nodebound-system", PROBER, PROBER, Box::new(Timestamp::now));
        let mut tasks = JoinSet::new();
        tasks.spawn(candidate.run(leads, std::future::pending()));
        tasks.spawn(watching::guards(client, wake.clone()));
        tasks.spawn(prober.run(wake, leading, 3));
        tasks
    }

    /// Whoever asks has a token with these claims from now on.
    pub fn bears(&self, claims: &[&str]) {
        let groups = ["system:masters", "system:authenticated"].map(str::to_owned).to_vec();
        let extra = claims.iter().map(|claim| ((*claim).to_owned(), vec!["its".to_owned()])).collect();
        let user = UserInfo { username: "operator".to_owned(), groups, extra, ..UserInfo::default() };
        *self.way.0.lock().unwrap() = self.sandbox.connection_as(user);
    }

    /// The API server becomes one of another release, with the objects of before.
    pub fn upgrade(&mut self, minor: u16) {
        let settings = sandbox::Settings { version: KubeVersion::minor(minor), ..sandbox::Settings::default() };
        let after = Sandbox::resume(settings, self.sandbox.snapshot()).unwrap();
        *self.way.0.lock().unwrap() = after.admin();
        std::mem::replace(&mut self.sandbox, after).drop_watches();
    }

    pub async fn install(&self, goal: &Goal) -> Result<Installed, ExecuteError> {
        self.executor().install(goal, None, |_| ()).await
    }

    /// Goes on for one step, and breaks off. Whether there was none left.
    pub async fn one_step(&self, goal: &Goal, mut saw: impl FnMut(&Event)) -> bool {
        let (stop, mut begun) = (Arc::new(Notify::new()), 0);
        let (executor, bell) = (self.executor(), stop.clone());
        let install = executor.install(goal, None, |event| {
            saw(&event);
            begun += usize::from(matches!(&event, Event::Begins(step) if *step != Step::Prove));
            if begun == 2 {
                bell.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = stop.notified() => false,
            done = install => {
                done.unwrap();
                true
            }
        }
    }

    /// By their profile's sum, the agents' pods that there are.
    pub async fn agents(&self) -> Vec<String> {
        let place = Place { api_version: "v1".into(), kind: "Pod".into(), namespace: None, name: String::new() };
        let pods = self.objects.list(&place).await.unwrap();
        let sums = pods.iter().filter_map(|pod| pod.pointer("/metadata/annotations/nodebound.io~1profile-sum"));
        sums.filter_map(|sum| sum.as_str().map(str::to_owned)).collect()
    }

    pub async fn may(&self, account: &str, resource: Value) -> bool {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
            "spec": {"user": account, "resourceAttributes": resource}});
        self.objects.create(&review).await.unwrap()["status"]["allowed"] == true
    }

    /// Namespaces take the time that their controller takes.
    pub async fn is_empty_in_the_end(&self, goal: &Goal) {
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            if self.found(goal).await.is_empty() {
                return;
            }
        }
        assert_eq!(self.found(goal).await, [], "nothing is left");
    }

    pub async fn found(&self, goal: &Goal) -> Vec<Place> {
        self.objects.find(goal.places()).await.unwrap().objects.into_keys().collect()
    }
}

pub fn goal(account: &str, more: &str) -> Goal {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
        serviceAccount: {account}\n  labels: [{{domain: kubevirt.io}}]\n{more}"
    );
    let profile = ownership::parse::profile(&text).unwrap();
    Goal {
        installation: Installation { profile, settings: Settings::default() },
        adopt: false,
        profile_is_given: false,
        rehearses: false,
    }
}

pub fn theirs(more: &str) -> Goal {
    goal("{namespace: kubevirt, name: kubevirt-handler}", more)
}

pub fn ours(more: &str) -> Goal {
    goal(&format!("{{namespace: nodebound-system, name: {AGENT}}}"), more)
}

/// The time in these stories, which goes by tokio's clock.
fn clock(start: Instant) -> Clock {
    let begin: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    Box::new(move || begin + start.elapsed())
}

/// An operator beside the cluster, whose reports are kept.
pub struct Looking {
    pub operator: Operator,
    pub reports: Arc<Mutex<Vec<Report>>>,
}

impl Looking {
    pub fn at(cluster: &Cluster) -> Self {
        Self::through(cluster.executor())
    }

    pub fn through(executor: Executor) -> Self {
        Self::with(executor, Settings::default())
    }

    pub fn with(executor: Executor, settings: Settings) -> Self {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let kept = reports.clone();
        let operator = Operator::new(
            Executor { patience: Duration::from_secs(5), ..executor },
            settings,
            clock(Instant::now()),
            Duration::from_secs(600),
            7,
            Box::new(move |report| kept.lock().unwrap().push(report)),
        );
        Self { operator, reports }
    }

    pub fn taken(&self) -> Vec<Report> {
        std::mem::take(&mut self.reports.lock().unwrap())
    }
}

impl Cluster {
    /// The definitions, and a profile as a user would write it.
    pub async fn with_profile(&self, goal: &Goal) {
        for object in goal.installation.operator().iter().filter(|o| o["kind"] == "CustomResourceDefinition") {
            self.objects.apply(object).await.unwrap();
        }
        self.write_profile(goal.installation.agent_profile()).await;
    }

    pub async fn write_profile(&self, object: Value) {
        for _ in 0..10 {
            match self.objects.apply(&object).await {
                Ok(()) => return,
                Err(error) => assert!(error.may_pass(), "{error}"),
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// A profile as it is now.
    pub async fn profile(&self, name: &str) -> Value {
        let place = Place {
            api_version: "nodebound.io/v1alpha1".to_owned(),
            kind: "AgentProfile".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        self.objects.find([place.clone()]).await.unwrap().get(&place).unwrap().clone()
    }

    /// Status, reason and message of a condition.
    pub async fn condition(&self, profile: &str, of: &str) -> [String; 3] {
        let conditions = self.profile(profile).await["status"]["conditions"].clone();
        let condition = conditions.as_array().into_iter().flatten().find(|known| known["type"] == of).cloned();
        let condition = condition.unwrap_or_default();
        ["status", "reason", "message"].map(|field| condition[field].as_str().unwrap_or_default().to_owned())
    }

    /// How often anything at all was written.
    pub async fn writes(&self) -> u64 {
        let nodes: kube::Api<k8s_openapi::api::core::v1::Node> =
            kube::Api::all(Client::new(self.sandbox.admin(), "default"));
        let listed = nodes.list_metadata(&kube::api::ListParams::default()).await.unwrap();
        listed.metadata.resource_version.unwrap().parse().unwrap()
    }

    pub async fn events(&self) -> Vec<(String, String)> {
        let place = Place { api_version: "v1".into(), kind: "Event".into(), namespace: None, name: String::new() };
        let events = self.objects.list(&place).await.unwrap();
        let told = events.iter().map(|event| {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            (text("reason"), text("message"))
        });
        told.collect()
    }
}
