//! The profile as it is in force at this moment: its guard may be paused, or the cluster issue no claims to check. Pure.

use api::AgentProfile;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use ownership::Profile;
use ownership::identity::{NODE_NAME, POD_NAME};
use ownership::spec::{Action, OwnNode};
use serde_json::Value;

use crate::status::{ENFORCED, Reason, Weakened, condition};

/// How long a token may live that was issued before its cluster issued claims: an hour, and the time to replace it.
const TOKENS: SignedDuration = SignedDuration::from_mins(65);

/// Whether tokens name the node of their pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// They do.
    Issued,
    /// They name their pod, and not its node.
    NotIssued,
    /// Whoever asks has no token of a pod.
    Unknown,
}

impl Claims {
    /// What the answer to a SelfSubjectReview shows.
    #[must_use]
    pub fn seen_in(review: &Value) -> Self {
        let extra = review.pointer("/status/userInfo/extra");
        let has = |key: &str| extra.and_then(|extra| extra.get(key)).is_some();
        match (has(POD_NAME), has(NODE_NAME)) {
            (true, true) => Self::Issued,
            (true, false) => Self::NotIssued,
            (false, _) => Self::Unknown,
        }
    }
}

/// What is in force, and why it is less than what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The profile to install.
    pub profile: Profile,
    /// What weakens it.
    pub weakened: Option<Weakened>,
    /// Since when claims are issued, if they were not before.
    pub claims_since: Option<Timestamp>,
    /// Whether it is recorded meanwhile whose tokens name no node.
    pub rehearses: bool,
}

/// The profile as it is in force now.
#[must_use]
pub fn effective(
    profile: Profile,
    claims: Claims,
    was_without: bool,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Effective {
    let since = match claims {
        Claims::NotIssued => None,
        _ if was_without => since.or(Some(now)),
        _ => since,
    };
    let (profile, mut weakened) = bound(profile, claims, since, now);
    let rehearses = weakened.is_some() && claims != Claims::NotIssued;
    let pause = profile.spec().pause.clone();
    let profile = match pause.filter(|pause| is_in_force(&pause.until, now)) {
        Some(pause) => {
            weakened = Some(Weakened::Paused(pause.until, pause.reason));
            profile.with_actions(&[Action::Audit])
        }
        None => profile,
    };
    Effective { profile, weakened, claims_since: since, rehearses }
}

/// The same of an object as its status has it by now.
pub(crate) fn in_force(profile: Profile, object: &AgentProfile, claims: Claims, now: Timestamp) -> Effective {
    let before = object.status.as_ref();
    let enforced = before.and_then(|status| condition(status, ENFORCED));
    let was_without = enforced.is_some_and(|known| known.reason == format!("{:?}", Reason::NodeClaimMissing));
    let since = before.and_then(|status| status.claims_since.as_ref()?.parse().ok());
    effective(profile, claims, was_without, since, now)
}

/// A time that cannot be read has passed.
fn is_in_force(until: &str, now: Timestamp) -> bool {
    until.parse::<Timestamp>().is_ok_and(|until| now < until)
}

fn bound(profile: Profile, claims: Claims, since: Option<Timestamp>, now: Timestamp) -> (Profile, Option<Weakened>) {
    if profile.node() != OwnNode::Own {
        return (profile, None);
    }
    let all = since.map(|since| since + TOKENS);
    let why = match (claims, all) {
        (Claims::NotIssued, _) => "tokens do not name their node (Kubernetes does so from 1.32 on, or 1.30 with the feature gate ServiceAccountTokenPodNodeInfo): writes are bound to owned keys, and to the own node where a token names it".to_owned(),
        (_, Some(all)) if now < all => format!("tokens name their node, but not yet every agent's: from {all} on, one that does not is refused, and until then recorded in the audit log"),
        _ => return (profile, None),
    };
    (profile.with_node(OwnNode::OwnIfClaimed), Some(Weakened::NoClaims(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn profile(more: &str) -> Profile {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  serviceAccount: {{namespace: a, name: b}}\n{more}"
        );
        ownership::parse::profile(&text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let paused = profile("  pause: {until: '2030-01-01T12:00:00Z', reason: a test}\n");
        for (now, is_paused) in [("2030-01-01T11:59:59Z", true), ("2030-01-01T12:00:00Z", false)] {
            let effective = effective(paused.clone(), Claims::Issued, false, None, at(now));
            assert_eq!(effective.profile.actions() == [Action::Audit], is_paused, "{now}");
            assert_eq!(matches!(effective.weakened, Some(Weakened::Paused(..))), is_paused);
        }
        let unreadable = profile("  pause: {until: '2030-99-01T12:00:00Z', reason: a test}\n");
        let effective = effective(unreadable, Claims::Issued, false, None, at("2020-01-01T00:00:00Z"));
        assert_eq!(effective.profile.actions(), [Action::Deny, Action::Audit], "what cannot be read is no pause");
    }

    #[test]
    fn an_own_node_is_asked_for_when_every_token_names_one() {
        let table = [
            (Claims::Issued, false, None, OwnNode::Own, None),
            (Claims::Unknown, false, None, OwnNode::Own, None),
            (Claims::NotIssued, false, None, OwnNode::OwnIfClaimed, None),
            (Claims::NotIssued, true, Some("2030-01-01T00:00:00Z"), OwnNode::OwnIfClaimed, None),
            (Claims::Issued, true, None, OwnNode::OwnIfClaimed, Some("2030-01-01T12:00:00Z")),
            (Claims::Issued, true, Some("2030-01-01T10:55:01Z"), OwnNode::OwnIfClaimed, Some("2030-01-01T10:55:01Z")),
            (Claims::Issued, true, Some("2030-01-01T10:55:00Z"), OwnNode::Own, Some("2030-01-01T10:55:00Z")),
        ];
        for (claims, was_without, since, node, expected) in table {
            let effective = effective(profile(""), claims, was_without, since.map(at), at("2030-01-01T12:00:00Z"));
            assert_eq!(effective.profile.node(), node, "{claims:?} {since:?}");
            assert_eq!(effective.claims_since, expected.map(at), "{claims:?} {since:?}");
            assert_eq!(effective.weakened.is_some(), node != OwnNode::Own);
            assert_eq!(effective.rehearses, effective.weakened.is_some() && claims == Claims::Issued);
        }
    }

    #[test]
    fn claims_are_read_from_the_operators_own_token() {
        let review = |extra: Value| json!({"status": {"userInfo": {"extra": extra}}});
        let (pod, node) = ("authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/node-name");
        let table = [
            (json!({pod: ["a"], node: ["n"]}), Claims::Issued),
            (json!({pod: ["a"]}), Claims::NotIssued),
            (json!({node: ["n"]}), Claims::Unknown),
            (json!(null), Claims::Unknown),
        ];
        for (extra, expected) in table {
            assert_eq!(Claims::seen_in(&review(extra.clone())), expected, "{extra}");
        }
    }
}
