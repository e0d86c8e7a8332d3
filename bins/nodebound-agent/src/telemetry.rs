//! What the agent reports, as log lines and as numbers.

use agent::report::Report;
use app::endpoints::Endpoints;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers since the start. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    writes: Counter,
    failures: Family<[(&'static str, &'static str); 1], Counter>,
    failing: Gauge,
    ready: Gauge,
}

impl Telemetry {
    pub fn note(&self, report: &Report) {
        let about = self.count(report);
        match report {
            // Each heartbeat is one.
            Report::Published(_) => tracing::debug!(about, "{report}"),
            _ if report.is_warning() => tracing::warn!(about, "{report}"),
            _ => tracing::info!(about, "{report}"),
        }
    }

    fn count(&self, report: &Report) -> &'static str {
        match report {
            Report::Published(writes) => {
                self.writes.inc_by(u64::from(*writes));
                "published"
            }
            Report::Failed(failure) => {
                self.failures.get_or_create(&[("cause", failure.cause.word())]).inc();
                self.failing.set(1);
                "failed"
            }
            Report::Recovered => {
                self.failing.set(0);
                "recovered"
            }
            Report::Waiting(missing) => {
                self.ready.set(missing.is_empty().into());
                "readiness"
            }
            Report::Fault(_) | Report::ObsoleteHostModel(_) => "host",
            Report::LeftOut(_) | Report::NotPermitted(_) => "publication",
            Report::Configured | Report::Misconfigured(_) => "configuration",
        }
    }

    /// What is served on the port; ready once something has been published.
    pub fn endpoints(&self) -> Endpoints {
        let mut metrics = Registry::with_prefix("nodebound_agent");
        metrics.register("node_writes", "Writes of the Node", self.writes.clone());
        metrics.register("failures", "Causes for which publications began to fail", self.failures.clone());
        metrics.register("failing", "Whether the last publication failed", self.failing.clone());
        metrics.register("ready", "Whether every readiness input is there", self.ready.clone());
        let writes = self.writes.clone();
        let published = move || (writes.get() > 0).then_some(()).ok_or_else(|| "nothing has been published yet".into());
        Endpoints { metrics, readiness: Box::new(published) }
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
        let cause = channels::Cause::Refused(channels::Refuser::Rbac);
        let failure = channels::Failure { cause, message: "no".into(), after: std::time::Duration::ZERO, first: true };
        for report in [Report::Published(2), Report::Waiting(vec![]), Report::Failed(failure)] {
            telemetry.note(&report);
        }
        let mut text = String::new();
        encode(&mut text, &metrics).unwrap();
        for line in [
            "nodebound_agent_node_writes_total 2",
            "nodebound_agent_failures_total{cause=\"rbac\"} 1",
            "nodebound_agent_failing 1",
            "nodebound_agent_ready 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert_eq!(readiness(), Ok(()));
    }
}
