//! A cluster in a sandbox: Nodes, agents that publish by ShadowNodes, guards, and one or two controllers.

use admission::UserInfo;
use api::ShadowNode;
use api::finding::{Ending, Finding, Seen};
use channels::{Backoff, Done, Failure, Publish as _, Wanted};
use controller::{Controller, Report, Settings, probe, vouched};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use ownership::publication::{Guarded, Publication};
use ownership::{Profile, identity, parse};
use sandbox::Sandbox;
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub const SCHEDULABLE: &str = "kubevirt.io/schedulable";
pub const HEARTBEAT: &str = "kubevirt.io/heartbeat";
pub const CONTROLLER: &str = "system:serviceaccount:nodebound-system:nodebound-controller";
const AGENT: &str = "system:serviceaccount:kubevirt:kubevirt-handler";

pub struct Stage {
    pub sandbox: Sandbox,
    pub nodes: Api<Node>,
    pub shadows: Api<ShadowNode>,
    pub leases: Api<DynamicObject>,
    pub admin: Client,
    pub profile: Profile,
    start: Instant,
}

/// A controller that runs.
pub struct Running {
    pub lead: watch::Sender<bool>,
    reports: Arc<Mutex<Vec<(Duration, Report)>>>,
    tasks: [JoinHandle<()>; 2],
}

/// An agent on a node.
pub struct Agent {
    channel: channels::ShadowNode,
    pub wanted: Wanted,
}

pub fn profile(more: &str) -> Profile {
    let text = format!(
        "{{apiVersion: nodebound.io/v1alpha1, kind: AgentProfile, metadata: {{name: p}}, spec: {{
            serviceAccount: {{namespace: kubevirt, name: kubevirt-handler}}, channel: ShadowNode,
            labels: [{{domain: kubevirt.io}}, {{key: cpumanager, values: ['true', 'false']}}],
            annotations: [{{domain: kubevirt.io}}],
            liveness: {{source: Lease, mark: {{label: {SCHEDULABLE}, value: 'false'}}}} {more}}}}}"
    );
    parse::profile(&text).unwrap()
}

/// An agent of somebody else, which writes its Node itself.
pub fn of_somebody_else(source: &str) -> Profile {
    let mut profile = profile("").spec().clone();
    profile.channel = ownership::spec::Channel::Direct;
    let liveness = profile.liveness.take().unwrap();
    let source = serde_json::from_value(json!(source)).unwrap();
    profile.liveness = Some(ownership::spec::Liveness { source, ..liveness });
    Profile::new("p", profile).unwrap()
}

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

/// A time as an agent writes it.
pub fn time(now: Duration) -> String {
    let (minutes, seconds) = (now.as_secs() / 60, now.as_secs() % 60);
    format!("2026-01-{:02}T{:02}:{:02}:{seconds:02}Z", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60)
}

pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Trouble for the controller and the agents.
pub fn trouble(effect: Effect, when: When) -> Rule {
    let users = vec![CONTROLLER.to_owned(), AGENT.to_owned()];
    Rule { matches: Matches { users, ..Matches::default() }, when, effect }
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(profile(""), 1).await
    }

    pub async fn with(profile: Profile, seed: u64) -> Self {
        let settings = sandbox::Settings { seed, ..sandbox::Settings::default() };
        let sandbox = Sandbox::start(settings).unwrap();
        grants().into_iter().for_each(|object| sandbox.plant(object));
        let admin = Client::new(sandbox.admin(), "default");
        let crds: Api<CustomResourceDefinition> = Api::all(admin.clone());
        crds.create(&PostParams::default(), &api::shadow_node_definition()).await.unwrap();
        let namespaces: Api<Namespace> = Api::all(admin.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": "nodebound-heartbeats"}})).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let guards = manifests::guards(&profile);
        guards.iter().flat_map(manifests::Guarding::objects).for_each(|object| sandbox.plant(object));
        pass(5).await;
        let lease = ApiResource::erase::<k8s_openapi::api::coordination::v1::Lease>(&());
        Self {
            nodes: Api::all(admin.clone()),
            shadows: Api::all(admin.clone()),
            leases: Api::namespaced_with(admin.clone(), "nodebound-heartbeats", &lease),
            admin,
            sandbox,
            profile,
            start: Instant::now(),
        }
    }

    /// A kubelet registers a Node.
    pub async fn register(&self, name: &str) {
        let labels = json!({"kubernetes.io/hostname": name, "example.org/x": "1", "not-kubevirt.io/x": "1"});
        let node = json!({"metadata": {"name": name, "labels": labels}});
        self.nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }

    pub fn controller(&self, leads: bool) -> Running {
        self.controller_with(leads, Settings::default())
    }

    pub fn controllers_way(&self) -> sandbox::Connection {
        self.sandbox.connection_as(user(CONTROLLER, None))
    }

    pub fn controller_with(&self, leads: bool, settings: Settings) -> Running {
        self.running(leads, settings, |client, profile, proof| {
            tokio::spawn(probe::probe(Box::new(move || Some(client.clone())), profile, proof))
        })
    }

    /// One that asks the prober.
    pub fn controller_that_asks(&self) -> Running {
        let (namespace, clock) = ("nodebound-system".to_owned(), self.clock());
        self.running(true, Settings::default(), |client, profile, proof| {
            tokio::spawn(vouched::follow(client, namespace, profile, clock, proof))
        })
    }

    fn clock(&self) -> vouched::Clock {
        let start = self.start;
        Box::new(move || Timestamp::UNIX_EPOCH + start.elapsed())
    }

    /// The prober says so, now.
    pub async fn prober_says(&self, ending: Ending) {
        let seen = |guard: &str| Seen {
            policy: format!("nodebound-p-{guard}"),
            rule: "own-node".to_owned(),
            versions: [String::new(), String::new()],
        };
        let guards = ["shadownodes", "leases"].map(seen).to_vec();
        let lease =
            Finding { ending, message: String::new(), guards }.lease("nodebound-system", "p", "pod", self.clock()());
        let leases: Api<Lease> = Api::namespaced(self.admin.clone(), "nodebound-system");
        let parameters = PatchParams::apply("nodebound-prober").force();
        leases.patch("nodebound-prober-p", &parameters, &Patch::Apply(&lease)).await.unwrap();
    }

    fn running(
        &self,
        leads: bool,
        settings: Settings,
        prove: impl FnOnce(Client, Profile, watch::Sender<Option<Guarded>>) -> JoinHandle<()>,
    ) -> Running {
        let client = Client::new(self.sandbox.connection_as(user(CONTROLLER, None)), "default");
        let (lead, leading) = watch::channel(leads);
        let (proof, guarded) = watch::channel(None);
        let reports: Arc<Mutex<Vec<(Duration, Report)>>> = Arc::default();
        let (told, start) = (reports.clone(), self.start);
        let controller = Controller {
            client: client.clone(),
            profile: self.profile.clone(),
            settings,
            leading,
            guarded,
            report: Box::new(move |report| told.lock().unwrap().push((start.elapsed(), report))),
        };
        let tasks = [tokio::spawn(controller.run(std::future::pending())), prove(client, self.profile.clone(), proof)];
        Running { lead, reports, tasks }
    }

    pub fn agent(&self, node: &str, labels: &[(&str, &str)]) -> Agent {
        self.agent_of(node, node, labels)
    }

    /// A ValidatingAdmissionPolicy, in force.
    pub async fn policy(&self, resource: [&str; 2], expression: &str) {
        let admission = "admissionregistration.k8s.io/v1";
        let rule =
            json!({"apiGroups": [resource[0]], "apiVersions": ["*"], "operations": ["*"], "resources": [resource[1]]});
        let spec = json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": expression}]});
        for object in [
            json!({"apiVersion": admission, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "theirs"}, "spec": spec}),
            json!({"apiVersion": admission, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "theirs"},
                "spec": {"policyName": "theirs", "validationActions": ["Deny"]}}),
        ] {
            self.sandbox.plant(object);
        }
        pass(2).await;
    }

    /// What an agent with the token of another node can do.
    pub fn agent_of(&self, token: &str, node: &str, labels: &[(&str, &str)]) -> Agent {
        let client = Client::new(self.sandbox.connection_as(user(AGENT, Some(token))), "default");
        let channel = channels::ShadowNode::new(client.clone(), node, self.profile.clone(), Backoff::seeded(1));
        let publication = Publication { labels: map(labels), ..Publication::default() };
        let wanted = Wanted { publication, ..Wanted::default() };
        Agent { channel: channel.unwrap().beating(client, HEARTBEAT), wanted }
    }

    pub async fn labels(&self, node: &str) -> BTreeMap<String, String> {
        self.nodes.get(node).await.unwrap().metadata.labels.unwrap_or_default()
    }

    pub async fn says(&self, node: &str, key: &str) -> Option<String> {
        self.labels(node).await.remove(key)
    }

    pub async fn patched_by(&self, manager: &str, node: &str, metadata: Value) {
        let parameters = PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
        self.nodes.patch(node, &parameters, &Patch::Merge(json!({"metadata": metadata}))).await.unwrap();
    }

    /// Somebody writes a ShadowNode whom no guard holds back.
    pub async fn shadow(&self, node: &str, metadata: Value) {
        let body = Patch::Merge(json!({"metadata": metadata}));
        self.shadows.patch(node, &PatchParams::default(), &body).await.unwrap();
    }

    /// The agent's pod on a node, ready or not.
    pub async fn pod(&self, node: &str, ready: bool) {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(self.admin.clone(), "kubevirt");
        let condition = json!([{"type": "Ready", "status": if ready { "True" } else { "False" }}]);
        let body = Patch::Merge(json!({"status": {"conditions": condition}}));
        pods.patch_status(&format!("virt-handler-{node}"), &PatchParams::default(), &body).await.unwrap();
    }

    pub fn plant_daemon_set(&self) {
        let labels = json!({"kubevirt.io": "virt-handler"});
        let spec = json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"serviceAccountName": "kubevirt-handler", "containers": [{"name": "virt-handler", "image": "i"}]}}});
        let metadata = json!({"name": "virt-handler", "namespace": "kubevirt"});
        self.sandbox.plant(json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}));
    }

    pub async fn plant_pod(&self, node: &str) {
        let sets: Api<k8s_openapi::api::apps::v1::DaemonSet> = Api::namespaced(self.admin.clone(), "kubevirt");
        let uid = sets.get("virt-handler").await.unwrap().metadata.uid;
        let spec = json!({"serviceAccountName": "kubevirt-handler", "nodeName": node,
            "containers": [{"name": "virt-handler", "image": "virt-handler"}]});
        let owner = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "virt-handler", "uid": uid,
            "controller": true});
        let metadata =
            json!({"name": format!("virt-handler-{node}"), "namespace": "kubevirt", "ownerReferences": [owner]});
        self.sandbox.plant(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
    }

    pub async fn delete_node(&self, node: &str) {
        self.nodes.delete(node, &DeleteParams::default()).await.unwrap();
    }

    pub async fn counts(&self) -> [usize; 2] {
        let all = ListParams::default();
        [self.shadows.list(&all).await.unwrap().items.len(), self.leases.list(&all).await.unwrap().items.len()]
    }

    pub fn start(&self) -> Instant {
        self.start
    }

    /// The time since the beginning.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Agent {
    /// One heartbeat, with whatever is to be published.
    pub async fn beat(&mut self, now: Duration) -> Result<Done, Failure> {
        self.wanted.publication.annotations.insert(HEARTBEAT.to_owned(), time(now));
        self.channel.publish(&self.wanted).await
    }

    pub async fn look(&mut self) {
        self.try_look().await.unwrap();
    }

    pub async fn try_look(&mut self) -> Result<(), Failure> {
        self.channel.read().await.map(drop)
    }

    /// A heartbeat a minute, for ever.
    pub fn live(mut self, stage: &Stage) -> JoinHandle<()> {
        let start = stage.start;
        tokio::spawn(async move {
            loop {
                let wait = match self.beat(start.elapsed()).await {
                    Ok(_) => Duration::from_secs(60),
                    Err(failure) => failure.after,
                };
                tokio::time::sleep(wait).await;
            }
        })
    }

    pub fn wants(&mut self, labels: &[(&str, &str)]) {
        self.wanted.publication.labels = map(labels);
    }
}

