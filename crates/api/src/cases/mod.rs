//! Suites of cases: one request each, with what must come of it.
//!
//! One format for unit tests of a policy, for end-to-end tables and for the catalogue of attacks. A case is data; who
//! runs it (the evaluator here, a sandbox, a real API server) is not written in it, only where it cannot run and why.

mod expectation;
mod format;
mod identity;
mod parse;
mod patch;
mod resolve;

pub use expectation::{Denied, Expectation, Failed, Layer};
pub use format::{Case, Fill, MapField, Named, NotRun, Operation, ResourceName, Suite};
pub use identity::{Claims, Identity, User, service_account};
pub use parse::{Problem, SuiteError, parse};
pub use patch::{Patch, PatchType, Unpatchable};
pub use resolve::{Change, Resolved};

/// The `apiVersion` of a suite.
pub const API_VERSION: &str = "nodebound.io/cases/v1";
/// The `kind` of a suite.
pub const KIND: &str = "Suite";
