//! Attacks on the binding of a node agent: a catalogue of recipes as data, and the runner that makes them against any API
//! server and reports who refused.
//!
//! The catalogue learns what an agent owns from its profile, and nothing from the policies that guard it: an attacker
//! must not agree with the guard's mistakes. Every write is a server-side dry run.
//!
//! [`survey()`] finds out what there is to attack, [`Plan`] makes the requests of it, [`Report`] says what came of them.

pub mod answer;
pub mod catalogue;
pub mod exchange;
mod expand;
pub mod ground;
pub mod inspect;
pub mod keys;
pub mod layer;
pub mod matrix;
pub mod outcome;
pub mod page;
pub mod report;
pub mod run;
pub mod stage;
pub mod survey;

pub use answer::Answer;
pub use catalogue::{Recipe, attacks, legitimate};
pub use exchange::Credentials;
pub use expand::{Aim, Attempt};
pub use ground::{Ground, Speaker};
pub use layer::{Layer, Refusal};
pub use matrix::Matrix;
pub use outcome::Outcome;
pub use report::{Check, Conclusion, Report, Status, Trial};
pub use run::{Keys, Plan, Server};
pub use survey::{Survey, SurveyError, Wanted, survey};
