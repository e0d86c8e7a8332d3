//! The committed files that come from code.

use anyhow::{Context, Result};
use manifests::install::{self, Installation, Part};
use ownership::Profile;
use ownership::spec::{Channel, Liveness, LivenessSource, Mark, ServiceAccount};
use std::fs;
use std::path::Path;

/// A generated file.
pub(crate) struct File {
    pub path: String,
    pub text: String,
}

impl File {
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(&self.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        fs::write(&path, &self.text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// What to say if the committed file is another.
    pub(crate) fn stale(&self, root: &Path) -> Option<String> {
        let committed = fs::read_to_string(root.join(&self.path)).unwrap_or_default();
        (committed != self.text).then(|| format!("{} is not current: run `cargo xtask generate`", self.path))
    }
}

pub(crate) fn files() -> Result<Vec<File>> {
    let mut files = vec![
        definition("agentprofiles", serde_json::to_value(api::agent_profile_definition())?)?,
        definition("shadownodes", serde_json::to_value(api::shadow_node_definition())?)?,
        reference(),
        catalogue(),
    ];
    for (name, _) in ownership::builtin::PROFILES {
        files.push(guards(name)?);
    }
    for (folder, channel) in [("direct", Channel::Direct), ("shadownode", Channel::ShadowNode)] {
        files.extend(installation(folder, channel)?);
    }
    files.push(operator()?);
    files.extend(crate::chart::files()?);
    Ok(files)
}

/// The operator, and what it needs to install agents of ours by ShadowNodes.
fn operator() -> Result<File> {
    let objects = of_ours(Channel::ShadowNode)?.operator();
    let text = format!("{}{}", header("#"), manifests::documents(&objects)?);
    Ok(File { path: "manifests/operator.yaml".to_owned(), text })
}

/// The guards of a built-in profile, ready for `kubectl apply`.
fn guards(name: &str) -> Result<File> {
    let profile = ownership::builtin::profile(name).context("the profile is built in")??;
    let objects: Vec<_> = manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects).collect();
    let text = format!("{}{}", header("#"), manifests::documents(&objects)?);
    Ok(File { path: format!("manifests/{name}.yaml"), text })
}

fn definition(kind: &str, object: serde_json::Value) -> Result<File> {
    let text = format!("{}{}", header("#"), manifests::documents(&[object])?);
    Ok(File { path: format!("manifests/crds/{kind}.yaml"), text })
}

/// Agents of ours and what they need, one file for each part, in the order in which they are applied.
fn installation(folder: &str, channel: Channel) -> Result<Vec<File>> {
    let installation = of_ours(channel)?;
    let mut files = Vec::new();
    for (number, part) in (1..).zip(Part::ALL) {
        let objects = installation.objects_without_operator(part);
        if !objects.is_empty() {
            let text = format!("{}{}", header("#"), manifests::documents(&objects)?);
            files.push(File { path: format!("manifests/{folder}/{number}-{}.yaml", part.word()), text });
        }
    }
    files.push(kustomization(folder, &files));
    Ok(files)
}

/// Agents of ours, by this channel.
fn of_ours(channel: Channel) -> Result<Installation> {
    let settings = install::Settings::default();
    let mut spec = ownership::builtin::profile("kubevirt-least").context("the profile is built in")??.spec().clone();
    let account = ServiceAccount { namespace: settings.namespace.clone(), name: install::AGENT.to_owned() };
    let mark = Mark { label: "kubevirt.io/schedulable".to_owned(), value: "false".to_owned() };
    let source = if channel == Channel::ShadowNode { LivenessSource::Lease } else { LivenessSource::PodReadiness };
    let liveness = Liveness { source, mark, timeout: "5m".to_owned() };
    (spec.service_account, spec.channel, spec.liveness) = (account, channel, Some(liveness));
    let profile = Profile::new("kubevirt", spec).map_err(|errors| {
        anyhow::anyhow!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    Ok(Installation { profile, settings })
}

fn kustomization(folder: &str, files: &[File]) -> File {
    let names = files.iter().filter_map(|file| file.path.rsplit('/').next());
    let resources: String = names.map(|name| format!("- {name}\n")).collect();
    let kind = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n";
    File { path: format!("manifests/{folder}/kustomization.yaml"), text: format!("{}{kind}{resources}", header("#")) }
}

/// The help of every command.
fn reference() -> File {
    let mut text = "<!-- Made by `cargo xtask generate`. -->\n\n# Commands\n".to_owned();
    for command in [
        nodebound::command_line(),
        agent_program::command(),
        controller_program::command(),
        operator_program::command(),
    ] {
        let mut command = command.term_width(100);
        command.build();
        let name = command.get_name().to_owned();
        section(&mut command, &name, &mut text);
    }
    File { path: "docs/commands.md".to_owned(), text }
}

/// The attacks, and what an agent must stay able to do.
fn catalogue() -> File {
    let mut text = "<!-- Made by `cargo xtask generate`. -->\n\n# The catalogue\n\n".to_owned();
    text.push_str("What `nodebound verify` and `nodebound demo` try. The requests are made from the profile: its owned keys, keys that\n");
    text.push_str("only look like them, the node of the agent and another one, every kind of patch.\n\n");
    text.push_str("| | attack | what it gains | described by |\n|---|---|---|---|\n");
    for recipe in attack::attacks() {
        let letter = recipe.letter.as_deref().unwrap_or_default();
        let sources: Vec<String> = recipe.sources.iter().map(|source| source_link(source)).collect();
        text.push_str(&format!(
            "| {letter} | {} (`{}`) | {} | {} |\n",
            recipe.title,
            recipe.id,
            recipe.gain,
            sources.join(", ")
        ));
    }
    text.push_str("\n| what the agent must stay able to do |\n|---|\n");
    for recipe in attack::legitimate() {
        text.push_str(&format!("| {} (`{}`) |\n", recipe.title, recipe.id));
    }
    File { path: "docs/attacks.md".to_owned(), text }
}

fn source_link(source: &str) -> String {
    if source.starts_with("https://") { format!("<{source}>") } else { source.to_owned() }
}

fn section(command: &mut clap::Command, name: &str, text: &mut String) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("{name} {}", sub.get_name());
        section(sub, &name, text);
    }
}

pub(crate) fn header(comment: &str) -> String {
    format!("{comment} Made by `cargo xtask generate`.\n")
}
