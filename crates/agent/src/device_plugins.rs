//! Which device plugins the kubelet lists as registered: what its device manager's checkpoint says.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::fault::{self, Problem};
use crate::touched::{Mark, mark};

/// The folder of device plugins (`DevicePluginPath` in `k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1`). The kubelet
/// empties it of sockets when it starts, and each plugin makes its socket anew when it registers.
pub const FOLDER: &str = "/var/lib/kubelet/device-plugins";

/// The checkpoint (`kubeletDeviceManagerCheckpoint` in `pkg/kubelet/cm/devicemanager`).
const CHECKPOINT: &str = "kubelet_internal_checkpoint";
/// Longest checkpoint. It has an entry for each device of each container.
const LONGEST: usize = 16 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Checkpoint {
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    /// The healthy devices of each resource; null where no plugin ever was.
    registered_devices: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// The resources of which the checkpoint lists a healthy device.
///
/// # Errors
/// The text is no such checkpoint.
pub fn registered(text: &[u8]) -> Result<BTreeSet<String>, Problem> {
    let checkpoint: Checkpoint = serde_json::from_slice(text)
        .map_err(|error| Problem::malformed("is no checkpoint of the kubelet", &error.to_string()))?;
    let resources = checkpoint.data.registered_devices.unwrap_or_default().into_iter();
    let alive = resources.filter(|(_, devices)| devices.as_ref().is_some_and(|devices| !devices.is_empty()));
    Ok(alive.map(|(resource, _)| resource).collect())
}

/// The kubelet's list, read again when the file is another one.
#[derive(Debug)]
pub struct DevicePlugins {
    file: PathBuf,
    mark: Mark,
    registered: Result<BTreeSet<String>, Problem>,
}

impl DevicePlugins {
    /// The list in that folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { file: folder.join(CHECKPOINT), mark: None, registered: Err(Problem::Missing) }
    }

    /// Whether the kubelet lists a healthy device of that resource.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn has(&self, resource: &str) -> Result<bool, Problem> {
        self.registered.as_ref().map(|resources| resources.contains(resource)).map_err(Clone::clone)
    }

    /// Looks at the file, if that is another one than at the last look.
    pub fn look(&mut self) {
        let mark = mark(&self.file);
        if mark != self.mark || mark.is_none() {
            self.registered = fault::read(&self.file, LONGEST).and_then(|text| registered(&text));
            self.mark = mark;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const KVM: &str = r#"{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{
        "devices.kubevirt.io/kvm":["kvm0","kvm1"],"devices.kubevirt.io/tun":[],"example.org/x":null}},"Checksum":1}"#;

    #[test]
    fn only_a_resource_with_a_device_is_registered() {
        assert_eq!(registered(KVM.as_bytes()), Ok(BTreeSet::from(["devices.kubevirt.io/kvm".to_owned()])));
        let none = r#"{"Data":{"PodDeviceEntries":null,"RegisteredDevices":null},"Checksum":1}"#;
        assert_eq!(registered(none.as_bytes()), Ok(BTreeSet::new()));
    }

    #[test]
    fn what_is_no_checkpoint_is_said() {
        let deep = "[".repeat(100_000);
        for text in ["", "{}", "[]", r#"{"Data":{"RegisteredDevices":["kvm"]}}"#, &deep] {
            let problem = registered(text.as_bytes()).expect_err("is none").to_string();
            assert!(problem.starts_with("is no checkpoint of the kubelet") && problem.len() < 300, "{problem}");
        }
    }

    #[test]
    fn the_file_is_read_again_when_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CHECKPOINT);
        let mut plugins = DevicePlugins::new(folder.path());
        let mut kvm = || {
            plugins.look();
            plugins.has("devices.kubevirt.io/kvm")
        };
        assert_eq!(kvm(), Err(Problem::Missing));
        fs::write(&file, KVM).unwrap();
        assert_eq!(kvm(), Ok(true));
        fs::write(&file, KVM.replace("kvm0", "").replace(r#""","kvm1""#, "")).unwrap();
        assert_eq!(kvm(), Ok(false));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(kvm(), Err(Problem::NotAFile));
    }
}
