//! The command line.

use anyhow::{Context as _, anyhow};
use clap::Parser;
use controller::Settings;
use k8s_openapi::api::core::v1::ObjectReference;
use ownership::{Profile, builtin, parse};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Copies what agents publish to their Nodes, as far as it is theirs, and marks the nodes whose agents are silent.
#[derive(Debug, Parser)]
#[command(name = "nodebound-controller", version)]
pub(crate) struct Arguments {
    /// Who the agents are and what they own: a built-in profile, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "kubevirt-least", conflicts_with = "agent_profile")]
    pub profile: String,
    /// The same as an AgentProfile of the cluster, which is followed
    #[arg(long, value_name = "NAME")]
    pub agent_profile: Option<String>,
    /// Probe the guard itself, with the token in this file, in place of asking the prober
    #[arg(long, value_name = "FILE")]
    pub prober_token: Option<PathBuf>,
    /// Give up virtual machines without a living pod on silent nodes, as virt-controller does where it runs
    #[arg(long)]
    pub virtual_machines: bool,
    /// What tells this replica from the others
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,
    /// Where the Leases of the leader and of the prober are
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "nodebound-system")]
    pub namespace: String,
    /// Write a Node at most once in so many milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    pub pace: u64,
    /// Work on so many Nodes at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub parallel: usize,
    /// Mark at most so many silent nodes in a minute
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub marks: usize,
    /// Remove owned keys that this field manager wrote and nobody publishes
    #[arg(long, value_name = "MANAGER")]
    pub adopt: Vec<String>,
    #[command(flatten)]
    pub flags: app::Flags,
}

impl app::program::Arguments for Arguments {
    fn flags(&self) -> &app::Flags {
        &self.flags
    }
}

impl Arguments {
    pub fn profile(&self) -> anyhow::Result<Profile> {
        if let Some(profile) = builtin::profile(&self.profile) {
            return Ok(profile?);
        }
        let text = fs::read_to_string(&self.profile)
            .with_context(|| format!("{} is no built-in profile and cannot be read as a file", self.profile))?;
        parse::profile(&text).map_err(|error| anyhow!("{}: {error}", self.profile))
    }

    /// What Events about the controller as a whole are about: the profile it follows, or the Lease of its leader.
    pub fn itself(&self) -> ObjectReference {
        let (version, kind, namespace, name) = match &self.agent_profile {
            Some(name) => ("nodebound.io/v1alpha1", "AgentProfile", None, name.clone()),
            None => {
                ("coordination.k8s.io/v1", "Lease", Some(self.namespace.clone()), "nodebound-controller".to_owned())
            }
        };
        ObjectReference {
            api_version: Some(version.to_owned()),
            kind: Some(kind.to_owned()),
            namespace,
            name: Some(name),
            ..ObjectReference::default()
        }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            pace: Duration::from_millis(self.pace),
            parallel: self.parallel.max(1),
            marks: self.marks,
            virtual_machines: self.virtual_machines,
            adopted: self.adopt.iter().cloned().collect(),
            seed: rand::random(),
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let arguments = Arguments::parse_from(["x", "--pace", "50", "--parallel", "0", "--adopt", "virt-handler"]);
        let settings = arguments.settings();
        assert_eq!((settings.pace, settings.parallel), (Duration::from_millis(50), 1));
        assert!(settings.adopted.contains("virt-handler"));
        let error = format!("{:#}", Arguments::parse_from(["x", "--profile", "/nowhere"]).profile().unwrap_err());
        assert!(error.contains("/nowhere is no built-in profile"), "{error}");
    }
}
