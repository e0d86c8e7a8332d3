//! The command line.

use agent::configuration::Configuration;
use anyhow::{Context as _, anyhow};
use clap::{Parser, ValueEnum};
use ownership::{Profile, builtin, parse};
use std::fs;
use std::path::PathBuf;

/// Publishes what this node offers to virtual machines on its Node object.
#[derive(Debug, Parser)]
#[command(name = "nodebound-agent", version)]
pub(crate) struct Arguments {
    /// The name of the Node
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    pub node: Option<String>,
    /// Who the agent is and what it owns: a built-in profile, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "kubevirt-least")]
    pub profile: String,
    /// The configuration file, read again when it changes
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take this Node over from another agent: remove owned keys that this field manager wrote and we do not publish,
    /// and tell virt-handler's labeller to leave the Node alone (the profile must own that annotation)
    #[arg(long, value_name = "MANAGER", num_args = 0..=1, default_missing_value = "virt-handler")]
    pub handover: Option<String>,
    #[command(flatten)]
    pub flags: app::Flags,
    /// Print what would be published, and end; needs no cluster and changes nothing
    #[arg(long)]
    pub once: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Yaml, requires = "once")]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Yaml,
    Json,
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

    pub fn configuration(&self) -> anyhow::Result<Configuration> {
        let Some(path) = &self.config else { return Ok(Configuration::default()) };
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Configuration::parse(&text).with_context(|| path.display().to_string())
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
    fn a_profile_is_a_name_or_a_file() {
        let of = |profile: &str| Arguments::parse_from(["nodebound-agent", "--profile", profile]).profile();
        assert_eq!(of("kubevirt").unwrap().name(), "kubevirt");
        let error = format!("{:#}", of("/nowhere/profile.yaml").expect_err("is not there"));
        assert!(error.contains("/nowhere/profile.yaml is no built-in profile"), "{error}");
    }
}
