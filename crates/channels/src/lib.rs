//! How a publication reaches the Node.
//!
//! An agent hands over what it [`Wanted`] to [`Publish`], and is told what became of it: [`Done`], or a [`Failure`] with
//! its cause and the time after which another try is worth it. A channel never waits by itself: one call is one try,
//! bounded in time, so that whoever has to stop can stop between two tries, and none is left half way.
//!
//! By [`Direct`] the agent patches its Node, and the guard in the API server decides; by [`ShadowNode`] it patches an object
//! of the same name, which a controller [observes](Observe) and copies.

pub mod backoff;
pub mod direct;
pub mod failure;
pub mod observe;
mod patched;
pub mod shadow_node;
mod trouble;
mod written;

use ownership::matcher::Pattern;
use ownership::publication::{self, Publication};
use std::collections::BTreeMap;

pub use backoff::Backoff;
pub use direct::Direct;
pub use failure::{Cause, Failure, Refuser};
pub use observe::{Observation, Observe, Watched};
pub use shadow_node::ShadowNode;
pub use trouble::{Trouble, answered};
pub use written::written;

/// What shall be on the Node, and what of ours there shall stay although it is not in the publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The labels and annotations.
    pub publication: Publication,
    /// What is not removed.
    pub keep: Keep,
}

/// Which of the keys that we wrote stay although they are not in the publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of them: the publication is a mark, not the whole.
    Everything,
    /// Labels that one of these matches.
    Labels(Vec<Pattern>),
}

impl Default for Keep {
    fn default() -> Self {
        Self::Labels(Vec::new())
    }
}

/// What has been published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How many writes it took; none where the Node was as wanted.
    pub writes: u32,
    /// Keys that the profile does not own or allow, which were left out.
    pub left_out: Vec<publication::Refusal>,
}

/// The labels and annotations that are on the Node, whoever wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A way for a publication to the Node.
pub trait Publish {
    /// Reads what is on the Node.
    ///
    /// # Errors
    /// [`Failure`]
    fn read(&mut self) -> impl Future<Output = Result<Seen, Failure>> + Send;

    /// Tries once to bring the Node to what is wanted. Nothing is sent where it already is.
    ///
    /// # Errors
    /// [`Failure`]
    fn publish(&mut self, wanted: &Wanted) -> impl Future<Output = Result<Done, Failure>> + Send;
}
