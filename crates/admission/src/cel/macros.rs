//! Macros: calls that stand for comprehensions and presence tests.

use super::ast::{ACCUMULATOR, Element, Expr, FoldExpr, Kind, Positions, operator};
use super::environment::KubeVersion;
use super::value::Value;

/// A call before it is known whether it is a macro.
pub(super) struct Call {
    pub function: String,
    pub target: Option<Expr>,
    pub arguments: Vec<Expr>,
    pub offset: usize,
}

/// A macro that was used wrongly: which expression, and how.
pub(super) struct Misuse {
    pub id: usize,
    pub message: String,
}

type Expansion = Result<Expr, Misuse>;

/// The first compatibility versions of macros that came later than the language.
const OPTIONAL_TYPES: KubeVersion = KubeVersion::minor(28);
const TWO_VARIABLES: KubeVersion = KubeVersion::minor(32);
const LISTS: KubeVersion = KubeVersion::minor(34);

/// Expands a call if it is a macro of this compatibility version, else gives it back as a call.
pub(super) fn expand(positions: &mut Positions, version: KubeVersion, call: Call) -> Expansion {
    let Call { function, target, mut arguments, offset } = call;
    let mut maker = Maker { positions, offset };
    let Some(target) = target else {
        return match (function.as_str(), arguments.len()) {
            ("has", 1) => maker.presence(arguments.remove(0)),
            _ => Ok(maker.call(&function, arguments)),
        };
    };
    match Macro::named(&function, arguments.len(), version) {
        Some(kind) => maker.expand(kind, target, Arguments::new(arguments)),
        None => Ok(maker.member(&function, target, arguments)),
    }
}

#[derive(Clone, Copy)]
enum Macro {
    Quantifier(Quantifier),
    Quantifier2(Quantifier),
    Map,
    Filter,
    OptMap,
    OptFlatMap,
    TransformList,
    TransformMap,
    TransformMapEntry,
    SortBy,
}

#[derive(Clone, Copy)]
enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

impl Macro {
    fn named(function: &str, arguments: usize, version: KubeVersion) -> Option<Self> {
        let (found, since) = match (function, arguments) {
            ("all", 2) => (Self::Quantifier(Quantifier::All), KubeVersion::OLDEST),
            ("exists", 2) => (Self::Quantifier(Quantifier::Exists), KubeVersion::OLDEST),
            ("exists_one", 2) => (Self::Quantifier(Quantifier::ExistsOne), KubeVersion::OLDEST),
            ("map", 2 | 3) => (Self::Map, KubeVersion::OLDEST),
            ("filter", 2) => (Self::Filter, KubeVersion::OLDEST),
            ("optMap", 2) => (Self::OptMap, OPTIONAL_TYPES),
            ("optFlatMap", 2) => (Self::OptFlatMap, OPTIONAL_TYPES),
            ("all", 3) => (Self::Quantifier2(Quantifier::All), TWO_VARIABLES),
            ("exists", 3) => (Self::Quantifier2(Quantifier::Exists), TWO_VARIABLES),
            ("exists_one" | "existsOne", 3) => (Self::Quantifier2(Quantifier::ExistsOne), TWO_VARIABLES),
            ("transformList", 3 | 4) => (Self::TransformList, TWO_VARIABLES),
            ("transformMap", 3 | 4) => (Self::TransformMap, TWO_VARIABLES),
            ("transformMapEntry", 3 | 4) => (Self::TransformMapEntry, TWO_VARIABLES),
            ("sortBy", 2) => (Self::SortBy, LISTS),
            _ => return None,
        };
        (since <= version).then_some(found)
    }
}

/// The arguments of a macro, taken from the front (names) or the back (bodies).
struct Arguments(std::collections::VecDeque<Expr>);

impl Arguments {
    fn new(arguments: Vec<Expr>) -> Self {
        Self(arguments.into())
    }

    fn first(&mut self) -> Expr {
        self.0.pop_front().expect("a macro is matched by its number of arguments")
    }

    fn last(&mut self) -> Expr {
        self.0.pop_back().expect("a macro is matched by its number of arguments")
    }

    fn filter(&mut self) -> Option<Expr> {
        self.0.pop_back()
    }
}

struct Loop {
    range: Expr,
    variable: String,
    second_variable: Option<String>,
}

struct Body {
    initial: Expr,
    condition: Expr,
    step: Expr,
    result: Expr,
}

struct Maker<'m> {
    positions: &'m mut Positions,
    offset: usize,
}

