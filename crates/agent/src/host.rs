//! Where everything is on a host, and reading all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::architecture::Architecture;
use crate::fault::{self, Fault, Problem, Source};
use crate::libvirt::capabilities::TimeStampCounter;
use crate::libvirt::virsh::Virsh;
use crate::libvirt::{self, Documents, DomainCapabilities, Texts};
use crate::settings::Settings;
use crate::{cpu_manager, ksm, processor, realtime};

/// Longest file of `/proc` that is read; `cpuinfo` has about 1,500 bytes for each CPU.
const LONGEST: usize = 4 << 20;

/// What is known about a host that the node labeller publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The host's architecture.
    pub architecture: Architecture,
    /// What libvirt says.
    pub documents: Documents,
    /// Hyper-V's interfaces that KVM offers.
    pub hyperv: BTreeSet<&'static str>,
    /// The time stamp counter that KVM gives to guests; asked for where libvirt's document is missing.
    pub counter: Option<TimeStampCounter>,
    /// Realtime threads run without a pause.
    pub realtime: bool,
    /// The vendor of the CPU by the host's own account.
    pub vendor: Option<&'static str>,
}

impl Facts {
    /// A host about which nothing is known.
    #[must_use]
    pub fn none(architecture: Architecture) -> Self {
        Self {
            architecture,
            documents: Documents::default(),
            hyperv: BTreeSet::new(),
            counter: None,
            realtime: false,
            vendor: None,
        }
    }

    pub(crate) fn domain(&self) -> Option<&DomainCapabilities> {
        self.documents.domain.as_ref()
    }
}

/// Where everything is on a host. The default is where virt-handler looks.
#[derive(Clone, Debug)]
pub struct Host {
    /// The host's architecture.
    pub architecture: Architecture,
    /// The folder of libvirt's documents.
    pub documents: PathBuf,
    /// What to ask for documents that are not there.
    pub virsh: Option<Virsh>,
    /// KVM's device.
    pub kvm: PathBuf,
    /// The file of `kernel.sched_rt_runtime_us`.
    pub realtime: PathBuf,
    /// `/proc/cpuinfo`.
    pub processor: PathBuf,
    /// The CPU manager's state file: the first that exists.
    pub cpu_manager: Vec<PathBuf>,
    /// Folders with the control files of same-page merging: the first that can be read.
    pub ksm: Vec<PathBuf>,
    /// `/proc/meminfo`.
    pub memory: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            architecture: Architecture::native(),
            documents: libvirt::FOLDER.into(),
            virsh: None,
            kvm: "/dev/kvm".into(),
            realtime: realtime::FILE.into(),
            processor: processor::FILE.into(),
            cpu_manager: cpu_manager::FILES.map(PathBuf::from).into(),
            ksm: ksm::sysfs::FOLDERS.map(PathBuf::from).into(),
            memory: ksm::sysfs::MEMORY.into(),
        }
    }
}

impl Host {
    /// Collects what the node labeller publishes, and names each thing that is missing or broken. Where documents are
    /// missing, `virsh` is asked for them again each time.
    #[must_use]
    pub fn collect(&self) -> (Facts, Vec<Fault>) {
        let (documents, mut faults) = Documents::parse(&self.texts(), self.architecture);
        let (hyperv, counter) = self.kvm(documents.host.is_none(), &mut faults);
        let facts = Facts {
            architecture: self.architecture,
            documents,
            hyperv,
            counter,
            realtime: self.realtime(&mut faults),
            vendor: self.vendor(&mut faults),
        };
        (facts, faults)
    }

    /// Whether the kubelet's CPU manager pins guests to CPUs, and KubeVirt uses that.
    #[must_use]
    pub fn cpu_manager(&self, settings: &Settings) -> (bool, Option<Fault>) {
        if !settings.cpu_manager {
            return (false, None);
        }
        match cpu_manager::read(&self.cpu_manager) {
            Ok(pinned) => (pinned, None),
            Err(problem) => (false, Some(Fault::new(Source::CpuManager, problem))),
        }
    }

