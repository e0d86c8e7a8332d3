//! `nodebound sandbox`: an API server to point kubectl at.

use anyhow::Context;
use clap::{Args, ValueEnum};
use sandbox::server::{Authority, Credentials, Recording, administrator, kubeconfig, serve};
use sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::output::{json, yaml};
use crate::{Console, Exit};

/// Run a Kubernetes API server in this process, to point kubectl and other clients at
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many Nodes there are at the start
    #[arg(long, value_name = "N", default_value_t = 3)]
    nodes: u32,
    /// The release of Kubernetes that is emulated, from 1.28 to 1.36
    #[arg(long, value_name = "VERSION", default_value = "1.36", value_parser = release)]
    kube_version: admission::KubeVersion,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to write the kubeconfig
    #[arg(long, value_name = "FILE", default_value = "sandbox.kubeconfig")]
    kubeconfig: PathBuf,
    /// Where to write the audit log: one audit.k8s.io/v1 Event a line
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Where everything is kept from one run to the next
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object
    Json,
    /// One document
    Yaml,
}

fn release(text: &str) -> Result<admission::KubeVersion, String> {
    let minor = text.trim_start_matches('v').strip_prefix("1.").and_then(|minor| minor.parse::<u16>().ok());
    match minor {
        Some(minor @ 28..=36) => Ok(admission::KubeVersion::minor(minor)),
        _ => Err("is none of 1.28 to 1.36".to_owned()),
    }
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(self.serve(console))
    }

    async fn serve(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let sandbox = self.sandbox()?;
        let listener =
            TcpListener::bind(self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        let address = listener.local_addr()?;
        let authority = Authority::generate()?;
        let admin = administrator();
        let groups: Vec<&str> =
            admin.groups.iter().map(String::as_str).filter(|group| *group != "system:authenticated").collect();
        let credentials = authority.client(&admin.username, &groups)?;
        self.write_kubeconfig(address, &authority, &credentials)?;
        let tls = authority.server(&[address.ip().to_string()])?;
        self.announce(address, console)?;
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(sandbox.clone(), listener, tls, stopped));
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        stop.send_replace(true);
        serving.await.context("the server broke off")??;
        self.save(&sandbox)?;
        Ok(Exit::Fine)
    }

    fn sandbox(&self) -> anyhow::Result<Sandbox> {
        let recording = match &self.audit_log {
            Some(path) => {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
                Some(Recording::to(file.with_context(|| format!("cannot write {}", path.display()))?))
            }
            None => None,
        };
        let settings = Settings { version: self.kube_version, seed: seed(), recording, ..Settings::default() };
        if let Some(saved) = self.saved()? {
            return Ok(Sandbox::resume(settings, saved)?);
        }
        let sandbox = Sandbox::start(settings)?;
        for index in 1..=self.nodes {
            sandbox.plant(node(index));
        }
        Ok(sandbox)
    }

    fn saved(&self) -> anyhow::Result<Option<sandbox::store::snapshot::Snapshot>> {
        let Some(path) = self.state.as_deref().filter(|path| path.exists()) else { return Ok(None) };
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let state = serde_json::from_slice(&text);
        Ok(Some(state.with_context(|| format!("{} holds no state of a sandbox", path.display()))?))
    }

    fn save(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let Some(path) = &self.state else { return Ok(()) };
        replace(path, &serde_json::to_vec(&sandbox.snapshot())?)
    }

    fn write_kubeconfig(&self, address: SocketAddr, authority: &Authority, admin: &Credentials) -> anyhow::Result<()> {
        let mut text = Vec::new();
        yaml::documents(&mut text, &[kubeconfig(&format!("https://{address}"), authority, admin)])?;
        replace(&self.kubeconfig, &text)
    }

    fn announce(&self, address: SocketAddr, console: &mut Console<'_>) -> anyhow::Result<()> {
        let file = self.kubeconfig.display().to_string();
        let facts = json!({"server": format!("https://{address}"), "kubeconfig": file,
            "version": self.kube_version.to_string(), "nodes": self.nodes});
        match self.output {
            Format::Json => json::document(console.out, &facts)?,
            Format::Yaml => yaml::documents(console.out, std::slice::from_ref(&facts))?,
            Format::Table => {
                writeln!(
                    console.out,
                    "Kubernetes {} is served at https://{address}",
                    facts["version"].as_str().unwrap_or_default()
                )?;
                writeln!(console.out, "export KUBECONFIG={file}")?;
            }
        }
        console.flush()?;
        console.say("Ctrl-C stops it");
        Ok(())
    }
}

/// Identifiers differ from run to run.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or_default()
}

/// A file is there whole, or as it was; and only its owner reads it.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("partial");
    let said = || format!("cannot write {}", path.display());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .with_context(said)?;
    file.write_all(content).with_context(said)?;
    std::fs::rename(&beside, path).with_context(said)
}

/// A Node as a kubelet registers it.
fn node(index: u32) -> Value {
    let name = format!("node-{index}");
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64"}},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": format!("10.0.0.{}", index.min(254))}, {"type": "Hostname", "address": name}],
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "conditions": [condition("Ready", "True", "KubeletReady")],
            "nodeInfo": {"machineID": name, "systemUUID": name, "bootID": name, "kubeProxyVersion": "",
                "kubeletVersion": "v1.36.0", "osImage": "Sandbox", "kernelVersion": "6.12.0",
                "containerRuntimeVersion": "containerd://2.2.0", "architecture": "amd64", "operatingSystem": "linux"},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn releases_are_those_that_are_emulated() {
        for (text, known) in
            [("1.28", true), ("v1.36", true), ("1.27", false), ("1.37", false), ("2.30", false), ("", false)]
        {
            assert_eq!(release(text).is_ok(), known, "{text}");
        }
    }
}
