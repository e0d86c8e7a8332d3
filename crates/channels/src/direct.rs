//! The agent patches its Node itself; the guard in the API server decides.
//!
//! A write is a merge patch of what differs from the Node as it was last read, with the Node's UID, under one field
//! manager. What the Node is after a write says the answer to it, so that a Node is read at the start and where an
//! answer is missing. A difference that the answer shows (somebody else changed an owned key) is written at once.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use ownership::Profile;
use ownership::identity::User;
use ownership::publication::{Claimed, NodePatch, diff};
use ownership::request::{Object, Texts};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

use crate::written::{removable, written};
use crate::{Backoff, Cause, Done, Failure, Publish, Refuser, Seen, Wanted};

/// The field manager of the agent's writes.
pub const FIELD_MANAGER: &str = "nodebound-agent";

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Writes in one try: the difference, and one that the answer showed.
const MOST_WRITES: u32 = 2;
/// Causes that are remembered as reported. The keys that a guard names belong to the cause.
const MOST_CAUSES: usize = 64;

/// No Node can have this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no name of a Node: at most 253 of a-z, 0-9, '-' and '.', of which '-' and '.' neither first nor last"
)]
pub struct NodeNameError(pub String);

/// The channel.
#[derive(Debug)]
pub struct Direct {
    nodes: Api<Node>,
    reviews: Api<SelfSubjectReview>,
    name: String,
    profile: Profile,
    managers: BTreeSet<String>,
    speaker: Option<User>,
    /// The Node as it was last read; nothing while a write is under way whose outcome is not known.
    node: Option<Value>,
    backoff: Backoff,
    reported: BTreeSet<Cause>,
}

/// A failure before it is known whether it is news.
struct Trouble {
    cause: Cause,
    message: String,
    asked: Duration,
}

impl Direct {
    /// A channel to the Node of that name, for the agent of that profile.
    ///
    /// # Errors
    /// [`NodeNameError`]
    pub fn new(client: Client, node: &str, profile: Profile, backoff: Backoff) -> Result<Self, NodeNameError> {
        if !is_node_name(node) {
            return Err(NodeNameError(node.to_owned()));
        }
        Ok(Self {
            nodes: Api::all(client.clone()),
            reviews: Api::all(client),
            name: node.to_owned(),
            profile,
            managers: BTreeSet::from([FIELD_MANAGER.to_owned()]),
            speaker: None,
            node: None,
            backoff,
            reported: BTreeSet::new(),
        })
    }

    /// Takes over what these field managers wrote: owned keys of theirs that are not published are removed, as if this
    /// agent had written them.
    #[must_use]
    pub fn adopting<M: Into<String>>(mut self, managers: impl IntoIterator<Item = M>) -> Self {
        self.managers.extend(managers.into_iter().map(Into::into));
        self
    }

    async fn try_once(&mut self, wanted: &Wanted) -> Result<Done, Trouble> {
        let speaker = self.speaker().await?;
        let mut node = match self.node.take() {
            Some(node) => node,
            None => self.fetch().await?,
        };
        let mut done = Done::default();
        while done.writes < MOST_WRITES {
            let Some(patch) = self.change(&node, wanted, &speaker, &mut done)? else { break };
            node = self.write(&patch).await?;
            done.writes += 1;
        }
        self.node = Some(node);
        Ok(done)
    }