impl Maker<'_> {
    fn expr(&mut self, kind: Kind) -> Expr {
        self.positions.expr(self.offset, kind)
    }

    fn call(&mut self, function: &str, arguments: Vec<Expr>) -> Expr {
        self.expr(Kind::Call { function: function.to_owned(), target: None, arguments })
    }

    fn member(&mut self, function: &str, target: Expr, arguments: Vec<Expr>) -> Expr {
        self.expr(Kind::Call { function: function.to_owned(), target: Some(Box::new(target)), arguments })
    }

    fn ident(&mut self, name: &str) -> Expr {
        self.expr(Kind::Ident(name.to_owned()))
    }

    fn accumulator(&mut self) -> Expr {
        self.ident(ACCUMULATOR)
    }

    fn literal(&mut self, value: Value<'static>) -> Expr {
        self.expr(Kind::Literal(value))
    }

    fn list(&mut self, elements: Vec<Expr>) -> Expr {
        let elements = elements.into_iter().map(|value| Element { value, optional: false }).collect();
        self.expr(Kind::List(elements))
    }

    fn expand(&mut self, kind: Macro, target: Expr, mut arguments: Arguments) -> Expansion {
        match kind {
            Macro::Quantifier(quantifier) => {
                let range = self.one_variable(target, arguments.first(), "argument must be a simple name")?;
                let body = self.quantifier(quantifier, arguments.last());
                Ok(self.fold(range, body))
            }
            Macro::Quantifier2(quantifier) => {
                let range = self.two_variables(target, arguments.first(), arguments.first())?;
                let body = self.quantifier(quantifier, arguments.last());
                Ok(self.fold(range, body))
            }
            Macro::Map => self.map(target, arguments),
            Macro::Filter => self.filter(target, arguments),
            Macro::OptMap => self.optional_map(target, arguments),
            Macro::OptFlatMap => self.optional_flat_map(target, arguments),
            Macro::TransformList | Macro::TransformMap | Macro::TransformMapEntry => {
                self.transform(kind, target, arguments)
            }
            Macro::SortBy => self.sort_by(target, arguments),
        }
    }

    fn presence(&mut self, argument: Expr) -> Expansion {
        match argument.kind {
            Kind::Select { operand, field, .. } => Ok(self.expr(Kind::Select { operand, field, test: true })),
            _ => Err(misuse(argument.id, "invalid argument to has() macro")),
        }
    }

    fn one_variable(&mut self, range: Expr, name: Expr, otherwise: &str) -> Result<Loop, Misuse> {
        let variable = simple_name(&name, otherwise)?;
        not_accumulator(name.id, &variable)?;
        Ok(Loop { range, variable, second_variable: None })
    }

    fn two_variables(&mut self, range: Expr, first: Expr, second: Expr) -> Result<Loop, Misuse> {
        let variable = simple_name(&first, "argument must be a simple name")?;
        let second_variable = simple_name(&second, "argument must be a simple name")?;
        if variable == second_variable {
            return Err(misuse(second.id, &format!("duplicate variable name: {variable}")));
        }
        not_accumulator(first.id, &variable)?;
        not_accumulator(second.id, &second_variable)?;
        Ok(Loop { range, variable, second_variable: Some(second_variable) })
    }

    fn fold(&mut self, range: Loop, body: Body) -> Expr {
        self.fold_as(range, ACCUMULATOR, body)
    }

    fn fold_as(&mut self, range: Loop, accumulator: &str, body: Body) -> Expr {
        self.expr(Kind::Fold(Box::new(FoldExpr {
            range: range.range,
            variable: range.variable,
            second_variable: range.second_variable,
            accumulator: accumulator.to_owned(),
            initial: body.initial,
            condition: body.condition,
            step: body.step,
            result: body.result,
        })))
    }

    fn quantifier(&mut self, quantifier: Quantifier, predicate: Expr) -> Body {
        match quantifier {
            Quantifier::All => self.all(predicate),
            Quantifier::Exists => self.exists(predicate),
            Quantifier::ExistsOne => self.exists_one(predicate),
        }
    }

    fn all(&mut self, predicate: Expr) -> Body {
        let so_far = self.accumulator();
        let condition = self.call(operator::NOT_STRICTLY_FALSE, vec![so_far]);
        let left = self.accumulator();
        let step = self.call(operator::AND, vec![left, predicate]);
        Body { initial: self.literal(Value::Bool(true)), condition, step, result: self.accumulator() }
    }

    fn exists(&mut self, predicate: Expr) -> Body {
        let so_far = self.accumulator();
        let negated = self.call(operator::NOT, vec![so_far]);
        let condition = self.call(operator::NOT_STRICTLY_FALSE, vec![negated]);
        let left = self.accumulator();
        let step = self.call(operator::OR, vec![left, predicate]);
        Body { initial: self.literal(Value::Bool(false)), condition, step, result: self.accumulator() }
    }

    fn exists_one(&mut self, predicate: Expr) -> Body {
        let (so_far, one) = (self.accumulator(), self.literal(Value::Int(1)));
        let more = self.call(operator::ADD, vec![so_far, one]);
        let step = self.if_else(predicate, more);
        let (count, one) = (self.accumulator(), self.literal(Value::Int(1)));
        let result = self.call(operator::EQUALS, vec![count, one]);
        Body { initial: self.literal(Value::Int(0)), condition: self.literal(Value::Bool(true)), step, result }
    }

    /// `condition ? step : @result`
    fn if_else(&mut self, condition: Expr, step: Expr) -> Expr {
        let unchanged = self.accumulator();
        self.call(operator::CONDITIONAL, vec![condition, step, unchanged])
    }

    fn filtered(&mut self, filter: Option<Expr>, step: Expr) -> Expr {
        match filter {
            Some(filter) => self.if_else(filter, step),
            None => step,
        }
    }

    fn collecting(&mut self, initial: Expr, step: Expr) -> Body {
        Body { initial, condition: self.literal(Value::Bool(true)), step, result: self.accumulator() }
    }

    fn appending(&mut self, element: Expr, filter: Option<Expr>) -> Body {
        let (so_far, element) = (self.accumulator(), self.list(vec![element]));
        let step = self.call(operator::ADD, vec![so_far, element]);
        let step = self.filtered(filter, step);
        let initial = self.list(Vec::new());
        self.collecting(initial, step)
    }

    fn map(&mut self, target: Expr, mut arguments: Arguments) -> Expansion {
        let range = self.one_variable(target, arguments.first(), "argument is not an identifier")?;
        let element = arguments.last();
        let body = self.appending(element, arguments.filter());
        Ok(self.fold(range, body))
    }

    fn filter(&mut self, target: Expr, mut arguments: Arguments) -> Expansion {
        let name = arguments.first();
        let element = name.clone();
        let range = self.one_variable(target, name, "argument is not an identifier")?;
        let predicate = arguments.last();
        let body = self.appending(element, Some(predicate));
        Ok(self.fold(range, body))
    }

    fn transform(&mut self, kind: Macro, target: Expr, mut arguments: Arguments) -> Expansion {
        let range = self.two_variables(target, arguments.first(), arguments.first())?;
        let value = arguments.last();
        let filter = arguments.filter();
        let body = match kind {
            Macro::TransformList => self.appending(value, filter),
            Macro::TransformMap => {
                let key = self.ident(&range.variable);
                self.inserting(vec![key, value], filter)
            }
            _ => self.inserting(vec![value], filter),
        };
        Ok(self.fold(range, body))
    }

    fn inserting(&mut self, what: Vec<Expr>, filter: Option<Expr>) -> Body {
        let mut arguments = vec![self.accumulator()];
        arguments.extend(what);
        let step = self.call(operator::MAP_INSERT, arguments);
        let step = self.filtered(filter, step);
        let initial = self.expr(Kind::Map(Vec::new()));
        self.collecting(initial, step)
    }

    /// `target.hasValue() ? wrap(name bound to target.value() in body) : optional.none()`
    fn optional_map(&mut self, target: Expr, arguments: Arguments) -> Expansion {
        self.on_value(target, arguments, "optMap() variable name must be a simple identifier", true)
    }

    fn optional_flat_map(&mut self, target: Expr, arguments: Arguments) -> Expansion {
        self.on_value(target, arguments, "optFlatMap() variable name must be a simple identifier", false)
    }

    fn on_value(&mut self, target: Expr, mut arguments: Arguments, otherwise: &str, wrap: bool) -> Expansion {
        let variable = simple_name(&arguments.first(), otherwise)?;
        let copy = self.positions.copy(&target);
        let value = self.member("value", copy, Vec::new());
        let body = self.bind(&variable, value, arguments.last());
        let body = if wrap { self.optional_call("of", vec![body]) } else { body };
        let present = self.member("hasValue", target, Vec::new());
        let none = self.optional_call("none", Vec::new());
        Ok(self.call(operator::CONDITIONAL, vec![present, body, none]))
    }

    fn optional_call(&mut self, function: &str, arguments: Vec<Expr>) -> Expr {
        self.call(&format!("optional.{function}"), arguments)
    }

    /// A comprehension over nothing whose accumulator names a value.
    fn bind(&mut self, name: &str, value: Expr, body: Expr) -> Expr {
        let range = Loop { range: self.list(Vec::new()), variable: String::from("#unused"), second_variable: None };
        let body =
            Body { initial: value, condition: self.literal(Value::Bool(false)), step: self.ident(name), result: body };
        self.fold_as(range, name, body)
    }

    fn sort_by(&mut self, target: Expr, arguments: Arguments) -> Expansion {
        const INPUT: &str = "@__sortBy_input__";
        if matches!(target.kind, Kind::Literal(_) | Kind::Map(_) | Kind::Struct { .. }) {
            return Err(misuse(
                target.id,
                "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
            ));
        }
        let input = self.ident(INPUT);
        let keys = self.map(input, arguments)?;
        let input = self.ident(INPUT);
        let sorted = self.member("@sortByAssociatedKeys", input, vec![keys]);
        Ok(self.bind(INPUT, target, sorted))
    }
}

fn misuse(id: usize, message: &str) -> Misuse {
    Misuse { id, message: message.to_owned() }
}

fn simple_name(expr: &Expr, otherwise: &str) -> Result<String, Misuse> {
    match &expr.kind {
        Kind::Ident(name) => Ok(name.clone()),
        _ => Err(misuse(expr.id, otherwise)),
    }
}

fn not_accumulator(id: usize, name: &str) -> Result<(), Misuse> {
    if name == ACCUMULATOR || name == "__result__" {
        return Err(misuse(id, "iteration variable overwrites accumulator variable"));
    }
    Ok(())
}
