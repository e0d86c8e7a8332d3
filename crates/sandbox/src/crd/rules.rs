//! Rules of schemas, compiled and evaluated (`apiextensions-apiserver/pkg/apiserver/schema/cel/{compilation,validation}.go`).

use std::collections::BTreeMap;

use admission::cel::{Activation, Environment, EvalError, KubeVersion, Mode, Program, Type, Value as Cel};
use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::{Map, Value, json};

use super::correlation::{Pair, counterpart};
use super::data;
use super::declared::Declared;
use super::field_path;
use super::outcome::named;
use super::structural::{Rule, Schema};

/// What all rules of one object may cost together (`RuntimeCELCostBudget`).
pub const BUDGET: u64 = 10_000_000;
/// The longest message that an expression may give, in octets.
const MAX_MESSAGE: usize = 5 * 1024;
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// The rules of a schema and of all schemas below it.
#[derive(Debug, Default)]
pub struct Rules {
    /// Why the rules cannot be compiled at all.
    broken: Option<&'static str>,
    rules: Vec<Compiled>,
    items: Option<Box<Rules>>,
    additional: Option<Box<Rules>>,
    properties: BTreeMap<String, Rules>,
}

/// A rule with its programs.
#[derive(Debug)]
pub struct Compiled {
    /// The rule as it was written.
    pub rule: Rule,
    /// The most that the rule can cost, and the most that its message can cost.
    pub costs: (u64, u64),
    /// The program, or why there is none; none for an empty rule.
    pub program: Option<Result<Program, String>>,
    /// The program for the message, if there is one, or why there is none.
    pub message: Option<Result<Program, String>>,
    field_path: Option<String>,
}

/// Which release's expressions a rule may use.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The release.
    pub version: KubeVersion,
    /// Whether rules are new or stored.
    pub mode: Mode,
}

impl Compiled {
    /// Compiles a rule of a schema.
    #[must_use]
    pub fn new(rule: &Rule, schema: &Schema, declared: &Declared, dialect: Dialect) -> Self {
        let field_path = field_path::resolve(&rule.field_path, schema, true).ok().map(|target| shown(&target.path));
        let mut compiled = Self { rule: rule.clone(), costs: (0, 0), program: None, message: None, field_path };
        if rule.rule.trim().is_empty() {
            return compiled;
        }
        let kind = declared.checked("selfType");
        let environment = Environment::new(dialect.version, dialect.mode).rule(&kind, rule.optional_old == Some(true));
        let program = program(&environment, &rule.rule, &Type::Bool, declared);
        if program.is_ok() && !rule.message_expression.is_empty() {
            let message = self::program(&environment, &rule.message_expression, &Type::String, declared);
            compiled.costs.1 = message.as_ref().map_or(0, |(_, cost)| *cost);
            let message = message.map(|(program, _)| program);
            compiled.message = Some(message.map_err(|error| format!("messageExpression {error}")));
        }
        compiled.costs.0 = program.as_ref().map_or(0, |(_, cost)| *cost);
        let program = program.map(|(program, _)| program);
        compiled.program =
            Some(program.map_err(|error| error.replacen("must evaluate", "cel expression must evaluate", 1)));
        compiled
    }

    /// Whether the rule compares with the old value.
    #[must_use]
    pub fn uses_old(&self) -> bool {
        matches!(&self.program, Some(Ok(program)) if program.uses_old())
    }
}

fn shown(path: &FieldPath) -> String {
    FieldError::forbidden(path, "").field().to_owned()
}

/// A program and the most that it can cost.
fn program(
    environment: &Environment,
    text: &str,
    expected: &Type,
    declared: &Declared,
) -> Result<(Program, u64), String> {
    use admission::cel::CompileError;
    let (program, cost) =
        environment.compile_estimated(text, &|path| declared.size_at(path)).map_err(|error| match error {
            CompileError::Findings { text, .. } => format!("compilation failed: {text}"),
            other => other.to_string(),
        })?;
    if program.result_type() == expected {
        return Ok((program, cost));
    }
    Err(format!("must evaluate to a {expected}"))
}

impl Rules {
    /// Compiles all rules of a visible schema; none if there are none.
    #[must_use]
    pub fn compile(schema: &Schema, dialect: Dialect) -> Option<Self> {
        Self::below(schema, Declared::of(schema).as_ref(), dialect)
    }

    fn below(schema: &Schema, declared: Option<&Declared>, dialect: Dialect) -> Option<Self> {
        let part = |schema: &Schema| Self::compile(schema, dialect);
        let mut rules = Self {
            items: schema.items.as_deref().and_then(part).map(Box::new),
            additional: schema.additional.schema().and_then(part).map(Box::new),
            ..Self::default()
        };
        for (name, property) in &schema.properties {
            // Fields that expressions cannot see are not checked by their own rules either.
            if Declared::of(property).is_some() {
                rules.properties.extend(part(property).map(|part| (name.clone(), part)));
            }
        }
        match declared {
            _ if schema.extensions.rules.is_empty() => {}
            Some(declared) => {
                let all = schema.extensions.rules.iter();
                rules.rules = all.map(|rule| Compiled::new(rule, schema, declared, dialect)).collect();
            }
            None => rules.broken = Some("failed to convert to declType for CEL validation rules"),
        }
        (!rules.is_empty()).then_some(rules)
    }

