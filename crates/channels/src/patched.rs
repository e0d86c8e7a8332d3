//! One object that an agent patches with what differs: the Node itself, or one in the middle.
//!
//! A write is a merge patch of what differs from the object as it was last read, with the object's UID, under one field
//! manager. What the object is after a write says the answer to it, so that it is read at the start and where an answer is
//! missing. A difference that the answer shows (somebody else changed an owned key) is written at once.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use ownership::Profile;
use ownership::identity::User;
use ownership::publication::{Claimed, NodePatch, diff};
use ownership::request::{Object, Texts};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;
use thiserror::Error;

use crate::trouble::{Trouble, answered};
use crate::written::{removable, written};
use crate::{Backoff, Cause, Done, Failure, Refuser, Seen, Wanted};

/// The field manager of the agent's writes.
pub const FIELD_MANAGER: &str = "nodebound-agent";

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

/// The object, and what is known of it.
#[derive(Debug)]
pub(crate) struct Patched<K> {
    objects: Api<K>,
    reviews: Api<SelfSubjectReview>,
    name: String,
    profile: Profile,
    managers: BTreeSet<String>,
    speaker: Option<User>,
    /// The object as it was last read; nothing while a write is under way whose outcome is not known.
    object: Option<Value>,
    backoff: Backoff,
    reported: BTreeSet<Cause>,
}

impl<K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug> Patched<K> {
    pub fn new(
        client: Client,
        objects: Api<K>,
        node: &str,
        profile: Profile,
        backoff: Backoff,
    ) -> Result<Self, NodeNameError> {
        if !is_node_name(node) {
            return Err(NodeNameError(node.to_owned()));
        }
        Ok(Self {
            objects,
            reviews: Api::all(client),
            name: node.to_owned(),
            profile,
            managers: BTreeSet::from([FIELD_MANAGER.to_owned()]),
            speaker: None,
            object: None,
            backoff,
            reported: BTreeSet::new(),
        })
    }

    pub fn adopt(&mut self, managers: impl Iterator<Item = String>) {
        self.managers.extend(managers);
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Tries once to bring the object to what is wanted.
    pub async fn try_once(&mut self, wanted: &Wanted) -> Result<Done, Trouble> {
        let speaker = self.speaker().await?;
        let mut object = match self.object.take() {
            Some(object) => object,
            None => self.fetch().await?,
        };
        let mut done = Done::default();
        while done.writes < MOST_WRITES {
            let Some(patch) = self.change(&object, wanted, &speaker, &mut done)? else { break };
            object = self.write(&patch).await?;
            done.writes += 1;
        }
        self.object = Some(object);
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
        let node = answered(self.objects.get_metadata(&self.name)).await?;
        serde_json::to_value(node).map_err(|error| Trouble::unreadable(&error))
    }

    async fn write(&self, patch: &NodePatch) -> Result<Value, Trouble> {
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let body = Patch::Merge(patch.merge_patch());
        let node = answered(self.objects.patch_metadata(&self.name, &parameters, &body)).await?;
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

    /// Reads the object.
    pub async fn read(&mut self) -> Result<Seen, Trouble> {
        self.object = None;
        let object = self.fetch().await?;
        let seen = Object::new(&object).map(seen).unwrap_or_default();
        self.object = Some(object);
        Ok(seen)
    }

    /// After a success.
    pub fn succeed(&mut self) {
        self.backoff.reset();
        self.reported.clear();
    }

    /// After a failure.
    pub fn fail(&mut self, Trouble { cause, message, asked }: Trouble) -> Failure {
        if cause.is_refusal() {
            // A token may have been replaced by one that says more.
            self.speaker = None;
        }
        let first = self.reported.len() < MOST_CAUSES && self.reported.insert(cause.clone());
        Failure { cause, message, after: self.backoff.next(asked), first }
    }
}

fn user(review: SelfSubjectReview) -> User {
    let info = review.status.and_then(|status| status.user_info).unwrap_or_default();
    User { username: info.username.unwrap_or_default(), extra: info.extra.unwrap_or_default() }
}

/// The labels and annotations of an object.
pub(crate) fn seen(node: Object<'_>) -> Seen {
    let texts = |texts: Texts<'_>| texts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Seen { labels: texts(node.labels()), annotations: texts(node.annotations()) }
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