    /// Who the server says that we are.
    async fn speaker(&mut self) -> Result<User, Trouble> {
        if let Some(speaker) = &self.speaker {
            return Ok(speaker.clone());
        }
        let asked = answered(self.reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await;
        let speaker = match asked {
            Ok(review) => user(review),
            // Kubernetes before 1.28 has no such review, and its tokens claim no node.
            Err(Trouble { cause: Cause::Gone, .. }) => {
                User { username: self.profile.username().to_owned(), extra: BTreeMap::new() }
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(self.speaker.insert(speaker).clone())
    }

    async fn fetch(&self) -> Result<Value, Trouble> {
        let node = answered(self.nodes.get_metadata(&self.name)).await?;
        serde_json::to_value(node).map_err(|error| Trouble::unreadable(&error))
    }

    async fn write(&self, patch: &NodePatch) -> Result<Value, Trouble> {
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let body = Patch::Merge(patch.merge_patch());
        let node = answered(self.nodes.patch_metadata(&self.name, &parameters, &body)).await?;
        serde_json::to_value(node).map_err(|error| Trouble::unreadable(&error))
    }

    /// The way of a publication from a claim to a patch.
    fn change(
        &self,
        node: &Value,
        wanted: &Wanted,
        speaker: &User,
        done: &mut Done,
    ) -> Result<Option<NodePatch>, Trouble> {
        let claimed = Claimed::new(self.name.clone(), wanted.publication.clone());
        let attributed = claimed.attribute(&self.profile, speaker).map_err(|error| Trouble {
            cause: Cause::Refused(Refuser::Channel),
            message: format!("{error}: the API server calls us {:?}", speaker.username),
            asked: Duration::ZERO,
        })?;
        let (permitted, left_out) = attributed.permit(&self.profile);
        done.left_out = left_out;
        let object = Object::new(node).map_err(|error| Trouble::unreadable(&error))?;
        let ours = removable(written(node, &self.managers), &wanted.keep);
        Ok(diff(&self.profile, &permitted, object, &ours))
    }

    fn succeed(&mut self) {
        self.backoff.reset();
        self.reported.clear();
    }

    fn fail(&mut self, Trouble { cause, message, asked }: Trouble) -> Failure {
        if cause.is_refusal() {
            // A token may have been replaced by one that says more.
            self.speaker = None;
        }
        let first = self.reported.len() < MOST_CAUSES && self.reported.insert(cause.clone());
        Failure { cause, message, after: self.backoff.next(asked), first }
    }
}

impl Publish for Direct {
    async fn read(&mut self) -> Result<Seen, Failure> {
        match self.fetch().await {
            Ok(node) => {
                let seen = Object::new(&node).map(seen).unwrap_or_default();
                self.node = Some(node);
                Ok(seen)
            }
            Err(trouble) => {
                self.node = None;
                Err(self.fail(trouble))
            }
        }
    }

    async fn publish(&mut self, wanted: &Wanted) -> Result<Done, Failure> {
        match self.try_once(wanted).await {
            Ok(done) => {
                self.succeed();
                Ok(done)
            }
            Err(trouble) => Err(self.fail(trouble)),
        }
    }
}

impl Trouble {
    fn unreadable(error: &dyn std::error::Error) -> Self {
        let message = format!("the answer is no Node: {error}");
        Self { cause: Cause::Server(200), message, asked: Duration::ZERO }
    }

    fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self { cause: Cause::Unreachable, message: chain(error), asked: Duration::ZERO };
        };
        let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        Self { cause: Cause::of(status), message: status.message.clone(), asked: Duration::from_secs(seconds.into()) }
    }
}

/// The answer to a request, if it comes in time.
async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    let late = || Trouble {
        cause: Cause::Late,
        message: format!("no answer within {} s", PATIENCE.as_secs()),
        asked: Duration::ZERO,
    };
    timeout(PATIENCE, request).await.map_err(|_| late())?.map_err(|error| Trouble::of(&error))
}

fn user(review: SelfSubjectReview) -> User {
    let info = review.status.and_then(|status| status.user_info).unwrap_or_default();
    User { username: info.username.unwrap_or_default(), extra: info.extra.unwrap_or_default() }
}

fn seen(node: Object<'_>) -> Seen {
    let texts = |texts: Texts<'_>| texts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Seen { labels: texts(node.labels()), annotations: texts(node.annotations()) }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A DNS subdomain (`IsDNS1123Subdomain` in `k8s.io/apimachinery/pkg/util/validation`).
fn is_node_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        ends.into_iter().all(|end| end.is_some_and(|byte| inner(*byte)))
            && bytes.iter().all(|b| inner(*b) || *b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_node_can_have_become_part_of_a_path() {
        for name in ["n", "node-1", "ip-10-0-0-1.eu.example.org", "1"] {
            assert!(is_node_name(name), "{name}");
        }
        let long = "n".repeat(254);
        for name in ["", "..", "a/b", "a?b", "A", "-a", "a-", "a..b", "a.", "é", "a b", "%2e", long.as_str()] {
            assert!(!is_node_name(name), "{name}");
        }
    }
}
