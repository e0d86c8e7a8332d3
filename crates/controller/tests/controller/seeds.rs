//! A cluster in which everything goes wrong that can, by a seed, and which is looked at in peace at the end.

use app::election::Candidate;
use controller::Settings;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::DeleteParams;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::adversity::{Effect, When};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::beside::{TSC, virt_controller};
use crate::stage::{Running, SCHEDULABLE, Stage, map, pass, profile, trouble};

const NODES: usize = 4;
const STEPS: usize = 25;

/// What an agent publishes, shared with whoever changes it.
type Published = Arc<Mutex<BTreeMap<String, String>>>;

struct Machine {
    name: String,
    published: Published,
    /// The agent, if it runs.
    agent: Option<JoinHandle<()>>,
}

struct Fleet {
    stage: Stage,
    machines: Vec<Machine>,
    controllers: Vec<(Running, JoinHandle<()>)>,
    random: StdRng,
    started: u64,
}

impl Fleet {
    async fn new(seed: u64) -> Self {
        let stage = Stage::with(profile(""), seed).await;
        let mut fleet = Self {
            stage,
            machines: Vec::new(),
            controllers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            started: 0,
        };
        for number in 0..NODES {
            let name = format!("n{number}");
            fleet.stage.register(&name).await;
            let published = Arc::new(Mutex::new(map(&[("kubevirt.io/a", "0"), (SCHEDULABLE, "true")])));
            fleet.machines.push(Machine { name, published, agent: None });
        }
        for _ in 0..2 {
            fleet.start_controller();
        }
        (0..NODES).for_each(|number| fleet.start_agent(number));
        fleet
    }

    fn start_controller(&mut self) {
        self.started += 1;
        let running = self.stage.controller_with(false, Settings { seed: self.started, ..Settings::default() });
        let client = Client::new(self.stage.controllers_way(), "default");
        let clock = Box::new(|| Timestamp::UNIX_EPOCH);
        let candidate = Candidate::new(client, "default", "leader", &format!("c{}", self.started), clock);
        let leads = running.lead.clone();
        let election = tokio::spawn(candidate.run(leads, std::future::pending()));
        self.controllers.push((running, election));
    }

    fn start_agent(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        let (mut agent, published) = (self.stage.agent(&machine.name, &[]), machine.published.clone());
        let start = tokio::time::Instant::now() - self.stage.now();
        machine.agent = Some(tokio::spawn(async move {
            for beat in 0_u64.. {
                agent.wanted.publication.labels = published.lock().unwrap().clone();
                // Its collection reads the objects anew.
                let read = if beat % 3 == 2 { agent.try_look().await } else { Ok(()) };
                let wait = match read {
                    Ok(()) => agent
                        .beat(start.elapsed())
                        .await
                        .map_or_else(|failure| failure.after, |_| Duration::from_secs(60)),
                    Err(failure) => failure.after,
                };
                sleep(wait).await;
            }
        }));
    }

    /// Something happens.
    async fn step(&mut self) {
        let number = self.random.random_range(0..NODES);
        let name = self.machines[number].name.clone();
        match self.random.random_range(0..12) {
            0 => self.stage.sandbox.drop_watches(),
            1 => {
                self.stage.sandbox.compact();
                self.stage.sandbox.drop_watches();
            }
            2 => self.weather(),
            3 => self.stage.sandbox.trouble(Vec::new()),
            4 => {
                let (running, election) = self.controllers.remove(0);
                running.kill();
                election.abort();
                self.start_controller();
            }
            5 => match self.machines[number].agent.take() {
                Some(agent) => agent.abort(),
                None => self.start_agent(number),
            },
            6 => {
                self.stage.delete_node(&name).await;
                self.stage.register(&name).await;
            }
            7 => drop(self.stage.shadows.delete(&name, &DeleteParams::default()).await),
            8 => drop(self.stage.leases.delete(&name, &DeleteParams::default()).await),
            9 => self.stage.patched_by("virt-controller", &name, json!({"labels": {SCHEDULABLE: "false"}})).await,
            10 => {
                self.stage
                    .patched_by("kubectl", &name, json!({"labels": {"example.org/x": "2", "kubevirt.io/a": "by-hand"}}))
                    .await
            }
            _ => self.publish(number),
        }
    }

