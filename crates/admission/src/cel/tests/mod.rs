//! What the environment must share with kube-apiserver, as tables of facts.

mod costs;
mod differential;
mod hostile;
mod laziness;
mod server_outcomes;
mod versions;

use serde_json::Value as Json;

use super::{Activation, CompileError, Environment, KubeVersion, Mode, Program, Roots, Type, Value};

/// The objects of a request.
struct Objects {
    object: Json,
    old_object: Json,
    request: Json,
}

impl Objects {
    fn roots(&self) -> Roots<'_> {
        Roots {
            object: Some(&self.object),
            old_object: Some(&self.old_object),
            request: Some(&self.request),
            ..Roots::default()
        }
    }
}

/// What an expression should come to.
#[derive(Debug, Clone, Copy)]
enum Expectation {
    True,
    False,
    Error(&'static str),
    Compile(usize, usize, &'static str),
}

impl Expectation {
    /// What else the expression came to, if it did.
    fn refuted_by(self, text: &str, objects: &Objects) -> Option<String> {
        let program = match compile(text) {
            Ok(program) => program,
            Err(error) => return self.refuted_by_compile_error(text, &error),
        };
        let found = program.evaluate(&Activation::new(objects.roots())).result;
        let agrees = match (self, &found) {
            (Self::True, Ok(Value::Bool(true))) | (Self::False, Ok(Value::Bool(false))) => true,
            (Self::Error(expected), Err(error)) => error.to_string() == expected,
            _ => false,
        };
        (!agrees).then(|| format!("{text}: expected {self:?}, found {found:?}"))
    }

    fn refuted_by_compile_error(self, text: &str, error: &CompileError) -> Option<String> {
        let agrees = match (self, error.findings()) {
            (Self::Compile(line, column, message), [first, ..]) => {
                (first.line, first.column) == (line, column) && first.message.starts_with(message.trim())
            }
            _ => false,
        };
        (!agrees).then(|| format!("{text}: expected {self:?}, found {error}"))
    }
}

fn environment() -> Environment {
    Environment::new(KubeVersion::NEWEST, Mode::Stored).admission(true, true)
}

fn compile(text: &str) -> Result<Program, CompileError> {
    environment().compile(text, &[Type::Bool])
}
