//! The type checker: resolves names and overloads, infers types, reports what does not fit.

use std::sync::Arc;

use super::ast::{Element, Entry, Expr, Field, FoldExpr, Kind, Positions, operator, qualified_name};
use super::declarations::Root;
use super::environment::Scope;
use super::error::Finding;
use super::function::Function;
use super::source::Source;
use super::types::{StructType, Type};
use super::unify::{Bindings, most_general};
use super::value::Value;

/// What an expression refers to.
#[derive(Clone, Debug)]
pub(super) enum Reference {
    /// A root name.
    Root(Root),
    /// A variable of a comprehension, by its place in the evaluation's frame.
    Local(usize),
    /// A type used as a value.
    TypeName(String),
    /// A function with the overloads that can apply; qualified if the receiver is part of its name.
    Function { function: Arc<Function>, overloads: Vec<usize>, qualified: bool },
    /// The places of a comprehension's accumulator and variables.
    Fold { accumulator: usize, variable: usize, second: usize },
}

/// The checker's findings about a tree, by expression number.
#[derive(Debug)]
pub(super) struct Checked {
    pub types: Vec<Type>,
    pub references: Vec<Option<Reference>>,
    pub locals: usize,
}

/// Checks a tree against the names in scope.
pub(super) fn check(
    scope: &Scope,
    source: &Source<'_>,
    positions: &Positions,
    root: &Expr,
) -> Result<Checked, Vec<Finding>> {
    let mut checker = Checker {
        scope,
        source,
        positions,
        types: vec![Type::Error; positions.len()],
        references: vec![None; positions.len()],
        bindings: Bindings::default(),
        locals: Vec::new(),
        frame: 0,
        findings: Vec::new(),
    };
    checker.expr(root);
    checker.finish()
}

struct Local {
    name: String,
    kind: Type,
    place: usize,
}

