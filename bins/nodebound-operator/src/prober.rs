//! The prober in a cluster, until a signal.

use anyhow::Context as _;
use app::election::Candidate;
use app::endpoints::Endpoints;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Config};
use operator::object::Objects;
use operator::prober::{Prober, Report};
use operator::watching;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::arguments::Arguments;
use crate::serve::told;

/// The Lease of the leader.
const LEASE: &str = "nodebound-prober";

type Of = [(&'static str, String); 1];

/// The numbers since the start. Clones share them.
#[derive(Clone, Debug, Default)]
struct Telemetry {
    leading: Gauge,
    refuses: Family<Of, Gauge>,
    said: Family<Of, Gauge>,
    failures: Counter,
    ready: Arc<AtomicBool>,
}

pub(crate) async fn serve(arguments: Arguments) -> anyhow::Result<()> {
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
    let ((leads, leading), (leave, left)) = (watch::channel(false), watch::channel(false));
    let candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, Box::new(Timestamp::now));
    let candidate = tokio::spawn(candidate.run(leads, told(left)));
    let wake = Arc::new(Notify::new());
    tokio::spawn(watching::guards(client.clone(), wake.clone()));
    let noted = telemetry.clone();
    let prober = Prober {
        objects: Objects::new(client),
        connect: Box::new(move || Client::try_from(config.clone()).map_err(|error| error.to_string())),
        settings,
        identity,
        clock: Box::new(Timestamp::now),
        every,
        report: Box::new(move |report| noted.note(&report)),
    };
    let prober = tokio::spawn(prober.run(wake, leading, rand::random()));
    telemetry.ready.store(true, Ordering::Relaxed);
    stops.recv().await;
    prober.abort();
    // Another one need not wait until the Lease has run out.
    let _ = leave.send(true);
    tokio::select! {
        _ = candidate => {}
        _ = stops.recv() => {}
    }
    Ok(())
}

impl Telemetry {
    fn note(&self, report: &Report) {
        let of = |name: &String| [("profile", name.clone())];
        match report {
            Report::Leading(leads) => {
                self.leading.set((*leads).into());
                self.refuses.clear();
                self.said.clear();
                tracing::info!("{}", if *leads { "leads" } else { "leads no more" });
            }
            Report::Probed => tracing::debug!("all profiles were probed"),
            Report::Said(name, finding) => {
                let refuses = finding.ending == api::finding::Ending::Refused;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.said.get_or_create(&of(name)).set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                self.refuses.get_or_create(&of(name)).set(refuses.into());
                if refuses {
                    tracing::debug!(profile = name, "the guards refuse: {}", finding.message);
                } else {
                    tracing::warn!(
                        profile = name,
                        "the guards are not proven ({:?}): {}",
                        finding.ending,
                        finding.message
                    );
                }
            }
            Report::Unjudged(name, why) => {
                self.failures.inc();
                tracing::warn!(profile = name, "a probe was not judged: {why}");
            }
            Report::Failed(error) => {
                self.failures.inc();
                tracing::warn!("{error}");
            }
            Report::Gone(name) => {
                self.refuses.remove(&of(name));
                self.said.remove(&of(name));
                tracing::info!(profile = name, "is not probed any more");
            }
        }
    }

    fn endpoints(&self) -> Endpoints {
        let mut metrics = Registry::with_prefix("nodebound_prober");
        metrics.register("leading", "Whether this replica leads", self.leading.clone());
        metrics.register("refuses", "Whether the guards of a profile were last seen to refuse", self.refuses.clone());
        metrics.register_with_unit(
            "last_finding",
            "When something was last said of a profile, since the Unix epoch",
            Unit::Seconds,
            self.said.clone(),
        );
        metrics.register("failures", "Probes that were not judged, and requests that failed", self.failures.clone());
        let ready = self.ready.clone();
        let readiness = move || ready.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "not started yet".into());
        Endpoints { metrics, readiness: Box::new(readiness) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::finding::{Ending, Finding};
    use prometheus_client::encoding::text::encode;

    #[test]
    fn reports_become_numbers() {
        let telemetry = Telemetry::default();
        let Endpoints { metrics, readiness } = telemetry.endpoints();
        assert!(readiness().is_err());
        telemetry.ready.store(true, Ordering::Relaxed);
        let found = |ending| Finding { ending, message: String::new(), guards: Vec::new() };
        for report in [
            Report::Leading(true),
            Report::Probed,
            Report::Said("p".into(), found(Ending::Refused)),
            Report::Said("q".into(), found(Ending::LetIn)),
            Report::Said("r".into(), found(Ending::Refused)),
            Report::Gone("r".into()),
            Report::Unjudged("p".into(), "500".into()),
            Report::Failed("no answer".into()),
        ] {
            telemetry.note(&report);
        }
        assert_eq!(readiness(), Ok(()));
        let mut text = String::new();
        encode(&mut text, &metrics).unwrap();
        for line in [
            "nodebound_prober_leading 1",
            "nodebound_prober_refuses{profile=\"p\"} 1",
            "nodebound_prober_refuses{profile=\"q\"} 0",
            "nodebound_prober_failures_total 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(!text.contains("profile=\"r\""), "{text}");
    }
}
