//! What the agent does not need, it gives up.

use anyhow::Context as _;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// Gives up every capability, for this program and what it starts. Root keeps what root owns, which suffices for KVM's
/// device and the kernel's control files. To be called before there is a second thread.
pub(crate) fn drop_all() -> anyhow::Result<()> {
    set_no_new_privs(true).context("cannot forbid new privileges")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).context("cannot give up capabilities")
}