struct Checker<'c> {
    scope: &'c Scope,
    source: &'c Source<'c>,
    positions: &'c Positions,
    types: Vec<Type>,
    references: Vec<Option<Reference>>,
    bindings: Bindings,
    locals: Vec<Local>,
    frame: usize,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn finish(self) -> Result<Checked, Vec<Finding>> {
        if !self.findings.is_empty() {
            return Err(self.findings);
        }
        let types = self.types.iter().map(|kind| self.bindings.substitute(kind, true)).collect();
        Ok(Checked { types, references: self.references, locals: self.frame })
    }

    fn report(&mut self, id: usize, message: String) {
        self.findings.push(self.source.finding(self.positions.offset(id), message));
    }

    fn set_type(&mut self, id: usize, kind: Type) {
        if let Some(slot) = self.types.get_mut(id) {
            *slot = kind;
        }
    }

    fn type_of(&self, expr: &Expr) -> Type {
        self.types.get(expr.id).cloned().unwrap_or(Type::Error)
    }

    fn refer(&mut self, id: usize, reference: Reference) {
        if let Some(slot) = self.references.get_mut(id) {
            *slot = Some(reference);
        }
    }

    fn mismatch(&mut self, id: usize, expected: &Type, found: &Type) {
        self.report(id, format!("expected type '{expected}' but found '{found}'"));
    }

    fn undeclared(&mut self, id: usize, name: &str) {
        self.set_type(id, Type::Error);
        self.report(id, format!("undeclared reference to '{name}' (in container '')"));
    }

    fn expr(&mut self, expr: &Expr) {
        let kind = match &expr.kind {
            Kind::Literal(value) => literal_type(value),
            Kind::Ident(name) => return self.ident(expr, name),
            Kind::Select { operand, field, test } => return self.select(expr, operand, field, *test),
            Kind::Call { function, target, arguments } => {
                return self.call(expr, function, target.as_deref(), arguments);
            }
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { name, fields } => return self.structure(expr, name, fields),
            Kind::Fold(fold) => self.fold(expr, fold),
        };
        self.set_type(expr.id, kind);
    }

    /// The type and meaning of a name, if it is declared.
    fn lookup(&self, name: &str) -> Option<(Type, Reference)> {
        if let Some(local) = self.locals.iter().rev().find(|local| local.name == name) {
            return Some((local.kind.clone(), Reference::Local(local.place)));
        }
        if let Some((kind, root)) = self.scope.root(name) {
            return Some((kind, Reference::Root(root)));
        }
        let kind = self.scope.type_named(name)?;
        Some((Type::type_of(kind), Reference::TypeName(name.to_owned())))
    }

    fn ident(&mut self, expr: &Expr, name: &str) {
        match self.lookup(name) {
            Some((kind, reference)) => {
                self.set_type(expr.id, kind);
                self.refer(expr.id, reference);
            }
            None => self.undeclared(expr.id, name),
        }
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, test: bool) {
        if let Some((kind, reference)) = qualified_name(expr).and_then(|name| self.lookup(&name)) {
            self.set_type(expr.id, kind);
            return self.refer(expr.id, reference);
        }
        let kind = self.field(expr.id, operand, field, false);
        let kind = if test { Type::Bool } else { self.bindings.substitute(&kind, false) };
        self.set_type(expr.id, kind);
    }

    fn field(&mut self, id: usize, operand: &Expr, field: &str, optional: bool) -> Type {
        self.expr(operand);
        let operand_type = self.bindings.substitute(&self.type_of(operand), false);
        let (target, is_optional) = match operand_type.optional_value() {
            Some(value) => (value, true),
            None => (&operand_type, false),
        };
        let kind = self.field_of(id, target, field);
        if is_optional || optional { Type::optional(kind) } else { kind }
    }

    fn field_of(&mut self, id: usize, target: &Type, field: &str) -> Type {
        match target {
            Type::Map(_, value) => value.as_ref().clone(),
            Type::Struct(declared) => self.struct_field(id, declared, field),
            Type::Variable(_) => {
                self.bindings.assignable(&Type::Dyn, target);
                Type::Dyn
            }
            Type::Dyn | Type::Error => Type::Dyn,
            other => {
                self.report(id, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        }
    }

    fn struct_field(&mut self, id: usize, declared: &StructType, field: &str) -> Type {
        match declared.field(field) {
            Some(kind) => kind.clone(),
            None => {
                self.report(id, format!("undefined field '{field}'"));
                Type::Error
            }
        }
    }

    fn optional_select(&mut self, expr: &Expr, arguments: &[Expr]) {
        let [operand, Expr { kind: Kind::Literal(Value::String(field)), .. }] = arguments else {
            return self.report(expr.id, String::from("unsupported optional field selection"));
        };
        let kind = self.field(expr.id, operand, field.as_str(), true);
        let kind = self.bindings.substitute(&kind, false);
        self.set_type(expr.id, kind);
    }

    fn call(&mut self, expr: &Expr, name: &str, target: Option<&Expr>, arguments: &[Expr]) {
        if name == operator::OPTIONAL_SELECT && target.is_none() {
            return self.optional_select(expr, arguments);
        }
        arguments.iter().for_each(|argument| self.expr(argument));
        let Some(target) = target else {
            return match self.scope.function(name) {
                Some(function) => self.overload(expr, &function, None, arguments, false),
                None => self.undeclared(expr.id, name),
            };
        };
        let qualified = qualified_name(target).and_then(|prefix| self.scope.function(&format!("{prefix}.{name}")));
        if let Some(function) = qualified {
            return self.overload(expr, &function, None, arguments, true);
        }
        self.expr(target);
        match self.scope.function(name) {
            Some(function) => self.overload(expr, &function, Some(target), arguments, false),
            None => self.undeclared(expr.id, name),
        }
    }

    fn overload(
        &mut self,
        expr: &Expr,
        function: &Arc<Function>,
        target: Option<&Expr>,
        arguments: &[Expr],
        qualified: bool,
    ) {
        let types: Vec<Type> = target.into_iter().chain(arguments).map(|part| self.type_of(part)).collect();
        if matches!(function.name, operator::AND | operator::OR) {
            return self.logic(expr, function, arguments);
        }
        let mut result: Option<Type> = None;
        let mut found = Vec::new();
        for (index, overload) in function.overloads.iter().enumerate() {
            if overload.member != target.is_some() {
                continue;
            }
            if let Some(kind) = self.apply(&overload.parameters, &overload.result, &types) {
                found.push(index);
                result = Some(join_results(result, kind));
            }
        }
        match result {
            Some(kind) => {
                self.set_type(expr.id, kind);
                let function = Arc::clone(function);
                self.refer(expr.id, Reference::Function { function, overloads: found, qualified });
            }
            None => self.no_overload(expr, function.name, &types, target.is_some()),
        }
    }

    /// `&&` and `||` report each operand that is not boolean.
    fn logic(&mut self, expr: &Expr, function: &Arc<Function>, operands: &[Expr]) {
        let before = self.findings.len();
        for operand in operands {
            let found = self.type_of(operand);
            if !self.bindings.assignable(&found, &Type::Bool) {
                self.mismatch(operand.id, &Type::Bool, &found);
            }
        }
        let kind = if self.findings.len() == before { Type::Bool } else { Type::Error };
        self.set_type(expr.id, kind);
        let function = Arc::clone(function);
        self.refer(expr.id, Reference::Function { function, overloads: vec![0], qualified: false });
    }

    /// The result type of an overload if the arguments fit it.
    fn apply(&mut self, parameters: &[Type], result: &Type, arguments: &[Type]) -> Option<Type> {
        let (parameters, result) = self.instantiate(parameters, result);
        self.bindings.assignable_all(arguments, &parameters).then(|| self.bindings.substitute(&result, false))
    }

    /// Gives the type parameters of a signature fresh variables.
    fn instantiate(&mut self, parameters: &[Type], result: &Type) -> (Vec<Type>, Type) {
        let mut names: Vec<&'static str> = Vec::new();
        for part in parameters.iter().chain([result]) {
            part.visit(&mut |part| match part {
                Type::Param(name) if !names.contains(name) => names.push(name),
                _ => {}
            });
        }
        let fresh: Vec<(&'static str, Type)> = names.into_iter().map(|name| (name, self.bindings.fresh())).collect();
        let replace = |part: &Type| match part {
            Type::Param(name) => fresh.iter().find(|(known, _)| known == name).map(|(_, kind)| kind.clone()),
            _ => None,
        };
        (parameters.iter().map(|part| part.map_parts(&replace)).collect(), result.map_parts(&replace))
    }

    fn no_overload(&mut self, expr: &Expr, name: &str, types: &[Type], member: bool) {
        self.set_type(expr.id, Type::Error);
        let mut names: Vec<String> =
            types.iter().map(|kind| self.bindings.substitute(kind, true).to_string()).collect();
        let receiver = if member && !names.is_empty() { names.remove(0) + "." } else { String::new() };
        let signature = format!("{receiver}({})", names.join(", "));
        self.report(expr.id, format!("found no matching overload for '{name}' applied to '{signature}'"));
    }

    fn list(&mut self, elements: &[Element]) -> Type {
        let mut joined = None;
        for element in elements {
            self.expr(&element.value);
            let kind = self.element_type(&element.value, element.optional);
            joined = Some(self.join(joined, kind));
        }
        Type::list(joined.unwrap_or_else(|| self.bindings.fresh()))
    }

    /// The type that a literal's part adds: of an optional part, the value's.
    fn element_type(&mut self, expr: &Expr, optional: bool) -> Type {
        let kind = self.type_of(expr);
        if !optional {
            return kind;
        }
        match kind.optional_value() {
            Some(value) => value.clone(),
            None => {
                if kind != Type::Dyn {
                    self.mismatch(expr.id, &Type::optional(kind.clone()), &kind);
                }
                kind
            }
        }
    }

    fn map(&mut self, entries: &[Entry]) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            self.expr(&entry.key);
            let key = self.type_of(&entry.key);
            keys = Some(self.join(keys, key));
            self.expr(&entry.value);
            let value = self.element_type(&entry.value, entry.optional);
            values = Some(self.join(values, value));
        }
        match (keys, values) {
            (Some(key), Some(value)) => Type::map(key, value),
            _ => Type::map(self.bindings.fresh(), self.bindings.fresh()),
        }
    }

    /// The type of a literal's parts so far; parts that do not agree are a matter of validation.
    fn join(&mut self, previous: Option<Type>, current: Type) -> Type {
        let Some(previous) = previous else { return current };
        if self.bindings.assignable(&previous, &current) {
            return most_general(&previous, &current).clone();
        }
        Type::Dyn
    }

    fn structure(&mut self, expr: &Expr, name: &str, fields: &[Field]) {
        let Some(kind) = self.scope.type_named(name) else { return self.undeclared(expr.id, name) };
        match &kind {
            Type::Struct(declared) => {
                self.set_type(expr.id, kind.clone());
                fields.iter().for_each(|field| self.initializer(declared, field));
            }
            other => self.report(expr.id, format!("'{}' is not a message type", other.runtime_name())),
        }
    }

    fn initializer(&mut self, declared: &StructType, field: &Field) {
        self.expr(&field.value);
        let expected = self.struct_field(field.id, declared, &field.name);
        let found = self.element_type(&field.value, field.optional);
        if !self.bindings.assignable(&expected, &found) {
            self.report(
                field.id,
                format!("expected type of field '{}' is '{expected}' but provided type is '{found}'", field.name),
            );
        }
    }

    fn declare(&mut self, name: &str, kind: Type) -> usize {
        let place = self.frame;
        self.frame += 1;
        self.locals.push(Local { name: name.to_owned(), kind, place });
        place
    }

    fn fold(&mut self, expr: &Expr, fold: &FoldExpr) -> Type {
        self.expr(&fold.range);
        self.expr(&fold.initial);
        let range = self.bindings.substitute(&self.type_of(&fold.range), false);
        let initial = self.type_of(&fold.initial);
        let outside = self.locals.len();
        let accumulator = self.declare(&fold.accumulator, initial.clone());
        let (first, second) = self.range_types(fold, &range);
        let variable = self.declare(&fold.variable, first);
        let second = match &fold.second_variable {
            Some(name) => self.declare(name, second),
            None => variable,
        };
        self.expr(&fold.condition);
        self.expect(&fold.condition, &Type::Bool);
        self.expr(&fold.step);
        self.expect(&fold.step, &initial);
        self.locals.truncate(outside + 1);
        self.expr(&fold.result);
        self.locals.truncate(outside);
        self.refer(expr.id, Reference::Fold { accumulator, variable, second });
        self.bindings.substitute(&self.type_of(&fold.result), false)
    }

    /// The types of a comprehension's one or two variables.
    fn range_types(&mut self, fold: &FoldExpr, range: &Type) -> (Type, Type) {
        let two = fold.second_variable.is_some();
        match range {
            Type::List(element) if two => (Type::Int, element.as_ref().clone()),
            Type::List(element) => (element.as_ref().clone(), Type::Error),
            Type::Map(key, value) => (key.as_ref().clone(), value.as_ref().clone()),
            Type::Dyn | Type::Error | Type::Variable(_) => {
                self.bindings.assignable(&Type::Dyn, range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.report(fold.range.id, message);
                (Type::Error, Type::Error)
            }
        }
    }

    fn expect(&mut self, expr: &Expr, expected: &Type) {
        let found = self.type_of(expr);
        if !self.bindings.assignable(expected, &found) {
            self.mismatch(expr.id, expected, &found);
        }
    }
}

fn join_results(so_far: Option<Type>, next: Type) -> Type {
    match so_far {
        None => next,
        Some(Type::Dyn) => Type::Dyn,
        Some(kind) if kind == next => kind,
        Some(_) => Type::Dyn,
    }
}

fn literal_type(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}
