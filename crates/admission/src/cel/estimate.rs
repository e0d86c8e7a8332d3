//! What an expression can cost at most, known from its text and the sizes of the data that it names
//! (`checker/cost.go` of cel-go, `apiserver/pkg/cel/library/cost.go`).

use std::collections::HashMap;

use super::ast::{ACCUMULATOR, Expr, FoldExpr, Kind, operator};
use super::check::{Checked, Reference};
use super::cost;
use super::estimate_calls::{self, Operand};
use super::types::Type;
use super::value::Value;

/// Tells the greatest size of what a path leads to. The first step is a root name, others are fields, `@items`,
/// `@values` and `@keys`.
pub type Sizes<'s> = dyn Fn(&[String]) -> Option<u64> + 's;

/// The least and the most of a cost or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub least: u64,
    pub most: u64,
}

impl Span {
    pub const UNKNOWN: Self = Self { least: 0, most: u64::MAX };
    pub const NONE: Self = Self::fixed(0);
    const EMPTY: Self = Self { least: u64::MAX, most: 0 };

    /// Exactly this much.
    pub const fn fixed(amount: u64) -> Self {
        Self { least: amount, most: amount }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }

    /// One for each of the other.
    pub fn times(self, other: Self) -> Self {
        Self { least: self.least.saturating_mul(other.least), most: self.most.saturating_mul(other.most) }
    }

    /// A part of it, rounded up.
    pub fn scaled(self, factor: f64) -> Self {
        Self { least: scaled(self.least, factor), most: scaled(self.most, factor) }
    }

    /// Either of both.
    pub fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the server computes in doubles; casts saturate"
)]
fn scaled(amount: u64, factor: f64) -> u64 {
    (amount as f64 * factor).ceil() as u64
}

/// Sizes of the keys and values of a list or map, if known.
#[derive(Clone, Copy)]
struct Entries {
    is_list: bool,
    key: Span,
    value: Span,
}

impl Entries {
    fn or(self, other: Self) -> Self {
        Self { is_list: self.is_list, key: self.key.or(other.key), value: self.value.or(other.value) }
    }
}

#[derive(Clone)]
struct Local {
    path: Vec<String>,
    size: Option<Span>,
    entries: Option<Entries>,
}

/// The most that a checked expression can cost.
pub(super) fn most(checked: &Checked, root: &Expr, sizes: &Sizes<'_>) -> u64 {
    let mut estimator = Estimator {
        checked,
        sizes,
        paths: HashMap::new(),
        computed: HashMap::new(),
        entries: HashMap::new(),
        locals: HashMap::new(),
    };
    estimator.expr(root).most
}

struct Estimator<'e> {
    checked: &'e Checked,
    sizes: &'e Sizes<'e>,
    paths: HashMap<usize, Vec<String>>,
    computed: HashMap<usize, Span>,
    entries: HashMap<usize, Entries>,
    locals: HashMap<String, Vec<Local>>,
}

