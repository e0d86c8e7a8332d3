//! Asks KVM's device.

use kvm_ioctls::Kvm as Handle;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Kvm;
use crate::fault::Problem;
use crate::libvirt::capabilities::TimeStampCounter;

/// The version that KVM's interface has had since Linux 2.6.22.
const API_VERSION: i32 = 12;
/// `KVM_CAP_TSC_CONTROL` in `linux/kvm.h`: guests may have another frequency than the host.
const TSC_CONTROL: u32 = 60;

/// KVM's device, opened.
#[derive(Debug)]
pub struct Device {
    handle: Handle,
    registers: BTreeSet<u32>,
}

impl Device {
    /// Opens the device for reading and writing. Where KVM has more registers than the list can hold, or refuses to
    /// list them, none is known and the second value says why.
    ///
    /// # Errors
    /// There is no such device, it may not be opened, or it is not KVM's.
    pub fn open(path: &Path) -> Result<(Self, Option<Problem>), Problem> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Problem::Missing)?;
        let handle = Handle::new_with_path(path).map_err(problem)?;
        if handle.get_api_version() != API_VERSION {
            return Err(Problem::Malformed("is not KVM's device".to_owned()));
        }
        let (registers, refused) = match handle.get_msr_index_list() {
            Ok(list) => (list.as_slice().iter().copied().collect(), None),
            Err(error) => (BTreeSet::new(), Some(problem(error))),
        };
        Ok((Self { handle, registers }, refused))
    }

    /// What a guest would have, by a guest that never runs; none where KVM knows no frequency.
    ///
    /// # Errors
    /// KVM makes no guest.
    pub fn time_stamp_counter(&self) -> Result<Option<TimeStampCounter>, Problem> {
        let processor = self.handle.create_vm().and_then(|guest| guest.create_vcpu(0)).map_err(problem)?;
        let kilohertz = processor.get_tsc_khz().unwrap_or_default();
        let scalable = self.has_extension(TSC_CONTROL);
        let frequency = NonZeroU64::new(u64::from(kilohertz) * 1000);
        Ok(frequency.map(|frequency| TimeStampCounter { frequency, scalable }))
    }
}

impl Kvm for Device {
    fn has_extension(&self, extension: u32) -> bool {
        self.handle.check_extension_raw(extension.into()) > 0
    }

    fn has_register(&self, register: u32) -> bool {
        self.registers.contains(&register)
    }
}

fn problem(error: kvm_ioctls::Error) -> Problem {
    io::Error::from_raw_os_error(error.errno()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kvm_is_refused() {
        let refused = |path: &str| Device::open(Path::new(path)).expect_err("is not KVM's device");
        assert_eq!(refused("/nowhere/kvm"), Problem::Missing);
        assert_eq!(refused("/dev/null"), Problem::Malformed("is not KVM's device".to_owned()));
        assert!(matches!(refused("/"), Problem::System(_) | Problem::Denied));
    }
    #[test]
    #[ignore = "needs /dev/kvm"]
    fn a_guest_has_a_counter() {
        let (device, _) = Device::open(Path::new("/dev/kvm")).unwrap();
        let counter = device.time_stamp_counter().unwrap().expect("KVM knows the frequency");
        assert!((100_000_000..20_000_000_000).contains(&counter.frequency.get()), "{counter:?}");
    }
}
