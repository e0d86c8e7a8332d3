//! Whether the guard on ShadowNodes is seen to refuse what comes from another node.
//!
//! The probe is a dry run in the name of the agent, with the claims of a node that there is not. It counts only if our
//! policy refuses it by the rule that binds an object to its node: five times in a row, over at least five seconds, since
//! API servers learn of a policy one after the other. A probe that is let in, or that anybody else refuses, ends the proof at
//! once, and so do five minutes without an answer. Where heartbeats are Leases, their guard is probed too.

use api::ShadowNode;
use channels::{Cause, Refuser, Trouble, answered};
use http::Request;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, Resource as _};
use ownership::Profile;
use ownership::guard::{Guard, HEARTBEATS, Rule};
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use ownership::publication::Guarded;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// The group of probes, which has the agent's rights on ShadowNodes before any agent has them.
pub const GROUP: &str = "nodebound:probe";
/// The extra key that a probe is known by.
pub const MARK: &str = "nodebound.io/probe";

/// Refusals in a row that are a proof.
const ENOUGH: u32 = 5;
/// Between two probes, until there is a proof: more than five seconds from the first of five to the last.
const SOON: Duration = Duration::from_millis(1300);
/// Between two probes afterwards.
const LATER: Duration = Duration::from_secs(60);
/// How long a proof lasts that nothing confirms any more.
const LASTS: Duration = Duration::from_secs(300);
/// A node that there is not.
const ELSEWHERE: &str = "nodebound-probe-elsewhere";

/// What one probe showed.
enum Shown {
    Refused(Guarded),
    /// It was let in, or somebody else refused it.
    Unguarded,
    /// There is nothing to probe yet, or nobody answered.
    Nothing,
}

/// Opens a way to the API server, if there is one. A proof needs a new connection for each probe: behind one name there
/// may be several servers, and not all of them have heard of the policy.
pub type Connect = Box<dyn Fn() -> Option<Client> + Send + Sync>;

/// Probes for ever, in the name of the agent; the clients may impersonate it. Says whenever the answer changes.
pub async fn probe(connect: Connect, profile: Profile, proof: watch::Sender<Option<Guarded>>) {
    let (mut refusals, mut last) = (0_u32, None);
    loop {
        let shown = match connect() {
            Some(client) => once(&client, &profile).await,
            None => Shown::Nothing,
        };
        match shown {
            Shown::Refused(guarded) => {
                refusals = refusals.saturating_add(1);
                last = Some(Instant::now());
                if refusals >= ENOUGH {
                    // Once more is news too: what has been written until now was held.
                    proof.send_replace(Some(guarded));
                }
            }
            Shown::Nothing if last.is_none_or(|last| last.elapsed() < LASTS) => {}
            Shown::Unguarded | Shown::Nothing => {
                (refusals, last) = (0, None);
                proof.send_if_modified(|proof| proof.take().is_some());
            }
        }
        sleep(if refusals >= ENOUGH { LATER } else { SOON }).await;
    }
}

async fn once(client: &Client, profile: &Profile) -> Shown {
    let shadows: Api<ShadowNode> = Api::all(client.clone());
    let found = match answered(shadows.list_metadata(&ListParams::default().limit(1))).await {
        Ok(found) => found,
        Err(trouble) => return undecided(&trouble),
    };
    let Some(name) = found.items.into_iter().next().and_then(|shadow| shadow.metadata.name) else {
        return Shown::Nothing;
    };
    if profile.beats_by_lease() {
        // Heartbeats are believed too.
        let lease = Lease::url_path(&(), Some(HEARTBEATS));
        match ask(client, profile, Guard::Leases, &format!("{lease}/{name}")).await {
            Ok(()) => {}
            Err(shown) => return shown,
        }
    }
    let shadow = ShadowNode::url_path(&(), None);
    match ask(client, profile, Guard::ShadowNodes, &format!("{shadow}/{name}")).await {
        Ok(()) => {
            Guarded::seen(profile, Guard::ShadowNodes, &Guard::ShadowNodes.policy_name(profile.name()), Rule::OwnNode)
                .map_or(Shown::Unguarded, Shown::Refused)
        }
        Err(shown) => shown,
    }
}

/// Tries to write an object in the name of an agent of another node: whether that guard refused it, by that rule.
async fn ask(client: &Client, profile: &Profile, guard: Guard, path: &str) -> Result<(), Shown> {
    let request = request(profile, path).ok_or(Shown::Nothing)?;
    let Err(trouble) = answered(client.request::<Value>(request)).await else { return Err(Shown::Unguarded) };
    match &trouble.cause {
        Cause::Refused(Refuser::Guard { policy, rule: Rule::OwnNode, .. })
            if *policy == guard.policy_name(profile.name()) =>
        {
            Ok(())
        }
        _ => Err(undecided(&trouble)),
    }
}

/// What a refusal by anybody else shows: that the guard is not what refuses. An answer that decides nothing shows nothing.
fn undecided(trouble: &Trouble) -> Shown {
    match trouble.cause {
        Cause::Refused(_) => Shown::Unguarded,
        _ => Shown::Nothing,
    }
}

fn request(profile: &Profile, path: &str) -> Option<Request<Vec<u8>>> {
    let claims = [(NODE_NAME, ELSEWHERE), (POD_NAME, "probe"), (POD_UID, "probe"), (MARK, "true")];
    let request = Request::patch(format!("{path}?dryRun=All"))
        .header("content-type", "application/merge-patch+json")
        .header("impersonate-user", profile.username())
        .header("impersonate-group", GROUP);
    let request = claims.into_iter().fold(request, |request, (key, value)| {
        request.header(format!("impersonate-extra-{}", key.replace('/', "%2f")), value)
    });
    request.body(b"{\"metadata\":{}}".to_vec()).ok()
}
