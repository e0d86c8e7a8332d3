//! What the controller reports, as log lines and as numbers.

use app::endpoints::Endpoints;
use controller::Report;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type By = Family<[(&'static str, &'static str); 1], Counter>;

/// The numbers since the start. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    writes: Counter,
    refused: By,
    held: By,
    failures: By,
    silent: Counter,
    recovered: Counter,
    limited: Counter,
    leading: Gauge,
    guarded: Gauge,
    blind: Gauge,
    waiting: Gauge,
    took: Histogram,
    stranded: Counter,
    profile_invalid: Gauge,
    synced: Arc<AtomicBool>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            writes: Counter::default(),
            refused: Family::default(),
            held: Family::default(),
            failures: Family::default(),
            silent: Counter::default(),
            recovered: Counter::default(),
            limited: Counter::default(),
            leading: Gauge::default(),
            guarded: Gauge::default(),
            blind: Gauge::default(),
            waiting: Gauge::default(),
            // From a millisecond to about a minute.
            took: Histogram::new(exponential_buckets(0.001, 2.0, 17)),
            stranded: Counter::default(),
            profile_invalid: Gauge::default(),
            synced: Arc::default(),
        }
    }
}

impl Telemetry {
    pub fn note(&self, report: &Report) {
        self.count(report);
        match report {
            Report::Took(_) | Report::Waiting(_) => tracing::trace!("{report}"),
            Report::Wrote(_) | Report::Alive { recovered: false, .. } => tracing::debug!("{report}"),
            _ if report.is_warning() => tracing::warn!("{report}"),
            _ => tracing::info!("{report}"),
        }
    }

    /// A controller begins anew, with another profile: it has seen and proven nothing yet.
    pub fn begin(&self) {
        self.synced.store(false, Ordering::Relaxed);
        for gauge in [&self.guarded, &self.blind, &self.waiting] {
            gauge.set(0);
        }
    }

    fn count(&self, report: &Report) {
        match report {
            Report::Synced => self.synced.store(true, Ordering::Relaxed),
            Report::Blind { .. } => {
                self.blind.inc();
            }
            Report::Sighted(_) => {
                self.blind.dec();
            }
            Report::Leading(leads) => {
                self.leading.set((*leads).into());
            }
            Report::Guarded(seen) => {
                self.guarded.set((*seen).into());
            }
            Report::Wrote(_) => {
                self.writes.inc();
            }
            Report::LeftOut { rule, .. } => {
                self.refused.get_or_create(&[("rule", rule.as_str())]).inc();
            }
            Report::Held { held, .. } => {
                self.held.get_or_create(&[("cause", held.word())]).inc();
            }
            Report::Failed { cause, .. } => {
                self.failures.get_or_create(&[("cause", cause.word())]).inc();
            }
            Report::Silent(_) => {
                self.silent.inc();
            }
            Report::Alive { recovered: true, .. } => {
                self.recovered.inc();
            }
            Report::Limited => {
                self.limited.inc();
            }
            Report::Took(time) => self.took.observe(time.as_secs_f64()),
            Report::Waiting(nodes) => {
                self.waiting.set(i64::try_from(*nodes).unwrap_or(i64::MAX));
            }
            Report::Stranded { .. } => {
                self.stranded.inc();
            }
            Report::ProfileTaken => {
                self.profile_invalid.set(0);
            }
            Report::ProfileInvalid(_) | Report::ProfileGone | Report::ProfileUnseen(_) => {
                self.profile_invalid.set(1);
            }
            Report::Overruled(_) | Report::Orphaned(_) | Report::NotRescued { .. } => {}
            Report::Alive { .. } | Report::Made(..) | Report::Removed(..) => {}
        }
    }

    /// What is served on the port; ready once every watch has listed.
    pub fn endpoints(&self) -> Endpoints {
        let mut metrics = Registry::with_prefix("nodebound_controller");
        metrics.register("node_writes", "Writes of Nodes", self.writes.clone());
        metrics.register("keys_refused", "Publications of which keys were left out", self.refused.clone());
        metrics.register("publications_held", "Publications that were not taken", self.held.clone());
        metrics.register("failures", "Causes for which writes of a Node began to fail", self.failures.clone());
        metrics.register("nodes_silenced", "Nodes that became silent", self.silent.clone());
        metrics.register("nodes_recovered", "Nodes that were silent and are not any more", self.recovered.clone());
        metrics.register("marks_limited", "Times when more nodes were silent than may be marked", self.limited.clone());
        metrics.register("leading", "Whether this replica leads", self.leading.clone());
        metrics.register("guarded", "Whether the guard has been seen to refuse", self.guarded.clone());
        metrics.register("watches_blind", "Watches that do not work", self.blind.clone());
        metrics.register("nodes_waiting", "Nodes that wait for their turn", self.waiting.clone());
        metrics.register_with_unit(
            "publication_latency",
            "From a changed publication seen to its Node written",
            Unit::Seconds,
            self.took.clone(),
        );
        metrics.register("machines_failed", "Virtual machines that were given up", self.stranded.clone());
        metrics.register(
            "profile_not_followed",
            "Whether the AgentProfile is invalid, gone or unseen, and the last valid one in force",
            self.profile_invalid.clone(),
        );
        let synced = self.synced.clone();
        let ready =
            move || synced.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "not everything is listed yet".into());
        Endpoints { metrics, readiness: Box::new(ready) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::guard::Rule;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn reports_become_numbers() {
        let telemetry = Telemetry::default();
        let Endpoints { metrics, readiness } = telemetry.endpoints();
        assert!(readiness().is_err());
        let left_out = Report::LeftOut { node: "n".into(), rule: Rule::Labels, keys: vec!["a".into()] };
        for report in [Report::Synced, Report::Leading(true), Report::Wrote("n".into()), left_out] {
            telemetry.note(&report);
        }
        let mut text = String::new();
        encode(&mut text, &metrics).unwrap();
        for line in [
            "nodebound_controller_node_writes_total 1",
            "nodebound_controller_keys_refused_total{rule=\"labels\"} 1",
            "nodebound_controller_leading 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert_eq!(readiness(), Ok(()));
    }
}
