//! Several replicas, of which one acts; and API servers that refuse, start anew, or have too much to do.

use crate::cluster::{Cluster, Looking, ours, theirs};
use admission::UserInfo;
use app::election::Candidate;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use operator::execute::{Executor, Prover};
use operator::object::Objects;
use operator::run::Report;
use operator::watching;
use sandbox::adversity::{Effect, Matches, Rule, When};
use sandbox::server::Recording;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::rights::Log;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

const NAMESPACE: &str = "nodebound-system";

/// What replicas wrote, in its order: who, and where. What is said of profiles and who leads is not counted.
fn writes(log: &Log) -> Vec<(String, String)> {
    let written = log.events().into_iter().filter(|event| {
        let (uri, verb) = (event["requestURI"].as_str().unwrap(), event["verb"].as_str().unwrap());
        let code = event["responseStatus"]["code"].as_u64().unwrap_or_default();
        let is_write = ["create", "update", "patch", "delete"].contains(&verb) && (200..300).contains(&code);
        let is_of_replica = event["user"]["username"].as_str().unwrap().starts_with("replica-");
        let about_itself = ["/leases", "/status", "/events", "dryRun", "reviews"];
        is_write
            && is_of_replica
            && event["stage"] == "ResponseComplete"
            && !about_itself.iter().any(|part| uri.contains(part))
    });
    let named = written.map(|event| {
        let uri = event["requestURI"].as_str().unwrap();
        let path = uri.split('?').next().unwrap_or(uri).to_owned();
        (event["user"]["username"].as_str().unwrap().to_owned(), path)
    });
    named.collect()
}

fn is_without_repetition(log: &Log) {
    let mut paths: Vec<String> = writes(log).into_iter().map(|(_, path)| path).collect();
    paths.sort();
    let twice: Vec<&[String]> = paths.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "written twice: {twice:?}");
}

/// One of several operators.
pub struct Replica {
    reports: Arc<Mutex<Vec<Report>>>,
    _stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Replica {
    fn start(cluster: &Cluster, name: &str) -> Self {
        Self::of(cluster, name, &["system:masters"])
    }

    pub fn of(cluster: &Cluster, name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let user = UserInfo { username: name.to_owned(), groups, ..UserInfo::default() };
        let connection = cluster.sandbox.connection_as(user);
        let client = Client::new(connection, "default");
        let (leads, leading) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let told = |mut stopped: watch::Receiver<bool>| async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        let candidate = Candidate::new(client.clone(), NAMESPACE, "nodebound-operator", name, Box::new(Timestamp::now));
        let wake = Arc::new(Notify::new());
        let Looking { operator, reports } = Looking::through(Executor {
            objects: Objects::new(client.clone()),
            prover: Prover::Another { clock: cluster.clock() },
            ..cluster.executor()
        });
        let tasks = vec![
            tokio::spawn(candidate.run(leads, told(stopped.clone()))),
            tokio::spawn(operator.run(wake.clone(), leading, told(stopped))),
            tokio::spawn(async move { watching::everything(client, NAMESPACE, wake).await }),
        ];
        Self { reports, _stop: stop, tasks }
    }

    fn leads(&self) -> bool {
        let reports = self.reports.lock().unwrap();
        reports.iter().rev().find_map(|report| if let Report::Leading(leads) = report { Some(*leads) } else { None })
            == Some(true)
    }

    fn looks(&self) -> usize {
        self.reports.lock().unwrap().iter().filter(|report| matches!(report, Report::Looked(_))).count()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A cluster whose audit log is kept, with the namespace of the Lease.
pub async fn recorded() -> (Cluster, Log) {
    let log = Log::default();
    let recording = Some(Recording::to(log.clone()));
    let cluster = Cluster::with(sandbox::Settings { recording, ..sandbox::Settings::default() }).await;
    ground(&cluster).await;
    (cluster, log)
}

/// The namespace of the Leases, once what was there of that name is gone.
pub async fn ground(cluster: &Cluster) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE,
        "labels": {"app.kubernetes.io/managed-by": "nodebound"}}});
    cluster.objects.apply(&namespace).await.unwrap();
}

fn prober(cluster: &Cluster) -> JoinSet<()> {
    cluster.prober("prober", &["system:masters"])
}

fn rule(effect: Effect, when: When, matches: Matches) -> Rule {
    Rule { matches, when, effect }
}

fn of(user: &str, resources: &[&str]) -> Matches {
    let resources = resources.iter().map(|resource| (*resource).to_owned()).collect();
    Matches { users: vec![user.to_owned()], resources, ..Matches::default() }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(600);
    while !holds().await {
        assert!(Instant::now() < end, "never: {what}");
        sleep(Duration::from_secs(1)).await;
    }
}

