//! What an expression may use: functions by version, root names with their types, declared variables.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::check::{self, Checked, Reference};
use super::declarations::{self, Root};
use super::error::CompileError;
use super::estimate::{self, Sizes};
use super::function::{self, Function, Functions};
use super::nesting::MAX_NESTING;
use super::parse::{self, Tree};
use super::plan;
use super::program::Program;
use super::source::Source;
use super::types::{StructType, Type};
use super::validate;
use super::value::VARIABLES_TYPE;

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
    scope: Scope,
}

/// Everything that a name can mean before comprehensions add theirs.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    functions: Arc<Functions>,
    roots: Vec<(&'static str, Root, Type)>,
    types: Vec<(String, Type)>,
    variables: Option<Arc<StructType>>,
}

impl Environment {
    /// The environment of a server release, without root names.
    pub fn new(release: KubeVersion, mode: Mode) -> Self {
        let version = match mode {
            Mode::New => release.previous(),
            Mode::Stored => release,
        };
        let functions = functions_of(version);
        let types = type_names(&functions);
        Self { version, scope: Scope { functions, roots: Vec::new(), types, variables: None } }
    }

    /// Declares the root names of an admission policy: `object`, `oldObject`, `request`, `namespaceObject`,
    /// and `params` and `authorizer` where asked.
    #[must_use]
    pub fn admission(mut self, params: bool, authorizer: bool) -> Self {
        self.scope.roots = declarations::roots(params, authorizer);
        let declared = declarations::struct_types();
        self.scope.types.extend(declared.into_iter().map(|kind| (kind.name.clone(), Type::Struct(kind))));
        self
    }

    /// Declares the root names of a schema's rule: `self`, and `oldSelf` of the same type or, where asked, an optional
    /// of it (`apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go`).
    #[must_use]
    pub fn rule(mut self, this: &Type, optional_old: bool) -> Self {
        let old = if optional_old { Type::optional(this.clone()) } else { this.clone() };
        self.scope.roots = vec![("self", Root::This, this.clone()), ("oldSelf", Root::Old, old)];
        let declared = declarations::structs_of(this);
        self.scope.types.extend(declared.into_iter().map(|kind| (kind.name.clone(), Type::Struct(kind))));
        self
    }

    /// Declares `variables`, without entries yet.
    #[must_use]
    pub fn with_variables(mut self) -> Self {
        self.scope.variables = Some(Arc::new(StructType { name: VARIABLES_TYPE.to_owned(), fields: Vec::new() }));
        self
    }

    /// Declares an entry of `variables` with the type of its expression, [`Type::Dyn`] if that does not compile.
    /// Types that the server forgets between variables (optional, library types) become `dyn`, and so do types
    /// that nest deeper than values may.
    pub fn declare_variable(&mut self, name: &str, kind: &Type) {
        let mut fields = self.scope.variables.as_ref().map(|known| known.fields.clone()).unwrap_or_default();
        let kind = if kind.nests_within(MAX_NESTING) { declarations::variable_type(kind) } else { Type::Dyn };
        fields.push((name.to_owned(), kind));
        self.scope.variables = Some(Arc::new(StructType { name: VARIABLES_TYPE.to_owned(), fields }));
    }

    /// The compatibility version that decides which functions exist.
    pub fn version(&self) -> KubeVersion {
        self.version
    }

    /// Parses, checks and plans an expression. An empty list of expected types accepts every type.
    pub fn compile(&self, text: &str, expected: &[Type]) -> Result<Program, CompileError> {
        self.checked(text, expected)?.program()
    }

    /// Compiles an expression, and tells the most that an evaluation of it can cost.
    pub fn compile_estimated(&self, text: &str, sizes: &Sizes<'_>) -> Result<(Program, u64), CompileError> {
        let unit = self.checked(text, &[])?;
        let most = estimate::most(&unit.checked, &unit.tree.root, sizes);
        Ok((unit.program()?, most))
    }

    fn checked(&self, text: &str, expected: &[Type]) -> Result<Unit, CompileError> {
        let source = Source::new(text);
        let tree = parse::parse(&source, text, self.version)?;
        let checked = check::check(&self.scope, &source, &tree.positions, &tree.root)
            .map_err(|findings| source.error(findings))?;
        self.validate(&source, &tree, &checked)?;
        let result = checked.types.get(tree.root.id).cloned().unwrap_or(Type::Error);
        demand(expected, &result)?;
        Ok(Unit { tree, checked, result })
    }

    fn validate(&self, source: &Source<'_>, tree: &Tree, checked: &Checked) -> Result<(), CompileError> {
        let findings = validate::validate(source, tree, checked, self.version);
        if findings.is_empty() { Ok(()) } else { Err(source.error(findings)) }
    }
}

/// An expression that is right, before it is planned.
struct Unit {
    tree: Tree,
    checked: Checked,
    result: Type,
}

impl Unit {
    fn program(self) -> Result<Program, CompileError> {
        let Self { tree, checked, result } = self;
        let root = plan::plan(&checked, &tree.root)?;
        let uses_old =
            checked.references.iter().flatten().any(|reference| matches!(reference, Reference::Root(Root::Old)));
        Ok(Program { root, locals: checked.locals, result, uses_old })
    }
}

fn demand(expected: &[Type], found: &Type) -> Result<(), CompileError> {
    if expected.is_empty() || expected.contains(found) {
        return Ok(());
    }
    let names: Vec<String> = expected.iter().map(Type::runtime_name).collect();
    let expected = if names.len() == 1 { names.concat() } else { format!("one of [{}]", names.join(" ")) };
    Err(CompileError::ResultType { expected, got: found.runtime_name() })
}

impl Scope {
    /// A root name.
    pub fn root(&self, name: &str) -> Option<(Type, Root)> {
        if name == "variables" {
            return self.variables.as_ref().map(|kind| (Type::Struct(Arc::clone(kind)), Root::Variables));
        }
        self.roots.iter().find(|(known, ..)| *known == name).map(|(_, root, kind)| (kind.clone(), *root))
    }

    /// A function by its full name.
    pub fn function(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.get(name).cloned()
    }

    /// The type that a name stands for.
    pub fn type_named(&self, name: &str) -> Option<Type> {
        self.types.iter().find(|(known, _)| known == name).map(|(_, kind)| kind.clone())
    }
}

/// Tables are built once for each version.
fn functions_of(version: KubeVersion) -> Arc<Functions> {
    static TABLES: LazyLock<Mutex<HashMap<KubeVersion, Arc<Functions>>>> = LazyLock::new(Mutex::default);
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(tables.entry(version).or_insert_with(|| Arc::new(function::functions(version))))
}

/// The types that can be named: the language's own, and those of the libraries that are there.
fn type_names(functions: &Functions) -> Vec<(String, Type)> {
    let mut types: Vec<(String, Type)> =
        declarations::TYPE_NAMES.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    types.push((String::from("list"), Type::list(Type::Dyn)));
    types.push((String::from("map"), Type::map(Type::Dyn, Type::Dyn)));
    let overloads = functions.values().flat_map(|function| &function.overloads);
    for part in overloads.flat_map(|overload| overload.parameters.iter().chain([&overload.result])) {
        part.visit(&mut |part| add_type_name(&mut types, part));
    }
    types
}

fn add_type_name(types: &mut Vec<(String, Type)>, part: &Type) {
    if let Type::Opaque(name, parameters) = part
        && types.iter().all(|(known, _)| known != name)
    {
        let parameters = vec![Type::Dyn; parameters.len()];
        types.push(((*name).to_owned(), Type::Opaque(name, parameters)));
    }
}
