//! Checks beyond types: constants that cannot be converted, patterns that cannot be read, mixed literals.

use super::ast::{Element, Entry, Expr, Kind};
use super::check::Checked;
use super::environment::KubeVersion;
use super::error::Finding;
use super::library::format_clauses::{Clause, Clauses};
use super::library::re2;
use super::parse::Tree;
use super::source::Source;
use super::time::{Duration, Timestamp};
use super::types::Type;
use super::value::Value;

/// The first compatibility version that checks constants.
const CONSTANTS_SINCE: KubeVersion = KubeVersion::minor(29);

/// The function whose arguments may be lists of mixed types (of the strings extension that came with the constants).
const MIXING: &str = "format";

/// The findings about a tree whose types are right.
pub(super) fn validate(source: &Source<'_>, tree: &Tree, checked: &Checked, version: KubeVersion) -> Vec<Finding> {
    let constants = version >= CONSTANTS_SINCE;
    let mut validator = Validator { source, tree, checked, constants, formatting: 0, findings: Vec::new() };
    validator.expr(&tree.root);
    validator.findings
}

struct Validator<'v> {
    source: &'v Source<'v>,
    tree: &'v Tree,
    checked: &'v Checked,
    constants: bool,
    formatting: usize,
    findings: Vec<Finding>,
}

impl Validator<'_> {
    fn report(&mut self, id: usize, message: String) {
        let finding = self.source.finding(self.tree.positions.offset(id), message);
        self.findings.push(finding);
    }

    fn type_of(&self, expr: &Expr) -> Type {
        self.checked.types.get(expr.id).cloned().unwrap_or(Type::Error)
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Literal(_) | Kind::Ident(_) => {}
            Kind::Select { operand, .. } => self.expr(operand),
            Kind::Call { function, target, arguments } => self.call(expr.id, function, target.as_deref(), arguments),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { fields, .. } => fields.iter().for_each(|field| self.expr(&field.value)),
            Kind::Fold(fold) => {
                for part in [&fold.range, &fold.initial, &fold.condition, &fold.step, &fold.result] {
                    self.expr(part);
                }
            }
        }
    }

    fn call(&mut self, id: usize, function: &str, target: Option<&Expr>, arguments: &[Expr]) {
        let formats = self.constants && function == MIXING;
        self.constant(function, arguments);
        if let (true, Some(target), [items]) = (formats, target, arguments) {
            self.format(id, target, items);
        }
        self.formatting += usize::from(formats);
        target.into_iter().chain(arguments).for_each(|part| self.expr(part));
        self.formatting -= usize::from(formats);
    }

    /// A constant format text with a list literal is read in advance; the first problem is reported.
    fn format(&mut self, id: usize, text: &Expr, items: &Expr) {
        let (Kind::Literal(Value::String(text)), Kind::List(items)) = (&text.kind, &items.kind) else { return };
        let read = Clauses::read(text.as_str(), items.len());
        let unfit = read.clauses.iter().zip(items).find_map(|(clause, item)| {
            let part = self.unfit(*clause, &item.value)?;
            Some((part.id, clause.refusal(bare_name(&self.type_of(part).runtime_name()))))
        });
        let problem = read.problem.as_ref().map(|problem| (id, problem.clone()));
        let surplus = || read.surplus(items.len()).map(|surplus| (id, surplus));
        if let Some((id, message)) = unfit.or(problem).or_else(surplus) {
            self.report(id, message);
        }
    }

    /// The part of an item that its clause cannot print.
    fn unfit<'e>(&self, clause: Clause, item: &'e Expr) -> Option<&'e Expr> {
        if !clause.accepts(&self.type_of(item)) {
            return Some(item);
        }
        match &item.kind {
            Kind::List(elements) if clause == Clause::Text => {
                elements.iter().find_map(|element| self.unfit(clause, &element.value))
            }
            Kind::Map(entries) if clause == Clause::Text => entries
                .iter()
                .find_map(|entry| self.unfit(clause, &entry.key).or_else(|| self.unfit(clause, &entry.value))),
            _ => None,
        }
    }

    fn constant(&mut self, function: &str, arguments: &[Expr]) {
        let Some(Expr { id, kind: Kind::Literal(value) }) = arguments.first() else { return };
        let valid = match (function, value) {
            ("duration", Value::String(text)) => Duration::parse(text.as_str()).is_some(),
            ("duration", Value::Int(_)) => false,
            ("timestamp", Value::String(text)) => Timestamp::parse(text.as_str()).is_some(),
            ("timestamp", Value::Int(seconds)) => Timestamp::new(*seconds, 0, 0).is_some(),
            ("matches", Value::String(text)) => re2::compile(text.as_str()).is_ok(),
            _ => true,
        };
        if self.constants && !valid {
            self.report(*id, format!("invalid {function} argument"));
        }
    }

    fn same(&mut self, expr: &Expr, expected: &mut Option<Type>, optional: bool) -> bool {
        let found = self.type_of(expr);
        let found = match found.optional_value() {
            Some(value) if optional => value.clone(),
            _ => found,
        };
        match expected {
            Some(expected) if *expected != found => {
                let message = format!("expected type '{expected}' but found '{found}'");
                self.report(expr.id, message);
                false
            }
            Some(_) => true,
            None => {
                *expected = Some(found);
                true
            }
        }
    }

    fn list(&mut self, elements: &[Element]) {
        elements.iter().for_each(|element| self.expr(&element.value));
        if self.formatting > 0 {
            return;
        }
        let mut expected = None;
        for element in elements {
            if !self.same(&element.value, &mut expected, element.optional) {
                return;
            }
        }
    }

    fn map(&mut self, entries: &[Entry]) {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            self.expr(&entry.key);
            self.expr(&entry.value);
            if self.formatting == 0 {
                self.same(&entry.key, &mut keys, false);
                self.same(&entry.value, &mut values, entry.optional);
            }
        }
    }
}

/// The name of a type without its parameters.
fn bare_name(name: &str) -> &str {
    name.split_once('(').map_or(name, |(bare, _)| bare)
}
