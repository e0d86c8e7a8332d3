//! Which of several programs leads, by a Lease.
//!
//! A leader renews the Lease; the others watch whether it *changes*, on their own clocks, so that clocks that differ do no
//! harm. A leader that could not renew for ten seconds does not lead any more, five seconds before anybody else may. The
//! times are those of client-go's leader election (`k8s.io/client-go/tools/leaderelection`).

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::{Api, Client};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long a Lease that does not change is somebody's.
pub const LEASE: Duration = Duration::from_secs(15);
/// How long a leader may fail to renew it.
pub const RENEW: Duration = Duration::from_secs(10);
/// How often it is looked at.
pub const RETRY: Duration = Duration::from_secs(2);

/// Tells the time that is written into the Lease, for people.
pub type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// One who would lead.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    clock: Clock,
    /// The Lease as it was last seen to change, and when.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Candidate {
    /// For the Lease of that namespace and name. No two candidates have one identity.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, clock: Clock) -> Self {
        let leases = Api::namespaced(client, namespace);
        Self { leases, name: name.to_owned(), identity: identity.to_owned(), clock, seen: None }
    }

    /// Takes part until `stop` comes, and says whether it leads. At the end it gives the Lease back, so that another one
    /// need not wait for it to run out.
    pub async fn run(mut self, leads: watch::Sender<bool>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.term(&leads) => {}
            }
        }
        let led = leads.send_replace(false);
        if led {
            // Who comes next waits longer, if this fails; nothing worse.
            let _ = timeout(RETRY, self.release()).await;
        }
    }

    /// Waits until it leads, and leads until it cannot any more.
    async fn term(&mut self, leads: &watch::Sender<bool>) {
        while !self.acquired().await {
            sleep(RETRY).await;
        }
        let mut renewed = Instant::now();
        leads.send_replace(true);
        loop {
            sleep(RETRY).await;
            let left = RENEW.saturating_sub(renewed.elapsed());
            let asked = Instant::now();
            match timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = asked,
                Ok(Err(_)) if renewed.elapsed() < RENEW => {}
                // It is another's, or there was no time left to find out.
                _ => break,
            }
        }
        leads.send_replace(false);
    }

    async fn acquired(&mut self) -> bool {
        matches!(timeout(RENEW, self.attempt()).await, Ok(Ok(true)))
    }

    /// Takes or renews the Lease, if it is free or ours.
    async fn attempt(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else { return self.create().await };
        let spec = lease.spec.clone().unwrap_or_default();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec.clone(), Instant::now()));
        }
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let ours = holder == self.identity;
        let expired = self.seen.as_ref().is_some_and(|(_, since)| since.elapsed() >= LEASE);
        if !ours && !holder.is_empty() && !expired {
            return Ok(false);
        }
        let spec = self.spec(&spec, ours);
        self.replace(Lease { spec: Some(spec), ..lease }).await
    }

    async fn create(&mut self) -> kube::Result<bool> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let spec = Some(self.spec(&LeaseSpec::default(), false));
        let created = self.leases.create(&PostParams::default(), &Lease { metadata, spec }).await;
        unless_faster(created)
    }

    /// With the version that was read, so that of two who try one succeeds.
    async fn replace(&mut self, lease: Lease) -> kube::Result<bool> {
        unless_faster(self.leases.replace(&self.name, &PostParams::default(), &lease).await)
    }

    async fn release(&mut self) -> kube::Result<bool> {
        let Some(lease) = self.leases.get_opt(&self.name).await? else { return Ok(false) };
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            return Ok(false);
        }
        let spec = LeaseSpec { holder_identity: None, ..spec };
        self.replace(Lease { spec: Some(spec), ..lease }).await
    }

    fn spec(&self, before: &LeaseSpec, ours: bool) -> LeaseSpec {
        // It changes each time, also where a clock stands still or goes back.
        let later = before.renew_time.as_ref().and_then(|time| time.0.checked_add(SignedDuration::from_micros(1)).ok());
        let now = (self.clock)();
        let now = Some(MicroTime(later.map_or(now, |later| later.max(now))));
        let transitions = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            renew_time: now.clone(),
            acquire_time: if ours { before.acquire_time.clone() } else { now },
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..before.clone()
        }
    }
}

/// A conflict means that another one was faster.
fn unless_faster<T>(outcome: kube::Result<T>) -> kube::Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
