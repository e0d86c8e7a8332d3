//! `nodebound render`: the guards of a profile as manifests.

use anyhow::bail;
use clap::{Args, ValueEnum};
use manifests::Guarding;
use ownership::Profile;
use ownership::lint::{Cluster, lint};
use ownership::spec::{Channel, ServiceAccount};
use serde_json::{Value, json};

use crate::output::{json, yaml};
use crate::{Console, Exit, profiles};

/// Print the policies that enforce a profile, ready for kubectl apply
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A built-in profile (kubevirt, kubevirt-least) or a file
    #[arg(long, short, value_name = "PROFILE")]
    profile: String,
    /// Render for this service account instead of the profile's
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = profiles::service_account)]
    service_account: Option<ServiceAccount>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// YAML documents
    Yaml,
    /// One JSON List
    Json,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let Self { profile, service_account, output } = self;
        let profile = profiles::load_for(&profile, service_account)?;
        supported(&profile)?;
        for warning in lint(&profile, Cluster::default()) {
            console.say(format_args!("warning: {warning}"));
        }
        let objects = objects(&manifests::guards(&profile))?;
        match output {
            Format::Yaml => yaml::documents(console.out, &objects)?,
            Format::Json => {
                json::document(console.out, &json!({"apiVersion": "v1", "kind": "List", "items": objects}))?
            }
        }
        Ok(Exit::Fine)
    }
}

fn supported(profile: &Profile) -> anyhow::Result<()> {
    if profile.channel() == Channel::Pull {
        bail!("spec.channel: Pull: this version has no guard for this channel yet; use Direct");
    }
    Ok(())
}

/// Policies before bindings, so that no binding ever names a policy that is not there.
fn objects(guards: &[Guarding]) -> anyhow::Result<Vec<Value>> {
    let policies = guards.iter().map(|guard| serde_json::to_value(&guard.policy));
    let bindings = guards.iter().map(|guard| serde_json::to_value(&guard.binding));
    Ok(policies.chain(bindings).collect::<Result<_, _>>()?)
}
