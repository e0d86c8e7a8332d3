//! Copies what agents publish to their Nodes, as far as it is theirs, and judges which nodes are alive.
//!
//! | module | holds |
//! |---|---|
//! | [`desired`] | the one function that says what is written on a Node, and what is not, and why |
//! | [`liveness`] | which nodes are silent, by what was seen and when |
//! | [`fair`] | whose turn it is |
//! | [`run`] | the running controller |
//! | [`vouched`] | whether the prober saw the guard refuse |
//! | [`probe`] | the same by probes of its own, where there is no prober |
//! | [`profiles`] | the profile as an object of the cluster, followed |
//! | [`report`], [`events`] | what it tells whoever runs it, and whoever looks with kubectl |
//! | [`shared`] | labels and annotations that nodes have in common, kept once |

pub mod desired;
pub mod events;
pub mod fair;
mod intake;
mod latch;
pub mod liveness;
mod pods;
pub mod probe;
pub mod profiles;
pub mod report;
mod rescue;
pub mod run;
pub mod shared;
mod state;
mod stranded;
mod told;
mod view;
pub mod vouched;
mod work;

pub use report::Report;
pub use run::{Controller, Settings};
pub use view::{FIELD_MANAGER, MOST};
