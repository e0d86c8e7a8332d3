//! The controller in a cluster, until a signal.

use anyhow::Context as _;
use app::election::Candidate;
use controller::events::Events;
use controller::{Controller, Report, probe};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use crate::arguments::Arguments;
use crate::telemetry::Telemetry;

/// Events that wait to be written.
const EVENTS: usize = 1024;
/// The Lease of the leader.
const LEASE: &str = "nodebound-controller";

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime can be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let (profile, settings) = (arguments.profile()?, arguments.settings());
    let Arguments { identity, namespace, flags, .. } = arguments;
    let identity = identity.context("which replica? Give --identity, or set POD_NAME")?;
    let mut stops = app::signals::stops().context("signals cannot be received")?;
    let client = Client::try_default().await.context("no way to the API server")?;
    let telemetry = Telemetry::default();
    if let Some(address) = flags.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tokio::spawn(telemetry.endpoints().serve(listener));
    }
    let (proof, guarded) = watch::channel(None);
    tokio::spawn(probe::probe(client.clone(), profile.clone(), proof));
    let (leads, leading) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, Box::new(Timestamp::now));
    let candidate = tokio::spawn(candidate.run(leads, told(stopped.clone())));
    let events = events(Events::new(client.clone(), &profile));
    let report = Box::new(move |report| {
        telemetry.note(&report);
        // Of too many Events the log has every one.
        let _ = events.try_send(report);
    });
    let controller =
        tokio::spawn(Controller { client, profile, settings, leading, guarded, report }.run(told(stopped)));
    stops.recv().await;
    // What is under way ends first; then another one may lead. A second signal ends it all.
    let end = async move {
        let _ = (stop.send(true), controller.await, candidate.await);
    };
    tokio::select! {
        () = end => {}
        _ = stops.recv() => {}
    }
    Ok(())
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // Who could say so is gone: that says it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Writes Events beside the controller's work.
fn events(events: Events) -> mpsc::Sender<Report> {
    let (sender, mut reports) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            if let Err(trouble) = events.tell(&report, Timestamp::now()).await {
                tracing::warn!(
                    about = "events",
                    "an Event could not be written: {}: {}",
                    trouble.cause,
                    trouble.message
                );
            }
        }
    });
    sender
}