pub async fn is_enforced(cluster: &Cluster, profile: &str) -> bool {
    cluster.condition(profile, "Enforced").await[..2] == ["True", "GuardProven"]
        && cluster.condition(profile, "Progressing").await[0] == "False"
}

/// Whoever leads loses its Lease after so many writes, each of which takes a while: the other one goes on where it was, and
/// what is written is written once.
#[tokio::test(start_paused = true)]
async fn of_two_replicas_one_acts_and_the_other_goes_on() {
    let slowly = Matches { verbs: vec!["create".to_owned(), "patch".to_owned()], ..Matches::default() };
    let slowly = rule(Effect::Delay(1500), When::Always, slowly);
    let lost = rule(Effect::Refuse(503), When::Always, of("replica-1", &["leases.coordination.k8s.io"]));
    for written in [0, 1, 4, 7] {
        let (cluster, log) = recorded().await;
        let _prober = prober(&cluster);
        cluster.with_profile(&ours("")).await;
        cluster.sandbox.trouble(vec![slowly.clone()]);
        let one = Replica::start(&cluster, "replica-1");
        until("the first one leads", async || one.leads()).await;
        let other = Replica::start(&cluster, "replica-2");
        until("some is written", async || writes(&log).len() >= written).await;
        cluster.sandbox.trouble(vec![slowly.clone(), lost.clone()]);
        until("it is enforced", async || is_enforced(&cluster, "p").await).await;
        until("the other one leads", async || other.leads() && !one.leads()).await;
        sleep(Duration::from_secs(60)).await;
        let writers: Vec<String> = writes(&log).into_iter().map(|(who, _)| who).collect();
        assert!(writers.is_sorted(), "{written}: one after the other: {writers:?}");
        assert!(writers.first() != writers.last(), "{written}: in the middle: {writers:?}");
        is_without_repetition(&log);
    }
}

/// At each write the API server starts anew, and keeps its objects: it comes to the same end, and says the same.
#[tokio::test(start_paused = true)]
async fn an_api_server_that_starts_anew_is_waited_for() {
    let writes = Matches { verbs: vec!["create".to_owned(), "patch".to_owned()], ..of("replica-1", &[]) };
    for nth in (1..40).step_by(3) {
        let (cluster, _log) = recorded().await;
        let _prober = prober(&cluster);
        cluster.with_profile(&ours("")).await;
        cluster.sandbox.trouble(vec![rule(Effect::Restart { keep_store: true }, When::Nth(nth), writes.clone())]);
        let replica = Replica::start(&cluster, "replica-1");
        until("it is enforced", async || is_enforced(&cluster, "p").await).await;
        assert!(replica.leads(), "{nth}");
    }
}

/// A dozen profiles at once, a server that has too much to do, and one who touches a guard ten times a second: it looks no more
/// often than it has to, and comes to an end.
#[tokio::test(start_paused = true)]
async fn a_flood_is_worked_off() {
    const PROFILES: usize = 12;
    let (cluster, log) = recorded().await;
    let _prober = prober(&cluster);
    let goal = theirs("");
    cluster.with_profile(&goal).await;
    for number in 0..PROFILES {
        let mut object = goal.installation.agent_profile();
        object["metadata"]["name"] = json!(format!("p{number}"));
        object["spec"]["serviceAccount"]["name"] = json!(format!("agent-{number}"));
        cluster.write_profile(object).await;
    }
    let too_many = rule(Effect::TooMany { retry_after: 1 }, When::Probability(0.2), of("replica-1", &[]));
    cluster.sandbox.trouble(vec![too_many]);
    let replica = Replica::start(&cluster, "replica-1");
    until("half of them are enforced", async || is_enforced(&cluster, "p5").await).await;
    let (guard, before) = (goal.installation.objects(manifests::install::Part::Guards).remove(0), replica.looks());
    for touched in 0..200 {
        let mut guard = guard.clone();
        guard["metadata"]["annotations"] = json!({"touched": touched.to_string()});
        cluster.objects.apply_as("somebody", &guard).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    assert!(replica.looks() - before < 110, "{} looks in 20 seconds", replica.looks() - before);
    cluster.sandbox.trouble(Vec::new());
    for number in 0..PROFILES {
        let name = format!("p{number}");
        until("all are enforced", async || is_enforced(&cluster, &name).await).await;
    }
    is_without_repetition(&log);
}
