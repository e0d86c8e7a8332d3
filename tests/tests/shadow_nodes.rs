//! Agents that publish by ShadowNodes and the controller that copies: what each may do by its roles, its tokens and the
//! guards. Every trial runs on the sandbox, and on a real API server where `KUBEBUILDER_ASSETS` names one.
#![expect(clippy::print_stderr, reason = "a test says why it is ignored")]

use api::ShadowNode;
use channels::{Backoff, Cause, Publish as _, Refuser, Wanted};
use controller::desired::Held;
use controller::{Controller, Report, Settings, vouched};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use libtest_mimic::{Arguments, Trial};
use manifests::install::{self, Installation, Part};
use ownership::guard::{HEARTBEATS, Rule};
use ownership::publication::Publication;
use ownership::{Profile, parse};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::prober::{clock, prober};
use tests::server::{Place, Server, assets, collection};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const HEARTBEAT: &str = "kubevirt.io/heartbeat";
const X: &str = "kubevirt.io/x";
const Y: &str = "kubevirt.io/y";
const FOREIGN: [(&str, &str); 3] =
    [("example.org/x", "1"), ("kubernetes.io/hostname", "here"), ("not-kubevirt.io/x", "1")];
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    if assets.is_none() {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let without = assets.is_none();
    let real = trials(&Place::Real(assets.unwrap_or_default()));
    let real = real.into_iter().map(|trial| trial.with_ignored_flag(without));
    libtest_mimic::run(&arguments, trials(&Place::Sandbox).into_iter().chain(real).collect()).exit_code()
}

fn trials(place: &Place) -> Vec<Trial> {
    vec![
        trial("what is published is on the Node, and what is not any more goes", place, published),
        trial("hostile publications do no harm, and others go on", place, hostile),
        trial("objects go with their Node, and come back when somebody deletes them", place, deleted),
        trial("an agent writes its own objects and nothing else", place, confined),
        trial("agents and controllers of other versions get on", place, versions),
    ]
}

fn trial<F: Future<Output = ()> + 'static>(name: &str, place: &Place, test: fn(Place) -> F) -> Trial {
    let kind = if *place == Place::Sandbox { "sandbox" } else { "real" };
    let place = place.clone();
    Trial::test(format!("{kind}: {name}"), move || {
        tokio::runtime::Runtime::new().expect("a runtime can be made").block_on(test(place));
        Ok(())
    })
}

