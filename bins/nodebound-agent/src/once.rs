//! `--once`: what would be published from this host, and what came from where.

use agent::Host;
use agent::preview::{Preview, preview};
use serde_json::{Value, json};
use std::io::Write;

use crate::arguments::{Arguments, Output};

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let preview = preview(Host::default(), &arguments.configuration()?, &arguments.profile()?);
    let shown = shown(&preview);
    let text = match arguments.output {
        Output::Yaml => serde_saphyr::to_string(&shown)?,
        Output::Json => format!("{shown:#}\n"),
    };
    Ok(out.write_all(text.as_bytes())?)
}

fn shown(Preview { assembly, findings }: &Preview) -> Value {
    let sources: serde_json::Map<String, Value> =
        assembly.sources.iter().map(|(key, source)| (key.clone(), json!(source.to_string()))).collect();
    json!({
        "labels": assembly.publication.labels,
        "annotations": assembly.publication.annotations,
        "sources": sources,
        "findings": findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
