//! The agent in a cluster, until a signal.

use agent::Host;
use agent::configuration::Watched;
use agent::events::Events;
use agent::keys;
use agent::kubevirt::KubeVirt;
use agent::life::Pace;
use agent::report::Report;
use agent::run::{Agent, Ended};
use anyhow::{Context as _, bail};
use channels::{Backoff, Direct, ShadowNode};
use kube::Client;
use ownership::spec::Channel;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::arguments::Arguments;
use crate::privileges;
use crate::telemetry::Telemetry;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Events that wait to be written; each report is made once, so there are few.
const EVENTS: usize = 64;
/// The field manager of the controller.
const CONTROLLER: &str = "nodebound-controller";

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Ended> {
    privileges::drop_all()?;
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime can be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<Ended> {
    let profile = arguments.profile()?;
    let Arguments { node, config, handover, flags, .. } = arguments;
    let node = node.context("which Node? Give --node, or set NODE_NAME")?;
    let stops = app::signals::stops().context("signals cannot be received")?;
    let client = Client::try_default().await.context("no way to the API server")?;
    let telemetry = Telemetry::default();
    if let Some(address) = flags.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tokio::spawn(telemetry.endpoints().serve(listener));
    }
    let events = events(Events::new(client.clone(), &node));
    let backoff = Backoff::seeded(rand::random());
    let agent = Agent {
        handover: handover.is_some(),
        channel: (),
        profile: profile.clone(),
        host: Host::default(),
        kubevirt: Some(KubeVirt::new(client.clone())),
        file: Watched::new(config),
        pace: Pace::default(),
        look: LOOK,
        seed: rand::random(),
        clock: Box::new(SystemTime::now),
        report: Box::new(move |report| {
            telemetry.note(&report);
            // Of too many Events the log has every one.
            let _ = events.try_send(report);
        }),
    };
    Ok(match profile.channel() {
        Channel::Direct => {
            // What the controller wrote for us while we published by ShadowNodes is ours to remove.
            let former = handover.into_iter().chain([CONTROLLER.to_owned()]);
            let channel = Direct::new(client, &node, profile, backoff)?.adopting(former);
            agent.over(channel).run(stops).await
        }
        Channel::ShadowNode if handover.is_some() => {
            bail!("--handover: with ShadowNodes the controller takes over, by --adopt")
        }
        Channel::ShadowNode => {
            let channel = ShadowNode::new(client.clone(), &node, profile, backoff)?.beating(client, keys::HEARTBEAT);
            agent.over(channel).run(stops).await
        }
        other => bail!("the profile's channel {other:?} is none of this version's: Direct and ShadowNode are"),
    })
}

/// Writes Events beside the agent's work.
fn events(events: Events) -> mpsc::Sender<Report> {
    let (sender, mut reports) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            if let Err(error) = events.tell(&report, SystemTime::now()).await {
                tracing::warn!(about = "events", "an Event could not be written: {error}");
            }
        }
    });
    sender
}
