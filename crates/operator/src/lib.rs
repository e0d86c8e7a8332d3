//! Installs guards and what they allow to run, proves that they refuse, and removes them, in an order that is safe at
//! every step: nothing is granted before the guard that limits it was seen to refuse.
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | from what is there and what is wanted to the next steps; pure |
//! | [`prove`] | whether the guard is seen to refuse, and to admit what is legitimate |
//! | [`execute`] | does one step after the other, and looks afresh after each |
//! | [`remove`] | what is removed, and what has to stay |
//! | [`object`] | objects by their names, read and written |

pub mod execute;
pub mod object;
pub mod plan;
pub mod prove;
pub mod remove;
