//! What the controller reports, as log lines and as numbers.

use app::endpoints::Endpoints;
use controller::Report;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type By = Family<[(&'static str, &'static str); 1], Counter>;

/// The numbers since the start. Clones share them.
#[derive(Clone, Debug, Default)]
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
    synced: Arc<AtomicBool>,
}

impl Telemetry {
    pub fn note(&self, report: &Report) {
        self.count(report);
        match report {
            Report::Wrote(_) | Report::Alive { recovered: false, .. } => tracing::debug!("{report}"),
            _ if report.is_warning() => tracing::warn!("{report}"),
            _ => tracing::info!("{report}"),
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
