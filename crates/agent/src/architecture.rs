//! The architectures of hosts, and what differs between them for the node labeller.

/// The architecture of a host or of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// `amd64`, which libvirt calls `x86_64`.
    Amd64,
    /// `arm64`, which libvirt calls `aarch64`.
    Arm64,
    /// `s390x`.
    S390x,
    /// Any other: virt-handler publishes no CPU there.
    Other,
}

impl Architecture {
    /// The architecture for which this program was built.
    #[must_use]
    pub fn native() -> Self {
        Self::from_kernel_name(std::env::consts::ARCH)
    }

    /// By the name that `uname -m`, libvirt and QEMU use.
    #[must_use]
    pub fn from_kernel_name(name: &str) -> Self {
        match name {
            "x86_64" => Self::Amd64,
            "aarch64" => Self::Arm64,
            "s390x" => Self::S390x,
            _ => Self::Other,
        }
    }

    /// The name that `uname -m`, libvirt and QEMU use.
    #[must_use]
    pub fn kernel_name(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
            Self::S390x => "s390x",
            Self::Other => "another architecture",
        }
    }

    /// The name that Go and Kubernetes use, where virt-handler knows the architecture.
    #[must_use]
    pub fn go_name(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => Some("amd64"),
            Self::Arm64 => Some("arm64"),
            Self::S390x => Some("s390x"),
            Self::Other => None,
        }
    }

    /// Whether the host's CPU model, named models and CPU features are published: not on arm64, where
    /// `virsh hypervisor-cpu-baseline` does not work and libvirt offers no host model.
    #[must_use]
    pub fn has_cpu_models(self) -> bool {
        matches!(self, Self::Amd64 | Self::S390x)
    }

    /// Whether a feature of `supported_features.xml` with this policy counts: on s390x libvirt writes none.
    #[must_use]
    pub fn accepts_policy(self, policy: Option<&str>) -> bool {
        match policy.unwrap_or_default() {
            "require" => true,
            "" => self == Self::S390x,
            _ => false,
        }
    }

    /// The vendor where libvirt names none: one company alone builds s390x.
    #[must_use]
    pub fn only_vendor(self) -> Option<&'static str> {
        (self == Self::S390x).then_some("IBM")
    }
}

#[cfg(test)]
mod tests {
    use super::Architecture::{self, Amd64, Arm64, Other, S390x};

    #[test]
    fn each_architecture_has_its_switches() {
        let table = [
            ("x86_64", Amd64, true, true, false, None),
            ("aarch64", Arm64, false, true, false, None),
            ("s390x", S390x, true, true, true, Some("IBM")),
            ("riscv64", Other, false, true, false, None),
        ];
        for (name, architecture, models, require, none, vendor) in table {
            assert_eq!(Architecture::from_kernel_name(name), architecture, "{name}");
            assert_eq!(architecture.has_cpu_models(), models, "{name}");
            assert_eq!(architecture.accepts_policy(Some("require")), require, "{name}");
            assert_eq!(architecture.accepts_policy(None), none, "{name}");
            assert_eq!(architecture.accepts_policy(Some("")), none, "{name}");
            assert!(!architecture.accepts_policy(Some("disable")), "{name}");
            assert_eq!(architecture.only_vendor(), vendor, "{name}");
        }
    }

    #[test]
    fn names_go_there_and_back() {
        for architecture in [Amd64, Arm64, S390x] {
            assert_eq!(Architecture::from_kernel_name(architecture.kernel_name()), architecture);
            assert!(architecture.go_name().is_some());
        }
        assert_eq!(Other.go_name(), None);
    }
}