fn profile() -> Profile {
    let text = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
        serviceAccount: {namespace: nodebound-system, name: nodebound-agent}\n  channel: ShadowNode\n  \
        labels: [{domain: kubevirt.io}, {key: cpumanager, values: ['true', 'false']}]\n  \
        annotations: [{domain: kubevirt.io}]\n  \
        liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";
    parse::profile(text).expect("is valid")
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A cluster with two nodes, and the controller.
struct Cluster {
    server: Server,
    profile: Profile,
    nodes: Api<Node>,
    shadows: Api<ShadowNode>,
    reports: Arc<Mutex<Vec<Report>>>,
    _tasks: JoinSet<()>,
    _prober: JoinSet<()>,
}

impl Cluster {
    async fn start(place: &Place) -> Self {
        let server = Server::with_roles(place).await;
        let client = server.client();
        let mut cluster = Self {
            nodes: Api::all(client.clone()),
            shadows: Api::all(client),
            profile: profile(),
            reports: Arc::default(),
            _tasks: JoinSet::new(),
            _prober: JoinSet::new(),
            server,
        };
        cluster.furnish().await;
        cluster.control().await;
        cluster
    }

    async fn furnish(&self) {
        let installation = Installation { profile: self.profile.clone(), settings: Default::default() };
        for part in [Part::Ground, Part::Guards, Part::ProbeRights, Part::Rights] {
            for object in installation.objects_without_operator(part) {
                self.install(&object).await;
            }
        }
        for node in ["here", "there"] {
            self.register(node).await;
            let spec = json!({"nodeName": node, "serviceAccountName": install::AGENT,
                "containers": [{"name": "c", "image": "i"}]});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node}, "spec": spec});
            self.server.create("/api/v1/namespaces/nodebound-system/pods", &pod).await;
        }
    }

    /// A definition takes a moment until its objects are served.
    async fn install(&self, object: &Value) {
        let path = collection(object);
        let created = async || {
            let answer = self.server.exchange().post(&path, object).await;
            assert!(answer.is_success() || answer.code == 404, "{path} {object}: {answer:?}");
            answer.is_success()
        };
        assert!(self.server.poll(PATIENCE, created).await, "{path} is not served");
    }

    async fn register(&self, node: &str) {
        let mut labels = map(&FOREIGN);
        labels.insert("kubernetes.io/hostname".to_owned(), node.to_owned());
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels}});
        self.server.create("/api/v1/nodes", &node).await;
    }

    /// Starts the controller with its own token, and waits until it has seen the guard refuse.
    async fn control(&mut self) {
        let token = self.server.exchange().token("nodebound-system", install::CONTROLLER, None).await;
        let client = self.server.bearing(&token);
        let (proof, guarded) = watch::channel(None);
        let (lead, leading) = watch::channel(true);
        let reports = self.reports.clone();
        let controller = Controller {
            client: client.clone(),
            profile: self.profile.clone(),
            settings: Settings::default(),
            leading,
            guarded,
            report: Box::new(move |report| reports.lock().expect("nobody panics with it").push(report)),
        };
        let stopped = async move {
            std::future::pending::<()>().await;
            drop(lead);
        };
        self._tasks.spawn(controller.run(stopped));
        let token = self.server.exchange().token("nodebound-system", install::PROBER, None).await;
        let start = Instant::now();
        self._prober = prober(self.server.bearing(&token), start);
        let namespace = "nodebound-system".to_owned();
        self._tasks.spawn(vouched::follow(client, namespace, self.profile.clone(), clock(start), proof));
        self.until("the guard is proven", async |cluster| cluster.told(|report| *report == Report::Guarded(true)))
            .await;
    }

    fn told(&self, is_it: impl Fn(&Report) -> bool) -> bool {
        self.reports.lock().expect("nobody panics with it").iter().any(is_it)
    }

    async fn until(&self, what: &str, mut question: impl AsyncFnMut(&Self) -> bool) {
        let answered = self.server.poll(PATIENCE, async || question(self).await).await;
        let reports: Vec<String> =
            self.reports.lock().expect("nobody panics with it").iter().map(ToString::to_string).collect();
        assert!(answered, "{what}: not after {PATIENCE:?}; the controller says\n{}", reports.join("\n"));
    }

    /// An agent with a token that is bound to its pod on that node.
    async fn agent_client(&self, node: &str) -> Client {
        let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": node});
        self.server.bearing(&self.server.exchange().token("nodebound-system", install::AGENT, Some(bound)).await)
    }

    async fn agent(&self, token: &str, node: &str) -> channels::ShadowNode {
        let client = self.agent_client(token).await;
        let channel = channels::ShadowNode::new(client.clone(), node, self.profile.clone(), Backoff::seeded(1));
        channel.expect("is a name").beating(client, HEARTBEAT)
    }

    async fn labels(&self, node: &str) -> BTreeMap<String, String> {
        self.nodes.get(node).await.expect("is there").metadata.labels.unwrap_or_default()
    }

    async fn until_says(&self, node: &str, key: &str, value: Option<&str>) {
        let what = format!("{node} says {key}: {value:?}");
        self.until(&what, async |cluster| cluster.labels(node).await.get(key).map(String::as_str) == value).await;
    }

    /// Somebody writes a ShadowNode whom no guard holds back.
    async fn shadow(&self, node: &str, metadata: Value) {
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.shadows.patch(node, &PatchParams::default(), &patch).await.expect("is patched");
    }

    async fn foreign(&self, node: &str) -> BTreeMap<String, String> {
        let mut labels = self.labels(node).await;
        labels.retain(|key, _| !(key.starts_with("kubevirt.io/") || key == "cpumanager"));
        labels
    }
}

fn wanted(labels: &[(&str, &str)], time: &str) -> Wanted {
    let publication = Publication { labels: map(labels), annotations: map(&[(HEARTBEAT, time)]) };
    Wanted { publication, ..Wanted::default() }
}

