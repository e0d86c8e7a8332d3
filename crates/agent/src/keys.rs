//! The keys that virt-handler writes on its Node, and those that it reads there (KubeVirt's `api/core/v1`, `types.go`).
//!
//! What an agent may write with which value says the profile `kubevirt-least`; a test holds the two together.

use ownership::matcher::Pattern;

use crate::architecture::Architecture;
use crate::libvirt::Confidential;

/// Label: guests may be scheduled here.
pub const SCHEDULABLE: &str = "kubevirt.io/schedulable";
/// Label: the kubelet pins guests to CPUs.
pub const CPU_MANAGER: &str = "kubevirt.io/cpumanager";
/// Label: the same under its old key, without a domain.
pub const OLD_CPU_MANAGER: &str = "cpumanager";
/// Annotation: when the agent was last alive.
pub const HEARTBEAT: &str = "kubevirt.io/heartbeat";
/// Label: same-page merging is controlled on this Node.
pub const KSM_ENABLED: &str = "kubevirt.io/ksm-enabled";
/// Annotation: same-page merging runs because the agent turned it on.
pub const KSM_MANAGED: &str = "kubevirt.io/ksm-handler-managed";
/// Label: the frequency of the host's time stamp counter in Hz.
pub const TSC_FREQUENCY: &str = "cpu-timer.node.kubevirt.io/tsc-frequency";
/// Label: whether guests may have another frequency.
pub const TSC_SCALABLE: &str = "cpu-timer.node.kubevirt.io/tsc-scalable";
/// Label: the host's CPU is one that the administrator named obsolete.
pub const OBSOLETE_HOST_MODEL: &str = "node-labeller.kubevirt.io/obsolete-host-model";
/// Label: realtime threads run without a pause.
pub const REALTIME: &str = "kubevirt.io/realtime";

/// Annotation that an administrator sets, whatever its value: the node labeller shall leave this Node alone.
pub const SKIP_LABELLER: &str = "node-labeller.kubevirt.io/skip-node";
/// The value of [`SKIP_LABELLER`] by which this agent keeps virt-handler's labeller away, to which any value will do.
pub const TAKEN_OVER: &str = "nodebound-agent";
/// What the annotations with which an administrator overrides the numbers of same-page merging begin with.
pub const KSM_OVERRIDE: &str = "kubevirt.io/ksm-";

/// A family of labels: one for each name, all `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Features that guests may ask for.
    Feature,
    /// Named CPU models that are usable here.
    Model,
    /// Named CPU models that libvirt knows.
    KnownModel,
    /// The vendor of the host's CPU.
    Vendor,
    /// Hyper-V's interfaces.
    HyperV,
    /// Machine types.
    Machine,
    /// The host's CPU as a named model.
    HostModel,
    /// What the host's CPU has beyond that model.
    RequiredFeature,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 8] = [
        Self::Feature,
        Self::Model,
        Self::KnownModel,
        Self::Vendor,
        Self::HyperV,
        Self::Machine,
        Self::HostModel,
        Self::RequiredFeature,
    ];

    /// What the keys of the family begin with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Feature => "cpu-feature.node.kubevirt.io/",
            Self::Model => "cpu-model.node.kubevirt.io/",
            Self::KnownModel => "cpu-model-migration.node.kubevirt.io/",
            Self::Vendor => "cpu-vendor.node.kubevirt.io/",
            Self::HyperV => "hyperv.node.kubevirt.io/",
            Self::Machine => "machine-type.node.kubevirt.io/",
            Self::HostModel => "host-model-cpu.node.kubevirt.io/",
            Self::RequiredFeature => "host-model-required-features.node.kubevirt.io/",
        }
    }

    /// The key of a name in the family.
    #[must_use]
    pub fn key(self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }
}

/// The label of a way to keep the host from reading a guest's memory.
#[must_use]
pub fn confidential(way: Confidential) -> &'static str {
    match way {
        Confidential::Sev => "kubevirt.io/sev",
        Confidential::SevEs => "kubevirt.io/sev-es",
        Confidential::SevSnp => "kubevirt.io/sev-snp",
        Confidential::Tdx => "kubevirt.io/tdx",
        Confidential::SecureExecution => "kubevirt.io/s390-pv",
    }
}

/// The label that guests of this architecture run here.
#[must_use]
pub fn guest_architecture(architecture: Architecture) -> Option<&'static str> {
    match architecture {
        Architecture::Amd64 => Some("kubevirt.io/vm-arch-amd64"),
        Architecture::Arm64 => Some("kubevirt.io/vm-arch-arm64"),
        Architecture::S390x => Some("kubevirt.io/vm-arch-s390x"),
        Architecture::Other => None,
    }
}

/// The labels of the node labeller: what it leaves alone on a Node with [`SKIP_LABELLER`].
#[must_use]
pub fn of_labeller() -> Vec<Pattern> {
    use Confidential::{SecureExecution, Sev, SevEs, SevSnp, Tdx};
    let single = [TSC_FREQUENCY, TSC_SCALABLE, OBSOLETE_HOST_MODEL, REALTIME];
    let ways = [Sev, SevEs, SevSnp, Tdx, SecureExecution].map(confidential);
    let guests = [Architecture::Amd64, Architecture::Arm64, Architecture::S390x].map(guest_architecture);
    let keys = single.into_iter().chain(ways).chain(guests.into_iter().flatten());
    let families = Family::ALL.into_iter().map(|family| Pattern::Prefix(family.prefix().to_owned()));
    families.chain(keys.map(|key| Pattern::Key(key.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::builtin;
    use std::collections::BTreeSet;

    #[test]
    fn these_are_the_keys_of_kubevirt_least() {
        let profile = builtin::profile("kubevirt-least").unwrap().unwrap();
        let owned = |owned: &ownership::matcher::Owned| -> BTreeSet<Pattern> {
            owned.matchers().iter().map(|matcher| matcher.pattern.clone()).collect()
        };
        let key = |key: &str| Pattern::Key(key.to_owned());
        let others = [SCHEDULABLE, CPU_MANAGER, OLD_CPU_MANAGER, KSM_ENABLED].map(key);
        let labels: BTreeSet<Pattern> = of_labeller().into_iter().chain(others).collect();
        assert_eq!(labels, owned(profile.labels()));
        assert_eq!(BTreeSet::from([HEARTBEAT, KSM_MANAGED].map(key)), owned(profile.annotations()));
    }
}
