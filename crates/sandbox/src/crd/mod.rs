//! CustomResourceDefinitions: what the server accepts, fills in, serves, and how it checks the objects.

mod compiled;
mod conversion;
mod correlation;
mod data;
mod declared;
mod default;
mod default_errors;
mod definition;
mod embedded;
mod escape;
mod field_path;
mod formats;
mod internal;
mod lists;
mod metadata;
mod numbers;
mod outcome;
mod prune;
mod rule_costs;
mod rules;
mod scale;
mod schema_errors;
mod served;
mod status;
pub mod structural;
mod structure;
#[cfg(test)]
mod tests;
mod types;
mod validate;
mod version_errors;
mod view;
mod warnings;

pub use compiled::{Compiled, Verdict};
pub use definition::{validate_definition, validate_definition_for};
pub use scale::Scale;
pub use served::resources;
pub use status::{accept_names, default_definition, prepare_create, prepare_update};
pub use types::Metadata;
pub use warnings::unrecognized_formats;
