//! The server as a value: start it, ask it, save it.

use admission::UserInfo;
use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use thiserror::Error;

use super::audience::Audience;
use super::clock::Clock;
use super::dispatch::Incoming;
use super::reply::Body;
use super::settings::Settings;
use super::state::State;
use super::written::Written;
use crate::failure::Failure;
use crate::identity::authenticator::Authenticator;
use crate::identity::signing::SigningKey;
use crate::identity::token::Signer;
use crate::store::Store;
use crate::store::snapshot::Snapshot;

/// The largest body of a request, in bytes (`MaxRequestBodyBytes`).
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// A Kubernetes API server. Copies of it are the same server.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub settings: Arc<Settings>,
    pub state: Mutex<State>,
    /// The watches that are to be woken.
    pub audience: Arc<Audience>,
    /// Events as they were written for one watcher.
    pub written: Written,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no key to sign tokens with.
    #[error("cannot make a key for service account tokens: {0}")]
    Key(String),
    /// The saved state cannot be used.
    #[error("cannot use the saved state: {0}")]
    State(String),
}

/// One way into a server: a tower service. Who connects is decided by each request's bearer token; without one it is
/// the peer that the connection was opened as, or nobody known. Over HTTPS a client certificate comes before a token.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
    peer: Peer,
}

/// As whom a connection was opened.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// Nobody in particular.
    Nobody,
    /// A user, unless a token says otherwise.
    User(Arc<UserInfo>),
    /// A user, whatever a token says: the authenticator of certificates is asked first (`Config.New` in
    /// `pkg/kubeapiserver/authenticator/config.go`).
    Certified(Arc<UserInfo>),
    /// Somebody whose certificate names no user.
    Refused,
}

impl Sandbox {
    /// Starts a server with an empty store but for what every cluster has: its namespaces and bootstrap roles.
    ///
    /// # Errors
    /// [`StartError::Key`], if no key can be made.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let store = Store::new(settings.history);
        let sandbox = Self::over(settings, store)?;
        sandbox.lock().bootstrap();
        Ok(sandbox)
    }

    /// Starts a server with a saved state.
    ///
    /// # Errors
    /// [`StartError`], if the state is not usable or no key can be made.
    pub fn resume(settings: Settings, snapshot: Snapshot) -> Result<Self, StartError> {
        let store = Store::from_snapshot(snapshot, settings.history);
        Self::over(settings, store.map_err(|error| StartError::State(error.to_string()))?)
    }

    fn over(settings: Settings, store: Store) -> Result<Self, StartError> {
        let clock = settings.began.map_or_else(Clock::system, Clock::starting_at);
        let key = SigningKey::generate().map_err(|error| StartError::Key(error.to_string()))?;
        let signer = Signer::new(key, &settings.issuer, settings.version);
        let authenticator = Arc::new(known_tokens(&settings, Authenticator::new(signer)));
        let settings = Arc::new(settings);
        let state = Mutex::new(State::new(settings.clone(), clock, authenticator, store));
        let inner = Inner { settings, state, audience: Arc::default(), written: Written::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A way in for clients that bring their own credentials.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connection_of(Peer::Nobody)
    }

    /// A way in for one user, unless a request has a token of another.
    #[must_use]
    pub fn connection_as(&self, user: UserInfo) -> Connection {
        self.connection_of(Peer::User(Arc::new(user)))
    }

    pub(super) fn connection_of(&self, peer: Peer) -> Connection {
        Connection { inner: self.inner.clone(), peer }
    }

    /// A way in for the administrator: `kubernetes-admin` of `system:masters`.
    #[must_use]
    pub fn admin(&self) -> Connection {
        self.connection_as(administrator())
    }

    /// Puts an object of a built-in kind into the store as it is, as if it had always been there. One of a kind that is
    /// not served is left out.
    pub fn plant(&self, object: serde_json::Value) {
        let mut state = self.lock();
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let Some(resource) = state.served.by_kind(&text("apiVersion"), &text("kind")) else { return };
        state.plant(&resource.group_resource(), object);
        drop(state);
        self.inner.announce();
    }

    /// The release that is emulated.
    #[must_use]
    pub fn version(&self) -> admission::KubeVersion {
        self.inner.settings.version
    }

    /// Everything that is stored.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.lock().store.to_snapshot()
    }

    /// Ends all watches, as a connection does that breaks.
    pub fn drop_watches(&self) {
        self.inner.drop_watches();
    }

    /// Forgets the history: watches and continued lists of the past are told that it is gone.
    pub fn compact(&self) {
        self.lock().forget_history();
    }

    /// Lets things go wrong by these rules from now on; no rules end it.
    pub fn trouble(&self, rules: Vec<crate::adversity::Rule>) {
        let mut state = self.lock();
        state.adversity = crate::adversity::Adversity::new(state.settings.seed, rules);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.lock()
    }
}

fn known_tokens(settings: &Settings, authenticator: Authenticator) -> Authenticator {
    settings.static_tokens.iter().fold(authenticator, |authenticator, (token, username, groups)| {
        let user = UserInfo { username: username.clone(), groups: groups.clone(), ..UserInfo::default() };
        authenticator.with_token(token, user)
    })
}

/// The administrator that a kubeconfig of the sandbox is for.
#[must_use]
pub fn administrator() -> UserInfo {
    UserInfo {
        username: "kubernetes-admin".to_owned(),
        groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        ..UserInfo::default()
    }
}

impl Inner {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn drop_watches(&self) {
        self.audience.cut().into_iter().for_each(Waker::wake);
    }

    /// Begins anew: connections break, the history is forgotten, and perhaps the objects are lost.
    pub fn restart(&self, keep_store: bool) {
        let mut state = self.lock();
        if keep_store {
            state.forget_history();
        } else {
            state.lose_everything();
        }
        drop(state);
        self.announce();
        self.drop_watches();
    }

    /// Wakes those who watch what has changed.
    pub fn announce(&self) {
        let wakers = self.audience.tell(&self.lock().store);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<B> tower_service::Service<Request<B>> for Connection
where
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { inner, peer } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let reply = match read_body(body).await {
                Ok(body) => Incoming::new(inner, peer, head, body).answer().await,
                Err(failure) => failure.into(),
            };
            Ok(reply.into_response())
        })
    }
}

async fn read_body<B>(body: B) -> Result<Bytes, Failure>
where
    B: http_body::Body,
    B::Data: Buf,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Failure::too_large(format!("Request entity too large: limit is {LARGEST_BODY}")))
        }
        Err(error) => Err(Failure::internal(format!("cannot read the body: {error}"))),
    }
}
