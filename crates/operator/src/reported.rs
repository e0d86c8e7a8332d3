//! What the prober says of a guard as it stands: of another guard, or of this one long ago, it says nothing.

use api::finding::{Ending, Finding, lease_name};
use k8s_openapi::api::coordination::v1::Lease;
use manifests::install::Installation;
use ownership::Profile;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use crate::object::{Objects, Place};
use crate::prober::versions;
use crate::prove::{NotProven, PATIENCE, Proven, expected, probed};
use crate::run::Clock;

/// Between two looks at what it says.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits until the prober has seen the guard refuse as it stands.
///
/// # Errors
/// [`NotProven`], the last one, once a minute has passed.
pub(crate) async fn reported(
    objects: &Objects,
    installation: &Installation,
    clock: &Clock,
) -> Result<Proven, NotProven> {
    let end = Instant::now() + PATIENCE;
    loop {
        match reported_now(objects, installation, clock).await {
            Err(_) if Instant::now() < end => sleep(PAUSE).await,
            result => return result,
        }
    }
}

/// What the prober has seen of the guard as it stands.
///
/// # Errors
/// [`NotProven`]
pub(crate) async fn reported_now(
    objects: &Objects,
    installation: &Installation,
    clock: &Clock,
) -> Result<Proven, NotProven> {
    let (profile, namespace) = (&installation.profile, &installation.settings.namespace);
    let place = Place {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.clone()),
        name: lease_name(profile.name()),
    };
    let silent =
        format!("the prober has said nothing of the profile; does the Deployment {namespace}/nodebound-prober run?");
    let found = objects.find([place.clone()]).await?.objects.remove(&place);
    let lease = found.and_then(|lease| serde_json::from_value::<Lease>(lease).ok());
    let lease = lease.ok_or(NotProven::Unsaid(silent))?;
    let finding = Finding::read(&lease, clock()).map_err(|error| NotProven::Unsaid(error.to_string()))?;
    let policies: Vec<String> = finding.guards.iter().map(|seen| seen.policy.clone()).collect();
    let stand = versions(objects, &policies).await?;
    judged(profile, &finding, &stand)
}

/// Whether that finding is a proof of the guards as they stand.
#[expect(clippy::result_large_err, reason = "it is the error of whoever asks")]
fn judged(profile: &Profile, finding: &Finding, stand: &[[String; 2]]) -> Result<Proven, NotProven> {
    let policy = probed(profile);
    match finding.ending {
        Ending::Refused => {}
        Ending::LetIn => return Err(NotProven::LetIn { policy, object: finding.message.clone() }),
        Ending::Otherwise => return Err(NotProven::Otherwise { policy, instead: finding.message.clone() }),
        Ending::Nothing => return Err(NotProven::Nothing(finding.message.clone())),
    }
    let rule = expected(profile).as_str();
    let by_rule = |said: &str| said == rule || said.strip_prefix(rule).is_some_and(|rest| rest.starts_with(' '));
    let is_it = finding.guards.first().is_some_and(|first| first.policy == policy && by_rule(&first.rule));
    let is_there = stand.iter().flatten().all(|version| !version.is_empty());
    let is_same = is_there && finding.guards.iter().map(|seen| &seen.versions).eq(stand);
    match Proven::reported(finding).filter(|_| is_it && is_same) {
        Some(proven) => Ok(proven),
        None => Err(NotProven::Unsaid(format!("the prober has not seen {policy} as it is by now"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::finding::Seen;

    fn profile(more: &str) -> Profile {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  serviceAccount: {{namespace: a, name: b}}\n{more}"
        );
        ownership::parse::profile(&text).unwrap()
    }

    fn versions(of: &str) -> [String; 2] {
        [format!("{of}/1"), format!("{of}/2")]
    }

    fn finding(policy: &str, rule: &str) -> Finding {
        let seen = Seen { policy: policy.to_owned(), rule: rule.to_owned(), versions: versions("u") };
        Finding { ending: Ending::Refused, message: "Node n".to_owned(), guards: vec![seen] }
    }

    #[test]
    fn a_finding_of_the_guard_as_it_stands_is_a_proof() {
        let own = finding("nodebound-p", "own-node");
        let proven = judged(&profile(""), &own, &[versions("u")]).unwrap();
        assert_eq!(proven.policy(), "nodebound-p");
        assert_eq!(proven.evidence(), "refused 5 of 5 probes by own-node");
        let on_status = finding("nodebound-p", "own-node on its status");
        assert!(judged(&profile(""), &on_status, &[versions("u")]).is_ok());
        assert!(judged(&profile("  node: Any\n"), &finding("nodebound-p", "labels"), &[versions("u")]).is_ok());
    }

    #[test]
    fn another_guard_rule_or_version_is_none() {
        let unsaid = |profile: &Profile, finding: &Finding, stand: &[[String; 2]]| {
            let error = judged(profile, finding, stand).unwrap_err();
            assert!(matches!(error, NotProven::Unsaid(_)), "{finding:?}: {error}");
        };
        let own = finding("nodebound-p", "own-node");
        unsaid(&profile(""), &own, &[versions("v")]);
        unsaid(&profile(""), &own, &[]);
        let gone = [String::new(), String::new()];
        let seen = Seen { versions: gone.clone(), ..own.guards[0].clone() };
        unsaid(&profile(""), &Finding { guards: vec![seen], ..own.clone() }, &[gone]);
        unsaid(&profile(""), &finding("nodebound-q", "own-node"), &[versions("u")]);
        unsaid(&profile(""), &finding("nodebound-p", "labels"), &[versions("u")]);
        unsaid(&profile(""), &finding("nodebound-p", "own-nodes"), &[versions("u")]);
        unsaid(&profile("  node: Any\n"), &own, &[versions("u")]);
        unsaid(&profile(""), &Finding { guards: Vec::new(), ..own }, &[]);
    }

    #[test]
    fn what_was_seen_instead_is_said() {
        let ended = |ending| {
            let finding = Finding { ending, message: "so".to_owned(), guards: Vec::new() };
            judged(&profile(""), &finding, &[]).unwrap_err()
        };
        let policy = "nodebound-p".to_owned();
        assert_eq!(ended(Ending::LetIn), NotProven::LetIn { policy: policy.clone(), object: "so".to_owned() });
        assert_eq!(ended(Ending::Otherwise), NotProven::Otherwise { policy, instead: "so".to_owned() });
        assert_eq!(ended(Ending::Nothing), NotProven::Nothing("so".to_owned()));
    }
}
