//! What the agreement and end-to-end tests share: generated requests, and the two implementations of the rule.
#![expect(clippy::panic, reason = "in a tool of tests, panicking is the interface")]

pub mod agreement;
pub mod choices;
pub mod generate;
pub mod mutants;
pub mod nodes;
pub mod prober;
pub mod reach;
pub mod server;
pub mod wire;
