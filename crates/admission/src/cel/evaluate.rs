//! Evaluates programs, charging what the server charges at the same moments.

use super::cost;
use super::declarations::Root;
use super::dispatch;
use super::equality::{compare, equal};
use super::error::EvalError;
use super::functions;
use super::map::Entries;
use super::plan::{Attribute, Base, Call, Members, Node};
use super::program::{Activation, EXPRESSION_COST_LIMIT, Program};
use super::show::show;
use super::value::{Text, Value};

pub(super) type Outcome<'a> = Result<Value<'a>, EvalError>;

/// How deep evaluations may nest, a variable's within that of its user included.
const MAX_DEPTH: usize = 1200;

/// One evaluation of one program.
pub(super) struct Evaluator<'a, 'v> {
    pub activation: &'v Activation<'a>,
    pub cost: u64,
    /// The computed key of the latest selection that found nothing, for its message.
    pub last_key: Option<Value<'a>>,
    locals: Vec<Local<'a>>,
}

/// The content of a place in the frame.
enum Local<'a> {
    Lazy(&'a Node),
    Known(Outcome<'a>),
}

impl<'a, 'v> Evaluator<'a, 'v> {
    /// An evaluation that has not begun.
    pub fn new(program: &'a Program, activation: &'v Activation<'a>) -> Self {
        let locals = (0..program.locals).map(|_| Local::Known(Ok(Value::Null))).collect();
        Self { activation, cost: 0, last_key: None, locals }
    }

    /// Evaluates a node.
    pub fn eval(&mut self, node: &'a Node) -> Outcome<'a> {
        if let Node::Constant(value) = node {
            return Ok(constant(value));
        }
        let depth = self.activation.depth.get();
        if depth >= MAX_DEPTH {
            return Err(EvalError::Depth);
        }
        self.activation.depth.set(depth + 1);
        let outcome = self.eval_node(node);
        self.activation.depth.set(depth);
        outcome
    }

    fn eval_node(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Constant(value) => Ok(constant(value)),
            Node::Attribute(attribute, test) => self.attribute(attribute, *test),
            Node::Logic { decided_by, operands } => self.logic(*decided_by, operands),
            Node::Equal { negated, operands } => self.equality(*negated, operands),
            Node::NotStrictlyFalse(operand) => self.not_strictly_false(operand),
            Node::Fallback { unwraps, operands } => self.fallback(*unwraps, operands),
            Node::Member { element, of } => self.member(element, of),
            Node::Call(call) => self.call(call),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Struct { name, fields } => self.structure(name, fields),
            Node::Append { accumulator, elements } => self.append(*accumulator, elements),
            Node::Insert { accumulator, entries } => self.insert(*accumulator, entries),
            Node::Quantifier(quantifier) => self.quantifier(quantifier),
            Node::Fold(fold) => self.fold(fold),
        }
    }

    /// Adds to the cost, and ends the evaluation if the limit is passed.
    pub fn charge(&mut self, cost: u64) -> Result<(), EvalError> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > EXPRESSION_COST_LIMIT { Err(EvalError::CostLimit) } else { Ok(()) }
    }

    /// Charges, then gives an outcome that was known before.
    fn charged<T>(&mut self, cost: u64, outcome: Result<T, EvalError>) -> Result<T, EvalError> {
        if ends(&outcome) {
            return outcome;
        }
        self.charge(cost)?;
        outcome
    }

    fn attribute(&mut self, attribute: &'a Attribute, test: bool) -> Outcome<'a> {
        let outcome = self.resolve(attribute);
        if ends(&outcome) {
            return outcome;
        }
        let is_choice = matches!(attribute.base, Base::Choice { .. });
        match (is_choice, test) {
            (false, false) => self.charge(cost::SELECT)?,
            (true, true) => self.cost = self.cost.saturating_sub(cost::SELECT),
            _ => {}
        }
        match outcome {
            Ok(Value::Optional(value)) if test => Ok(Value::Bool(value.is_some())),
            other => other,
        }
    }

    /// The value of an attribute without the charge for naming its base.
    pub fn resolve(&mut self, attribute: &'a Attribute) -> Outcome<'a> {
        let base = match &attribute.base {
            Base::Root(root) => self.root(*root)?,
            Base::Local(place) => self.local(*place)?,
            Base::Operand(node) => self.eval(node)?,
            Base::Choice { condition, branches } => {
                let [truthy, falsy] = branches.as_ref();
                let chosen = if self.eval(condition)?.as_bool()? { truthy } else { falsy };
                return self.resolve(chosen);
            }
        };
        if attribute.steps.is_empty() { Ok(base) } else { self.select(base, &attribute.steps) }
    }

    fn root(&self, root: Root) -> Outcome<'a> {
        let roots = self.activation.roots();
        let object = match root {
            Root::Object => roots.object,
            Root::OldObject => roots.old_object,
            Root::Params => roots.params,
            Root::Request => roots.request,
            Root::NamespaceObject => roots.namespace_object,
            Root::Variables => return Ok(Value::Variables),
            Root::This => return self.activation.subject(0).usable(),
            Root::Old => return self.activation.subject(1).usable(),
            Root::Authorizer => return Err(EvalError::unanswered("authorizer is not available to this evaluation")),
        };
        Ok(object.map_or(Value::Null, Value::from_json))
    }

    fn local(&mut self, place: usize) -> Outcome<'a> {
        match self.locals.get(place) {
            Some(Local::Known(outcome)) => outcome.clone(),
            Some(Local::Lazy(initial)) => {
                let initial = *initial;
                let outcome = self.eval(initial);
                if !ends(&outcome) {
                    self.set(place, outcome.clone());
                }
                outcome
            }
            None => Err(EvalError::no_such_overload()),
        }
    }

    /// Puts an outcome into a place.
    pub fn set(&mut self, place: usize, outcome: Outcome<'a>) {
        if let Some(local) = self.locals.get_mut(place) {
            *local = Local::Known(outcome);
        }
    }

    /// Takes the accumulator out of its place, so that it can be changed without a copy.
    fn take(&mut self, place: usize) -> Outcome<'a> {
        let outcome = self.local(place);
        self.set(place, Ok(Value::Null));
        outcome
    }

    fn logic(&mut self, decided_by: bool, operands: &'a [Node; 2]) -> Outcome<'a> {
        let mut failure = None;
        for operand in operands {
            match self.eval(operand) {
                Ok(Value::Bool(value)) if value == decided_by => return Ok(Value::Bool(decided_by)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => failure = failure.or_else(|| Some(EvalError::no_such_overload())),
                Err(error) if !error.is_absorbable() => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Value::Bool(!decided_by)), Err)
    }

    fn equality(&mut self, negated: bool, operands: &'a [Node; 2]) -> Outcome<'a> {
        let [left, right] = operands;
        let left = self.eval(left);
        if ends(&left) {
            return left;
        }
        let right = self.eval(right);
        if ends(&right) {
            return right;
        }
        let operand = |outcome: &Outcome<'a>| outcome.as_ref().map_or(1, Value::cost_size);
        let cost = match &left {
            Ok(Value::Opaque(_)) => cost::CALL,
            _ => cost::tenth(operand(&left).min(operand(&right))),
        };
        self.charge(cost)?;
        let outcome = compare(&left?, &right?);
        // A comparison that fails makes `==` fail, but `!=` true.
        if negated { Ok(Value::Bool(outcome != Ok(true))) } else { outcome.map(Value::Bool) }
    }

    fn not_strictly_false(&mut self, operand: &'a Node) -> Outcome<'a> {
        let passes = match self.eval(operand) {
            Ok(Value::Bool(value)) => value,
            Ok(_) => true,
            Err(error) if error.is_absorbable() => true,
            fatal => return fatal,
        };
        self.charge(cost::CALL)?;
        Ok(Value::Bool(passes))
    }

    fn fallback(&mut self, unwraps: bool, operands: &'a [Node; 2]) -> Outcome<'a> {
        let [first, second] = operands;
        match self.eval(first)? {
            Value::Optional(None) => self.eval(second),
            Value::Optional(Some(value)) if unwraps => Ok(value.as_ref().clone()),
            other => Ok(other),
        }
    }

    fn member(&mut self, element: &'a Node, of: &'a Members) -> Outcome<'a> {
        let element = hashable(self.eval(element)?)?;
        let found = match (of, &element) {
            (Members::Texts(texts), Value::String(text)) => texts.contains(text.as_str()),
            (Members::Texts(_), _) => false,
            (Members::Values(values), element) => values.iter().any(|value| equal(value, element)),
        };
        Ok(Value::Bool(found))
    }

    fn call(&mut self, call: &'a Call) -> Outcome<'a> {
        match call.arguments.as_slice() {
            [only] => {
                let only = self.eval(only);
                match only {
                    Ok(value) => self.invoke(call, &[value]),
                    Err(error) if error.is_absorbable() => self.charge_call(call, &[Value::Null], Err(error)),
                    fatal => fatal,
                }
            }
            [first, second] => self.call_two(call, first, second),
            many => self.call_many(call, many),
        }
    }

    fn invoke(&mut self, call: &'a Call, values: &[Value<'a>]) -> Outcome<'a> {
        let outcome = dispatch::invoke(call, values);
        self.charge_call(call, values, outcome)
    }

    /// Calls with two arguments that may have failed; the first failure is the outcome.
    fn call_two(&mut self, call: &'a Call, first: &'a Node, second: &'a Node) -> Outcome<'a> {
        let first = self.eval(first);
        if ends(&first) || (call.sequential && first.is_err()) {
            return first;
        }
        let second = self.eval(second);
        if ends(&second) {
            return second;
        }
        match (first, second) {
            (Ok(first), Ok(second)) => self.invoke(call, &[first, second]),
            (Ok(first), Err(error)) => self.charge_call(call, &[first, Value::Null], Err(error)),
            (Err(error), second) => {
                let second = second.unwrap_or(Value::Null);
                self.charge_call(call, &[Value::Null, second], Err(error))
            }
        }
    }

    /// Calls with any number of arguments, of which the first that fails ends the call.
    fn call_many(&mut self, call: &'a Call, arguments: &'a [Node]) -> Outcome<'a> {
        let mut values = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            match self.eval(argument) {
                Ok(value) => values.push(value),
                Err(error) if error.is_absorbable() && index + 1 == arguments.len() => {
                    values.push(Value::Null);
                    return self.charge_call(call, &values, Err(error));
                }
                failed => return failed,
            }
        }
        self.invoke(call, &values)
    }

    fn charge_call(&mut self, call: &Call, values: &[Value<'a>], outcome: Outcome<'a>) -> Outcome<'a> {
        let cost = call.cost.map_or(cost::CALL, |cost| cost(values, &outcome));
        self.charged(cost, outcome)
    }

    fn list(&mut self, elements: &'a [(Node, bool)]) -> Outcome<'a> {
        let outcome = self.elements(elements).map(Value::list);
        self.charged(cost::LIST, outcome)
    }

    fn elements(&mut self, elements: &'a [(Node, bool)]) -> Result<Vec<Value<'a>>, EvalError> {
        let mut values = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            match (self.eval(element)?, optional) {
                (value, false) => values.push(value),
                (Value::Optional(value), true) => values.extend(value.map(|value| value.as_ref().clone())),
                (other, true) => {
                    let text = "cannot initialize optional list element from non-optional value";
                    return Err(EvalError::new(format!("{text} {}", show(&other))));
                }
            }
        }
        Ok(values)
    }

    fn map(&mut self, entries: &'a [(Node, Node, bool)]) -> Outcome<'a> {
        let outcome = self.entries(entries).map(Value::map);
        self.charged(cost::MAP, outcome)
    }

    fn entries(&mut self, entries: &'a [(Node, Node, bool)]) -> Result<Entries<'a>, EvalError> {
        let mut made = Entries::new();
        for (key, value, optional) in entries {
            let key = hashable(self.eval(key)?)?;
            match (self.eval(value)?, optional) {
                (value, false) => made.insert(key, value),
                (Value::Optional(Some(value)), true) => made.insert(key, value.as_ref().clone()),
                (Value::Optional(None), true) => made.remove(&key),
                (other, true) => {
                    let entry = show(&key);
                    return Err(EvalError::new(format!(
                        "cannot initialize optional entry '{entry}' from non-optional value {}",
                        show(&other)
                    )));
                }
            }
        }
        Ok(made)
    }

    fn structure(&mut self, name: &str, fields: &'a [Node]) -> Outcome<'a> {
        let failed = fields.iter().find_map(|field| self.eval(field).err());
        let error = failed.unwrap_or_else(|| EvalError::new(format!("unknown type '{name}'")));
        self.charged(cost::STRUCT, Err(error))
    }

    fn append(&mut self, accumulator: usize, elements: &'a Node) -> Outcome<'a> {
        self.charge(cost::SELECT)?;
        let more = match elements {
            Node::List(parts) => {
                let made = self.elements(parts);
                self.charged(cost::LIST, made)
            }
            constant => self.eval(constant).and_then(|value| Ok(value.as_list()?.iter().collect())),
        };
        self.combine(accumulator, more, functions::append)
    }

    fn insert(&mut self, accumulator: usize, entries: &'a [Node]) -> Outcome<'a> {
        self.charge(cost::SELECT)?;
        match entries {
            [update] => {
                let update = self.eval(update);
                self.combine(accumulator, update, |map, update| insert_values(map, vec![update]))
            }
            _ => self.insert_entry(accumulator, entries),
        }
    }

    /// Changes the accumulator with what was evaluated, if neither has failed.
    fn combine<T>(
        &mut self,
        accumulator: usize,
        with: Result<T, EvalError>,
        change: impl FnOnce(Value<'a>, T) -> Outcome<'a>,
    ) -> Outcome<'a> {
        match with {
            Err(error) if !error.is_absorbable() => Err(error),
            with => {
                let held = self.take(accumulator);
                let outcome = held.and_then(|held| change(held, with?));
                self.charged(cost::CALL, outcome)
            }
        }
    }

    /// Inserts a key and a value; the first failure among accumulator, key and value ends the call.
    fn insert_entry(&mut self, accumulator: usize, entries: &'a [Node]) -> Outcome<'a> {
        if let Some(Local::Known(Err(error))) = self.locals.get(accumulator) {
            return Err(error.clone());
        }
        let mut values = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match self.eval(entry) {
                Ok(value) => values.push(value),
                Err(error) if index + 1 == entries.len() => return self.charged(cost::CALL, Err(error)),
                failed => return failed,
            }
        }
        self.combine(accumulator, Ok(values), insert_values)
    }

    /// Adds single units, so that the limit ends the evaluation at the same unit as on the server.
    pub fn charge_each(&mut self, units: usize) -> Result<(), EvalError> {
        (0..units).try_for_each(|_| self.charge(1))
    }

    /// Puts an initial value into a place that is evaluated when first read.
    pub fn set_lazily(&mut self, place: usize, initial: &'a Node) {
        if let Some(local) = self.locals.get_mut(place) {
            *local = Local::Lazy(initial);
        }
    }
}

/// Whether an outcome ends the whole evaluation, so that no operator may absorb it.
pub(super) fn ends<T>(outcome: &Result<T, EvalError>) -> bool {
    matches!(outcome, Err(error) if !error.is_absorbable())
}

/// The value, if the server can use it as a key.
fn hashable(value: Value<'_>) -> Outcome<'_> {
    if matches!(value, Value::Bytes(_)) { Err(EvalError::Unhashable) } else { Ok(value) }
}

/// A program's constant, its text borrowed.
fn constant<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::String(Text::Shared(text)) => Value::borrowed(text),
        other => other.clone(),
    }
}

fn insert_values<'a>(map: Value<'a>, values: Vec<Value<'a>>) -> Outcome<'a> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(key), Some(value)) => functions::insert_into(map, vec![(key, value)]),
        (Some(Value::Map(more)), None) => functions::insert_into(map, more.iter().collect()),
        _ => Err(EvalError::no_such_overload()),
    }
}
