//! What virt-handler publishes about its node, collected from the host itself.
//!
//! Every collector is a function of bytes that were read, and beside it stands the thin reader that reads them. What is
//! missing or broken is a [`Fault`], named once, and the rest is published all the same.
//!
//! ```
//! use agent::publication::{Bounds, Labels, Parts, assemble};
//! use agent::{Architecture, Facts, Settings, labeller, libvirt};
//!
//! let document = br#"<domainCapabilities><cpu><mode name="host-model" supported="yes">
//!     <model fallback="forbid">EPYC-Milan</model><vendor>AMD</vendor></mode></cpu></domainCapabilities>"#;
//! let texts = libvirt::Texts::new([(libvirt::Document::DomainCapabilities, document.to_vec())]);
//! let (documents, faults) = libvirt::Documents::parse(&texts, Architecture::Amd64);
//! assert_eq!(faults.len(), 2, "the two documents that are not there");
//!
//! let facts = Facts { documents, ..Facts::none(Architecture::Amd64) };
//! let labels = labeller::labels(&facts, &Settings::default());
//! let profile = ownership::builtin::profile("kubevirt-least").ok_or("is built in")??;
//! let parts = Parts { labels: Labels::Of(labels), ..Parts::default() };
//! let assembly = assemble(parts, &profile, Bounds::default());
//! assert_eq!(assembly.publication.labels["host-model-cpu.node.kubevirt.io/EPYC-Milan"], "true");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`host`] | where everything is on a host, and reading all of it |
//! | [`libvirt`] | libvirt's documents about the host and its hypervisor |
//! | [`hyperv`], [`realtime`], [`processor`] | what KVM, the scheduler and the processor say themselves |
//! | [`labeller`] | from these facts to labels |
//! | [`cpu_manager`], [`device_plugins`], [`ksm`] | the kubelet's CPU manager and device plugins; the kernel's same-page merging, and its control |
//! | [`settings`], [`selector`] | what an administrator keeps in the KubeVirt object |
//! | [`publication`] | everything together, as one publication |
//! | [`life`] | when the agent does what |
//! | [`readiness`], [`configuration`], [`touched`], [`kubevirt`] | what it looks at while it runs |
//! | [`run`], [`report`], [`events`] | the running agent, and what it has to tell |
//! | [`preview`] | what would be published, without a cluster |

pub mod architecture;
pub mod configuration;
pub mod cpu_manager;
pub mod device_plugins;
pub mod events;
pub mod fault;
pub mod host;
pub mod hyperv;
pub mod keys;
pub mod ksm;
pub mod kubevirt;
pub mod labeller;
pub mod libvirt;
pub mod life;
pub mod preview;
pub mod processor;
pub mod publication;
pub mod readiness;
pub mod realtime;
pub mod report;
pub mod run;
pub mod selector;
pub mod settings;
pub mod touched;
mod work;
mod xml;

pub use architecture::Architecture;
pub use fault::{Fault, Problem, Source};
pub use host::{Facts, Host};
pub use settings::Settings;