    fn weather(&mut self) {
        let effects = [
            Effect::Conflict,
            Effect::TooMany { retry_after: 3 },
            Effect::Refuse(500),
            Effect::Refuse(503),
            Effect::Delay(12_000),
            Effect::DropWatch,
            Effect::Compact,
            Effect::Restart { keep_store: true },
        ];
        let effect = effects[self.random.random_range(0..effects.len())];
        let probability = [0.05, 0.3, 1.0][self.random.random_range(0..3)];
        // A watch that always ends at once is asked for again at once: there would be no time between.
        let ends_watches = matches!(effect, Effect::DropWatch | Effect::Restart { .. });
        let probability = if ends_watches { 0.05 } else { probability };
        self.stage.sandbox.trouble(vec![trouble(effect, When::Probability(probability))]);
    }

    fn publish(&mut self, number: usize) {
        let mut labels = map(&[(SCHEDULABLE, "true")]);
        for key in ["kubevirt.io/a", "kubevirt.io/b", "cpu-model.node.kubevirt.io/x"] {
            if self.random.random_bool(0.6) {
                labels.insert(key.to_owned(), self.random.random_range(0..1000_u32).to_string());
            }
        }
        *self.machines[number].published.lock().unwrap() = labels;
    }

    /// What is wrong in the end.
    async fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for Machine { name, published, agent } in &self.machines {
            let mut expected = published.lock().unwrap().clone();
            expected.insert(TSC.to_owned(), "true".to_owned());
            let labels = self.stage.labels(name).await;
            let alive = agent.is_some();
            if !alive {
                // Whatever it last said, or nothing, if its Node is a new one; but no guests.
                let schedulable = labels.get(SCHEDULABLE).map(String::as_str);
                findings.extend((schedulable == Some("true")).then(|| format!("{name}: silent, and schedulable")));
                continue;
            }
            for key in ["kubernetes.io/hostname", "not-kubevirt.io/x"] {
                findings.extend((!labels.contains_key(key)).then(|| format!("{name}: {key} is gone")));
            }
            let owned: BTreeMap<String, String> =
                labels.into_iter().filter(|(key, _)| self.stage.profile.labels().owns(key)).collect();
            // What somebody else has set, and the agent does not publish, is theirs.
            if let Some(value) = owned.get("kubevirt.io/a").filter(|value| *value == "by-hand") {
                expected.entry("kubevirt.io/a".to_owned()).or_insert_with(|| value.clone());
            }
            findings.extend((owned != expected).then(|| format!("{name}: {owned:?} instead of {expected:?}")));
        }
        let counts = self.stage.counts().await;
        findings.extend((counts != [NODES, NODES]).then(|| format!("{counts:?} ShadowNodes and Leases")));
        findings
    }
}

async fn live(seed: u64) {
    let mut fleet = Fleet::new(seed).await;
    let (beside, beside_tasks) = virt_controller(&fleet.stage);
    pass(60).await;
    for _ in 0..STEPS {
        fleet.step().await;
        let pause = [1, 5, 30, 120][fleet.random.random_range(0..4)];
        pass(pause).await;
        let leaders = fleet.controllers.iter().filter(|(running, _)| *running.lead.borrow()).count();
        assert!(leaders <= 1, "seed {seed}: {leaders} lead");
    }
    fleet.stage.sandbox.trouble(Vec::new());
    // The longest waits, three collections, and the time after which one is silent.
    pass(1200).await;
    let findings = fleet.findings().await;
    assert!(findings.is_empty(), "seed {seed}: {findings:#?}");
    let writes = |fleet: &Fleet| -> usize {
        let names = fleet.machines.iter().map(|machine| machine.name.clone());
        names.map(|name| fleet.controllers.iter().map(|(running, _)| running.writes(&name).len()).sum::<usize>()).sum()
    };
    let before = (writes(&fleet), beside.topology());
    pass(600).await;
    assert_eq!((writes(&fleet), beside.topology()), before, "seed {seed}: Nodes are written in a steady state");
    assert_eq!(beside.marks(), [""; 0], "seed {seed}: virt-controller saw a frozen heartbeat");
    beside_tasks.iter().for_each(JoinHandle::abort);
    for (running, election) in &fleet.controllers {
        running.kill();
        election.abort();
    }
    fleet.machines.iter().flat_map(|machine| &machine.agent).for_each(JoinHandle::abort);
}

/// Each seed has a runtime of its own, so that one alone repeats itself.
fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(live(seed));
}

#[test]
fn some_seeds_converge() {
    (0..5).for_each(run);
}

#[test]
#[ignore = "takes minutes: a thousand seeds; run it with --ignored"]
fn a_thousand_seeds_converge() {
    (0..1000).for_each(run);
}

#[test]
#[ignore = "one seed: SEED=7 cargo test -p nodebound-controller --test controller one_seed -- --ignored"]
fn one_seed() {
    run(std::env::var("SEED").unwrap().parse().unwrap());
}
