//! The operator in a cluster, until a signal.

use anyhow::Context as _;
use app::election::Candidate;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use operator::execute::{Executor, Prover};
use operator::object::Objects;
use operator::run::Operator;
use operator::watching;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

use crate::arguments::Arguments;
use crate::prober;
use crate::telemetry::Telemetry;

/// The Lease of the leader.
const LEASE: &str = "nodebound-operator";
/// How long one look waits for a workload; the next one goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is said anew that a guard is proven.
const CONFIRM: Duration = Duration::from_secs(600);

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime can be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.prober {
        return prober::serve(arguments).await;
    }
    let settings = arguments.settings()?;
    let Arguments { identity, namespace, flags, .. } = arguments;
    let identity = identity.context("which replica? Give --identity, or set POD_NAME")?;
    let mut stops = app::signals::stops().context("signals cannot be received")?;
    let client = Client::try_default().await.context("no way to the API server")?;
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
        async move { watching::everything(client, &namespace, wake).await }
    });
    let executor = Executor {
        objects: Objects::new(client),
        prover: Prover::Another { clock: Box::new(Timestamp::now) },
        patience: PATIENCE,
    };
    let noted = telemetry.clone();
    let report = Box::new(move |report| noted.note(&report));
    let operator = Operator::new(executor, settings, Box::new(Timestamp::now), CONFIRM, rand::random(), report);
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

pub(crate) async fn told(mut stopped: watch::Receiver<bool>) {
    // Who could say so is gone: that says it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
