//! Installations on the sandbox, on a clock that only moves when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod hold;
mod install;
mod looks;
mod prober;
mod replicas;
mod rights;
mod transitions;
