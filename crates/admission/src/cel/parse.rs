//! From source text to an expression tree without macros.

use cel::common::ast::{EntryExpr, Expr as Parsed, IdedEntryExpr, IdedExpr, LiteralValue, SourceInfo};
use cel::parser::ParseErrors;

use super::ast::{Element, Entry, Expr, Field, Kind, Positions, operator};
use super::depth::{self, Depth};
use super::environment::KubeVersion;
use super::error::{CompileError, Finding};
use super::macros::{self, Call};
use super::source::Source;
use super::value::Value;

/// cel-go's limit of an expression's size in code points.
const MAX_CODE_POINTS: usize = 100_000;
/// cel-go's limit of expressions in expressions, the outermost included.
const MAX_NESTING: usize = 250;
/// cel-go's limit of operators, selections and calls within each other.
const MAX_VISITS: usize = 250;
/// No text within the other two limits comes near this estimate; it protects the parser from those far beyond.
const MAX_DEPTH: usize = 2_000;
/// Up to this depth the parser runs on the caller's stack.
const SHALLOW: usize = 24;
/// The stack of a thread for deeper texts.
const DEEP_STACK: usize = 256 << 20;

/// A parsed expression with the positions of its parts.
pub(super) struct Tree {
    pub root: Expr,
    pub positions: Positions,
}

/// Parses a text and expands the macros of a compatibility version.
pub(super) fn parse(source: &Source<'_>, text: &str, version: KubeVersion) -> Result<Tree, CompileError> {
    let depth = check_limits(text)?;
    if depth.total <= SHALLOW {
        return parse_here(source, text, version);
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(DEEP_STACK)
            .spawn_scoped(scope, || parse_here(source, text, version))
            .ok()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Err(CompileError::Program(String::from("not enough memory to parse the expression"))))
    })
}

fn check_limits(text: &str) -> Result<Depth, CompileError> {
    let size = text.chars().count();
    if size > MAX_CODE_POINTS {
        let message = format!("expression code point size exceeds limit: size: {size}, limit {MAX_CODE_POINTS}");
        return Err(nowhere(message));
    }
    let depth = depth::estimate(text);
    if depth.nesting >= MAX_NESTING {
        return Err(nowhere(format!("expression recursion limit exceeded: {MAX_NESTING}")));
    }
    if depth.total > MAX_DEPTH {
        return Err(nowhere(TOO_MANY_VISITS.to_owned()));
    }
    Ok(depth)
}

/// The message about [`MAX_VISITS`].
const TOO_MANY_VISITS: &str = "max recursion depth exceeded";

/// A finding about the text as a whole.
fn nowhere(message: String) -> CompileError {
    CompileError::Findings {
        text: format!("ERROR: <input>:-1:0: {message}"),
        findings: vec![Finding { line: 0, column: 0, message }],
    }
}

fn parse_here(source: &Source<'_>, text: &str, version: KubeVersion) -> Result<Tree, CompileError> {
    let parser =
        cel::Env::default().with_optional_support(version >= KubeVersion::minor(28)).parser().max_recursion_depth(300);
    let (parsed, info) = parser.parse_with_source_info(text).map_err(|errors| syntax_error(source, &errors))?;
    let offsets = Offsets::new(text);
    let mut converter = Converter {
        source,
        version,
        info: &info,
        text,
        offsets,
        positions: Positions::default(),
        findings: Vec::new(),
        visits: 0,
        deepest: 0,
    };
    let root = converter.expr(parsed);
    if converter.deepest > MAX_VISITS {
        return Err(nowhere(TOO_MANY_VISITS.to_owned()));
    }
    if converter.findings.is_empty() {
        Ok(Tree { root, positions: converter.positions })
    } else {
        Err(source.error(converter.findings))
    }
}

/// The parser places this finding at the dot before the name.
const ESCAPED_NAME: &str = "unsupported syntax: '`'";

fn syntax_error(source: &Source<'_>, errors: &ParseErrors) -> CompileError {
    let findings = errors
        .errors
        .iter()
        .map(|error| Finding {
            line: usize::try_from(error.pos.0).unwrap_or(0),
            column: usize::try_from(error.pos.1).unwrap_or(0) + usize::from(error.msg == ESCAPED_NAME),
            message: error.msg.clone(),
        })
        .collect();
    source.error(findings)
}

/// Turns places counted in octets into places counted in code points.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        Self(Some(text.char_indices().map(|(octet, _)| octet).collect()))
    }

    fn code_points(&self, octet: usize) -> usize {
        match &self.0 {
            None => octet,
            Some(starts) => starts.partition_point(|start| *start < octet),
        }
    }
}

struct Converter<'c> {
    source: &'c Source<'c>,
    version: KubeVersion,
    info: &'c SourceInfo,
    text: &'c str,
    offsets: Offsets,
    positions: Positions,
    findings: Vec<Finding>,
    visits: usize,
    deepest: usize,
}

