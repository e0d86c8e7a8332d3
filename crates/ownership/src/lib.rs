//! The rule: which metadata of a Node an agent owns, and whether one write keeps to it.
//!
//! A [`Profile`] says who an agent is and which keys it owns. [`decide`] judges one request against it. A
//! [`publication::Publication`] travels to the Node through types that each carry the proof of the step before:
//! `Claimed` → `Attributed` → `Permitted` → `NodePatch`.
//!
//! Pure and total: no I/O, no clock, no panic.

pub mod builtin;
mod decide;
pub mod equality;
pub mod guard;
pub mod identity;
pub mod key;
pub mod lint;
pub mod matcher;
pub mod parse;
pub mod path;
pub mod profile;
pub mod publication;
pub mod request;
pub mod spec;

pub use decide::{Decision, decide};
pub use profile::Profile;
