//! A host in memory, stepped as the agent steps a real one.

use super::*;
use crate::selector::Selector;
use serde_json::json;

const SCARCE: Memory = Memory { total: 100 << 20, available: 10 << 20 };
const PLENTY: Memory = Memory { total: 100 << 20, available: 50 << 20 };

fn settings(selector: serde_json::Value) -> Settings {
    let selector: Selector = serde_json::from_value(selector).unwrap();
    Settings { same_page_merging: Some(selector), ..Settings::default() }
}

struct Host {
    run: u64,
    pages: u64,
    sleep: u64,
    memory: Memory,
    annotations: BTreeMap<String, String>,
}

impl Host {
    fn new(run: u64, memory: Memory) -> Self {
        Self { run, pages: 0, sleep: 0, memory, annotations: BTreeMap::new() }
    }

    fn managed(mut self, value: &str) -> Self {
        self.annotations.insert(keys::KSM_MANAGED.to_owned(), value.to_owned());
        self
    }

    fn overridden(mut self, overrides: &[(&str, &str)]) -> Self {
        let key = |name: &str| format!("{}{name}-override", keys::KSM_OVERRIDE);
        self.annotations.extend(overrides.iter().map(|(name, value)| (key(name), (*value).to_owned())));
        self
    }

    fn readings(&self) -> Readings {
        Readings { running: Some(self.run == 1), pages: Some(self.pages), memory: Some(self.memory) }
    }

    fn step(&mut self, settings: &Settings) -> (State, bool) {
        let labels = [("test_label".to_owned(), "true".to_owned())].into();
        let (step, _) = step(&self.readings(), settings, &labels, &self.annotations);
        for (control, value) in &step.writes {
            match control {
                Control::Run => self.run = *value,
                Control::SleepMillisecs => self.sleep = *value,
                Control::PagesToScan => self.pages = *value,
            }
        }
        let state = step.state(true);
        self.annotations.insert(keys::KSM_MANAGED.to_owned(), state.managed.to_string());
        (state, self.run == 1)
    }
}

fn state(eligible: bool, managed: bool) -> State {
    State { eligible, managed }
}

#[test]
fn without_a_selector_nothing_is_touched() {
    for run in [0, 1] {
        assert_eq!(Host::new(run, SCARCE).step(&Settings::default()), (state(false, false), run == 1), "{run}");
    }
}

#[test]
fn selected_nodes_are_controlled() {
    let table = [
        (json!({}), true),
        (json!({"matchLabels": {"test_label": "true"}}), true),
        (json!({"matchLabels": {"test_label": "false"}}), false),
        (json!({"matchExpressions": [{"key": "test_label", "operator": "In", "values": ["true"]}]}), true),
        (json!({"matchExpressions": [{"key": "test_label", "operator": "In", "values": ["false"]}]}), false),
    ];
    for (selector, selected) in table {
        let settings = settings(selector.clone());
        assert_eq!(Host::new(0, SCARCE).step(&settings), (state(selected, selected), selected), "{selector}");
        let started = Host::new(1, SCARCE).managed("true").step(&settings);
        assert_eq!(started, (state(selected, selected), selected), "{selector}");
    }
}

#[test]
fn what_somebody_else_turned_on_stays_on() {
    let elsewhere = settings(json!({"matchLabels": {"test_label": "false"}}));
    for host in [Host::new(1, SCARCE), Host::new(1, SCARCE).managed("false"), Host::new(1, PLENTY)] {
        let mut host = host;
        assert_eq!(host.step(&elsewhere), (state(false, false), true));
    }
}

#[test]
fn merging_grows_under_pressure_and_shrinks_without_until_it_stops() {
    let all = settings(json!({}));
    let mut host = Host::new(0, PLENTY);
    assert_eq!(host.step(&all), (state(true, false), false));
    host.memory = SCARCE;
    for pages in [100, 400, 700, 1000, 1250, 1250] {
        assert_eq!(host.step(&all), (state(true, true), true));
        assert_eq!(host.pages, pages);
    }
    host.memory = PLENTY;
    for pages in (100..=1200).rev().step_by(50) {
        assert_eq!(host.step(&all), (state(true, true), true));
        assert_eq!(host.pages, pages);
    }
    assert_eq!(host.step(&all), (state(true, false), false));
    assert_eq!(host.step(&all), (state(true, false), false));
}

#[test]
fn overrides_steer_and_those_beyond_their_bounds_do_not() {
    let all = settings(json!({}));
    let mut host = Host::new(0, SCARCE).overridden(&[
        ("pages-boost", "5"),
        ("pages-decay", "45"),
        ("pages-max", "120"),
        ("pages-init", "1011"),
        ("sleep-ms-baseline", "10"),
    ]);
    for pages in [100, 105, 110, 115, 120, 120] {
        host.step(&all);
        assert_eq!(host.pages, pages);
    }
    host.memory = PLENTY;
    host.step(&all);
    assert_eq!((host.pages, host.sleep), (70, 3));
}

#[test]
fn the_pause_shrinks_with_the_memory_that_is_used() {
    let gib = 1 << 20;
    let table = [
        (16 * gib, 0, 100, 100),
        (32 * gib, 16 * gib, 100, 100),
        (64 * gib, 0, 100, 25),
        (1024 * gib, 0, 100, 10),
        (1024 * gib, 0, 5, 1),
        (gib, gib, 100, 1_677_721_600),
        (0, gib, 1_000, MOST),
        (0, 0, u64::MAX, MOST),
    ];
    for (total, available, baseline, expected) in table {
        assert_eq!(pause(Memory { total, available }, baseline), expected, "{total} {available} {baseline}");
    }
}

#[test]
fn without_a_reading_everything_stays() {
    let all = settings(json!({}));
    let labels = BTreeMap::new();
    let whole = Host::new(1, SCARCE).managed("true");
    for readings in [Readings { pages: None, ..whole.readings() }, Readings { memory: None, ..whole.readings() }] {
        let (step, _) = step(&readings, &all, &labels, &whole.annotations);
        assert_eq!((step.writes.as_slice(), step.state(true)), (&[][..], state(true, true)));
    }
    let (step, _) = step(&Readings { running: None, ..whole.readings() }, &all, &labels, &whole.annotations);
    assert_eq!((step.writes.as_slice(), step.state(true)), (&[][..], state(false, false)));
}

#[test]
fn what_could_not_be_written_is_published_as_it_was() {
    let all = settings(json!({}));
    let labels = BTreeMap::new();
    let fresh = Host::new(0, SCARCE);
    assert_eq!(step(&fresh.readings(), &all, &labels, &fresh.annotations).0.state(false), state(true, false));
    let ours = Host::new(1, PLENTY).managed("true");
    let (off, _) = step(&ours.readings(), &Settings::default(), &labels, &ours.annotations);
    assert_eq!((off.state(false), off.state(true)), (state(false, true), state(false, false)));
}

#[test]
fn a_selector_that_selects_nothing_is_named() {
    let wrong = settings(json!({"matchExpressions": [{"key": "a", "operator": "Like"}]}));
    let host = Host::new(0, SCARCE);
    let (step, faults) = step(&host.readings(), &wrong, &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(step.state(true), state(false, false));
    let expected = "kubevirt: ksmConfiguration.nodeLabelSelector: \"Like\" is no operator of a label selector";
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}
