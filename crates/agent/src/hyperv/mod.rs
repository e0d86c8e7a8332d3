//! Which of Hyper-V's interfaces KVM offers to guests of this host.

use std::collections::BTreeSet;

#[cfg(target_arch = "x86_64")]
pub mod kvm;

/// What KVM says.
pub trait Kvm {
    /// Whether `KVM_CHECK_EXTENSION` gives more than 0 for this extension.
    fn has_extension(&self, extension: u32) -> bool;
    /// Whether `KVM_GET_MSR_INDEX_LIST` has this register.
    fn has_register(&self, register: u32) -> bool;
}

/// How KVM says that it has an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// By this extension.
    ByExtension(u32),
    /// By this model-specific register, there being no extension for it.
    ByRegister(u32),
}

/// Each interface, named as in its label, and what decides: the extensions of `linux/kvm.h`, and the registers of
/// Hyper-V's Top-Level Functional Specification. `vpindex`, `synic` and `synic2` have a register too, of which
/// virt-handler takes no notice either.
const INTERFACES: [(&str, Shown); 12] = [
    ("base", Shown::ByExtension(44)),
    ("time", Shown::ByExtension(96)),
    ("vpindex", Shown::ByExtension(149)),
    ("tlbflush", Shown::ByExtension(155)),
    ("ipi", Shown::ByExtension(161)),
    ("synic", Shown::ByExtension(123)),
    ("synic2", Shown::ByExtension(148)),
    ("frequencies", Shown::ByRegister(0x4000_0022)),
    ("reset", Shown::ByRegister(0x4000_0003)),
    ("runtime", Shown::ByRegister(0x4000_0010)),
    ("synictimer", Shown::ByRegister(0x4000_00B0)),
    ("reenlightenment", Shown::ByRegister(0x4000_0106)),
];

/// The interfaces that KVM offers.
pub fn interfaces(kvm: &impl Kvm) -> BTreeSet<&'static str> {
    let offered = |shown| match shown {
        Shown::ByExtension(extension) => kvm.has_extension(extension),
        Shown::ByRegister(register) => kvm.has_register(register),
    };
    INTERFACES.into_iter().filter(|(_, shown)| offered(*shown)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static [u32], &'static [u32]);

    impl Kvm for Fixed {
        fn has_extension(&self, extension: u32) -> bool {
            self.0.contains(&extension)
        }
        fn has_register(&self, register: u32) -> bool {
            self.1.contains(&register)
        }
    }

    #[test]
    fn each_interface_is_shown_by_one_number() {
        let table: [(&'static [u32], &'static [u32], &str); 12] = [
            (&[44], &[], "base"),
            (&[96], &[], "time"),
            (&[149], &[], "vpindex"),
            (&[155], &[], "tlbflush"),
            (&[161], &[], "ipi"),
            (&[123], &[], "synic"),
            (&[148], &[], "synic2"),
            (&[], &[0x4000_0022], "frequencies"),
            (&[], &[0x4000_0003], "reset"),
            (&[], &[0x4000_0010], "runtime"),
            (&[], &[0x4000_00B0], "synictimer"),
            (&[], &[0x4000_0106], "reenlightenment"),
        ];
        for (extensions, registers, expected) in table {
            assert_eq!(interfaces(&Fixed(extensions, registers)), BTreeSet::from([expected]));
        }
    }

    #[test]
    fn where_there_is_an_extension_the_register_does_not_count() {
        assert_eq!(interfaces(&Fixed(&[], &[0x4000_0002, 0x4000_0080, 0x10])), BTreeSet::new());
        assert_eq!(interfaces(&Fixed(&[44, 123, 7], &[0x4000_0003])), BTreeSet::from(["base", "reset", "synic"]));
    }

    #[test]
    fn no_interface_and_no_number_stands_twice() {
        let names: BTreeSet<_> = INTERFACES.iter().map(|(name, _)| name).collect();
        let numbers: BTreeSet<_> = INTERFACES.iter().map(|(_, shown)| format!("{shown:?}")).collect();
        assert_eq!((names.len(), numbers.len()), (INTERFACES.len(), INTERFACES.len()));
    }
}