    fn is_empty(&self) -> bool {
        self.broken.is_none()
            && self.rules.is_empty()
            && self.items.is_none()
            && self.additional.is_none()
            && self.properties.is_empty()
    }
}

/// What the rules of an object say.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub errors: Vec<FieldError>,
    /// What is wrong and was before.
    pub warnings: Vec<String>,
    /// What may still be spent; none if nothing more may be evaluated.
    budget: Option<u64>,
}

/// The nearest pair of new and old value that a value belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Ratchet<'v> {
    current: Option<Pair<'v>>,
    parent: Option<Pair<'v>>,
}

impl<'v> Ratchet<'v> {
    fn is_unchanged(self) -> bool {
        self.current.or(self.parent).is_some_and(|pair| pair.is_unchanged())
    }

    fn key(self, name: &str) -> Self {
        match self.current {
            None => self,
            Some(_) if self.parent.is_none() && matches!(name, "apiVersion" | "kind") => Self::default(),
            Some(pair) => Self { current: pair.key(name), parent: Some(pair) },
        }
    }

    fn index(self, index: usize) -> Self {
        match self.current {
            None => self,
            Some(pair) => Self { current: pair.index(index), parent: Some(pair) },
        }
    }
}

/// A value that rules are about.
#[derive(Clone, Copy)]
struct Subject<'v> {
    schema: &'v Schema,
    new: &'v Value,
    old: Option<&'v Value>,
    ratchet: Ratchet<'v>,
}

/// Evaluates rules about a value. With a pair, failures of what is unchanged are only warned about.
#[must_use]
pub fn evaluate<'v>(
    rules: &'v Rules,
    schema: &'v Schema,
    path: &FieldPath,
    new: &'v Value,
    old: Option<&'v Value>,
    pair: Option<Pair<'v>>,
) -> Findings {
    let mut findings = Findings { budget: Some(BUDGET), ..Findings::default() };
    let subject = Subject { schema, new, old, ratchet: Ratchet { current: pair, parent: None } };
    findings.check(rules, subject, path);
    findings
}

