//! Installs guards and what they allow to run, proves that they refuse, and removes them, in an order that is safe at
//! every step: nothing is granted before the guard that limits it was seen to refuse.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | from what is there and what is wanted to the next steps; pure |
//! | [`rollout`] | workloads that change, one pod first |
//! | `former` | what another channel needed, kept while pods of before run |
//! | [`prove`] | whether the guard is seen to refuse, and to admit what is legitimate |
//! | [`prober`] | the prober: probes every guard for ever, in an account of its own, and says what it finds |
//! | `reported` | what the prober says of a guard as it stands |
//! | [`execute`] | does one step after the other, and looks afresh after each |
//! | [`remove`] | what is removed, and what has to stay |
//! | [`status`] | what is said of a profile: conditions and their reasons; pure |
//! | [`effective`] | the profile as it is in force: paused, or without claims |
//! | [`events`], [`watching`], [`run`] | the operator: one look after the other at every profile, for ever |
//! | [`survey`] | what is wrong with a profile that only the cluster shows |
//! | [`object`] | objects by their names, read and written |

pub mod effective;
pub mod events;
pub mod execute;
mod former;
pub mod object;
pub mod plan;
pub mod prober;
pub mod prove;
pub mod remove;
mod reported;
pub mod rollout;
pub mod run;
pub mod status;
pub mod survey;
pub mod watching;
