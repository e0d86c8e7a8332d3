//! From a checked tree to a tree that can be evaluated: names resolved, constants folded, patterns compiled.

use std::collections::HashSet;
use std::sync::Arc;

use regex::Regex;

use super::ast::{Entry, Expr, Field, FoldExpr, Kind, operator};
use super::check::{Checked, Reference};
use super::declarations::Root;
use super::dispatch;
use super::error::CompileError;
use super::function::{Binding, Function};
use super::functions;
use super::library::re2;
use super::map::Entries;
use super::overload::{CostFunction, PatternImplementation};
use super::show::go_type;
use super::value::{List, Value};

/// A part of a program.
#[derive(Debug)]
pub(super) enum Node {
    /// A value known in advance; free.
    Constant(Value<'static>),
    /// A name or value with selections; with a presence test if so marked.
    Attribute(Box<Attribute>, bool),
    /// `&&` (decided by false) or `||` (decided by true).
    Logic { decided_by: bool, operands: Box<[Node; 2]> },
    /// `==` or `!=`.
    Equal { negated: bool, operands: Box<[Node; 2]> },
    /// The condition of a quantifier, which lets errors pass.
    NotStrictlyFalse(Box<Node>),
    /// `or` (gives the optional) or `orValue` (gives its value).
    Fallback { unwraps: bool, operands: Box<[Node; 2]> },
    /// `in` with a constant list of primitive values; free.
    Member { element: Box<Node>, of: Members },
    /// A function.
    Call(Box<Call>),
    /// A list literal; the flag marks optional elements.
    List(Vec<(Node, bool)>),
    /// A map literal.
    Map(Vec<(Node, Node, bool)>),
    /// A struct literal, which no admission environment can make.
    Struct { name: String, fields: Vec<Node> },
    /// The accumulator with a list appended.
    Append { accumulator: usize, elements: Box<Node> },
    /// The accumulator with entries inserted.
    Insert { accumulator: usize, entries: Vec<Node> },
    /// A comprehension that asks whether all or any elements satisfy a predicate.
    Quantifier(Box<Quantifier>),
    /// Any other comprehension.
    Fold(Box<Fold>),
}

/// A base value and the selections on it.
#[derive(Debug)]
pub(super) struct Attribute {
    pub base: Base,
    pub steps: Vec<Arc<Step>>,
}

/// What selections begin with.
#[derive(Debug)]
pub(super) enum Base {
    Root(Root),
    Local(usize),
    Operand(Node),
    /// A choice; selections on it are selections on both branches.
    Choice {
        condition: Node,
        branches: Box<[Attribute; 2]>,
    },
}

/// One selection.
#[derive(Debug)]
pub(super) struct Step {
    pub key: Key,
    pub optional: bool,
    pub test: bool,
}

/// What a selection selects.
#[derive(Debug)]
pub(super) enum Key {
    Name(Box<str>),
    Constant(Value<'static>),
    Computed(Attribute),
}

/// The elements of a constant list.
#[derive(Debug)]
pub(super) enum Members {
    Texts(HashSet<Box<str>>),
    Values(Vec<Value<'static>>),
}

/// A function with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub function: Arc<Function>,
    /// The overload, if the checker found exactly one.
    pub overload: Option<usize>,
    pub arguments: Vec<Node>,
    /// Whether the first failing argument ends the call, uncharged unless it is the last.
    pub sequential: bool,
    pub pattern: Option<(Regex, PatternImplementation)>,
    pub cost: Option<CostFunction>,
}

/// A comprehension that one element can decide: `all` by false, `exists` by true.
#[derive(Debug)]
pub(super) struct Quantifier {
    pub range: Node,
    pub variable: usize,
    pub second: Option<usize>,
    pub predicate: Node,
    pub decided_by: bool,
}

/// A comprehension.
#[derive(Debug)]
pub(super) struct Fold {
    pub range: Node,
    pub accumulator: usize,
    pub variable: usize,
    pub second: Option<usize>,
    pub initial: Node,
    pub condition: Node,
    pub step: Node,
    pub result: Node,
}

type Planned<T = Node> = Result<T, CompileError>;

/// Plans a checked tree.
pub(super) fn plan(checked: &Checked, root: &Expr) -> Planned {
    Planner { checked }.expr(root)
}

fn failure(reason: impl std::fmt::Display) -> CompileError {
    CompileError::Program(format!("program instantiation failed: {reason}"))
}

impl Attribute {
    fn new(base: Base) -> Self {
        Self { base, steps: Vec::new() }
    }

