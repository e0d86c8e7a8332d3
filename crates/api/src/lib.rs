//! The types that users write: the cluster object [`AgentProfile`] and the suites of [`cases`].
//!
//! Pure: reading files and talking to clusters is left to others.

pub mod agent_profile;
pub mod cases;
mod definition;

pub use agent_profile::{AgentProfile, InvalidProfile};
pub use definition::agent_profile_definition;
