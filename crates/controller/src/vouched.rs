//! Whether the prober vouches for the guard on ShadowNodes, and on heartbeats where they are Leases: it says so in a Lease,
//! which is read every few seconds. What it said five minutes ago, or of another rule, counts for nothing.

use api::finding::{Ending, Finding, Seen, lease_name};
use channels::answered;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};
use ownership::Profile;
use ownership::guard::{Guard, Rule};
use ownership::publication::Guarded;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Tells the time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Looks for ever, and says whenever the prober says so anew, or does not any more.
pub async fn follow(
    client: Client,
    namespace: String,
    profile: Profile,
    clock: Clock,
    proof: watch::Sender<Option<Guarded>>,
) {
    let leases: Api<Lease> = Api::namespaced(client, &namespace);
    let (name, mut lease) = (lease_name(profile.name()), None);
    let mut told = None;
    loop {
        // Without an answer, what was read before runs out.
        if let Ok(found) = answered(leases.get_opt(&name)).await {
            lease = found;
        }
        match lease.as_ref().and_then(|lease| vouched(&profile, lease, clock())) {
            None => drop(proof.send_if_modified(|proof| proof.take().is_some())),
            guarded => {
                let version = lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
                // Once more is news too: what has been written until now was held.
                if proof.borrow().is_none() || told != version {
                    proof.send_replace(guarded);
                    told = version;
                }
            }
        }
        sleep(EVERY).await;
    }
}

/// Whether that Lease vouches for the guards whose objects are copied and believed.
fn vouched(profile: &Profile, lease: &Lease, now: Timestamp) -> Option<Guarded> {
    let finding = Finding::read(lease, now).ok().filter(|finding| finding.ending == Ending::Refused)?;
    let is_of = |guard: Guard, seen: &Seen| {
        seen.policy == guard.policy_name(profile.name()) && seen.rule == Rule::OwnNode.as_str()
    };
    let refuses = |guard: Guard| finding.guards.iter().any(|seen| is_of(guard, seen));
    if profile.beats_by_lease() && !refuses(Guard::Leases) {
        return None;
    }
    let seen = finding.guards.iter().find(|seen| is_of(Guard::ShadowNodes, seen))?;
    Guarded::seen(profile, Guard::ShadowNodes, &seen.policy, Rule::OwnNode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(more: &str) -> Profile {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  serviceAccount: {{namespace: a, name: b}}\n  channel: ShadowNode\n  labels: [{{key: x/y}}]\n{more}"
        );
        ownership::parse::profile(&text).unwrap()
    }

    const BY_LEASE: &str = "  liveness: {source: Lease, mark: {label: x/y, value: 'false'}}\n";

    fn seen(guard: Guard, rule: &str) -> Seen {
        Seen { policy: guard.policy_name("p"), rule: rule.to_owned(), versions: ["u/1", "v/1"].map(str::to_owned) }
    }

    fn is_vouched_for(profile: &Profile, ending: Ending, guards: Vec<Seen>, seconds: i64) -> bool {
        let at = |seconds| Timestamp::from_second(1_900_000_000 + seconds).unwrap();
        let lease = Finding { ending, message: String::new(), guards }.lease("n", "p", "pod", at(0));
        vouched(profile, &lease, at(seconds)).is_some()
    }

    #[test]
    fn guards_that_refused_lately_are_vouched_for() {
        let both = vec![seen(Guard::ShadowNodes, "own-node"), seen(Guard::Leases, "own-node")];
        assert!(is_vouched_for(&profile(""), Ending::Refused, both[..1].to_vec(), 1));
        assert!(is_vouched_for(&profile(BY_LEASE), Ending::Refused, both.clone(), 299));
        assert!(!is_vouched_for(&profile(BY_LEASE), Ending::Refused, both, 300));
    }

    #[test]
    fn nothing_else_is() {
        let (own, beats) = (seen(Guard::ShadowNodes, "own-node"), seen(Guard::Leases, "own-node"));
        for ending in [Ending::LetIn, Ending::Otherwise, Ending::Nothing] {
            assert!(!is_vouched_for(&profile(""), ending, vec![own.clone()], 1), "{ending:?}");
        }
        for guards in [
            vec![],
            vec![own.clone()],
            vec![beats.clone()],
            vec![own, seen(Guard::Leases, "metadata")],
            vec![seen(Guard::ShadowNodes, "labels"), beats.clone()],
            vec![seen(Guard::Nodes, "own-node"), beats],
        ] {
            assert!(!is_vouched_for(&profile(BY_LEASE), Ending::Refused, guards.clone(), 1), "{guards:?}");
        }
    }
}