    /// The node as something to select from.
    fn from_node(node: Node) -> Self {
        match node {
            Node::Attribute(attribute, _) => *attribute,
            operand => Self::new(Base::Operand(operand)),
        }
    }

    fn push(&mut self, step: &Arc<Step>) {
        match &mut self.base {
            Base::Choice { branches, .. } => branches.iter_mut().for_each(|branch| branch.push(step)),
            _ => self.steps.push(Arc::clone(step)),
        }
    }

    fn selecting(mut self, step: Step) -> Node {
        let test = step.test;
        self.push(&Arc::new(step));
        Node::Attribute(Box::new(self), test)
    }
}

struct Planner<'p> {
    checked: &'p Checked,
}

impl Planner<'_> {
    fn reference(&self, id: usize) -> Option<&Reference> {
        self.checked.references.get(id).and_then(Option::as_ref)
    }

    fn all<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Planned<Vec<Node>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&self, expr: &Expr) -> Planned {
        if let Some(named) = self.reference(expr.id).and_then(named) {
            return Ok(named);
        }
        match &expr.kind {
            Kind::Literal(value) => Ok(Node::Constant(value.clone())),
            Kind::Ident(name) => Err(failure(format_args!("reference to undefined name: {name}"))),
            Kind::Select { operand, field, test } => {
                let step = Step { key: Key::Name(field.as_str().into()), optional: false, test: *test };
                Ok(Attribute::from_node(self.expr(operand)?).selecting(step))
            }
            Kind::Call { function, target, arguments } => self.call(expr.id, function, target.as_deref(), arguments),
            Kind::List(elements) => {
                let nodes = self.all(elements.iter().map(|element| &element.value))?;
                let optional = elements.iter().map(|element| element.optional);
                Ok(fold_list(nodes.into_iter().zip(optional).collect()))
            }
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { name, fields } => self.structure(name, fields),
            Kind::Fold(fold) => self.fold(expr.id, fold),
        }
    }

    fn map(&self, entries: &[Entry]) -> Planned {
        let nodes = entries
            .iter()
            .map(|entry| Ok((self.expr(&entry.key)?, self.expr(&entry.value)?, entry.optional)))
            .collect::<Planned<Vec<_>>>()?;
        Ok(fold_map(nodes))
    }

    fn structure(&self, name: &str, fields: &[Field]) -> Planned {
        let fields = self.all(fields.iter().map(|field| &field.value))?;
        Ok(Node::Struct { name: name.to_owned(), fields })
    }

    fn fold(&self, id: usize, fold: &FoldExpr) -> Planned {
        let Some(Reference::Fold { accumulator, variable, second }) = self.reference(id) else {
            return Err(failure("comprehension without places"));
        };
        Ok(quantifier(Fold {
            range: self.expr(&fold.range)?,
            accumulator: *accumulator,
            variable: *variable,
            second: fold.second_variable.as_ref().map(|_| *second),
            initial: self.expr(&fold.initial)?,
            condition: self.expr(&fold.condition)?,
            step: self.expr(&fold.step)?,
            result: self.expr(&fold.result)?,
        }))
    }

    fn call(&self, id: usize, name: &str, target: Option<&Expr>, arguments: &[Expr]) -> Planned {
        if name == operator::OPTIONAL_SELECT {
            return self.index(arguments, true);
        }
        let Some(Reference::Function { function, overloads, qualified }) = self.reference(id) else {
            return Err(failure(format_args!("no such overload: {name}")));
        };
        match function.name {
            operator::INDEX => return self.index(arguments, false),
            operator::OPTIONAL_INDEX => return self.index(arguments, true),
            _ => {}
        }
        let target = target.filter(|_| !qualified);
        let nodes = self.all(target.into_iter().chain(arguments))?;
        plan_call(function, overloads, nodes)
    }

    fn index(&self, arguments: &[Expr], optional: bool) -> Planned {
        let mut nodes = self.all(arguments)?.into_iter();
        let (Some(operand), Some(index)) = (nodes.next(), nodes.next()) else {
            return Err(failure("index without operand"));
        };
        let key = match index {
            Node::Constant(value) => constant_key(value)?,
            other => Key::Computed(Attribute::from_node(other)),
        };
        Ok(Attribute::from_node(operand).selecting(Step { key, optional, test: false }))
    }
}

/// Names that stand for a value.
fn named(reference: &Reference) -> Option<Node> {
    match reference {
        Reference::Root(root) => Some(attribute(Base::Root(*root))),
        Reference::Local(place) => Some(attribute(Base::Local(*place))),
        Reference::TypeName(name) => Some(Node::Constant(Value::Type(name.as_str().into()))),
        Reference::Function { .. } | Reference::Fold { .. } => None,
    }
}