impl Estimator<'_> {
    fn type_of(&self, expr: &Expr) -> &Type {
        self.checked.types.get(expr.id).unwrap_or(&Type::Dyn)
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.get(name).and_then(|stack| stack.last())
    }

    fn push(&mut self, name: &str, local: Local) {
        self.locals.entry(name.to_owned()).or_default().push(local);
    }

    fn pop(&mut self, name: &str) {
        if let Some(stack) = self.locals.get_mut(name) {
            stack.pop();
        }
    }

    fn path(&self, expr: &Expr) -> Vec<String> {
        if let Kind::Ident(name) = &expr.kind
            && let Some(local) = self.local(name)
        {
            return local.path.clone();
        }
        self.paths.get(&expr.id).cloned().unwrap_or_default()
    }

    fn path_below(&self, expr: &Expr, step: &str) -> Vec<String> {
        let mut path = self.path(expr);
        path.push(step.to_owned());
        path
    }

    /// The size of an expression's value, if anything is known of it.
    fn size(&mut self, expr: &Expr) -> Option<Span> {
        if let Some(size) = self.computed.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = literal_size(expr) {
            return Some(size);
        }
        let path = self.path(expr);
        if let Some(most) = Some(path).filter(|path| !path.is_empty()).and_then(|path| (self.sizes)(&path)) {
            let size = Span { least: 0, most };
            self.computed.insert(expr.id, size);
            return Some(size);
        }
        if is_scalar(self.type_of(expr)) {
            return Some(Span::fixed(1));
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name).and_then(|local| local.size),
            _ => None,
        }
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Span {
        self.size(expr).unwrap_or(Span::UNKNOWN)
    }

    fn entries_of(&self, expr: &Expr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&expr.id) {
            return Some(*entries);
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name).and_then(|local| local.entries),
            _ => None,
        }
    }

    fn set_size(&mut self, expr: &Expr, size: Option<Span>) {
        if let Some(size) = size {
            self.computed.insert(expr.id, size);
        }
    }

    fn set_entries(&mut self, expr: &Expr, entries: Option<Entries>) {
        if let Some(entries) = entries {
            self.entries.insert(expr.id, entries);
        }
    }

    fn expr(&mut self, expr: &Expr) -> Span {
        match &expr.kind {
            Kind::Literal(_) => Span::NONE,
            Kind::Ident(name) => {
                let path = self.local(name).map_or_else(|| vec![name.clone()], |local| local.path.clone());
                self.paths.insert(expr.id, path);
                Span::fixed(cost::SELECT)
            }
            Kind::Select { operand, field, test } => self.select(expr, operand, field, *test),
            Kind::Call { function, target, arguments } => self.call(expr, function, target.as_deref(), arguments),
            Kind::List(elements) => {
                let values: Vec<&Expr> = elements.iter().map(|element| &element.value).collect();
                let (sum, value) = self.all(&values);
                self.set_entries(expr, Some(Entries { is_list: true, key: Span::fixed(1), value }));
                sum.plus(Span::fixed(cost::LIST))
            }
            Kind::Map(entries) => {
                let (keys, key) = self.all(&entries.iter().map(|entry| &entry.key).collect::<Vec<_>>());
                let (values, value) = self.all(&entries.iter().map(|entry| &entry.value).collect::<Vec<_>>());
                self.set_entries(expr, Some(Entries { is_list: false, key, value }));
                keys.plus(values).plus(Span::fixed(cost::MAP))
            }
            Kind::Struct { fields, .. } => {
                let values: Vec<&Expr> = fields.iter().map(|field| &field.value).collect();
                self.all(&values).0.plus(Span::fixed(cost::STRUCT))
            }
            Kind::Fold(fold) if is_binding(fold) => self.binding(expr, fold),
            Kind::Fold(fold) => self.fold(expr, fold),
        }
    }

    /// The cost of the parts of a literal together, and what the size of each can be.
    fn all(&mut self, parts: &[&Expr]) -> (Span, Span) {
        let mut sum = Span::NONE;
        let mut size = if parts.is_empty() { Span::NONE } else { Span::EMPTY };
        for part in parts {
            sum = sum.plus(self.expr(part));
            size = size.or(self.size_or_unknown(part));
        }
        (sum, size)
    }

    /// A presence test costs nothing but its operand.
    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, test: bool) -> Span {
        let sum = self.expr(operand);
        if test {
            return sum;
        }
        let path = self.path_below(operand, field);
        self.paths.insert(expr.id, path);
        match self.type_of(operand) {
            Type::Map(..) | Type::Struct(_) | Type::Param(_) | Type::Variable(_) => sum.plus(Span::fixed(cost::SELECT)),
            _ => sum,
        }
    }

    fn operand<'x>(&mut self, expr: &'x Expr) -> Operand<'x> {
        let mut path = self.path(expr);
        if path.first().is_some_and(|first| first == ACCUMULATOR) {
            path.clear();
        }
        Operand { expr, kind: self.type_of(expr).clone(), path, size: self.size(expr) }
    }

    fn call(&mut self, expr: &Expr, name: &str, target: Option<&Expr>, arguments: &[Expr]) -> Span {
        if name == "dyn"
            && let [only] = arguments
        {
            let sum = self.expr(only);
            let size = self.size(only);
            self.set_size(expr, size);
            self.set_entries(expr, self.entries_of(only));
            return sum.plus(Span::fixed(cost::CALL));
        }
        let mut costs = Vec::with_capacity(arguments.len());
        let mut operands = Vec::with_capacity(arguments.len());
        for argument in arguments {
            costs.push(self.expr(argument));
            operands.push(self.operand(argument));
        }
        let (function, ids, qualified) = match self.checked.references.get(expr.id).and_then(Option::as_ref) {
            Some(Reference::Function { function, overloads, qualified }) => {
                let ids: Vec<&str> =
                    overloads.iter().filter_map(|index| function.overloads.get(*index)).map(|one| one.id).collect();
                (function.name, ids, *qualified)
            }
            _ if name == operator::OPTIONAL_SELECT => (operator::OPTIONAL_SELECT, vec!["select_optional_field"], false),
            _ => return Span::NONE,
        };
        let target = target.filter(|_| !qualified);
        let target_cost = target.map_or(Span::NONE, |target| self.expr(target));
        let target = target.map(|target| self.operand(target));
        let call = Call { expr, function, target, operands, costs };
        target_cost.plus(self.overloads(&call, &ids))
    }

    fn overloads(&mut self, call: &Call<'_>, ids: &[&str]) -> Span {
        let (mut cost, mut size) = (Span::EMPTY, None);
        for id in ids {
            let (one, result) = self.overload(call, id);
            cost = cost.or(one);
            size = match (size, result) {
                (Some(known), Some(result)) => Some(Span::or(known, result)),
                (known, result) => known.or(result),
            };
            let step = match *id {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(step), Some(operand)) = (step, call.operands.first()) {
                size = self.entries_of(operand.expr).map(|entries| entries.value);
                let path = self.path_below(operand.expr, step);
                self.paths.insert(call.expr.id, path);
            }
            size = size.or_else(|| self.size(call.expr));
        }
        self.set_size(call.expr, size);
        cost
    }

    /// The cost of a call with its arguments, and the size of its result.
    fn overload(&mut self, call: &Call<'_>, id: &str) -> (Span, Option<Span>) {
        let arguments = call.costs.iter().fold(Span::NONE, |sum, cost| sum.plus(*cost));
        let known = estimate_calls::cost(call.function, id, call.target.as_ref(), &call.operands, self.sizes);
        if let Some((cost, size)) = known {
            return (cost.plus(arguments), size);
        }
        match (id, call.costs.as_slice(), call.operands.as_slice()) {
            ("logical_and" | "logical_or", [left, right], _) => {
                (Span { least: left.least, most: left.plus(*right).most }, None)
            }
            ("conditional", [condition, truthy, falsy], [_, first, second]) => {
                let size = first.size_or_unknown().or(second.size_or_unknown());
                let entries = self.both_entries(first.expr, second.expr);
                self.set_entries(call.expr, entries);
                (condition.plus(truthy.or(*falsy)), Some(size))
            }
            ("add_string" | "add_bytes" | "add_list", _, [first, second]) => {
                let size = first.size_or_unknown().plus(second.size_or_unknown());
                let entries = self.both_entries(first.expr, second.expr);
                self.set_entries(call.expr, entries);
                let own = if id == "add_list" { Span::fixed(1) } else { size.scaled(estimate_calls::TRAVERSAL) };
                (own.plus(arguments), Some(size))
            }
            _ => {
                let (own, size) = estimate_calls::standard(call.function, id, call.target.as_ref(), &call.operands);
                (own.plus(arguments), size)
            }
        }
    }

    fn both_entries(&self, first: &Expr, second: &Expr) -> Option<Entries> {
        Some(self.entries_of(first)?.or(self.entries_of(second)?))
    }

    fn binding(&mut self, expr: &Expr, fold: &FoldExpr) -> Span {
        let sum = self.expr(&fold.range).plus(self.expr(&fold.initial));
        self.push_value(&fold.accumulator, &fold.initial);
        let sum = sum.plus(self.expr(&fold.result));
        let (size, entries) = (self.size(&fold.result), self.entries_of(&fold.result));
        self.pop(&fold.accumulator);
        self.set_size(expr, size);
        self.set_entries(expr, entries);
        sum
    }

    fn push_value(&mut self, name: &str, value: &Expr) {
        let local = Local { path: self.path(value), size: self.size(value), entries: self.entries_of(value) };
        self.push(name, local);
    }

    fn push_variables(&mut self, fold: &FoldExpr) {
        let entries = self.entries_of(&fold.range);
        let is_list = entries.map_or(matches!(self.type_of(&fold.range), Type::List(_)), |entries| entries.is_list);
        let (key, value) = (entries.map(|entries| entries.key), entries.map(|entries| entries.value));
        let part = |estimator: &Self, step: &str, size| Local {
            path: estimator.path_below(&fold.range, step),
            size,
            entries: None,
        };
        let (values, keys) = if is_list { ("@items", "@indices") } else { ("@values", "@keys") };
        let first = match (&fold.second_variable, is_list) {
            (None, true) => part(self, values, value),
            _ => part(self, keys, key),
        };
        if let Some(second) = &fold.second_variable {
            let second_local = part(self, values, value);
            self.push(second, second_local);
        }
        self.push(&fold.variable, first);
    }

    fn fold(&mut self, expr: &Expr, fold: &FoldExpr) -> Span {
        let sum = self.expr(&fold.range).plus(self.expr(&fold.initial));
        self.push_value(&fold.accumulator, &fold.initial);
        self.push_variables(fold);
        let round = self.expr(&fold.condition).plus(self.expr(&fold.step));
        let step_entries = self.entries_of(&fold.step);
        self.pop(&fold.variable);
        fold.second_variable.iter().for_each(|second| self.pop(second));
        let sum = sum.plus(self.expr(&fold.result));
        self.pop(&fold.accumulator);
        let count = self.size_or_unknown(&fold.range);
        match &fold.initial.kind {
            Kind::Literal(_) => {
                let size = self.size(&fold.initial);
                self.set_size(expr, size);
            }
            Kind::List(_) | Kind::Map(_) => {
                self.set_size(expr, Some(count));
                self.set_entries(expr, step_entries);
            }
            _ => {}
        }
        sum.plus(count.times(round))
    }
}

struct Call<'x> {
    expr: &'x Expr,
    function: &'x str,
    target: Option<Operand<'x>>,
    operands: Vec<Operand<'x>>,
    costs: Vec<Span>,
}

/// Whether a comprehension only gives a name to a value.
fn is_binding(fold: &FoldExpr) -> bool {
    matches!(&fold.range.kind, Kind::List(elements) if elements.is_empty())
        && matches!(&fold.condition.kind, Kind::Literal(Value::Bool(false)))
        && fold.accumulator != ACCUMULATOR
}

fn literal_size(expr: &Expr) -> Option<Span> {
    let size = match &expr.kind {
        Kind::Literal(value @ (Value::String(_) | Value::Bytes(_))) => value.cost_size(),
        Kind::Literal(_) => 1,
        Kind::List(elements) => elements.len() as u64,
        Kind::Map(entries) => entries.len() as u64,
        _ => return None,
    };
    Some(Span::fixed(size))
}

fn is_scalar(kind: &Type) -> bool {
    match kind {
        Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
        other => other.optional_value().is_some_and(is_scalar),
    }
}