async fn published(place: Place) {
    let cluster = Cluster::start(&place).await;
    let mut agent = cluster.agent("here", "here").await;
    agent.publish(&wanted(&[(X, "1"), (Y, "1")], "2026-01-01T00:00:00Z")).await.expect("is published");
    cluster.until_says("here", X, Some("1")).await;
    cluster.until_says("here", Y, Some("1")).await;
    let lease: Api<Lease> = Api::namespaced(cluster.server.client(), HEARTBEATS);
    let renewed = lease.get("here").await.expect("is there").spec.and_then(|spec| spec.renew_time);
    assert!(renewed.is_some(), "the sign of life is in the Lease");
    agent.publish(&wanted(&[(X, "2")], "2026-01-01T00:01:00Z")).await.expect("is published");
    cluster.until_says("here", X, Some("2")).await;
    cluster.until_says("here", Y, None).await;
    assert_eq!(cluster.foreign("here").await, map(&FOREIGN));
    let writers = cluster.nodes.get("here").await.expect("is there").metadata.managed_fields.unwrap_or_default();
    let ours = writers.iter().find(|entry| entry.manager.as_deref() == Some(controller::FIELD_MANAGER));
    assert_eq!(ours.and_then(|entry| entry.operation.as_deref()), Some("Apply"));
}

async fn hostile(place: Place) {
    let cluster = Cluster::start(&place).await;
    let many: Map<String, Value> = (0..4_000).map(|number| (format!("kubevirt.io/k{number}"), json!("1"))).collect();
    let look_alikes = json!({"kubevirt.io.evil.org/x": "1", "xkubevirt.io/x": "1", "kubevirt.io.x/x": "1",
        "node-role.kubernetes.io/control-plane": "", "cpumanager": "maybe", X: "1"});
    cluster.shadow("here", json!({"labels": look_alikes})).await;
    cluster.until_says("here", X, Some("1")).await;
    for rule in [Rule::Labels, Rule::Values] {
        let told = |report: &Report| matches!(report, Report::LeftOut { rule: broken, .. } if *broken == rule);
        cluster.until("the keys are named", async |cluster| cluster.told(told)).await;
    }
    let annotations: Map<String, Value> =
        (0..3).map(|number| (format!("kubevirt.io/huge{number}"), json!("v".repeat(80 * 1024)))).collect();
    for too_much in [json!({"labels": many}), json!({"annotations": annotations})] {
        cluster.reports.lock().expect("nobody panics with it").clear();
        cluster.shadow("here", too_much.clone()).await;
        cluster
            .until("it is held", async |cluster| {
                cluster.told(|report| matches!(report, Report::Held { held: Held::TooMuch(_), .. }))
            })
            .await;
        cluster.shadow("there", json!({"labels": {X: "1"}})).await;
        cluster.until_says("there", X, Some("1")).await;
        cluster.shadow("there", json!({"labels": {X: null, Y: "1"}})).await;
        cluster.until_says("there", X, None).await;
        assert_eq!(cluster.labels("here").await.len(), FOREIGN.len() + 1, "the last good state stays");
        let none: Map<String, Value> = ["labels", "annotations"]
            .into_iter()
            .filter_map(|kind| Some((kind, too_much.get(kind)?.as_object()?)))
            .map(|(kind, pairs)| (kind.to_owned(), pairs.keys().map(|key| (key.clone(), Value::Null)).collect()))
            .collect();
        cluster.shadow("here", Value::Object(none)).await;
    }
    flap(&cluster).await;
    let mut theirs = map(&FOREIGN);
    theirs.insert("kubernetes.io/hostname".to_owned(), "there".to_owned());
    assert_eq!((cluster.foreign("here").await, cluster.foreign("there").await), (map(&FOREIGN), theirs));
}

