//! The types that users write: the cluster object [`AgentProfile`] and the suites of [`cases`]; and [`ShadowNode`], which
//! agents write; and [`finding`], what probes showed.
//!
//! Pure: reading files and talking to clusters is left to others.

pub mod agent_profile;
pub mod cases;
mod definition;
pub mod finding;
mod rules;
pub mod shadow_node;

pub use agent_profile::{AgentProfile, AgentProfileStatus, GuardStatus, InvalidProfile};
pub use definition::{agent_profile_definition, shadow_node_definition};
pub use shadow_node::ShadowNode;
