//! Has `virsh` write the documents, where nobody has done so before.
//!
//! Libvirt's daemon for QEMU must run, or `virsh` start one by itself; the agent starts none.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::{Document, LONGEST, Texts};
use crate::architecture::Architecture;
use crate::fault::{self, Problem};

/// Between two looks whether a program that prints no more has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The program, and how long each of its answers may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virsh {
    /// A path, or a name to look for where programs are.
    pub program: PathBuf,
    /// After this a run is ended.
    pub deadline: Duration,
}

impl Default for Virsh {
    fn default() -> Self {
        Self { program: "virsh".into(), deadline: Duration::from_secs(30) }
    }
}

/// The guests that a document is about.
#[derive(Clone, Copy)]
struct Guests {
    machine: &'static str,
    architecture: &'static str,
    hypervisor: &'static str,
}

impl Guests {
    /// Guests of the host's architecture, with KVM if there is such a device.
    fn native(architecture: Architecture, kvm: bool) -> Option<Self> {
        let hypervisor = if kvm { "kvm" } else { "qemu" };
        Self::emulated(architecture).map(|guests| Self { hypervisor, ..guests })
    }

    fn emulated(architecture: Architecture) -> Option<Self> {
        let machine = match architecture {
            Architecture::Amd64 => "q35",
            Architecture::Arm64 => "virt",
            Architecture::S390x => "s390-ccw-virtio",
            Architecture::Other => return None,
        };
        Some(Self { machine, architecture: architecture.kernel_name(), hypervisor: "qemu" })
    }

    fn arguments(self) -> [&'static str; 6] {
        ["--machine", self.machine, "--arch", self.architecture, "--virttype", self.hypervisor]
    }
}

impl Virsh {
    /// Every document that `virsh` can write on a host of this architecture, as KubeVirt's container has it do.
    #[must_use]
    pub fn documents(&self, architecture: Architecture, kvm: bool) -> Texts {
        let mut texts = Texts::default();
        let Some(guests) = Guests::native(architecture, kvm) else { return texts };
        let options = match self.domain_options() {
            Ok(options) => options,
            Err(problem) => return refused(architecture, &problem),
        };
        let domain = self.domain(guests, options.expanding());
        if architecture.has_cpu_models() {
            texts.insert(Document::SupportedFeatures, self.features(guests, options, &domain));
        }
        texts.insert(Document::DomainCapabilities, domain);
        texts.insert(Document::Capabilities, self.run(&["capabilities"], &[]));
        self.emulated(architecture, &mut texts);
        texts
    }

    fn domain(&self, guests: Guests, options: &[&str]) -> Result<Vec<u8>, Problem> {
        self.run(&[&["domcapabilities"], guests.arguments().as_slice(), options].concat(), &[])
    }

    /// The baseline of what guests may have; with `--supported-cpu-features`, of all that they may have.
    fn features(
        &self,
        guests: Guests,
        options: DomainOptions,
        domain: &Result<Vec<u8>, Problem>,
    ) -> Result<Vec<u8>, Problem> {
        let all = if options.supported { self.domain(guests, options.supporting()) } else { domain.clone() };
        let command: [&str; 3] = ["hypervisor-cpu-baseline", "--features", "/dev/stdin"];
        self.run(&[&command, guests.arguments().as_slice()].concat(), &all?)
    }

    /// The emulators of the other architecture, without which nothing is wrong.
    fn emulated(&self, host: Architecture, texts: &mut Texts) {
        let (document, guests) = match host {
            Architecture::Amd64 => (Document::CrossAarch64, Guests::emulated(Architecture::Arm64)),
            Architecture::Arm64 => (Document::CrossX86, Guests::emulated(Architecture::Amd64)),
            Architecture::S390x | Architecture::Other => return,
        };
        let probed = guests.and_then(|guests| self.domain(guests, &[]).ok());
        if let Some(text) = probed {
            texts.insert(document, Ok(text));
        }
    }

    /// Which options `virsh domcapabilities` has: they came with later versions.
    fn domain_options(&self) -> Result<DomainOptions, Problem> {
        let help = self.run(&["domcapabilities", "--help"], &[])?;
        let help = String::from_utf8_lossy(&help);
        Ok(DomainOptions { expand: help.contains(EXPAND), supported: help.contains(SUPPORTED) })
    }

    /// What the program prints, given `input`, if it ends well and in time.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Problem> {
        let started = Instant::now();
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let printed = receive(&mut child, input.to_vec()).recv_timeout(self.deadline).unwrap_or(Err(Problem::Timeout));
        let status = self.ended(&mut child, started)?;
        if printed.is_ok() && !status.success() {
            return Err(Problem::Malformed(format!("virsh {}: {status}", arguments.join(" "))));
        }
        printed
    }

    /// Waits for the end, and brings it about when it is late.
    fn ended(&self, child: &mut Child, started: Instant) -> Result<ExitStatus, Problem> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() >= self.deadline {
                child.kill()?;
                child.wait()?;
                return Err(Problem::Timeout);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Feeds a program, and reads what it prints until it prints no more.
fn receive(child: &mut Child, input: Vec<u8>) -> Receiver<Result<Vec<u8>, Problem>> {
    let (sender, receiver) = mpsc::channel();
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    thread::spawn(move || {
        // A program that does not read its input to the end fails in another way.
        stdin.map(|mut stdin| stdin.write_all(&input).ok());
        let printed = stdout.map_or(Ok(Vec::new()), |stdout| fault::bounded(stdout, LONGEST));
        // Nobody waits for what comes too late.
        sender.send(printed).ok();
    });
    receiver
}

const EXPAND: &str = "--expand-cpu-features";
const SUPPORTED: &str = "--supported-cpu-features";

/// Which options `virsh domcapabilities` has.
#[derive(Clone, Copy)]
struct DomainOptions {
    expand: bool,
    supported: bool,
}

impl DomainOptions {
    fn expanding(self) -> &'static [&'static str] {
        if self.expand { &[EXPAND] } else { &[] }
    }

    fn supporting(self) -> &'static [&'static str] {
        if self.expand { &[EXPAND, SUPPORTED] } else { &[SUPPORTED] }
    }
}

/// No document at all, for one cause.
fn refused(architecture: Architecture, problem: &Problem) -> Texts {
    let mut texts = Texts::default();
    for document in Document::ALL.into_iter().filter(|document| document.is_needed_on(architecture)) {
        texts.insert(document, Err(problem.clone()));
    }
    texts
}