impl Converter<'_> {
    fn offset(&self, id: u64) -> usize {
        self.info.offset_for(id).map_or(0, |(start, _)| self.offsets.code_points(start as usize))
    }

    fn expr(&mut self, parsed: IdedExpr) -> Expr {
        let visits = self.visits;
        self.visits += usize::from(is_visited(&parsed.expr));
        self.deepest = self.deepest.max(self.visits);
        let expr = self.convert(parsed);
        self.visits = visits;
        expr
    }

    fn convert(&mut self, parsed: IdedExpr) -> Expr {
        let offset = if is_negative(&parsed.expr) { self.sign_before(parsed.id) } else { self.offset(parsed.id) };
        let kind = match parsed.expr {
            Parsed::Literal(literal) => Kind::Literal(literal_value(literal)),
            Parsed::Ident(name) => Kind::Ident(without_leading_dot(name)),
            Parsed::Select(select) => {
                Kind::Select { operand: Box::new(self.expr(*select.operand)), field: select.field, test: select.test }
            }
            Parsed::List(list) => Kind::List(self.elements(list.elements, &list.optional_indices)),
            Parsed::Map(map) => Kind::Map(map.entries.into_iter().filter_map(|entry| self.entry(entry)).collect()),
            Parsed::Struct(message) => Kind::Struct {
                name: without_leading_dot(message.type_name),
                fields: message.entries.into_iter().filter_map(|entry| self.field(entry)).collect(),
            },
            Parsed::Call(call) => {
                let target = call.target.map(|target| self.expr(*target));
                let arguments = call.args.into_iter().map(|argument| self.expr(argument)).collect();
                return self.call(Call { function: without_leading_dot(call.func_name), target, arguments, offset });
            }
            Parsed::Comprehension(_) | Parsed::Unspecified => Kind::Literal(Value::Null),
        };
        self.positions.expr(offset, kind)
    }

    /// The place of the minus sign before a number, which the parser places at its digits.
    fn sign_before(&self, id: u64) -> usize {
        let digits = self.info.offset_for(id).map_or(0, |(start, _)| start as usize);
        let before = self.text.get(..digits).unwrap_or_default().trim_end();
        self.offsets.code_points(before.strip_suffix('-').map_or(digits, str::len))
    }

    fn call(&mut self, call: Call) -> Expr {
        let offset = call.offset;
        match macros::expand(&mut self.positions, self.version, call) {
            Ok(expr) => expr,
            Err(misuse) => {
                let at = self.positions.offset(misuse.id);
                self.findings.push(self.source.finding(at, misuse.message));
                self.positions.expr(offset, Kind::Literal(Value::Null))
            }
        }
    }

    fn elements(&mut self, elements: Vec<IdedExpr>, optional: &[usize]) -> Vec<Element> {
        elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| Element { value: self.expr(element), optional: optional.contains(&index) })
            .collect()
    }

    fn entry(&mut self, entry: IdedEntryExpr) -> Option<Entry> {
        match entry.expr {
            EntryExpr::MapEntry(entry) => {
                Some(Entry { key: self.expr(entry.key), value: self.expr(entry.value), optional: entry.optional })
            }
            EntryExpr::StructField(_) => None,
        }
    }

    fn field(&mut self, entry: IdedEntryExpr) -> Option<Field> {
        let offset = self.offset(entry.id);
        match entry.expr {
            EntryExpr::StructField(field) => Some(Field {
                id: self.positions.number(offset),
                name: field.field,
                value: self.expr(field.value),
                optional: field.optional,
            }),
            EntryExpr::MapEntry(_) => None,
        }
    }
}

/// Whether an expression counts for [`MAX_VISITS`].
fn is_visited(expr: &Parsed) -> bool {
    match expr {
        Parsed::Select(_) => true,
        Parsed::Call(call) => {
            let free = [operator::AND, operator::OR, operator::NOT, operator::NEGATE];
            let is_operator = call.func_name.starts_with(['_', '@']) && !free.contains(&call.func_name.as_str());
            call.target.is_some() || is_operator
        }
        _ => false,
    }
}

fn is_negative(expr: &Parsed) -> bool {
    match expr {
        Parsed::Literal(LiteralValue::Int(value)) => *value.inner() < 0,
        Parsed::Literal(LiteralValue::Double(value)) => value.inner().is_sign_negative(),
        _ => false,
    }
}

fn literal_value(literal: LiteralValue) -> Value<'static> {
    match literal {
        LiteralValue::Boolean(value) => Value::Bool(value.into_inner()),
        LiteralValue::Bytes(value) => Value::Bytes(value.into_inner().into()),
        LiteralValue::Double(value) => Value::Double(*value.inner()),
        LiteralValue::Int(value) => Value::Int(value.into_inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(value) => Value::text(value.into_inner()),
        LiteralValue::UInt(value) => Value::Uint(*value.inner()),
    }
}

/// A leading dot names the root of all names, and there are no other containers here.
fn without_leading_dot(name: String) -> String {
    match name.strip_prefix('.') {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}
