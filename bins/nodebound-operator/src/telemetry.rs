//! What the operator reports, as log lines and as numbers.

use app::endpoints::Endpoints;
use operator::run::Report;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

type Of = [(&'static str, String); 1];

/// The numbers since the start. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    leading: Gauge,
    profiles: Gauge,
    enforced: Family<Of, Gauge>,
    proven: Family<Of, Gauge>,
    repaired: Family<Of, Counter>,
    steps: Family<Of, Counter>,
    failures: Counter,
    orphaned: Gauge,
    is_blind: Gauge,
    ready: Arc<AtomicBool>,
}

impl Telemetry {
    pub fn note(&self, report: &Report) {
        let of = |name: &String| [("profile", name.clone())];
        match report {
            Report::Leading(leads) => {
                self.leading.set((*leads).into());
                tracing::info!("{}", if *leads { "leads" } else { "leads no more" });
            }
            Report::Looked(profiles) => {
                self.profiles.set(i64::try_from(*profiles).unwrap_or(i64::MAX));
                self.is_blind.set(0);
                tracing::debug!("{profiles} profiles looked at");
            }
            Report::Blind(error) => {
                self.is_blind.set(1);
                tracing::warn!("profiles cannot be looked at: {error}");
            }
            Report::Gone(name) => {
                self.enforced.remove(&of(name));
                self.proven.remove(&of(name));
                tracing::warn!(
                    profile = name,
                    "its AgentProfile has gone: what was installed for it stays, and nobody repairs it; `nodebound uninstall` removes it"
                );
            }
            Report::Orphaned(guards) => {
                self.orphaned.set(i64::try_from(*guards).unwrap_or(i64::MAX));
            }
            Report::Does(name, step) => {
                self.steps.get_or_create(&of(name)).inc();
                tracing::info!(profile = name, "{step}");
            }
            Report::Proven(name) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.proven.get_or_create(&of(name)).set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                tracing::info!(profile = name, "the guard was seen to refuse");
            }
            Report::Repaired(name, place) => {
                self.repaired.get_or_create(&of(name)).inc();
                tracing::warn!(profile = name, "somebody had changed {place}; it is repaired");
            }
            Report::Enforced(name, holds, reason) => {
                self.enforced.get_or_create(&of(name)).set((*holds == Some(true)).into());
                tracing::debug!(profile = name, "enforced: {holds:?} ({reason})");
            }
            Report::Unsaid(error) => {
                self.failures.inc();
                tracing::warn!("what is found cannot be written: {error}");
            }
        }
    }

    /// The watches run, and the API server answers.
    pub fn is_up(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// What is served on the port.
    pub fn endpoints(&self) -> Endpoints {
        let mut metrics = Registry::with_prefix("nodebound_operator");
        metrics.register("leading", "Whether this replica leads", self.leading.clone());
        metrics.register("profiles", "AgentProfiles of the cluster", self.profiles.clone());
        metrics.register("enforced", "Whether the guard of a profile is in force", self.enforced.clone());
        metrics.register_with_unit(
            "last_proof",
            "When the guard of a profile was last seen to refuse, since the Unix epoch",
            Unit::Seconds,
            self.proven.clone(),
        );
        metrics.register("repairs", "Objects that somebody had changed", self.repaired.clone());
        metrics.register("steps", "Steps of installations", self.steps.clone());
        metrics.register("unsaid", "Statuses and Events that could not be written", self.failures.clone());
        metrics.register("orphaned_guards", "Guards whose AgentProfile has gone", self.orphaned.clone());
        metrics.register("blind", "Whether profiles cannot be looked at", self.is_blind.clone());
        let ready = self.ready.clone();
        let readiness = move || ready.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "not started yet".into());
        Endpoints { metrics, readiness: Box::new(readiness) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn reports_become_numbers() {
        let telemetry = Telemetry::default();
        let Endpoints { metrics, readiness } = telemetry.endpoints();
        assert!(readiness().is_err());
        telemetry.is_up();
        assert_eq!(readiness(), Ok(()));
        for report in [
            Report::Leading(true),
            Report::Looked(2),
            Report::Enforced("p".into(), Some(true), "GuardProven".into()),
            Report::Enforced("q".into(), None, "NotProven".into()),
            Report::Enforced("r".into(), Some(true), "GuardProven".into()),
            Report::Gone("r".into()),
            Report::Orphaned(3),
        ] {
            telemetry.note(&report);
        }
        let mut text = String::new();
        encode(&mut text, &metrics).unwrap();
        for line in [
            "nodebound_operator_leading 1",
            "nodebound_operator_profiles 2",
            "nodebound_operator_enforced{profile=\"p\"} 1",
            "nodebound_operator_enforced{profile=\"q\"} 0",
            "nodebound_operator_orphaned_guards 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(!text.contains("profile=\"r\""), "{text}");
    }
}
