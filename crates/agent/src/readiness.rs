//! What must be there before guests may be scheduled on this Node.

use serde::Deserialize;
use std::fmt;
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::device_plugins::{self, DevicePlugins};

/// One readiness input, named by what it looks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Input {
    /// A resource of which the kubelet lists a healthy device, by its name.
    DevicePlugin(String),
    /// A device.
    Device(PathBuf),
    /// A socket that another process has made.
    Socket(PathBuf),
    /// A file of any kind that another process makes.
    File(PathBuf),
}

/// What virt-handler waits for: its permanent device plugins and their devices. The kubelet's list outlives a restart
/// of the kubelet, the sockets do not; their names are `kubevirt-<device>.sock` (`SocketPath` in
/// `pkg/virt-handler/device-manager`).
#[must_use]
pub fn defaults() -> Vec<Input> {
    let plugins = ["kvm", "tun", "vhost-net"].into_iter().flat_map(|name| {
        let socket = Path::new(device_plugins::FOLDER).join(format!("kubevirt-{name}.sock"));
        [Input::DevicePlugin(format!("devices.kubevirt.io/{name}")), Input::Socket(socket)]
    });
    let devices = ["/dev/kvm", "/dev/vhost-net"].map(|path| Input::Device(path.into()));
    plugins.chain(devices).collect()
}

impl Input {
    /// What is missing, if it is; the plugins have been looked at.
    fn missing(&self, plugins: &DevicePlugins) -> Option<String> {
        let there = match self {
            Self::DevicePlugin(resource) => match plugins.has(resource) {
                Ok(there) => there,
                Err(problem) => return Some(format!("{self} (the kubelet's list {problem})")),
            },
            Self::Device(path) => is(path, FileType::is_char_device),
            Self::Socket(path) => is(path, FileType::is_socket),
            Self::File(path) => path.exists(),
        };
        (!there).then(|| self.to_string())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DevicePlugin(resource) => write!(f, "device plugin {resource}"),
            Self::Device(path) => write!(f, "device {}", path.display()),
            Self::Socket(path) => write!(f, "socket {}", path.display()),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// The inputs that are not there, in words. None of them: ready.
#[must_use]
pub fn missing(inputs: &[Input], plugins: &mut DevicePlugins) -> Vec<String> {
    if inputs.iter().any(|input| matches!(input, Input::DevicePlugin(_))) {
        plugins.look();
    }
    inputs.iter().filter_map(|input| input.missing(plugins)).collect()
}

fn is(path: &Path, kind: fn(&FileType) -> bool) -> bool {
    fs::metadata(path).is_ok_and(|found| kind(&found.file_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn each_input_looks_for_its_own_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "").unwrap();
        let list = r#"{"Data":{"RegisteredDevices":{"devices.kubevirt.io/kvm":["kvm0"]}}}"#;
        fs::write(path("kubelet_internal_checkpoint"), list).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        let table = [
            (Input::DevicePlugin("devices.kubevirt.io/kvm".into()), true),
            (Input::DevicePlugin("devices.kubevirt.io/tun".into()), false),
            (Input::DevicePlugin("kvm".into()), false),
            (Input::Socket(path("socket")), true),
            (Input::Socket(path("file")), false),
            (Input::Device("/dev/null".into()), true),
            (Input::Device(path("file")), false),
            (Input::File(path("file")), true),
            (Input::File(folder.path().into()), true),
            (Input::File(path("absent")), false),
        ];
        for (input, expected) in table {
            let missing = missing(std::slice::from_ref(&input), &mut DevicePlugins::new(folder.path()));
            assert_eq!(missing.is_empty(), expected, "{input}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_reason() {
        let nowhere = || DevicePlugins::new(Path::new("/nowhere"));
        let inputs = [Input::Device("/dev/null".into()), Input::Device("/nowhere/kvm".into())];
        assert_eq!(missing(&inputs, &mut nowhere()), ["device /nowhere/kvm"]);
        assert!(missing(&[], &mut nowhere()).is_empty(), "nothing to wait for");
        let plugins = missing(&defaults(), &mut nowhere());
        let unlisted = "device plugin devices.kubevirt.io/kvm (the kubelet's list is not there)".to_owned();
        assert!(plugins.contains(&unlisted), "{plugins:?}");
    }
}
