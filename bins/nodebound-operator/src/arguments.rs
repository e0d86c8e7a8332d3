//! The command line.

use anyhow::{Context as _, bail};
use clap::Parser;
use manifests::install::{Program, Settings};
use std::time::Duration;

/// Installs what every AgentProfile of the cluster asks for, once its guard was seen to refuse, and says so in its status.
#[derive(Debug, Parser)]
#[command(name = "nodebound-operator", version)]
pub(crate) struct Arguments {
    /// What tells this replica from the others
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,
    /// Where the programs and the Lease of the leader are
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "nodebound-system")]
    pub namespace: String,
    /// Install nothing: only probe the guards, and say in Leases what comes of it, for operator and controllers
    #[arg(long)]
    pub prober: bool,
    /// As the prober, probe each guard again after so many seconds, give or take a tenth; what it says is believed for 300
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=120))]
    pub prove_every: u64,
    /// Where images come from
    #[arg(long, value_name = "REGISTRY", default_value_t = Settings::default().registry)]
    pub registry: String,
    /// The tag of the images
    #[arg(long, value_name = "TAG", default_value_t = Settings::default().tag)]
    pub tag: String,
    /// The digest of an image, in place of the tag
    #[arg(long, value_name = "PROGRAM=SHA256:…")]
    pub digest: Vec<String>,
    /// A Secret that images are pulled with
    #[arg(long, value_name = "NAME")]
    pub pull_secret: Vec<String>,
    /// How many controllers there are
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().replicas)]
    pub replicas: u32,
    /// Controllers run on any node, not on those of the control plane only
    #[arg(long)]
    pub any_node: bool,
    /// Keep KubeVirt at its version while a Strict profile's guard cannot be had
    #[arg(long)]
    pub hold_upgrades: bool,
    #[command(flatten)]
    pub flags: app::Flags,
}

impl app::program::Arguments for Arguments {
    fn flags(&self) -> &app::Flags {
        &self.flags
    }
}

impl Arguments {
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            namespace: self.namespace.clone(),
            registry: self.registry.trim_end_matches('/').to_owned(),
            tag: self.tag.clone(),
            digests: self.digest.iter().map(|text| digest(text)).collect::<anyhow::Result<_>>()?,
            pull_secrets: self.pull_secret.clone(),
            replicas: self.replicas,
            any_node: self.any_node,
            hold_upgrades: self.hold_upgrades,
        })
    }

    pub fn every(&self) -> Duration {
        Duration::from_secs(self.prove_every)
    }
}

fn digest(text: &str) -> anyhow::Result<(Program, String)> {
    let (name, digest) = text.split_once('=').context("--digest: write PROGRAM=sha256:…")?;
    let program = Program::ALL.into_iter().find(|program| program.name() == name);
    let Some(program) = program else {
        let known: Vec<&str> = Program::ALL.iter().map(|program| program.name()).collect();
        bail!("--digest: `{name}` is no program; there are {}", known.join(", "));
    };
    if !digest.starts_with("sha256:") {
        bail!("--digest: `{digest}` is no digest; it begins with sha256:");
    }
    Ok((program, digest.to_owned()))
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
        let line = ["x", "--registry", "registry.example/n/", "--digest", "nodebound-agent=sha256:ab"];
        let settings = Arguments::parse_from(line).settings().unwrap();
        assert_eq!(settings.image(Program::Agent), "registry.example/n/nodebound-agent@sha256:ab");
        assert!(settings.image(Program::Controller).starts_with("registry.example/n/nodebound-controller:v"));
        for (text, said) in
            [("a", "write PROGRAM"), ("a=sha256:x", "is no program"), ("nodebound-agent=x", "is no digest")]
        {
            let error = Arguments::parse_from(["x", "--digest", text]).settings().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
