//! Agents and controllers that live on while the operator changes channel and version under them, and is broken off again and
//! again: no node loses its mark of being schedulable, no heartbeat is missed, and nothing that an agent tries is refused.

use app::election::Candidate;
use channels::{Backoff, Cause, Direct, Failure, Publish, Refuser, ShadowNode, Wanted};
use controller::{Controller, vouched};
use k8s_openapi::jiff::Timestamp;
use manifests::install::{self, Part, Settings};
use operator::object::Place as At;
use operator::plan::Goal;
use operator::run::Operator;
use ownership::publication::Publication;
use ownership::spec::Channel;
use ownership::{Profile, parse};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::rights::{Log, Right, rights};
use tests::server::{Place, Server};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, DIRECT, SHADOW, ours};

const SCHEDULABLE: &str = "kubevirt.io/schedulable";
const HEARTBEAT: &str = "kubevirt.io/heartbeat";
/// Between two signs of life: often, so that whatever is amiss for a moment is seen.
const BEAT: Duration = Duration::from_secs(1);
/// Longer than a pod takes to be replaced, with the beat that it was about to make.
const LATE: Duration = Duration::from_secs(20);

/// What agents have seen.
#[derive(Default)]
struct Seen {
    /// By node, when it last published.
    last: BTreeMap<String, Instant>,
    /// What went wrong.
    wrong: Vec<String>,
}

/// Runs what is in pods of ours.
struct Kubelets {
    seen: Arc<Mutex<Seen>>,
    running: BTreeMap<String, JoinSet<()>>,
    start: Instant,
    /// That of the AgentProfile which controllers follow.
    generation: Value,
}

impl Kubelets {
    fn new() -> Self {
        Self { seen: Arc::default(), running: BTreeMap::new(), start: Instant::now(), generation: Value::Null }
    }

    /// Starts what is new, and ends what is gone.
    async fn look(&mut self, cluster: &Cluster) {
        let pods = At {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some("nodebound-system".into()),
            name: String::new(),
        };
        let pods = cluster.admin.list(&pods).await.expect("can be listed");
        let lives =
            |pod: &&Value| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
        let pods: BTreeMap<String, &Value> =
            pods.iter().filter(lives).map(|pod| (text(pod, "/metadata/uid").to_owned(), pod)).collect();
        let followed = cluster.server.exchange().get("/apis/nodebound.io/v1alpha1/agentprofiles/p").await.body;
        let is_same = self.generation == followed["metadata"]["generation"];
        self.generation = followed["metadata"]["generation"].clone();
        let goes_on = |pod: &&Value| is_same || text(pod, "/spec/serviceAccountName") != install::CONTROLLER;
        self.running.retain(|uid, _| pods.get(uid).is_some_and(goes_on));
        for (uid, pod) in pods {
            if !self.running.contains_key(&uid) {
                let tasks = self.tasks(cluster, pod).await;
                self.running.insert(uid, tasks);
            }
        }
    }

    async fn tasks(&self, cluster: &Cluster, pod: &Value) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (name, account) = (text(pod, "/metadata/name"), text(pod, "/spec/serviceAccountName"));
        let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]});
        let token = cluster.server.exchange().token("nodebound-system", account, Some(bound)).await;
        let client = cluster.server.bearing(&token);
        match account {
            install::AGENT => {
                let node = text(pod, "/spec/nodeName").to_owned();
                tasks.spawn(agent(client, node, mounted(&cluster.server).await, self.seen.clone(), self.start));
            }
            install::CONTROLLER => {
                let (leads, leading) = watch::channel(false);
                let (proof, guarded) = watch::channel(None);
                let profile = followed(&cluster.server).await;
                let candidate = Candidate::new(
                    client.clone(),
                    "nodebound-system",
                    install::CONTROLLER,
                    name,
                    Box::new(Timestamp::now),
                );
                tasks.spawn(candidate.run(leads, std::future::pending()));
                let (namespace, clock) = ("nodebound-system".to_owned(), cluster.clock());
                tasks.spawn(vouched::follow(client.clone(), namespace, profile.clone(), clock, proof));
                let settings = controller::Settings {
                    adopted: [install::AGENT.to_owned()].into(),
                    ..controller::Settings::default()
                };
                let report = Box::new(|_| ());
                tasks.spawn(
                    Controller { client, profile, settings, leading, guarded, report }.run(std::future::pending()),
                );
            }
            other => panic!("{other} has pods"),
        }
        tasks
    }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The profile as pods that start now have it.