impl Running {
    pub fn kill(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    pub fn reports(&self) -> Vec<Report> {
        self.reports.lock().unwrap().iter().map(|(_, report)| report.clone()).collect()
    }

    pub fn writes(&self, node: &str) -> Vec<Duration> {
        let reports = self.reports.lock().unwrap();
        let writes = reports.iter().filter(|(_, report)| matches!(report, Report::Wrote(name) if **name == *node));
        writes.map(|(time, _)| *time).collect()
    }

    pub fn silences(&self) -> Vec<(Duration, String)> {
        let reports = self.reports.lock().unwrap();
        let silent = reports.iter().filter_map(|(time, report)| match report {
            Report::Silent(node) => Some((*time, node.to_string())),
            _ => None,
        });
        silent.collect()
    }
}

fn user(name: &str, node: Option<&str>) -> UserInfo {
    let claims = |node: &str| {
        let claims = [(identity::NODE_NAME, node), (identity::POD_NAME, "p"), (identity::POD_UID, "u")];
        claims.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
    };
    UserInfo {
        username: name.to_owned(),
        groups: vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()],
        extra: node.map(claims).into_iter().flatten().collect(),
        ..UserInfo::default()
    }
}

fn role(name: &str, rules: Value, subject: Value) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let api = format!("{group}/v1");
    [
        json!({"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": api, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}, "subjects": [subject]}),
    ]
}

fn grants() -> Vec<Value> {
    let group = "rbac.authorization.k8s.io";
    let user = |name: &str| json!({"kind": "User", "apiGroup": group, "name": name});
    let agent = json!([
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        {"apiGroups": ["nodebound.io"], "resources": ["shadownodes"], "verbs": ["get", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "patch"]},
    ]);
    let controller = json!([
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": ["nodebound.io"], "resources": ["shadownodes"], "verbs": ["get", "list", "watch", "create", "delete"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
            "verbs": ["get", "list", "watch", "create", "update", "delete"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["list", "watch"]},
        {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachineinstances"], "verbs": ["list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["*"], "verbs": ["impersonate"]},
    ]);
    let probe = json!([{"apiGroups": ["nodebound.io", "coordination.k8s.io"], "resources": ["shadownodes", "leases"],
        "verbs": ["get", "patch"]}]);
    let probes = json!({"kind": "Group", "apiGroup": group, "name": probe::GROUP});
    [role("agent", agent, user(AGENT)), role("controller", controller, user(CONTROLLER)), role("probe", probe, probes)]
        .into_iter()
        .flatten()
        .collect()
}
