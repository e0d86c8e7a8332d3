//! What a controller sees of the objects that agents write, and whether it sees at all.

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::sleep;

use crate::trouble::{Trouble, answered};
use crate::{Backoff, Cause};

/// Objects in a page of a list. A page is in memory as a whole, and a Node with its managed fields takes much when it is
/// decoded.
const PAGE: u32 = 100;

/// ShadowNodes without what they may hold some day beside their metadata.
pub type ShadowNodes = Watched<PartialObjectMeta<api::ShadowNode>>;

/// One thing that a controller sees.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation<O> {
    /// Everything is listed anew.
    Begun,
    /// An object of the list.
    Listed(O),
    /// The list is complete: what was not in it is gone.
    Complete,
    /// A new or changed object.
    Changed(O),
    /// An object that was deleted, as it was last.
    Gone(O),
    /// Nothing is seen until further notice.
    Interrupted {
        /// Why.
        cause: Cause,
        /// What the server or the connection said.
        message: String,
    },
    /// The server answers again.
    Resumed,
}

/// Objects as a controller sees them.
pub trait Observe {
    /// What one observation is about.
    type Object;

    /// Waits for the next observation. It goes on for ever.
    fn next(&mut self) -> impl Future<Output = Observation<Self::Object>> + Send;
}

/// Objects that are listed and watched. It goes on after every failure, with waits that grow.
pub struct Watched<K> {
    api: Api<K>,
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    backoff: Backoff,
    wait: Option<Duration>,
}

impl ShadowNodes {
    /// All ShadowNodes.
    #[must_use]
    pub fn new(client: Client, backoff: Backoff) -> Self {
        Self::of(Api::all(client), backoff)
    }
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// The objects behind this API.
    #[must_use]
    pub fn of(api: Api<K>, backoff: Backoff) -> Self {
        Self { events: events(api.clone()).boxed(), api, backoff, wait: None }
    }

    async fn look(&mut self) -> Observation<K> {
        // A watch does not say that it works again before something changes; a list does.
        if let Some(wait) = self.wait.take() {
            sleep(wait).await;
            return match answered(self.api.list_metadata(&ListParams::default().limit(1))).await {
                Ok(_) => Observation::Resumed,
                Err(trouble) => self.interrupted(trouble),
            };
        }
        match self.events.next().await {
            Some(Ok(Event::Init)) => Observation::Begun,
            Some(Ok(event)) => {
                self.backoff.reset();
                observation(event)
            }
            Some(Err(error)) => self.interrupted(trouble(error)),
            None => {
                self.events = events(self.api.clone()).boxed();
                Observation::Begun
            }
        }
    }

    fn interrupted(&mut self, Trouble { cause, message, asked }: Trouble) -> Observation<K> {
        self.wait = Some(self.backoff.next(asked));
        Observation::Interrupted { cause, message }
    }
}

fn events<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, Config::default().page_size(PAGE))
}

impl<K> Observe for Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    type Object = K;

    async fn next(&mut self) -> Observation<K> {
        self.look().await
    }
}

fn observation<K>(event: Event<K>) -> Observation<K> {
    match event {
        Event::Init => Observation::Begun,
        Event::InitApply(object) => Observation::Listed(object),
        Event::InitDone => Observation::Complete,
        Event::Apply(object) => Observation::Changed(object),
        Event::Delete(object) => Observation::Gone(object),
    }
}

fn trouble(error: watcher::Error) -> Trouble {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Trouble::of(&error),
        watcher::Error::WatchError(status) => Trouble::of(&kube::Error::Api(status)),
        error @ watcher::Error::NoResourceVersion => Trouble::unreadable(&error),
    }
}