fn attribute(base: Base) -> Node {
    Node::Attribute(Box::new(Attribute::new(base)), false)
}

fn constant_key(value: Value<'static>) -> Planned<Key> {
    match value {
        Value::String(text) => Ok(Key::Name(text.as_str().into())),
        Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_) => Ok(Key::Constant(value)),
        other => Err(failure(format_args!("invalid qualifier type: {}", go_type(&other)))),
    }
}

fn pair(nodes: Vec<Node>) -> Planned<Box<[Node; 2]>> {
    <[Node; 2]>::try_from(nodes).map(Box::new).map_err(|_| failure("operator without two operands"))
}

fn plan_call(function: &Arc<Function>, overloads: &[usize], mut nodes: Vec<Node>) -> Planned {
    match function.name {
        operator::AND => Ok(Node::Logic { decided_by: false, operands: pair(nodes)? }),
        operator::OR => Ok(Node::Logic { decided_by: true, operands: pair(nodes)? }),
        operator::EQUALS => Ok(Node::Equal { negated: false, operands: pair(nodes)? }),
        operator::NOT_EQUALS => Ok(Node::Equal { negated: true, operands: pair(nodes)? }),
        operator::CONDITIONAL => choice(nodes),
        operator::NOT_STRICTLY_FALSE => match nodes.pop() {
            Some(operand) => Ok(Node::NotStrictlyFalse(Box::new(operand))),
            None => Err(failure("operator without operand")),
        },
        "or" if nodes.len() == 2 && is_special(function) => {
            Ok(Node::Fallback { unwraps: false, operands: pair(nodes)? })
        }
        "orValue" if nodes.len() == 2 && is_special(function) => {
            Ok(Node::Fallback { unwraps: true, operands: pair(nodes)? })
        }
        operator::ADD => append(function, overloads, nodes),
        operator::MAP_INSERT => insert(function, overloads, nodes),
        operator::IN => membership(function, overloads, nodes),
        _ => simplify(call(function, overloads, nodes)?),
    }
}

fn is_special(function: &Function) -> bool {
    matches!(function.binding, Binding::Special)
}

fn choice(nodes: Vec<Node>) -> Planned {
    let [condition, truthy, falsy] =
        <[Node; 3]>::try_from(nodes).map_err(|_| failure("conditional without three operands"))?;
    let branches = Box::new([Attribute::from_node(truthy), Attribute::from_node(falsy)]);
    Ok(attribute(Base::Choice { condition, branches }))
}

/// The accumulator that a node names, if it is nothing but that.
fn local_place(node: &Node) -> Option<usize> {
    match node {
        Node::Attribute(attribute, false) if attribute.steps.is_empty() => match attribute.base {
            Base::Local(place) => Some(place),
            _ => None,
        },
        _ => None,
    }
}

/// Recognises what the macros `all` and `exists` expand to; users cannot name the accumulator.
fn quantifier(fold: Fold) -> Node {
    let place = fold.accumulator;
    let is_accumulator = |node: &Node| local_place(node) == Some(place);
    let decided_by = match (&fold.condition, &fold.initial) {
        (Node::NotStrictlyFalse(operand), Node::Constant(Value::Bool(true))) if is_accumulator(operand) => false,
        (Node::NotStrictlyFalse(operand), Node::Constant(Value::Bool(false))) if negates(operand, place) => true,
        _ => return Node::Fold(Box::new(fold)),
    };
    let result_fits = is_accumulator(&fold.result);
    match fold.step {
        Node::Logic { decided_by: by, operands } if by == decided_by && result_fits && is_accumulator(&operands[0]) => {
            let [_, predicate] = *operands;
            let Fold { range, variable, second, .. } = fold;
            Node::Quantifier(Box::new(Quantifier { range, variable, second, predicate, decided_by }))
        }
        step => Node::Fold(Box::new(Fold { step, ..fold })),
    }
}

fn negates(node: &Node, place: usize) -> bool {
    matches!(node, Node::Call(call) if call.function.name == operator::NOT
        && matches!(call.arguments.as_slice(), [operand] if local_place(operand) == Some(place)))
}

fn append(function: &Arc<Function>, overloads: &[usize], mut nodes: Vec<Node>) -> Planned {
    let place = nodes.first().and_then(local_place);
    let adds_list = matches!(nodes.last(), Some(Node::List(_) | Node::Constant(Value::List(_))));
    match (place, nodes.pop()) {
        (Some(accumulator), Some(elements)) if adds_list => {
            Ok(Node::Append { accumulator, elements: Box::new(elements) })
        }
        (_, last) => {
            nodes.extend(last);
            call(function, overloads, nodes)
        }
    }
}

