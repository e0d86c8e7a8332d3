//! What the prober found out about the guards of one profile, as it says so in a Lease.
//!
//! Who may impersonate the agent may do nothing else, and who installs may not impersonate: between the two is a Lease in the
//! namespace of the programs, by profile, which is renewed as long as the guards are seen to refuse. A finding of which
//! nothing was heard for five minutes says nothing any more.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The annotation of the Lease that has the finding, as JSON.
pub const ANNOTATION: &str = "nodebound.io/finding";
/// How long a finding counts, by the clock of whoever reads it.
pub const LASTS: SignedDuration = SignedDuration::from_mins(5);

/// The Lease of a profile.
#[must_use]
pub fn lease_name(profile: &str) -> String {
    format!("nodebound-prober-{profile}")
}

/// How the probes of a profile's guards ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Each guard refused, often enough and long enough to be a proof.
    Refused,
    /// A probe got through.
    LetIn,
    /// Somebody else refused, or a guard by another rule.
    Otherwise,
    /// There is nothing to probe with.
    Nothing,
}

/// A guard as it stood when it was probed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seen {
    /// The name of the policy, which is that of its binding.
    pub policy: String,
    /// The rule by which it refused, as `own-node`.
    pub rule: String,
    /// UID and generation of the policy, and of its binding.
    pub versions: [String; 2],
}

/// What probes showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// How they ended.
    pub ending: Ending,
    /// Where they were made, or what was seen instead of a refusal.
    pub message: String,
    /// The guards, that of publications first.
    pub guards: Vec<Seen>,
}

/// Why a Lease says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unread {
    /// It holds no finding.
    #[error("the Lease {0} holds no finding of the prober")]
    Unreadable(String),
    /// Its time is too far from ours.
    #[error("the prober has been silent since {since}; does the Deployment nodebound-prober run?")]
    Silent {
        /// When it was last heard of.
        since: String,
    },
}

impl Finding {
    /// The Lease that says so.
    ///
    /// # Panics
    /// Never: a finding is JSON.
    #[must_use]
    pub fn lease(&self, namespace: &str, profile: &str, holder: &str, at: Timestamp) -> Lease {
        let text = serde_json::to_string(self).expect("a finding has no maps with keys other than text");
        Lease {
            metadata: ObjectMeta {
                name: Some(lease_name(profile)),
                namespace: Some(namespace.to_owned()),
                annotations: Some([(ANNOTATION.to_owned(), text)].into()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                renew_time: Some(MicroTime(at)),
                ..LeaseSpec::default()
            }),
        }
    }

    /// What a Lease says now.
    ///
    /// # Errors
    /// [`Unread`]
    pub fn read(lease: &Lease, now: Timestamp) -> Result<Self, Unread> {
        let unreadable = || Unread::Unreadable(lease.metadata.name.clone().unwrap_or_default());
        let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()).ok_or_else(unreadable)?;
        if now.duration_since(renewed.0).abs() >= LASTS {
            return Err(Unread::Silent { since: renewed.0.to_string() });
        }
        let text = lease.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
        text.and_then(|text| serde_json::from_str(text).ok()).ok_or_else(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    fn finding() -> Finding {
        let seen =
            Seen { policy: "nodebound-p".into(), rule: "own-node".into(), versions: ["u/1".into(), "v/1".into()] };
        Finding { ending: Ending::Refused, message: "Node n".into(), guards: vec![seen] }
    }

    #[test]
    fn what_is_said_is_read_for_five_minutes() {
        let lease = finding().lease("ns", "p", "pod", at(0));
        assert_eq!(lease.metadata.name.as_deref(), Some("nodebound-prober-p"));
        for seconds in [-299, 0, 299] {
            assert_eq!(Finding::read(&lease, at(seconds)), Ok(finding()), "{seconds}");
        }
        for seconds in [-300, 300, 86_400] {
            assert!(matches!(Finding::read(&lease, at(seconds)), Err(Unread::Silent { .. })), "{seconds}");
        }
    }

    #[test]
    fn what_is_no_finding_says_nothing() {
        let good = finding().lease("ns", "p", "pod", at(0));
        let mut cases = vec![Lease::default()];
        for text in ["", "{}", r#"{"ending":"Proven","message":"","guards":[]}"#] {
            let mut lease = good.clone();
            lease.metadata.annotations = Some([(ANNOTATION.to_owned(), text.to_owned())].into());
            cases.push(lease);
        }
        cases.push(Lease { spec: None, ..good.clone() });
        cases.push(Lease { metadata: ObjectMeta::default(), ..good });
        for lease in cases {
            assert!(matches!(Finding::read(&lease, at(1)), Err(Unread::Unreadable(_))), "{lease:?}");
        }
    }
}
