//! The API server's expression environment for admission policies: parser, type checker, evaluator, cost.

pub mod environment;
pub mod equality;
pub mod error;
pub mod library;
pub mod map;
pub mod overload;
pub mod program;
pub mod time;
pub mod types;
pub mod value;

pub use environment::{Environment, KubeVersion, Mode};
pub use error::{CompileError, EvalError, Finding};
pub use program::{Activation, Evaluation, Program, Roots, Variables};
pub use types::Type;
pub use value::Value;
