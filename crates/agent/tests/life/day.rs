//! Many agents for a long time, with everything that goes wrong.

use agent::keys::{self, Family};
use sandbox::adversity::{Effect, When};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::stage::{Machine, Running, Stage, pass, trouble};

/// What is done every so often: an agent restarts, and the weather changes.
const STEP: u64 = 600;

const VENDOR: &str = "cpu-vendor.node.kubevirt.io/Intel";

/// What goes wrong from a step on.
fn weather(step: u64, stage: &Stage) {
    let sometimes = |effect| vec![trouble(effect, When::Probability(0.1), true)];
    stage.sandbox.trouble(match step % 12 {
        1 => sometimes(Effect::Conflict),
        3 => sometimes(Effect::Refuse(403)),
        5 => sometimes(Effect::TooMany { retry_after: 5 }),
        7 => vec![trouble(Effect::Refuse(503), When::Always, false)],
        9 => sometimes(Effect::Refuse(500)),
        _ => Vec::new(),
    });
}

fn model(number: u64) -> String {
    format!("Model-{number}")
}

async fn fleet(stage: &Stage, agents: u64) -> Vec<(Machine, Running)> {
    let mut fleet = Vec::new();
    for number in 0..agents {
        let machine = stage.machine(&format!("n{number}")).await;
        machine.host_model(&model(0));
        machine.write("ready", "");
        let running = stage.boot(&machine, number);
        fleet.push((machine, running));
    }
    fleet
}

/// One agent ends, properly or not, and starts on a host that has changed.
async fn restart(stage: &Stage, fleet: &mut Vec<(Machine, Running)>, step: u64) {
    let (machine, running) = fleet.remove(0);
    if step.is_multiple_of(2) {
        running.kill();
    } else {
        running.stop().await;
    }
    machine.host_model(&model(step));
    let running = stage.boot(&machine, 1000 + step);
    fleet.push((machine, running));
}

async fn converged(stage: &Stage, machine: &Machine) {
    let (labels, _) = stage.node(&machine.name).await;
    let document = std::fs::read_to_string(machine.files.path().join("virsh_domcapabilities.xml")).unwrap();
    let present = labels.keys().filter_map(|key| key.strip_prefix(Family::HostModel.prefix()));
    let present: Vec<&str> = present.collect();
    assert!(present.len() == 1 && document.contains(&format!(">{}<", present[0])), "{}: {present:?}", machine.name);
    let expected =
        [keys::CPU_MANAGER, keys::OLD_CPU_MANAGER, keys::KSM_ENABLED, keys::SCHEDULABLE, VENDOR, "example.org/x"];
    let others: BTreeSet<&str> =
        labels.keys().map(String::as_str).filter(|key| !key.starts_with(Family::HostModel.prefix())).collect();
    assert_eq!(others, BTreeSet::from(expected), "{}", machine.name);
    assert_eq!(
        (labels[keys::SCHEDULABLE].as_str(), labels["example.org/x"].as_str()),
        ("true", "1"),
        "{}",
        machine.name
    );
}

/// Runs so many agents for so long, and looks at them in an hour of peace at the end.
async fn live(agents: u64, hours: u64) {
    let stage = Stage::new();
    let mut fleet = fleet(&stage, agents).await;
    for step in 0..hours * 3600 / STEP {
        weather(step, &stage);
        pass(STEP).await;
        restart(&stage, &mut fleet, step).await;
    }
    stage.sandbox.trouble(Vec::new());
    // The longest wait after failures, and a collection.
    pass(500).await;
    for (machine, _) in &fleet {
        machine.writes();
        converged(&stage, machine).await;
    }
    pass(3600).await;
    for (machine, running) in fleet {
        converged(&stage, &machine).await;
        let writes = machine.writes();
        let gaps = writes.windows(2).map(|pair| pair[1] - pair[0]);
        let closest = gaps.min().unwrap_or_default();
        assert!(closest >= Duration::from_secs(60), "{}: a second write after {closest:?}", machine.name);
        running.kill();
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_agents_in_bad_weather_converge() {
    live(6, 3).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes minutes: a day of 100 agents; run it with --ignored"]
async fn a_day_in_the_life_of_a_hundred_agents() {
    live(100, 24).await;
}
