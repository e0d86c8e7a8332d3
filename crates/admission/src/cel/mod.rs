//! The API server's expression environment for admission policies: parser, type checker, evaluator, cost.

mod ast;
mod check;
mod comprehension;
mod cost;
mod declarations;
mod depth;
mod dispatch;
pub mod environment;
pub mod equality;
pub mod error;
pub mod estimate;
mod estimate_calls;
mod evaluate;
mod function;
mod functions;
pub mod library;
mod macros;
pub mod map;
mod nesting;
pub mod overload;
mod parse;
mod plan;
pub mod program;
mod select;
mod show;
mod source;
#[cfg(test)]
mod tests;
pub mod time;
pub mod types;
mod unify;
mod validate;
pub mod value;
mod variables;

pub use environment::{Environment, KubeVersion, Mode};
pub use error::{Cause, CompileError, EvalError, Finding};
pub(crate) use functions::display_double;
pub use program::{Activation, Evaluation, Program, Roots};
pub use types::Type;
pub use value::Value;
pub use variables::Variables;
