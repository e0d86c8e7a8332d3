//! How results are written.

pub(crate) mod attack_junit;
pub(crate) mod attack_table;
pub(crate) mod concluded;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod paint;
pub(crate) mod sarif;
pub(crate) mod suite_report;
pub(crate) mod table;
pub(crate) mod verdict_table;
pub(crate) mod yaml;
