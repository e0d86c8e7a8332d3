use super::*;
use sandbox::adversity::{Effect, Matches, Rule, When};
use sandbox::{Connection, Sandbox, Settings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    leads: watch::Receiver<bool>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.task).await.unwrap();
    }
}

fn server() -> Sandbox {
    Sandbox::start(Settings::default()).unwrap()
}

/// A candidate who is always told that it is the same time.
fn candidate(connection: Connection, identity: &str) -> Running {
    let (sender, leads) = watch::channel(false);
    let (stop, stopped) = oneshot::channel::<()>();
    let clock = Box::new(|| Timestamp::UNIX_EPOCH);
    let candidate = Candidate::new(Client::new(connection, "default"), "default", "leader", identity, clock);
    let stopped = async move {
        let _ = stopped.await;
    };
    Running { leads, stop: Some(stop), task: tokio::spawn(candidate.run(sender, stopped)) }
}

async fn pass(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_leads_and_the_other_follows() {
    let sandbox = server();
    let [mut first, second] = ["a", "b"].map(|name| candidate(sandbox.admin(), name));
    for _ in 0..600 {
        pass(500).await;
        assert!(first.leads() && !second.leads());
    }
    first.stop().await;
    assert!(!first.leads());
    pass(2100).await;
    assert!(second.leads(), "a Lease that was given back is free at once");
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_is_followed_when_its_lease_runs_out() {
    let sandbox = server();
    let [first, second] = ["a", "b"].map(|name| candidate(sandbox.admin(), name));
    pass(60_000).await;
    first.task.abort();
    pass(14_000).await;
    assert!(!second.leads());
    pass(5000).await;
    assert!(second.leads());
}

#[tokio::test(start_paused = true)]
async fn there_are_never_two() {
    for seed in 0..20 {
        let sandbox = Sandbox::start(Settings { seed, ..Settings::default() }).unwrap();
        let mut candidates = ["a", "b", "c"].map(|name| candidate(sandbox.admin(), name));
        let rule =
            |effect, probability| Rule { matches: Matches::default(), when: When::Probability(probability), effect };
        let effects =
            [Effect::Refuse(503), Effect::Conflict, Effect::Delay(12_000), Effect::TooMany { retry_after: 1 }];
        let (mut led, mut changes, mut last) = (0, 0, None);
        for step in 0..1200_u32 {
            if step % 60 == 0 {
                let effect =
                    effects[usize::try_from(step / 60 + u32::try_from(seed).unwrap()).unwrap() % effects.len()];
                sandbox.trouble(vec![rule(effect, if step % 120 == 0 { 0.7 } else { 0.1 })]);
            }
            pass(250).await;
            let leaders: Vec<usize> = (0..3).filter(|place| candidates[*place].leads()).collect();
            assert!(leaders.len() <= 1, "seed {seed}, step {step}: {leaders:?}");
            led += u32::from(!leaders.is_empty());
            if leaders.first() != last.as_ref() && !leaders.is_empty() {
                changes += 1;
                last = leaders.first().copied();
            }
        }
        sandbox.trouble(Vec::new());
        pass(60_000).await;
        assert_eq!(candidates.iter().filter(|candidate| candidate.leads()).count(), 1, "seed {seed}");
        assert!(led > 100 && changes >= 1, "seed {seed}: {led} steps with a leader, {changes} changes");
        for candidate in &mut candidates {
            candidate.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_ends_before_another_begins() {
    let sandbox = server();
    let first = candidate(sandbox.admin(), "a");
    pass(10_000).await;
    assert!(first.leads());
    let matches = Matches::default();
    sandbox.trouble(vec![Rule { matches, when: When::Always, effect: Effect::Refuse(503) }]);
    pass(12_500).await;
    assert!(!first.leads());
    sandbox.trouble(Vec::new());
    pass(5000).await;
    assert!(first.leads(), "its own Lease it takes back");
}
