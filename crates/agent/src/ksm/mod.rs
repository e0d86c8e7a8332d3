//! The kernel's same-page merging (KSM): whether the agent controls it on this Node, and what it writes to the kernel.
//!
//! Under memory pressure it starts merging and gradually merges more, without pressure less, and then stops, as
//! virt-handler does. What the agent turned on it turns off when it may no longer control it; what somebody else turned
//! on stays on.

use std::collections::BTreeMap;

use crate::fault::{Fault, Problem, Source};
use crate::keys;
use crate::settings::Settings;

mod memory;
mod parameters;
pub mod sysfs;

pub use memory::Memory;
pub use parameters::Parameters;

/// 16 GiB in KiB: the used memory at which merging pauses for the baseline.
const BASELINE_MEMORY: u64 = 16 << 20;

/// The kernel reads its settings as 32 bits without sign.
const MOST: u64 = u32::MAX as u64;

/// What the kernel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// Whether merging runs; nothing where the kernel has no merging.
    pub running: Option<bool>,
    /// Pages to scan before each pause.
    pub pages: Option<u64>,
    /// The host's memory.
    pub memory: Option<Memory>,
}

/// A control file of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Whether merging runs.
    Run,
    /// The pause between two scans, in milliseconds.
    SleepMillisecs,
    /// Pages to scan before each pause.
    PagesToScan,
}

impl Control {
    /// The name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::SleepMillisecs => "sleep_millisecs",
            Self::PagesToScan => "pages_to_scan",
        }
    }
}

/// What to write to the kernel, in this order, and what to publish afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The control files and their new content.
    pub writes: Vec<(Control, u64)>,
    eligible: bool,
    before: bool,
    after: bool,
}

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The agent controls merging on this Node: `kubevirt.io/ksm-enabled`.
    pub eligible: bool,
    /// Merging runs because the agent turned it on: `kubevirt.io/ksm-handler-managed`.
    pub managed: bool,
}

impl Step {
    /// What to publish, by whether everything could be written. A merging that could not be turned off stays ours.
    #[must_use]
    pub fn state(&self, written: bool) -> State {
        State { eligible: self.eligible, managed: if written { self.after } else { self.before } }
    }
}

/// The next step on a Node with these labels and annotations.
#[must_use]
pub fn step(
    readings: &Readings,
    settings: &Settings,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> (Step, Vec<Fault>) {
    let before = annotations.get(keys::KSM_MANAGED).is_some_and(|value| value == "true");
    let mut faults = Vec::new();
    let selected = settings.same_page_merging.as_ref().map(|selector| selector.matches(labels));
    if let Some(Err(error)) = &selected {
        let problem = Problem::Malformed(format!("ksmConfiguration.nodeLabelSelector: {error}"));
        faults.push(Fault::new(Source::KubeVirt, problem));
    }
    let eligible = readings.running.is_some() && selected == Some(Ok(true));
    let running = readings.running.unwrap_or_default();
    let idle = Step { writes: Vec::new(), eligible, before, after: false };
    let step = match (eligible, running) {
        (false, true) if before => Step { writes: vec![(Control::Run, 0)], ..idle },
        (false, _) => idle,
        (true, _) => {
            let (parameters, overridden) = Parameters::from_annotations(annotations);
            faults.extend(overridden);
            controlled(readings, running, &parameters, idle)
        }
    };
    (step, faults)
}

/// The step where the agent controls merging; without a reading everything stays as it is.
fn controlled(readings: &Readings, running: bool, parameters: &Parameters, idle: Step) -> Step {
    let (Some(pages), Some(memory)) = (readings.pages, readings.memory) else {
        return Step { after: idle.before, ..idle };
    };
    let pressure = memory.is_scarce(parameters.free_share);
    let pages = match (pressure, running) {
        (true, false) => parameters.pages_init,
        (true, true) => pages.saturating_add(parameters.boost).min(parameters.pages_max),
        (false, true) => pages.saturating_sub(parameters.decay),
        (false, false) => return idle,
    };
    if !pressure && pages < parameters.pages_min {
        return Step { writes: vec![(Control::Run, 0)], ..idle };
    }
    let pause = pause(memory, parameters.pause_baseline);
    let mut writes = vec![(Control::SleepMillisecs, pause), (Control::PagesToScan, pages.min(MOST))];
    writes.extend((!running).then_some((Control::Run, 1)));
    Step { writes, after: true, ..idle }
}

/// The pause in milliseconds: the baseline where 16 GiB are used, less where more are used, at least a tenth of it.
fn pause(memory: Memory, baseline: u64) -> u64 {
    let scaled = baseline.saturating_mul(BASELINE_MEMORY) / memory.used().max(1);
    scaled.max(baseline / 10).clamp(1, MOST)
}

#[cfg(test)]
mod tests;
