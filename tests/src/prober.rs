//! The prober beside a cluster of these tests.

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use manifests::install::Settings;
use operator::object::Objects;
use operator::prober::Prober;
use operator::run::Clock;
use operator::watching;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A clock that goes by that of the runtime, which in a sandbox may be faster than ours.
#[must_use]
pub fn clock(start: Instant) -> Clock {
    let begin = Timestamp::now() - start.elapsed();
    Box::new(move || begin + start.elapsed())
}

/// Probes over that client, until it is dropped.
#[must_use]
pub fn prober(client: Client, start: Instant) -> JoinSet<()> {
    let (wake, way) = (Arc::new(Notify::new()), client.clone());
    let prober = Prober {
        objects: Objects::new(client.clone()),
        connect: Box::new(move || Ok(way.clone())),
        settings: Settings::default(),
        identity: "prober".to_owned(),
        clock: clock(start),
        every: Duration::from_secs(60),
        report: Box::new(|_| ()),
    };
    let (leads, leading) = watch::channel(true);
    let mut tasks = JoinSet::new();
    tasks.spawn(watching::guards(client, wake.clone()));
    tasks.spawn(async move {
        prober.run(wake, leading, 1).await;
        drop(leads);
    });
    tasks
}
