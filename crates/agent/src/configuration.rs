//! The agent's configuration file, read again when it changes.

use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use thiserror::Error;

use crate::device_plugins;
use crate::fault::{self, Fault, Problem};
use crate::host::Host;
use crate::libvirt::{self, virsh::Virsh};
use crate::readiness::{self, Input};
use crate::settings::Settings;

/// Longest configuration file.
const LONGEST: usize = 1 << 20;

/// What the configuration file says; what it leaves out is as virt-handler has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What must be there before guests may be scheduled on this Node.
    pub readiness: Vec<Input>,
    /// The folder of device plugins, where the kubelet keeps its list of them.
    pub device_plugins: PathBuf,
    /// The folder of libvirt's documents.
    pub documents: PathBuf,
    /// Whether to ask `virsh` for documents that are not there.
    pub virsh: bool,
    /// What stands in for a KubeVirt object where the cluster has none.
    pub settings: Settings,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct File {
    readiness: Vec<Input>,
    device_plugins: PathBuf,
    documents: PathBuf,
    virsh: bool,
    /// As `spec.configuration` of a KubeVirt object.
    kubevirt: Value,
}

impl Default for File {
    fn default() -> Self {
        Self {
            readiness: readiness::defaults(),
            device_plugins: device_plugins::FOLDER.into(),
            documents: libvirt::FOLDER.into(),
            virsh: true,
            kubevirt: Value::Null,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("the configuration {0}")]
    Unread(Problem),
    /// It is no YAML, or has a field that it may not have.
    #[error("the configuration is not valid: {0}")]
    Syntax(String),
    /// What is under `kubevirt` is no configuration of KubeVirt.
    #[error("the configuration is not valid: {0}")]
    KubeVirt(Fault),
}

impl Default for Configuration {
    fn default() -> Self {
        Self::from(File::default(), Settings::default())
    }
}

impl Configuration {
    fn from(file: File, settings: Settings) -> Self {
        let File { readiness, device_plugins, documents, virsh, kubevirt: _ } = file;
        Self { readiness, device_plugins, documents, virsh, settings }
    }

    /// Reads YAML or JSON. An empty text is the default.
    ///
    /// # Errors
    /// [`ConfigurationError`]
    pub fn parse(text: &str) -> Result<Self, ConfigurationError> {
        let options = serde_saphyr::options! { strict_booleans: true, budget: serde_saphyr::budget! { max_depth: 64 } };
        let file: Option<File> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| ConfigurationError::Syntax(first_line(&error.to_string())))?;
        let file = file.unwrap_or_default();
        let settings = Settings::from_configuration(&file.kubevirt).map_err(ConfigurationError::KubeVirt)?;
        Ok(Self::from(file, settings))
    }
}

impl Configuration {
    /// Looks on this host where the configuration says.
    pub fn apply(&self, host: &mut Host) {
        host.documents.clone_from(&self.documents);
        host.virsh = self.virsh.then(Virsh::default);
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A configuration file, and what it last said.
#[derive(Debug)]
pub struct Watched {
    path: Option<PathBuf>,
    content: Option<Result<Vec<u8>, Problem>>,
}

impl Watched {
    /// A file, or none, which is the default configuration for ever.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, content: None }
    }

    /// What the file says, if that has changed since the last look.
    ///
    /// # Errors
    /// [`ConfigurationError`], once for each bad content. What the file said before still holds.
    pub fn look(&mut self) -> Result<Option<Configuration>, ConfigurationError> {
        let Some(path) = &self.path else {
            let first = self.content.replace(Ok(Vec::new())).is_none();
            return Ok(first.then(Configuration::default));
        };
        let content = read(path);
        if self.content.as_ref() == Some(&content) {
            return Ok(None);
        }
        let text =
            self.content.insert(content).as_ref().map_err(|problem| ConfigurationError::Unread(problem.clone()))?;
        Configuration::parse(&String::from_utf8_lossy(text)).map(Some)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fault::read(path, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_left_out_is_as_virt_handler_has_it() {
        for text in ["", "{}", "# nothing\n"] {
            assert_eq!(Configuration::parse(text).unwrap(), Configuration::default(), "{text:?}");
        }
        let text = "readiness:\n- devicePlugin: example.org/p\n- device: /dev/kvm\n- file: /run/x\nvirsh: false\n\
                    kubevirt: {developerConfiguration: {featureGates: [CPUManager]}}\n";
        let read = Configuration::parse(text).unwrap();
        let inputs = [
            Input::DevicePlugin("example.org/p".into()),
            Input::Device("/dev/kvm".into()),
            Input::File("/run/x".into()),
        ];
        assert_eq!((read.readiness.as_slice(), read.virsh, read.settings.cpu_manager), (&inputs[..], false, true));
    }

    #[test]
    fn bad_content_is_named() {
        let deep = "[".repeat(100_000);
        let table = [
            ("virhs: true", "virhs"),
            ("readiness: [{devise: /dev/kvm}]", "devise"),
            ("virsh: perhaps", "not valid"),
            ("kubevirt: {obsoleteCPUModels: [a]}", "spec.configuration"),
            ("a: [", "not valid"),
            (&deep, "not valid"),
        ];
        for (text, named) in table {
            let error = Configuration::parse(text).expect_err("is bad").to_string();
            assert!(error.contains(named) && error.len() < 500, "{error}");
        }
    }

    #[test]
    fn a_change_is_seen_once_and_bad_content_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.yaml");
        let mut file = Watched::new(Some(path.clone()));
        assert_eq!(file.look(), Err(ConfigurationError::Unread(Problem::Missing)));
        assert_eq!(file.look(), Ok(None));
        fs::write(&path, "virsh: false").unwrap();
        assert_eq!(file.look().unwrap().map(|read| read.virsh), Some(false));
        assert_eq!(file.look(), Ok(None));
        fs::write(&path, "virsh: [").unwrap();
        assert!(matches!(file.look(), Err(ConfigurationError::Syntax(_))));
        assert_eq!(file.look(), Ok(None));
        fs::write(&path, "virsh: true").unwrap();
        assert_eq!(file.look().unwrap().map(|read| read.virsh), Some(true));
    }

    #[test]
    fn without_a_file_the_default_holds() {
        let mut none = Watched::new(None);
        assert_eq!((none.look(), none.look()), (Ok(Some(Configuration::default())), Ok(None)));
    }
}
