//! The operator in a cluster, until a signal.

use anyhow::Context as _;
use app::election::Candidate;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Config};
use operator::execute::Executor;
use operator::object::Objects;
use operator::prove::Claim;
use operator::run::Operator;
use operator::watching;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

use crate::arguments::Arguments;
use crate::telemetry::Telemetry;

/// The Lease of the leader.
const LEASE: &str = "nodebound-operator";
/// How long one look waits for a workload; the next one goes on.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime can be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let (settings, every) = (arguments.settings()?, arguments.every());
    let Arguments { identity, namespace, flags, .. } = arguments;
    let identity = identity.context("which replica? Give --identity, or set POD_NAME")?;
    let mut stops = app::signals::stops().context("signals cannot be received")?;
    let config = Config::infer().await.context("no way to the API server")?;
    let client = Client::try_from(config.clone()).context("no way to the API server")?;
    let telemetry = Telemetry::default();
    if let Some(address) = flags.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tokio::spawn(telemetry.endpoints().serve(listener));
    }
    let (leads, leading) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let (leave, left) = watch::channel(false);
    let candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, Box::new(Timestamp::now));
    let candidate = tokio::spawn(candidate.run(leads, told(left)));
    let wake = Arc::new(Notify::new());
    tokio::spawn({
        let (client, wake) = (client.clone(), wake.clone());
        async move { watching::watch(client, &namespace, wake).await }
    });
    let executor = Executor {
        objects: Objects::new(client),
        connect: Box::new(move || Client::try_from(config.clone()).map_err(|error| error.to_string())),
        claim: Claim::Elsewhere,
        patience: PATIENCE,
    };
    let noted = telemetry.clone();
    let report = Box::new(move |report| noted.note(&report));
    let operator = Operator::new(executor, settings, Box::new(Timestamp::now), every, rand::random(), report);
    let operator = tokio::spawn(operator.run(wake, leading, told(stopped)));
    telemetry.is_up();
    stops.recv().await;
    // Whoever leads next begins where this one ended.
    let end = async move {
        let _ = (stop.send(true), operator.await);
        let _ = (leave.send(true), candidate.await);
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
