//! Policies and bindings against requests: the behaviour of kube-apiserver 1.36, row by row.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be built fails its test")]

mod creation;
mod evaluation;
mod fixture;
mod matching;
mod params;
mod robustness;