/// One changes its mind a hundred times a second until what another one publishes is there.
async fn flap(cluster: &Cluster) {
    let flapping = async {
        for round in 0_u64.. {
            cluster.shadow("here", json!({"labels": {X: round.to_string()}})).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    let others = async {
        for round in 0..5 {
            let text = round.to_string();
            cluster.shadow("there", json!({"labels": {Y: text}})).await;
            cluster.until_says("there", Y, Some(&text)).await;
        }
    };
    tokio::select! {
        () = flapping => {}
        () = others => {}
    }
}

async fn deleted(place: Place) {
    let cluster = Cluster::start(&place).await;
    let mut agent = cluster.agent("here", "here").await;
    agent.publish(&wanted(&[(X, "1")], "2026-01-01T00:00:00Z")).await.expect("is published");
    cluster.until_says("here", X, Some("1")).await;
    let before = cluster.shadows.get("here").await.expect("is there").metadata.uid;
    cluster.shadows.delete("here", &DeleteParams::default()).await.expect("is deleted");
    let another = async |cluster: &Cluster| {
        let shadow = cluster.shadows.get_opt("here").await.expect("is answered");
        shadow.is_some_and(|shadow| shadow.metadata.uid != before)
    };
    cluster.until("the controller makes it again", another).await;
    assert_eq!(cluster.labels("here").await.get(X).map(String::as_str), Some("1"), "what stands, stays");
    agent.read().await.expect("is read");
    agent.publish(&wanted(&[(Y, "1")], "2026-01-01T00:01:00Z")).await.expect("is published");
    cluster.until_says("here", Y, Some("1")).await;
    cluster.until_says("here", X, None).await;
    cluster.nodes.delete("here", &DeleteParams::default()).await.expect("is deleted");
    let gone = async |cluster: &Cluster| cluster.shadows.get_opt("here").await.is_ok_and(|shadow| shadow.is_none());
    cluster.until("the ShadowNode is gone", gone).await;
    cluster.register("here").await;
    let made = async |cluster: &Cluster| cluster.shadows.get_opt("here").await.is_ok_and(|shadow| shadow.is_some());
    cluster.until("the next Node has one of its own", made).await;
    cluster.shadow("there", json!({"labels": {X: "1"}})).await;
    cluster.until_says("there", X, Some("1")).await;
    assert_eq!(cluster.labels("here").await, map(&FOREIGN), "nothing of the last one is on it");
}

async fn confined(place: Place) {
    let cluster = Cluster::start(&place).await;
    let mut thief = cluster.agent("there", "here").await;
    let failure = thief.publish(&wanted(&[(X, "1")], "2026-01-01T00:00:00Z")).await.expect_err("is not its own");
    assert_eq!(failure.cause, Cause::Refused(Refuser::Channel), "the channel does not even try: {failure:?}");
    let thief = cluster.agent_client("there").await;
    let (shadows, leases): (Api<ShadowNode>, Api<Lease>) =
        (Api::all(thief.clone()), Api::namespaced(thief, HEARTBEATS));
    let label = Patch::Merge(json!({"metadata": {"labels": {X: "1"}}}));
    let refused = shadows.patch("here", &PatchParams::default(), &label).await.expect_err("is another's").to_string();
    assert!(refused.contains("'nodebound-p-shadownodes'") && refused.contains("nodebound/p: own-node: "), "{refused}");
    let renewal = Patch::Merge(json!({"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}));
    let refused = leases.patch("here", &PatchParams::default(), &renewal).await.expect_err("is another's").to_string();
    assert!(refused.contains("'nodebound-p-leases'") && refused.contains("nodebound/p: own-node: "), "{refused}");
    let client = cluster.agent_client("here").await;
    let (nodes, shadows): (Api<Node>, Api<ShadowNode>) = (Api::all(client.clone()), Api::all(client));
    let patch = Patch::Merge(json!({"metadata": {"labels": {X: "1"}}}));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let forbidden = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 403 && !status.message.contains("ValidatingAdmissionPolicy"));
    let refused = nodes.patch("here", &dry, &patch).await.expect_err("has no right to write Nodes");
    assert!(forbidden(&refused), "{refused}");
    let refused = shadows.delete("here", &DeleteParams::default()).await.expect_err("has no right to delete");
    assert!(forbidden(&refused), "{refused}");
    let foreign = Patch::Merge(json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}));
    let refused = shadows.patch("here", &dry, &foreign).await.expect_err("is not its key").to_string();
    assert!(refused.contains("nodebound/p: labels: not owned by this agent: node-role.kubernetes.io/control-plane"));
}

/// An older agent knows no Lease, a newer one fills fields that this version does not know; neither is lost.
async fn versions(place: Place) {
    let cluster = Cluster::start(&place).await;
    let client = cluster.agent_client("here").await;
    let older = channels::ShadowNode::new(client, "here", cluster.profile.clone(), Backoff::seeded(1));
    let mut older = older.expect("is a name");
    older.publish(&wanted(&[(X, "1")], "2026-01-01T00:00:00Z")).await.expect("is published");
    cluster.until_says("here", X, Some("1")).await;
    let newer = json!({"metadata": {"labels": {X: "2"}}, "spec": {"later": {"than": "this"}}});
    let patched = cluster.shadows.patch("here", &PatchParams::default(), &Patch::Merge(newer)).await;
    patched.expect("unknown fields are pruned or kept, not refused");
    cluster.until_says("here", X, Some("2")).await;
    let mut agent = cluster.agent("here", "here").await;
    agent.publish(&wanted(&[(X, "3")], "2026-01-01T00:02:00Z")).await.expect("is published");
    cluster.until_says("here", X, Some("3")).await;
}
