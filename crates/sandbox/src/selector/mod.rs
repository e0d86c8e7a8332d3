//! The selectors of a request: `labelSelector` and `fieldSelector`.

mod field;
mod label;

pub use field::FieldSelector;
pub use label::LabelSelector;
