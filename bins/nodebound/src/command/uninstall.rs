//! `nodebound uninstall`: removes what was installed, the guard last, and never while it is needed.

use anyhow::Context as _;
use clap::Args;
use manifests::install::{Installation, Settings};
use operator::object::{Objects, Place, RequestError};
use operator::remove::{RemoveError, clear, removable, remove, written};
use operator::survey;
use ownership::Profile;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use super::install::{Format, Refused, ended};
use crate::cluster::Selection;
use crate::output::paint::harmless;
use crate::output::table::{Cell, Table};
use crate::output::{json, yaml};
use crate::{Console, Exit, profiles};

/// Remove what was installed for a profile, the guard last
///
/// A guard stays while its agent may write any Node by a right that is not ours to take away; --force removes it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An AgentProfile of the cluster, a built-in profile, or a file
    #[arg(long, short, value_name = "PROFILE")]
    profile: String,
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove the guard although its agent may then write every Node
    #[arg(long)]
    force: bool,
    /// Also remove the labels and annotations that our programs wrote on Nodes
    #[arg(long)]
    node_metadata: bool,
    /// The namespace of our programs
    #[arg(long, value_name = "NAME", default_value_t = Settings::default().namespace)]
    namespace: String,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    cluster: Selection,
}

/// What is removed.
#[derive(Default)]
struct Removal {
    places: Vec<Place>,
    nodes: BTreeMap<String, BTreeSet<String>>,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        match runtime.block_on(self.remove(console)) {
            Ok(removal) => {
                self.print(&removal, console)?;
                Ok(Exit::Fine)
            }
            Err(error) => Ok(ended(console, &error)),
        }
    }

    async fn remove(&self, console: &mut Console<'_>) -> anyhow::Result<Removal> {
        let (client, _) = self.cluster.connect().await?;
        let objects = Objects::new(client);
        let settings = Settings { namespace: self.namespace.clone(), ..Settings::default() };
        let installation = Installation { profile: self.profile(&objects).await?, settings };
        let nodes = if self.node_metadata { written(&objects).await? } else { BTreeMap::new() };
        if self.dry_run {
            return Ok(Removal { places: removable(&objects, &installation).await?, nodes });
        }
        let removed = remove(&objects, &installation, self.force, |place| {
            console.say(harmless(&format!("delete {place}")));
        });
        let places = removed.await.map_err(|error| match error {
            RemoveError::Exposed { .. } | RemoveError::Another { .. } => anyhow::Error::new(Refused(error.to_string())),
            RemoveError::Request(error) => error.into(),
        })?;
        for (node, keys) in &nodes {
            console.say(harmless(&format!("remove {} keys from Node {node}", keys.len())));
            clear(&objects, node).await?;
        }
        Ok(Removal { places, nodes })
    }

    /// That of the cluster, which is what is installed.
    async fn profile(&self, objects: &Objects) -> anyhow::Result<Profile> {
        let listed = match survey::profiles(objects).await {
            // There are no AgentProfiles.
            Err(RequestError::Refused { code: 404, .. }) => Vec::new(),
            listed => listed?,
        };
        let known = listed.into_iter().find(|listed| listed.name() == self.profile);
        match known.and_then(|listed| listed.profile.ok()) {
            Some((profile, _)) => Ok(profile),
            None => profiles::load(&self.profile, None),
        }
    }

    fn print(&self, removal: &Removal, console: &mut Console<'_>) -> anyhow::Result<()> {
        let document = json!({"objects": removal.places, "nodes": removal.nodes, "dryRun": self.dry_run});
        match self.output {
            Format::Json => json::document(console.out, &document)?,
            Format::Yaml => yaml::document(console.out, &document)?,
            Format::Table => {
                let header = if self.dry_run { "WOULD BE REMOVED" } else { "REMOVED" };
                let mut table = Table::new(&[header], console.look.colour);
                for place in &removal.places {
                    table.push(console.out, vec![Cell::plain(&place.to_string())])?;
                }
                for (node, keys) in &removal.nodes {
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    table.push(console.out, vec![Cell::plain(&format!("on Node {node}: {}", keys.join(", ")))])?;
                }
                table.finish(console.out)?;
            }
        }
        Ok(())
    }
}
