//! The controller in a cluster, until a signal.

use anyhow::Context as _;
use app::election::Candidate;
use channels::Backoff;
use controller::events::Events;
use controller::{Controller, Report, Settings, probe, profiles, vouched};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Config};
use ownership::Profile;
use ownership::publication::Guarded;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::arguments::Arguments;
use crate::telemetry::Telemetry;

/// Events that wait to be written.
const EVENTS: usize = 1024;
/// The Lease of the leader.
const LEASE: &str = "nodebound-controller";

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime can be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let (profile, settings) = (arguments.profile()?, arguments.settings());
    let itself = arguments.itself();
    let Arguments { identity, namespace, flags, agent_profile, prober_token, .. } = arguments;
    let identity = identity.context("which replica? Give --identity, or set POD_NAME")?;
    let mut stops = app::signals::stops().context("signals cannot be received")?;
    let client = Client::try_default().await.context("no way to the API server")?;
    let probing = probing(prober_token).await.context("no way to the API server for probes")?;
    let telemetry = Telemetry::default();
    if let Some(address) = flags.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        tokio::spawn(telemetry.endpoints().serve(listener));
    }
    let (leads, leading) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let (leave, left) = watch::channel(false);
    let candidate = Candidate::new(client.clone(), &namespace, LEASE, &identity, Box::new(Timestamp::now));
    let candidate = tokio::spawn(candidate.run(leads, told(left)));
    let running = Running { client, probing, namespace, settings, leading, telemetry, itself };
    let controller = tokio::spawn(running.go_on(profile, agent_profile, stopped));
    stops.recv().await;
    // What is under way ends first; then another one may lead. A second signal ends it all.
    let end = async move {
        let _ = (stop.send(true), controller.await);
        let _ = (leave.send(true), candidate.await);
    };
    tokio::select! {
        () = end => {}
        _ = stops.recv() => {}
    }
    Ok(())
}

/// How probes of our own reach the API server, if there are to be any: we may not make them in our own name.
async fn probing(token: Option<PathBuf>) -> anyhow::Result<Option<Config>> {
    let Some(token) = token else { return Ok(None) };
    let token_file = Some(token.display().to_string());
    let mut config = Config::infer().await?;
    config.auth_info = kube::config::AuthInfo { token_file, ..kube::config::AuthInfo::default() };
    Ok(Some(config))
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // Who could say so is gone: that says it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// What the controller runs with, whatever the profile.
struct Running {
    client: Client,
    probing: Option<Config>,
    namespace: String,
    settings: Settings,
    leading: watch::Receiver<bool>,
    telemetry: Telemetry,
    itself: ObjectReference,
}

impl Running {
    /// Runs with one profile after the other, each until there is another one.
    async fn go_on(self, profile: Profile, followed: Option<String>, stopped: watch::Receiver<bool>) {
        let mut profiles = self.profiles(profile, followed);
        loop {
            let profile = tokio::select! {
                // The one who sends them never ends.
                profile = profiles.wait_for(Option::is_some) => profile.ok().and_then(|profile| profile.clone()),
                () = told(stopped.clone()) => None,
            };
            let Some(profile) = profile else { return };
            let (stopped, mut changed) = (stopped.clone(), profiles.clone());
            let stop = async move {
                tokio::select! {
                    Ok(()) = changed.changed() => {}
                    () = told(stopped) => {}
                }
            };
            self.with(profile, stop).await;
            if profiles.has_changed().is_ok_and(|changed| !changed) {
                return;
            }
        }
    }

    /// The profile, or those of the object of that name as it changes.
    fn profiles(&self, profile: Profile, followed: Option<String>) -> watch::Receiver<Option<Profile>> {
        let (valid, profiles) = watch::channel(None);
        let (client, mut report) = (self.client.clone(), self.reporter(&profile));
        tokio::spawn(async move {
            match followed {
                Some(name) => profiles::follow(client, &name, Backoff::seeded(0), valid, &mut *report).await,
                None => {
                    valid.send_replace(Some(profile));
                    valid.closed().await;
                }
            }
        });
        profiles
    }

    async fn with(&self, profile: Profile, stop: impl Future<Output = ()>) {
        self.telemetry.begin();
        let (proof, guarded) = watch::channel(None);
        let proving = self.proving(&profile, proof);
        let controller = Controller {
            client: self.client.clone(),
            report: self.reporter(&profile),
            profile,
            settings: self.settings.clone(),
            leading: self.leading.clone(),
            guarded,
        };
        controller.run(stop).await;
        proving.abort();
    }

    /// Says whether the guard is proven: by the prober's word, or by probes of our own.
    fn proving(&self, profile: &Profile, proof: watch::Sender<Option<Guarded>>) -> JoinHandle<()> {
        let profile = profile.clone();
        match self.probing.clone() {
            None => {
                let (client, namespace) = (self.client.clone(), self.namespace.clone());
                tokio::spawn(vouched::follow(client, namespace, profile, Box::new(Timestamp::now), proof))
            }
            Some(config) => {
                let connect = Box::new(move || Client::try_from(config.clone()).ok());
                tokio::spawn(probe::probe(connect, profile, proof))
            }
        }
    }

    fn reporter(&self, profile: &Profile) -> Box<dyn FnMut(Report) + Send> {
        let events = events(Events::new(self.client.clone(), profile, self.itself.clone()));
        let telemetry = self.telemetry.clone();
        Box::new(move |report| {
            telemetry.note(&report);
            // Of too many Events the log has every one.
            let _ = events.try_send(report);
        })
    }
}

/// Writes Events beside the controller's work.
fn events(events: Events) -> mpsc::Sender<Report> {
    let (sender, mut reports) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            if let Err(trouble) = events.tell(&report, Timestamp::now()).await {
                tracing::warn!(
                    about = "events",
                    "an Event could not be written: {}: {}",
                    trouble.cause,
                    trouble.message
                );
            }
        }
    });
    sender
}