    /// What the kernel says about same-page merging.
    #[must_use]
    pub fn same_page_merging(&self) -> (ksm::Readings, Vec<Fault>) {
        match ksm::sysfs::readable(&self.ksm) {
            Some(folder) => ksm::sysfs::read(folder, &self.memory),
            None => (ksm::Readings::default(), vec![Fault::new(Source::Ksm, Problem::Missing)]),
        }
    }

    /// Writes to the kernel what a step asks for, and says what is then to be published.
    #[must_use]
    pub fn merge_pages(&self, step: &ksm::Step) -> (ksm::State, Option<Fault>) {
        let missing = || Fault::new(Source::Ksm, Problem::Missing);
        let folder = ksm::sysfs::readable(&self.ksm).ok_or_else(missing);
        let written = folder.and_then(|folder| ksm::sysfs::write(folder, &step.writes));
        (step.state(written.is_ok()), written.err())
    }

    fn texts(&self) -> Texts {
        let texts = Texts::read(&self.documents);
        match &self.virsh {
            Some(virsh) if texts.lacks_any(self.architecture) => {
                texts.or(virsh.documents(self.architecture, self.kvm.exists()))
            }
            _ => texts,
        }
    }

    /// What KVM's device says, of the time stamp counter only where that is asked for.
    #[cfg(target_arch = "x86_64")]
    fn kvm(&self, counter: bool, faults: &mut Vec<Fault>) -> FromKvm {
        use crate::hyperv::{interfaces, kvm::Device};
        if self.architecture != Architecture::Amd64 {
            return FromKvm::default();
        }
        let mut fault = |problem| faults.push(Fault::new(Source::Kvm, problem));
        match Device::open(&self.kvm) {
            Ok((device, refused)) => {
                refused.into_iter().for_each(&mut fault);
                let counter = counter.then(|| {
                    device.time_stamp_counter().unwrap_or_else(|problem| {
                        fault(problem);
                        None
                    })
                });
                (interfaces(&device), counter.flatten())
            }
            Err(problem) => {
                fault(problem);
                FromKvm::default()
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn kvm(&self, _: bool, _: &mut Vec<Fault>) -> FromKvm {
        FromKvm::default()
    }

    fn realtime(&self, faults: &mut Vec<Fault>) -> bool {
        let unlimited = read(&self.realtime).and_then(|text| realtime::is_unlimited(&text));
        unlimited.map_err(|problem| faults.push(Fault::new(Source::Scheduler, problem))).unwrap_or_default()
    }

    fn vendor(&self, faults: &mut Vec<Fault>) -> Option<&'static str> {
        match read(&self.processor) {
            Ok(text) => processor::vendor(&text),
            Err(problem) => {
                faults.push(Fault::new(Source::Processor, problem));
                None
            }
        }
    }
}

/// The interfaces of Hyper-V, and the time stamp counter.
type FromKvm = (BTreeSet<&'static str>, Option<TimeStampCounter>);

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fault::read(path, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::Selector;
    use std::collections::BTreeMap;
    use std::fs;
    use tempfile::TempDir;

    /// A host with these files below one folder, and nothing else.
    fn host(architecture: Architecture, files: &[(&str, &str)]) -> (TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let file = |name: &str| folder.path().join(name);
        let host = Host {
            architecture,
            documents: folder.path().into(),
            virsh: None,
            kvm: file("kvm"),
            realtime: file("realtime"),
            processor: file("cpuinfo"),
            cpu_manager: vec![file("cpu_manager_state")],
            ksm: vec![folder.path().into()],
            memory: file("meminfo"),
        };
        (folder, host)
    }

    fn collected(host: &Host) -> (Facts, Vec<String>) {
        let (facts, faults) = host.collect();
        (facts, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn of_an_empty_host_everything_is_missing_and_named_once() {
        let (_folder, host) = host(Architecture::S390x, &[]);
        let (facts, faults) = collected(&host);
        assert_eq!(facts, Facts::none(Architecture::S390x));
        let missing = [
            "virsh_domcapabilities.xml",
            "supported_features.xml",
            "capabilities.xml",
            "sched_rt_runtime_us",
            "cpuinfo",
        ];
        assert_eq!(faults, missing.map(|name| format!("{name}: is not there")));
    }

    #[test]
    fn without_documents_the_hosts_own_facts_remain() {
        let files = [("realtime", "-1\n"), ("cpuinfo", "vendor_id : GenuineIntel\n")];
        let (_folder, host) = host(Architecture::Arm64, &files);
        let (facts, faults) = collected(&host);
        assert!(facts.realtime);
        assert_eq!(facts.vendor, Some("Intel"));
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_device_that_is_not_kvms_is_named_once() {
        let (_folder, host) = host(Architecture::Amd64, &[("kvm", "no device")]);
        let (facts, faults) = collected(&host);
        assert!(facts.hyperv.is_empty());
        let named: Vec<&String> = faults.iter().filter(|fault| fault.starts_with("kvm")).collect();
        assert_eq!(named, ["kvm: is not KVM's device"]);
    }

    #[test]
    fn the_cpu_manager_counts_with_its_gate_only() {
        let gate = Settings { cpu_manager: true, ..Settings::default() };
        let (folder, host) = host(Architecture::Amd64, &[("cpu_manager_state", r#"{"policyName":"static"}"#)]);
        assert_eq!(host.cpu_manager(&Settings::default()), (false, None));
        assert_eq!(host.cpu_manager(&gate), (true, None));
        fs::remove_file(folder.path().join("cpu_manager_state")).unwrap();
        let missing = Fault::new(Source::CpuManager, Problem::Missing);
        assert_eq!(host.cpu_manager(&gate), (false, Some(missing)));
        assert_eq!(host.cpu_manager(&Settings::default()), (false, None), "nobody asked");
    }

    #[test]
    fn same_page_merging_is_read_where_the_host_says() {
        let files = [("run", "1\n"), ("pages_to_scan", "100\n"), ("meminfo", "MemTotal: 2 kB\nMemAvailable: 1 kB\n")];
        let (_folder, host) = host(Architecture::Amd64, &files);
        let (readings, faults) = host.same_page_merging();
        assert_eq!((readings.running, readings.pages, faults), (Some(true), Some(100), vec![]));
    }

    #[test]
    fn a_step_of_merging_is_written_and_published() {
        let files = [("run", "0"), ("pages_to_scan", "1"), ("sleep_millisecs", "1")];
        let (folder, host) = host(Architecture::Amd64, &files);
        let memory = Some(ksm::Memory { total: 16 << 20, available: 0 });
        let readings = ksm::Readings { running: Some(false), pages: Some(1), memory };
        let all = Settings { same_page_merging: Some(Selector::default()), ..Settings::default() };
        let (step, _) = ksm::step(&readings, &all, &BTreeMap::new(), &BTreeMap::new());
        let on = ksm::State { eligible: true, managed: true };
        assert_eq!(host.merge_pages(&step), (on, None));
        let written = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (written("run"), written("pages_to_scan"), written("sleep_millisecs")),
            ("1".into(), "100".into(), "100".into())
        );
        let nowhere = Host { ksm: vec![], ..host };
        let (state, fault) = nowhere.merge_pages(&step);
        assert_eq!((state, fault.map(|fault| fault.is_missing())), (ksm::State { managed: false, ..on }, Some(true)));
    }

    #[test]
    fn a_virsh_that_is_not_there_is_as_good_as_none() {
        let (_folder, mut host) = host(Architecture::Amd64, &[]);
        let (without, faults) = host.collect();
        host.virsh = Some(Virsh { program: "/nowhere/virsh".into(), ..Virsh::default() });
        assert_eq!(host.collect(), (without, faults));
    }
}
