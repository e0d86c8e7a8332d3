//! `nodebound verify` against the cluster of the demonstration, served over HTTPS.

mod bad_input;
mod beside;
pub(crate) mod cluster;
mod formats;
mod means;
mod writes;
