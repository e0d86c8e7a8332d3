//! What the agent does when it is time: look, collect, put together, hand over to the channel.

use channels::{Failure, Keep, Publish, Seen, Wanted};
use ownership::Profile;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::configuration::{Configuration, Watched};
use crate::device_plugins::DevicePlugins;
use crate::fault::{Fault, Problem, Source};
use crate::host::Host;
use crate::kubevirt::KubeVirt;
use crate::libvirt::Document;
use crate::life::{Act, Event, Life};
use crate::publication::{self, Assembly, Bounds, Labels, Parts, assemble};
use crate::readiness;
use crate::report::{Report, Standing};
use crate::run::{Agent, Clock, Reporter};
use crate::settings::Settings;
use crate::touched::Files;
use crate::{ksm, labeller};

/// Everything that the agent works with.
pub(crate) struct Work<C> {
    channel: C,
    profile: Profile,
    host: Host,
    kubevirt: Option<KubeVirt>,
    file: Watched,
    handover: bool,
    clock: Clock,
    report: Reporter,
    configuration: Configuration,
    /// What the KubeVirt object said when it could last be read.
    settings: Option<Settings>,
    parts: Parts,
    /// The last one that was to be published.
    heartbeat: Option<SystemTime>,
    files: Files,
    device_plugins: DevicePlugins,
    missing: Option<Vec<String>>,
    standing: Standing,
    not_permitted: Standing,
    failing: bool,
}

impl<C: Publish> Work<C> {
    /// The agent's work, and how it spends its life.
    pub fn of(agent: Agent<C>) -> (Self, Life) {
        let Agent { channel, profile, host, kubevirt, file, handover, pace, look: _, seed, clock, report } = agent;
        let configuration = Configuration::default();
        let work = Self {
            channel,
            profile,
            host,
            kubevirt,
            file,
            handover,
            clock,
            report,
            device_plugins: DevicePlugins::new(&configuration.device_plugins),
            configuration,
            settings: None,
            parts: Parts::default(),
            heartbeat: None,
            files: Files::default(),
            missing: None,
            standing: Standing::default(),
            not_permitted: Standing::default(),
            failing: false,
        };
        (work, Life::new(pace, seed))
    }

    /// Looks at what may have changed.
    pub fn look(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        match self.file.look() {
            Ok(None) => {}
            Ok(Some(configuration)) => {
                self.configure(configuration);
                events.push(Event::Configured);
            }
            Err(error) => (self.report)(Report::Misconfigured(error)),
        }
        if self.files.have_changed(watched(&self.host)) {
            events.push(Event::Touched);
        }
        events.push(Event::Ready(self.is_ready()));
        events
    }

    fn configure(&mut self, configuration: Configuration) {
        configuration.apply(&mut self.host);
        self.device_plugins = DevicePlugins::new(&configuration.device_plugins);
        self.configuration = configuration;
        (self.report)(Report::Configured);
    }

    fn is_ready(&mut self) -> bool {
        let missing = readiness::missing(&self.configuration.readiness, &mut self.device_plugins);
        let ready = missing.is_empty();
        if self.missing.as_ref() != Some(&missing) {
            self.missing = Some(missing.clone());
            (self.report)(Report::Waiting(missing));
        }
        ready
    }

