//! How results are written.

pub(crate) mod json;
pub(crate) mod paint;
pub(crate) mod suite_report;
pub(crate) mod table;
pub(crate) mod verdict_table;
pub(crate) mod yaml;