impl Findings {
    fn check<'v>(&mut self, rules: &'v Rules, subject: Subject<'v>, path: &FieldPath) {
        if subject.new.is_null() || self.budget.is_none() {
            return;
        }
        self.own(rules, subject, path);
        match subject.new {
            Value::Array(items) => self.items(rules, subject, items, path),
            Value::Object(fields) => self.fields(rules, subject, fields, path),
            _ => {}
        }
    }

    fn items<'v>(&mut self, rules: &'v Rules, subject: Subject<'v>, items: &'v [Value], path: &FieldPath) {
        let (Some(rules), Some(schema)) = (rules.items.as_deref(), subject.schema.items.as_deref()) else { return };
        for (index, new) in items.iter().enumerate() {
            let old = subject.old.and_then(|old| counterpart(subject.schema, new, old));
            let item = Subject { schema, new, old, ratchet: subject.ratchet.index(index) };
            self.check(rules, item, &path.index(index));
        }
    }

    fn fields<'v>(&mut self, rules: &'v Rules, subject: Subject<'v>, fields: &'v Map<String, Value>, path: &FieldPath) {
        let part = |name: &str, new: &'v Value, schema: &'v Schema| {
            let old = subject.old.and_then(|old| old.get(name)).filter(|old| !old.is_null());
            Subject { schema, new, old, ratchet: subject.ratchet.key(name) }
        };
        if let (Some(rules), Some(schema)) = (rules.additional.as_deref(), subject.schema.additional.schema()) {
            for (name, new) in fields {
                self.check(rules, part(name, new, schema), &path.key(name));
            }
        }
        for (name, new) in fields {
            if let (Some(rules), Some(schema)) = (rules.properties.get(name), subject.schema.properties.get(name)) {
                self.check(rules, part(name, new, schema), &path.child(name));
            }
        }
    }

    fn own<'v>(&mut self, rules: &'v Rules, subject: Subject<'v>, path: &FieldPath) {
        if let Some(why) = rules.broken {
            return self.kind_error(subject, path, format!("rule compiler initialization error: {why}"));
        }
        if rules.rules.is_empty() {
            return;
        }
        if self.budget.is_none_or(|budget| budget == 0) {
            self.budget = None;
            return self.kind_error(subject, path, String::from(OUT_OF_BUDGET));
        }
        let values = Values {
            this: data::value(subject.new, subject.schema),
            old: subject.old.map(|old| data::value(old, subject.schema)),
        };
        for rule in &rules.rules {
            if self.budget.is_some() {
                self.rule(rule, subject, &values, path);
            }
        }
    }

    /// An error that names the type of the value and not the value.
    fn kind_error(&mut self, subject: Subject<'_>, path: &FieldPath, detail: String) {
        let kind = json!(subject.schema.kind);
        self.errors.push(FieldError::of(&named(path), FieldErrorKind::Invalid, Some(&kind), detail));
    }

    fn rule<'v>(&mut self, rule: &'v Compiled, subject: Subject<'v>, values: &Values<'v>, path: &FieldPath) {
        let program = match &rule.program {
            None => return,
            Some(Err(why)) => return self.kind_error(subject, path, format!("rule compile error: {why}")),
            Some(Ok(program)) => program,
        };
        let optional = rule.rule.optional_old == Some(true);
        if program.uses_old() && values.old.is_none() && !optional {
            return;
        }
        let evaluation = program.evaluate(&values.activation(optional));
        let left = self.budget.and_then(|budget| budget.checked_sub(evaluation.cost));
        self.budget = left;
        if left.is_none() {
            return self.kind_error(subject, path, String::from(OUT_OF_BUDGET));
        }
        match evaluation.result {
            Ok(Cel::Bool(true)) => {}
            Ok(_) => self.failed(rule, subject, values, path),
            Err(error) => self.erred(&error, rule, subject, path),
        }
    }

    fn erred(&mut self, error: &EvalError, rule: &Compiled, subject: Subject<'_>, path: &FieldPath) {
        let (text, name) = (error.to_string(), title(&rule.rule));
        let detail = if text.starts_with("no such overload") {
            format!(
                "'{text}': call arguments did not match a supported operator, function or macro signature for rule: {name}"
            )
        } else if *error == EvalError::CostLimit {
            self.budget = None;
            format!("'{text}': no further validation rules will be run due to call cost exceeds limit for rule: {name}")
        } else {
            format!("{text} evaluating rule: {name}")
        };
        self.kind_error(subject, path, detail);
    }

    fn failed<'v>(&mut self, rule: &'v Compiled, subject: Subject<'v>, values: &Values<'v>, path: &FieldPath) {
        let place = rule
            .field_path
            .as_ref()
            .filter(|below| !below.is_empty())
            .map_or_else(|| path.clone(), |below| path.child(below));
        let place = named(&place);
        let error = match self.message(rule, values) {
            Ok(detail) => {
                let is_shown = !matches!(subject.schema.kind.as_str(), "object" | "array");
                let kind = reason(rule.rule.reason.as_deref());
                let value = Some(subject.new)
                    .filter(|_| is_shown && !matches!(kind, FieldErrorKind::Required | FieldErrorKind::Forbidden));
                let detail = if kind == FieldErrorKind::Duplicate { String::new() } else { detail };
                FieldError::of(&place, kind, value, detail)
            }
            Err(detail) => FieldError::of(&place, FieldErrorKind::Invalid, Some(&json!(subject.schema.kind)), detail),
        };
        if !rule.uses_old() && subject.ratchet.is_unchanged() {
            self.warnings.push(error.to_string());
        } else {
            self.errors.push(error);
        }
    }

    /// What is said of a failed rule; an error if saying it costs too much.
    fn message<'v>(&mut self, rule: &'v Compiled, values: &Values<'v>) -> Result<String, String> {
        let Some(Ok(program)) = &rule.message else { return Ok(message_of(&rule.rule)) };
        let evaluation = program.evaluate(&values.activation(false));
        let left = self.budget.and_then(|budget| budget.checked_sub(evaluation.cost));
        self.budget = left;
        if left.is_none() {
            return Err(String::from(
                "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run",
            ));
        }
        match evaluation.result {
            Err(EvalError::CostLimit) => {
                self.budget = None;
                let text = admission::quote::go_quoted(&rule.rule.message_expression);
                Err(format!(
                    "no further validation rules will be run due to call cost exceeds limit for messageExpression: {text}"
                ))
            }
            Ok(Cel::String(text)) => Ok(usable(text.as_str()).unwrap_or_else(|| message_of(&rule.rule))),
            _ => Ok(message_of(&rule.rule)),
        }
    }
}

fn usable(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n')).then(|| text.to_owned())
}

/// `self` and `oldSelf`.
struct Values<'v> {
    this: Cel<'v>,
    old: Option<Cel<'v>>,
}

impl<'v> Values<'v> {
    fn activation(&self, optional: bool) -> Activation<'v> {
        let old = match (&self.old, optional) {
            (Some(old), true) => Cel::some(old.clone()),
            (None, true) => Cel::none(),
            (Some(old), false) => old.clone(),
            (None, false) => Cel::Null,
        };
        Activation::of_rule(self.this.clone(), old)
    }
}

fn reason(reason: Option<&str>) -> FieldErrorKind {
    match reason {
        Some("FieldValueForbidden") => FieldErrorKind::Forbidden,
        Some("FieldValueRequired") => FieldErrorKind::Required,
        Some("FieldValueDuplicate") => FieldErrorKind::Duplicate,
        _ => FieldErrorKind::Invalid,
    }
}

/// The rule as messages name it.
fn title(rule: &Rule) -> &str {
    if rule.message.is_empty() { rule.rule.trim() } else { rule.message.trim() }
}

fn message_of(rule: &Rule) -> String {
    if rule.message.is_empty() { format!("failed rule: {}", title(rule)) } else { rule.message.trim().to_owned() }
}