    /// Does what is to be done.
    pub async fn perform(&mut self, act: Act) -> Event {
        let outcome = match act {
            Act::Mark { last } => self.mark(last).await,
            Act::Publish { schedulable, collect, beat } => self.publish(schedulable, collect, beat).await,
            Act::Exit { .. } => Ok(()),
        };
        match outcome {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    (self.report)(Report::Recovered);
                }
                Event::Done
            }
            Err(failure) => self.failed(failure),
        }
    }

    fn failed(&mut self, failure: Failure) -> Event {
        self.failing = true;
        let after = failure.after;
        if failure.first {
            (self.report)(Report::Failed(failure));
        }
        Event::Failed(after)
    }

    /// The last mark has a heartbeat, so that it is written whatever the Node was believed to say.
    async fn mark(&mut self, last: bool) -> Result<(), Failure> {
        let life = Some(publication::Life { schedulable: false, heartbeat: last.then(|| (self.clock)()) });
        let Assembly { publication, .. } =
            assemble(Parts { life, ..Parts::default() }, &self.profile, Bounds::default());
        self.hand_over(Wanted { publication, keep: Keep::Everything }).await.map(drop)
    }

    async fn publish(&mut self, schedulable: bool, collect: bool, beat: bool) -> Result<(), Failure> {
        let findings = if collect { Some(self.collect().await?) } else { None };
        if !collect && self.parts.takes_over {
            // By now an administrator may have annotated the Node.
            self.parts.takes_over = !labeller::is_skipped(&self.channel.read().await?.annotations);
        }
        if beat {
            self.heartbeat = Some((self.clock)());
        }
        let life = Some(publication::Life { schedulable, heartbeat: self.heartbeat });
        let parts = Parts { life, ..self.parts.clone() };
        let Assembly { publication, left_out, as_they_are, .. } = assemble(parts, &self.profile, Bounds::default());
        if let Some(findings) = findings {
            let findings = findings.into_iter().chain(left_out.into_iter().map(Report::LeftOut)).collect();
            self.standing.news(findings).into_iter().for_each(&mut self.report);
        }
        self.hand_over(Wanted { publication, keep: Keep::Labels(as_they_are) }).await
    }

    async fn hand_over(&mut self, wanted: Wanted) -> Result<(), Failure> {
        let done = self.channel.publish(&wanted).await?;
        let left_out = done.left_out.into_iter().map(Report::NotPermitted).collect();
        self.not_permitted.news(left_out).into_iter().for_each(&mut self.report);
        if done.writes > 0 {
            (self.report)(Report::Published(done.writes));
        }
        Ok(())
    }

    /// Collects everything anew; what is missing or broken is a finding.
    async fn collect(&mut self) -> Result<Vec<Report>, Failure> {
        let seen = self.channel.read().await?;
        let mut findings = Vec::new();
        let settings = self.settings(&mut findings).await;
        let host = self.host.clone();
        let collected = tokio::task::spawn_blocking(move || collect(&host, &settings, &seen)).await;
        match collected {
            Ok((parts, found)) => {
                // An administrator's annotation does the same, and is not overwritten.
                let takes_over = self.handover && parts.labels != Labels::AsTheyAre;
                self.parts = Parts { takes_over, ..parts };
                findings.extend(found);
            }
            Err(error) => {
                let fault = Fault::new(Source::Agent, Problem::System(error.to_string()));
                findings.push(Report::Fault(fault));
            }
        }
        Ok(findings)
    }

    /// What the KubeVirt object says, or said when it could last be read; without one, what the configuration says.
    async fn settings(&mut self, findings: &mut Vec<Report>) -> Settings {
        if let Some(kubevirt) = &self.kubevirt {
            match kubevirt.settings().await {
                Ok(settings) => self.settings = settings,
                Err(fault) => findings.push(Report::Fault(fault)),
            }
        }
        self.settings.clone().unwrap_or_else(|| self.configuration.settings.clone())
    }
}

/// Collects everything anew, and controls same-page merging.
fn collect(host: &Host, settings: &Settings, seen: &Seen) -> (Parts, Vec<Report>) {
    let Gathered { parts, step, mut findings } = gather(host, settings, seen);
    let (merging, fault) = host.merge_pages(&step);
    let asked = settings.same_page_merging.is_some() || !step.writes.is_empty();
    findings.extend(fault.filter(|_| asked).map(Report::Fault));
    (Parts { same_page_merging: Some(merging), ..parts }, findings)
}

/// What a host says, and what is to be done there.
pub(crate) struct Gathered {
    /// Everything but the agent's own marks and same-page merging.
    pub parts: Parts,
    /// The next step of same-page merging.
    pub step: ksm::Step,
    /// What is missing or broken.
    pub findings: Vec<Report>,
}

/// Reads everything, and changes nothing.
pub(crate) fn gather(host: &Host, settings: &Settings, seen: &Seen) -> Gathered {
    let (facts, mut faults) = host.collect();
    let (cpu_manager, fault) = host.cpu_manager(settings);
    faults.extend(fault);
    let (readings, found) = host.same_page_merging();
    // A kernel without merging is nobody's concern where nobody asks for merging.
    faults.extend(found.into_iter().filter(|_| settings.same_page_merging.is_some()));
    let (step, found) = ksm::step(&readings, settings, &seen.labels, &seen.annotations);
    faults.extend(found);
    let skipped = labeller::is_skipped(&seen.annotations);
    let labels = if skipped { Labels::AsTheyAre } else { Labels::Of(labeller::labels(&facts, settings)) };
    let obsolete = labeller::obsolete_host_model(&facts, settings).map(str::to_owned);
    let findings = faults.into_iter().map(Report::Fault).chain(obsolete.map(Report::ObsoleteHostModel)).collect();
    Gathered { parts: Parts { cpu_manager: Some(cpu_manager), labels, ..Parts::default() }, step, findings }
}

/// The files whose change is worth a collection; those of `/proc` and `/sys` have no times.
fn watched(host: &Host) -> Vec<PathBuf> {
    let documents = Document::ALL.map(|document| host.documents.join(document.file_name()));
    documents.into_iter().chain([host.kvm.clone()]).chain(host.cpu_manager.iter().cloned()).collect()
}