async fn mounted(server: &Server) -> Profile {
    let map = server.exchange().get("/api/v1/namespaces/nodebound-system/configmaps/nodebound-p").await.body;
    parse::profile(text(&map, "/data/profile.yaml")).expect("is a profile")
}

/// The profile that controllers follow.
async fn followed(server: &Server) -> Profile {
    let mut object = server.exchange().get("/apis/nodebound.io/v1alpha1/agentprofiles/p").await.body;
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    object["metadata"] = json!({"name": "p"});
    parse::profile(&object.to_string()).expect("is a profile")
}

async fn agent(client: kube::Client, node: String, profile: Profile, seen: Arc<Mutex<Seen>>, start: Instant) {
    let backoff = Backoff::seeded(1);
    match profile.channel() {
        Channel::ShadowNode => {
            let channel = ShadowNode::new(client.clone(), &node, profile, backoff).expect("is a name");
            publishes(channel.beating(client, HEARTBEAT), &node, &seen, start).await;
        }
        _ => {
            let channel = Direct::new(client, &node, profile, backoff).expect("is a name");
            publishes(channel.adopting([install::CONTROLLER]), &node, &seen, start).await;
        }
    }
}

async fn publishes(mut channel: impl Publish, node: &str, seen: &Mutex<Seen>, start: Instant) {
    loop {
        let at = Timestamp::from_second(1_900_000_000 + i64::try_from(start.elapsed().as_secs()).unwrap_or(0))
            .expect("is a time");
        let labels = [SCHEDULABLE, "kubevirt.io/feature"].map(|key| (key.to_owned(), "true".to_owned()));
        let publication =
            Publication { labels: labels.into(), annotations: [(HEARTBEAT.to_owned(), at.to_string())].into() };
        let wanted = Wanted { publication, ..Wanted::default() };
        let published = channel.publish(&wanted).await;
        {
            let mut seen = seen.lock().expect("nobody panics with it");
            match published {
                Ok(_) => drop(seen.last.insert(node.to_owned(), Instant::now())),
                // The controller makes it in a moment; that it does is seen by the time of the last publication.
                Err(Failure { cause: Cause::Gone, .. }) => {}
                // Its pod is gone, and its token with it.
                Err(Failure { cause: Cause::Refused(Refuser::Credentials), .. }) => return,
                Err(failure) => seen.wrong.push(format!("{node} after {:?}: {failure:?}", start.elapsed())),
            }
        }
        sleep(BEAT).await;
    }
}

/// What is wrong at this moment of what there was before.
async fn wrong(cluster: &Cluster, seen: &Mutex<Seen>) -> Vec<String> {
    let nodes = cluster.server.exchange().get("/api/v1/nodes").await.body;
    let seen = seen.lock().expect("nobody panics with it");
    let mut wrong = seen.wrong.clone();
    for node in nodes["items"].as_array().into_iter().flatten() {
        let name = text(node, "/metadata/name");
        let Some(last) = seen.last.get(name) else { continue };
        if last.elapsed() > LATE {
            wrong.push(format!("{name} has not published for {:?}", last.elapsed()));
        }
        if node["metadata"]["labels"][SCHEDULABLE] != "true" {
            wrong.push(format!("{name} is not schedulable: {}", node["metadata"]["labels"]));
        }
    }
    wrong
}

