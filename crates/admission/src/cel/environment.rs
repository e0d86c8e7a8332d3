//! What an expression may use: functions by version, root names with their types, declared variables.

use std::fmt;

use super::error::CompileError;
use super::program::Program;
use super::types::Type;

/// A minor release of Kubernetes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubeVersion(u16);

impl KubeVersion {
    /// Before any release that this crate knows: present everywhere.
    pub const OLDEST: Self = Self(0);
    /// The newest release whose environment is known.
    pub const NEWEST: Self = Self(36);

    /// Release 1.`minor`.
    pub const fn minor(minor: u16) -> Self {
        Self(minor)
    }

    /// The version before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "1.{}", self.0)
    }
}

/// Whether an expression is written now or was accepted earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A new expression: limited to what the release before already had.
    New,
    /// A stored expression: everything the release has.
    Stored,
}

/// The declarations that expressions are checked against.
#[derive(Clone, Debug)]
pub struct Environment {
    version: KubeVersion,
}

impl Environment {
    /// The environment of a server release, without root names.
    pub fn new(release: KubeVersion, mode: Mode) -> Self {
        let version = match mode {
            Mode::New => release.previous(),
            Mode::Stored => release,
        };
        Self { version }
    }

    /// Which of the optional root names of an admission policy are declared, beside
    /// `object`, `oldObject`, `request` and `namespaceObject`.
    #[must_use]
    pub fn admission(self, _params: bool, _authorizer: bool) -> Self {
        self
    }

    /// Declares `variables` (without entries yet).
    #[must_use]
    pub fn with_variables(self) -> Self {
        self
    }

    /// Declares an entry of `variables` with the type of its expression, [`Type::Dyn`] if that does not compile.
    pub fn declare_variable(&mut self, _name: &str, _type: &Type) {}

    /// The compatibility version that decides which functions exist.
    pub fn version(&self) -> KubeVersion {
        self.version
    }

    /// Parses, checks and plans an expression. An empty list of expected types accepts every type.
    pub fn compile(&self, _source: &str, _expected: &[Type]) -> Result<Program, CompileError> {
        Err(CompileError::Program(String::from("not yet")))
    }
}
