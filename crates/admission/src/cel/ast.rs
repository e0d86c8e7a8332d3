//! The expression tree between parser and checker, macros already expanded.

use super::value::Value;

/// One expression. The number is its place in the checker's tables.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub id: usize,
    pub kind: Kind,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Literal(Value<'static>),
    Ident(String),
    Select { operand: Box<Expr>, field: String, test: bool },
    Call { function: String, target: Option<Box<Expr>>, arguments: Vec<Expr> },
    List(Vec<Element>),
    Map(Vec<Entry>),
    Struct { name: String, fields: Vec<Field> },
    Fold(Box<FoldExpr>),
}

/// An element of a list literal.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub value: Expr,
    pub optional: bool,
}

/// An entry of a map literal.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Expr,
    pub value: Expr,
    pub optional: bool,
}

/// A field of a struct literal; its own number gives the position of the colon.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub id: usize,
    pub name: String,
    pub value: Expr,
    pub optional: bool,
}

/// A comprehension.
#[derive(Clone, Debug)]
pub(super) struct FoldExpr {
    pub range: Expr,
    pub variable: String,
    pub second_variable: Option<String>,
    pub accumulator: String,
    pub initial: Expr,
    pub condition: Expr,
    pub step: Expr,
    pub result: Expr,
}

/// Names of the operators as function names.
pub(super) mod operator {
    pub const CONDITIONAL: &str = "_?_:_";
    pub const AND: &str = "_&&_";
    pub const OR: &str = "_||_";
    pub const NOT: &str = "!_";
    pub const ADD: &str = "_+_";
    pub const SUBTRACT: &str = "_-_";
    pub const MULTIPLY: &str = "_*_";
    pub const DIVIDE: &str = "_/_";
    pub const MODULO: &str = "_%_";
    pub const NEGATE: &str = "-_";
    pub const EQUALS: &str = "_==_";
    pub const NOT_EQUALS: &str = "_!=_";
    pub const LESS: &str = "_<_";
    pub const LESS_EQUALS: &str = "_<=_";
    pub const GREATER: &str = "_>_";
    pub const GREATER_EQUALS: &str = "_>=_";
    pub const IN: &str = "@in";
    pub const INDEX: &str = "_[_]";
    pub const OPTIONAL_INDEX: &str = "_[?_]";
    pub const OPTIONAL_SELECT: &str = "_?._";
    pub const NOT_STRICTLY_FALSE: &str = "@not_strictly_false";
    pub const MAP_INSERT: &str = "cel.@mapInsert";
}

/// The name of the accumulator of every macro.
pub(super) const ACCUMULATOR: &str = "@result";

/// The dotted name that an expression spells, if it is a chain of selections on an identifier.
pub(super) fn qualified_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.clone()),
        Kind::Select { operand, field, test: false } => {
            qualified_name(operand).map(|prefix| format!("{prefix}.{field}"))
        }
        _ => None,
    }
}

/// Numbers expressions and keeps where each is in the source (an index of code points).
#[derive(Debug, Default)]
pub(super) struct Positions {
    offsets: Vec<usize>,
}

impl Positions {
    /// A new expression at an offset.
    pub fn expr(&mut self, offset: usize, kind: Kind) -> Expr {
        Expr { id: self.number(offset), kind }
    }

    /// A new number at an offset.
    pub fn number(&mut self, offset: usize) -> usize {
        self.offsets.push(offset);
        self.offsets.len() - 1
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The offset of a number.
    pub fn offset(&self, id: usize) -> usize {
        self.offsets.get(id).copied().unwrap_or(0)
    }

    /// A copy of an expression with numbers of its own.
    pub fn copy(&mut self, expr: &Expr) -> Expr {
        let mut copy = expr.clone();
        self.renumber(&mut copy);
        copy
    }

    fn renumber(&mut self, expr: &mut Expr) {
        expr.id = self.number(self.offset(expr.id));
        match &mut expr.kind {
            Kind::Literal(_) | Kind::Ident(_) => {}
            Kind::Select { operand, .. } => self.renumber(operand),
            Kind::Call { target, arguments, .. } => {
                target.iter_mut().for_each(|target| self.renumber(target));
                arguments.iter_mut().for_each(|argument| self.renumber(argument));
            }
            Kind::List(elements) => elements.iter_mut().for_each(|element| self.renumber(&mut element.value)),
            Kind::Map(entries) => entries.iter_mut().for_each(|entry| self.renumber_entry(entry)),
            Kind::Struct { fields, .. } => fields.iter_mut().for_each(|field| self.renumber_field(field)),
            Kind::Fold(fold) => self.renumber_fold(fold),
        }
    }

    fn renumber_entry(&mut self, entry: &mut Entry) {
        self.renumber(&mut entry.key);
        self.renumber(&mut entry.value);
    }

    fn renumber_field(&mut self, field: &mut Field) {
        field.id = self.number(self.offset(field.id));
        self.renumber(&mut field.value);
    }

    fn renumber_fold(&mut self, fold: &mut FoldExpr) {
        for part in [&mut fold.range, &mut fold.initial, &mut fold.condition, &mut fold.step, &mut fold.result] {
            self.renumber(part);
        }
    }
}
