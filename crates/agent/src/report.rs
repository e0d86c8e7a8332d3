//! What the running agent has to tell, each thing once.

use channels::Failure;
use ownership::publication;
use std::collections::BTreeSet;
use thiserror::Error;

use crate::configuration::ConfigurationError;
use crate::fault::Fault;
use crate::publication::LeftOut;

/// Something that whoever runs the agent should know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Report {
    /// The Node was written, so many times.
    #[error("published: {0} writes")]
    Published(u32),
    /// A publication failed for a new cause.
    #[error("not published: {0}")]
    Failed(Failure),
    /// Publications work again.
    #[error("publications work again")]
    Recovered,
    /// Something cannot be read. The rest is published.
    #[error("{0}")]
    Fault(Fault),
    /// Keys are not published.
    #[error("{0}")]
    LeftOut(LeftOut),
    /// The channel left a key out.
    #[error("{} not published: the profile's rule {}", .0.key, .0.rule)]
    NotPermitted(publication::Refusal),
    /// An administrator named the CPU of this host obsolete.
    #[error("the host's CPU model {0} is obsolete by the KubeVirt object")]
    ObsoleteHostModel(String),
    /// The configuration is in force.
    #[error("the configuration is in force")]
    Configured,
    /// The configuration is bad; what it was before stays in force.
    #[error("{0}; what was in force before stays")]
    Misconfigured(ConfigurationError),
    /// These readiness inputs are missing; none: ready.
    #[error("{}", waiting(.0))]
    Waiting(Vec<String>),
}

fn waiting(missing: &[String]) -> String {
    if missing.is_empty() { "ready".to_owned() } else { format!("not ready: waiting for {}", missing.join(", ")) }
}

impl Report {
    /// Whether somebody should look into it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::Published(_) | Self::Recovered | Self::Configured | Self::Waiting(_))
    }
}

/// Findings that hold for a while: each is told when it appears, and again if it reappears.
#[derive(Debug, Default)]
pub(crate) struct Standing(BTreeSet<String>);

impl Standing {
    /// Those of the present findings that were not there before.
    pub fn news(&mut self, findings: Vec<Report>) -> Vec<Report> {
        let before = std::mem::take(&mut self.0);
        let (mut present, mut news) = (BTreeSet::new(), Vec::new());
        for finding in findings {
            let text = finding.to_string();
            let known = before.contains(&text);
            if present.insert(text) && !known {
                news.push(finding);
            }
        }
        self.0 = present;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Problem, Source};

    #[test]
    fn what_stands_is_told_when_it_appears() {
        let fault = |source| Report::Fault(Fault::new(source, Problem::Missing));
        let (kvm, ksm) = (fault(Source::Kvm), fault(Source::Ksm));
        let mut standing = Standing::default();
        let rounds = [
            (vec![kvm.clone(), kvm.clone()], vec![kvm.clone()]),
            (vec![kvm.clone(), ksm.clone()], vec![ksm.clone()]),
            (vec![ksm.clone()], vec![]),
            (vec![ksm, kvm.clone()], vec![kvm]),
        ];
        for (findings, news) in rounds {
            assert_eq!(standing.news(findings), news);
        }
    }

    #[test]
    fn reports_are_sentences() {
        let missing = Report::Waiting(vec!["device /dev/kvm".into(), "file /run/x".into()]);
        assert_eq!(missing.to_string(), "not ready: waiting for device /dev/kvm, file /run/x");
        assert_eq!(Report::Waiting(vec![]).to_string(), "ready");
        assert!(!missing.is_warning() && Report::Fault(Fault::new(Source::Kvm, Problem::Denied)).is_warning());
    }
}