/// Lets an operator of this version work for a while, again and again, until nothing is left to do; beside it the cluster
/// lives on.
async fn reach(cluster: &Cluster, goal: &Goal, tag: &str, kubelets: &mut Kubelets, chance: &mut SmallRng) {
    cluster.apply(&goal.installation.agent_profile()).await;
    let settings = Settings { tag: tag.to_owned(), ..Settings::default() };
    let operating = async {
        loop {
            let (clock, report) = (Box::new(Timestamp::now), Box::new(|_| ()));
            let every = Duration::from_secs(600);
            let mut operator = Operator::new(cluster.executor(), settings.clone(), clock, every, 1, report);
            let alive = Duration::from_secs(chance.random_range(1..60));
            if timeout(alive, operator.look()).await.is_ok() && is_reached(cluster).await {
                return;
            }
        }
    };
    let living = async {
        let begin = Instant::now();
        loop {
            kubelets.look(cluster).await;
            let wrong = wrong(cluster, &kubelets.seen).await;
            assert!(
                wrong.is_empty(),
                "{tag} {:?} after {:?}: {wrong:#?}",
                goal.installation.profile.channel(),
                begin.elapsed()
            );
            assert!(begin.elapsed() < Duration::from_secs(3600), "it comes to an end");
            sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        () = operating => {}
        () = living => {}
    }
}

async fn is_reached(cluster: &Cluster) -> bool {
    cluster.condition("Enforced").await[0] == "True" && cluster.condition("Progressing").await[0] == "False"
}

/// And for a while after that, as silence is told late.
async fn goes_on(cluster: &Cluster, kubelets: &mut Kubelets) {
    for _ in 0..400 {
        kubelets.look(cluster).await;
        let wrong = wrong(cluster, &kubelets.seen).await;
        assert!(wrong.is_empty(), "{wrong:#?}");
        sleep(Duration::from_secs(1)).await;
    }
    let seen = kubelets.seen.lock().expect("nobody panics with it");
    assert_eq!(seen.last.len(), 3, "an agent on each node");
}

/// Every write of the operator takes its time, so that others meet what is between two of them.
fn slow() -> Rule {
    let matches = Matches {
        users: vec!["system:serviceaccount:nodebound-system:nodebound-operator".to_owned()],
        verbs: ["create", "patch", "update", "delete"].map(str::to_owned).to_vec(),
        ..Matches::default()
    };
    Rule { matches, when: When::Always, effect: Effect::Delay(1500) }
}

/// What these lives do not come to. Whole programs follow the profile, say what goes wrong, and ask KubeVirt for its settings;
/// a suspect is looked at afresh, and what is of a Node that has gone is removed.
const ELSEWHERE: [(&str, &str, &str); 10] = [
    (install::AGENT, "events", "create"),
    (install::AGENT, "kubevirts", "list"),
    (install::CONTROLLER, "agentprofiles", "list"),
    (install::CONTROLLER, "agentprofiles", "watch"),
    (install::CONTROLLER, "events", "create"),
    (install::CONTROLLER, "nodes", "get"),
    (install::CONTROLLER, "shadownodes", "get"),
    (install::CONTROLLER, "shadownodes", "delete"),
    (install::CONTROLLER, "leases", "get"),
    (install::CONTROLLER, "leases", "delete"),
];

/// Of what agents and controllers may do, nothing was not needed.
fn every_right_was_needed(log: &Log, goals: [&Goal; 2]) {
    let events = log.events();
    for account in [install::AGENT, install::CONTROLLER] {
        let user = format!("system:serviceaccount:nodebound-system:{account}");
        let own: Vec<&Value> = events.iter().filter(|event| event["user"]["username"] == user.as_str()).collect();
        let name = account.replace("nodebound", "nodebound-p");
        let roles: Vec<Value> = goals.iter().flat_map(|goal| goal.installation.objects(Part::Rights)).collect();
        let roles: Vec<Value> =
            roles.into_iter().filter(|role| text(role, "/metadata/name").starts_with(&name)).collect();
        let is_idle = |right: &Right| {
            let is_elsewhere = ELSEWHERE.contains(&(account, &*right.resource, &*right.verb));
            !is_elsewhere && !own.iter().any(|event| right.is_used(event))
        };
        let idle: Vec<Right> = rights(&roles).into_iter().filter(is_idle).collect();
        assert!(idle.is_empty(), "{account} never needed {idle:#?}");
    }
}

pub async fn transitions(_: Place) {
    let (direct, shadow) = (ours(DIRECT), ours(SHADOW));
    for seed in 0..1 {
        let (cluster, log) = Cluster::recorded(&shadow).await;
        let sandbox = cluster.server.sandbox().expect("it is one");
        sandbox.trouble(vec![slow()]);
        let (mut kubelets, mut chance) = (Kubelets::new(), SmallRng::seed_from_u64(seed));
        for (goal, tag) in [
            (&direct, "v1.0.0"),
            (&shadow, "v1.0.0"),
            (&shadow, "v1.1.0"),
            (&shadow, "v1.0.0"),
            (&direct, "v1.0.0"),
            (&shadow, "v1.1.0"),
            (&direct, "v1.0.0"),
        ] {
            reach(&cluster, goal, tag, &mut kubelets, &mut chance).await;
        }
        goes_on(&cluster, &mut kubelets).await;
        every_right_was_needed(&log, [&direct, &shadow]);
    }
}
