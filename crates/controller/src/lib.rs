//! Copies what agents publish to their Nodes, as far as it is theirs, and judges which nodes are alive.
//!
//! | module | holds |
//! |---|---|
//! | [`desired`] | the one function that says what is written on a Node, and what is not, and why |
//! | [`liveness`] | which nodes are silent, by what was seen and when |
//! | [`fair`] | whose turn it is |
//! | [`shared`] | labels and annotations that nodes have in common, kept once |

pub mod desired;
pub mod fair;
pub mod liveness;
pub mod shared;