fn insert(function: &Arc<Function>, overloads: &[usize], mut nodes: Vec<Node>) -> Planned {
    match nodes.first().and_then(local_place) {
        Some(accumulator) => Ok(Node::Insert { accumulator, entries: nodes.split_off(1) }),
        None => call(function, overloads, nodes),
    }
}

/// A list of primitive constants is turned into a set when the checker knows that it is a list.
fn membership(function: &Arc<Function>, overloads: &[usize], mut nodes: Vec<Node>) -> Planned {
    let in_list = matches!(overloads, [only] if function.overloads.get(*only).is_some_and(|one| one.id == "in_list"));
    let members = match nodes.last() {
        Some(Node::Constant(Value::List(list))) if in_list => members(list),
        _ => None,
    };
    match members {
        Some(Members::Values(values)) if values.is_empty() => Ok(Node::Constant(Value::Bool(false))),
        Some(of) if nodes.len() == 2 => Ok(Node::Member { element: Box::new(nodes.swap_remove(0)), of }),
        _ => call(function, overloads, nodes),
    }
}

fn members(list: &List<'static>) -> Option<Members> {
    let values: Vec<Value<'static>> = list.iter().collect();
    let primitive = |value: &Value<'_>| {
        matches!(value, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_))
    };
    if !values.iter().all(primitive) {
        return None;
    }
    let texts: Option<HashSet<Box<str>>> = values.iter().map(|value| value.as_str().ok().map(Box::from)).collect();
    match texts {
        Some(texts) if !texts.is_empty() => Some(Members::Texts(texts)),
        _ => Some(Members::Values(values)),
    }
}

fn call(function: &Arc<Function>, overloads: &[usize], arguments: Vec<Node>) -> Planned {
    let overload = match overloads {
        [only] => Some(*only),
        _ => None,
    };
    let pattern = compile_pattern(function, &arguments)?;
    let dispatched = overload.is_none() && is_dispatched(function);
    let sequential = arguments.len() > 2 || pattern.is_some() || (dispatched && arguments.len() == 2);
    let cost = match overload {
        None if function.is_standard() => None,
        None => overloads.first().and_then(|first| function.overloads.get(*first)).and_then(|first| first.cost),
        Some(index) => function.overloads.get(index).and_then(|known| known.cost),
    };
    Ok(Node::Call(Box::new(Call { function: Arc::clone(function), overload, arguments, sequential, pattern, cost })))
}

/// Whether the server chooses the overload of an unresolved call by trying one after another.
fn is_dispatched(function: &Function) -> bool {
    matches!(function.binding, Binding::Overloads { .. }) && function.overloads.len() > 1
}

fn compile_pattern(function: &Function, arguments: &[Node]) -> Planned<Option<(Regex, PatternImplementation)>> {
    let Some((position, implementation)) = function.overloads.iter().find_map(|overload| overload.pattern) else {
        return Ok(None);
    };
    match arguments.get(position) {
        Some(Node::Constant(Value::String(pattern))) => {
            let regex = re2::compile(pattern.as_str()).map_err(failure)?;
            Ok(Some((regex, implementation)))
        }
        _ => Ok(None),
    }
}

/// Makes a conversion of a constant in advance.
fn simplify(node: Node) -> Planned {
    let Node::Call(call) = node else { return Ok(node) };
    match call.arguments.as_slice() {
        [Node::Constant(value)] if functions::is_conversion(call.function.name) => {
            dispatch::invoke(&call, std::slice::from_ref(value)).map(Node::Constant).map_err(failure)
        }
        _ => Ok(Node::Call(call)),
    }
}

fn fold_list(elements: Vec<(Node, bool)>) -> Node {
    let constant: Option<Vec<Value<'static>>> = elements
        .iter()
        .map(|(node, optional)| match node {
            Node::Constant(value) if !optional => Some(value.clone()),
            _ => None,
        })
        .collect();
    constant.map_or(Node::List(elements), |values| Node::Constant(Value::list(values)))
}

fn fold_map(entries: Vec<(Node, Node, bool)>) -> Node {
    let constant: Option<Entries<'static>> = entries
        .iter()
        .map(|entry| match entry {
            (Node::Constant(key), Node::Constant(value), false) => Some((key.clone(), value.clone())),
            _ => None,
        })
        .collect();
    constant.map_or(Node::Map(entries), |entries| Node::Constant(Value::map(entries)))
}
