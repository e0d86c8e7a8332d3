//! What single calls can cost at most (`apiserver/pkg/cel/library/cost.go`, `checker/cost.go` and `ext` of cel-go).

use super::ast::{Expr, Kind};
use super::estimate::{Sizes, Span};
use super::types::Type;
use super::value::Value;

/// What traversing a text costs for each code point.
pub(super) const TRAVERSAL: f64 = 0.1;
/// What a pattern costs for each of its code points.
const PATTERN: f64 = 0.25;
/// The length of the longest pattern behind a format of names.
const FORMAT_PATTERN: f64 = 128.0;

/// An argument or the receiver of a call.
pub(super) struct Operand<'x> {
    pub expr: &'x Expr,
    pub kind: Type,
    pub path: Vec<String>,
    pub size: Option<Span>,
}

impl Operand<'_> {
    /// Its size, or everything.
    pub fn size_or_unknown(&self) -> Span {
        self.size.unwrap_or(Span::UNKNOWN)
    }

    fn literal(&self) -> Option<u64> {
        match &self.expr.kind {
            Kind::Literal(Value::Int(number)) => Some(u64::try_from(*number).unwrap_or(0)),
            _ => None,
        }
    }

    /// The type of a list's elements and their size.
    fn elements(&self, sizes: &Sizes<'_>) -> Option<(&Type, Span)> {
        let kind = match &self.kind {
            Type::List(kind) | Type::Map(kind, _) => kind.as_ref(),
            _ => return None,
        };
        let mut path = self.path.clone();
        path.push(String::from("@items"));
        let most = if path.len() > 1 { sizes(&path) } else { None };
        Some((kind, most.map_or(Span::UNKNOWN, |most| Span { least: 0, most })))
    }
}

type Estimate = (Span, Option<Span>);

/// The cost of a library function's call without its arguments, and the size of its result.
pub(super) fn cost(
    function: &str,
    overload: &str,
    target: Option<&Operand<'_>>,
    arguments: &[Operand<'_>],
    sizes: &Sizes<'_>,
) -> Option<Estimate> {
    let first = arguments.first();
    lists_and_sets(overload, target, arguments)
        .or_else(|| nominal(function, overload).map(|cost| (cost, None)))
        .or_else(|| target.and_then(|target| of_target(function, target, arguments, sizes)))
        .or_else(|| first.and_then(|first| of_argument(function, overload, first)))
        .or_else(|| equality(function, arguments).map(|cost| (cost, None)))
}

fn nominal(function: &str, overload: &str) -> Option<Span> {
    match function {
        "check" => Some(Span::fixed(350_000)),
        "ip" if overload == "cidr_ip" => Some(Span::fixed(1)),
        "serviceAccount"
        | "path"
        | "group"
        | "resource"
        | "subresource"
        | "namespace"
        | "name"
        | "allowed"
        | "reason"
        | "error"
        | "errored"
        | "masked"
        | "prefixLength"
        | "family"
        | "isUnspecified"
        | "isLoopback"
        | "isLinkLocalMulticast"
        | "isLinkLocalUnicast"
        | "isGlobalUnicast"
        | "format.named"
        | "sign"
        | "asInteger"
        | "isInteger"
        | "asApproximateFloat"
        | "isGreaterThan"
        | "isLessThan"
        | "compareTo"
        | "add"
        | "sub"
        | "major"
        | "minor"
        | "patch"
        | "getScheme"
        | "getHostname"
        | "getHost"
        | "getPort"
        | "getEscapedPath"
        | "getQuery" => Some(Span::fixed(1)),
        _ => None,
    }
}

fn of_argument(function: &str, overload: &str, first: &Operand<'_>) -> Option<Estimate> {
    let size = first.size_or_unknown();
    let traversal = size.scaled(TRAVERSAL);
    match function {
        "url" | "jsonpatch.escapeKey" => Some((traversal, Some(size))),
        "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
            Some((traversal, None))
        }
        "ip.isCanonical" => Some((size.scaled(2.0 * TRAVERSAL), None)),
        "validate" => Some((traversal.scaled(FORMAT_PATTERN * PATTERN), None)),
        "containsIP" | "containsCIDR" => Some((address_cost(function, overload, traversal), None)),
        _ => None,
    }
}

/// Addresses have 4 or 16 octets, which are compared, and for ranges masked first.
fn address_cost(function: &str, overload: &str, parsing: Span) -> Span {
    let octets = Span { least: 4, most: 16 };
    let mut cost = octets.plus(octets).scaled(TRAVERSAL);
    if function == "containsCIDR" {
        cost = cost.plus(octets.scaled(TRAVERSAL)).plus(Span::fixed(1));
    }
    if overload.ends_with("_string") { cost.plus(parsing) } else { cost }
}

fn of_target(function: &str, target: &Operand<'_>, arguments: &[Operand<'_>], sizes: &Sizes<'_>) -> Option<Estimate> {
    let size = target.size_or_unknown();
    let traversal = size.scaled(TRAVERSAL);
    match (function, arguments) {
        ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", _) => {
            Some((comparisons(target, size, sizes), None))
        }
        ("lowerAscii" | "upperAscii" | "substring" | "trim", _) => Some((traversal, Some(size))),
        ("replace", [old, new, ..]) => {
            let result = replaced(size, old.size_or_unknown(), new.size_or_unknown());
            Some((size.scaled(2.0 * TRAVERSAL), Some(result)))
        }
        ("split", _) => {
            let most = arguments.get(1).and_then(split_limit).unwrap_or(size.most);
            Some((size.scaled(2.0 * TRAVERSAL), Some(Span { least: 0, most })))
        }
        ("join", _) => {
            let joined = joined(target, size, arguments.first(), sizes);
            Some((joined.scaled(TRAVERSAL), Some(joined)))
        }
        ("find" | "findAll", [pattern, ..]) => {
            let text = size.plus(Span::fixed(1)).scaled(TRAVERSAL);
            let cost = text.times(pattern.size_or_unknown().scaled(PATTERN));
            Some((cost, Some(Span { least: 0, most: size.most })))
        }
        _ => None,
    }
}

fn comparisons(target: &Operand<'_>, size: Span, sizes: &Sizes<'_>) -> Span {
    let Some((kind, element)) = target.elements(sizes) else { return size.scaled(TRAVERSAL) };
    let one = Span::fixed(1);
    let each = if matches!(kind, Type::String | Type::Bytes) { one.plus(element.scaled(TRAVERSAL)) } else { one };
    size.times(each)
}

/// A negative limit wraps around, which is no limit.
#[expect(clippy::cast_sign_loss, reason = "the server's conversion wraps too")]
fn split_limit(argument: &Operand<'_>) -> Option<u64> {
    match &argument.expr.kind {
        Kind::Literal(Value::Int(number)) => Some(*number as u64),
        _ => None,
    }
}

fn joined(target: &Operand<'_>, count: Span, separator: Option<&Operand<'_>>, sizes: &Sizes<'_>) -> Span {
    let texts = target.elements(sizes).map_or(Span::NONE, |(_, element)| count.times(element));
    let Some(separator) = separator else { return texts };
    let between = Span { least: count.least.saturating_sub(1), most: count.most.saturating_sub(1) };
    texts.plus(separator.size_or_unknown().times(between))
}

/// The size of a text in which parts are replaced: the most by the longest replacement of the shortest parts.
fn replaced(size: Span, old: Span, new: Span) -> Span {
    let most = if old.least == 0 {
        (size.most.saturating_add(1), size.most)
    } else if new.most <= old.least {
        (0, size.most)
    } else {
        (size.most.div_ceil(old.least), 0)
    };
    let least = if old.most == 0 {
        (size.least.saturating_add(1), size.least)
    } else if old.most <= new.least {
        (0, size.least)
    } else {
        (size.least.div_ceil(old.most), 0)
    };
    let count = Span { least: least.0, most: most.0 };
    count.times(new).plus(Span { least: least.1, most: most.1 })
}

fn lists_and_sets(overload: &str, target: Option<&Operand<'_>>, arguments: &[Operand<'_>]) -> Option<Estimate> {
    let size = target.map(Operand::size_or_unknown);
    match (overload, size, arguments) {
        ("list_slice", Some(size), [start, end]) => {
            let count = end.literal().unwrap_or(size.most).wrapping_sub(start.literal().unwrap_or(0));
            Some(allocating(1.0, Span::fixed(count)))
        }
        ("lists_range", None, [count]) => Some(allocating(1.0, Span::fixed(count.literal().unwrap_or(u64::MAX)))),
        ("list_reverse", Some(size), []) => Some(allocating(1.0, size)),
        ("list_flatten" | "list_flatten_int", Some(size), depth) => {
            let depth = depth.first().map_or(1, |depth| depth.literal().unwrap_or(u64::MAX));
            Some(allocating(as_factor(depth), size))
        }
        ("list_distinct", Some(size), []) => Some(allocating(2.0, size.times(size))),
        (sort, Some(size), []) if sort.starts_with("list_") && sort.ends_with("_sort") => Some(sorting(sort, size)),
        (sort, Some(_), [keys]) if sort.starts_with("list_") && sort.ends_with("sortByAssociatedKeys") => {
            Some(sorting(sort, keys.size_or_unknown()))
        }
        ("list_sets_contains_list" | "list_sets_intersects_list", _, [left, right]) => {
            Some((pairs(left, right).plus(Span::fixed(1)), None))
        }
        ("list_sets_equivalent_list", _, [left, right]) => {
            Some((pairs(left, right).scaled(2.0).plus(Span::fixed(1)), None))
        }
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "the server computes in doubles")]
fn as_factor(depth: u64) -> f64 {
    depth as f64
}

fn pairs(left: &Operand<'_>, right: &Operand<'_>) -> Span {
    left.size_or_unknown().times(right.size_or_unknown())
}

fn sorting(overload: &str, size: Span) -> Estimate {
    let texts = overload.contains("_string_") || overload.contains("_bytes_");
    allocating(if texts { 2.0 + TRAVERSAL } else { 2.0 }, size.times(size))
}

fn allocating(factor: f64, size: Span) -> Estimate {
    (size.scaled(factor).plus(Span::fixed(11)), Some(size))
}

/// Values of libraries are compared at a price of their own.
fn equality(function: &str, arguments: &[Operand<'_>]) -> Option<Span> {
    let ("_==_", [left, right]) = (function, arguments) else { return None };
    let Type::Opaque(name, _) = &left.kind else { return None };
    if left.kind != right.kind {
        return None;
    }
    match *name {
        "net.IP" | "net.CIDR" | "kubernetes.Quantity" | "kubernetes.Semver" => Some(Span::fixed(1)),
        name if name.starts_with("kubernetes.authorization.") => Some(Span::fixed(1)),
        "kubernetes.NamedFormat" => Some(Span { least: 1, most: 64 }.scaled(TRAVERSAL)),
        "kubernetes.URL" => Some(Span { least: 1, most: right.size.map_or(1, |size| size.most) }.scaled(TRAVERSAL)),
        _ => None,
    }
}

/// The cost of a call of the language's own functions, and the size of its result.
pub(super) fn standard(
    function: &str,
    overload: &str,
    target: Option<&Operand<'_>>,
    arguments: &[Operand<'_>],
) -> Estimate {
    let size = |operand: &Operand<'_>| operand.size_or_unknown();
    match (function, target, arguments) {
        ("format", Some(target), _) => (size(target).scaled(TRAVERSAL), None),
        ("bytes" | "string" | "strings.quote", _, [only]) => converted(function, overload, size(only)),
        ("startsWith" | "endsWith", _, [only]) => (size(only).scaled(TRAVERSAL), None),
        ("@in", _, [_, list]) if overload == "in_list" => (size(list), None),
        ("matches", Some(target), [pattern]) => {
            let text = size(target).plus(Span::fixed(1)).scaled(TRAVERSAL);
            (text.times(size(pattern).scaled(PATTERN)), None)
        }
        ("contains", Some(target), [part]) => {
            (size(target).scaled(TRAVERSAL).times(size(part).scaled(TRAVERSAL)), None)
        }
        (compared, _, [left, right]) if is_comparison(compared, overload) => {
            let most = size(left).most.min(size(right).most);
            (Span { least: most.min(1), most }.scaled(TRAVERSAL), None)
        }
        _ => (Span::fixed(1), None),
    }
}

/// A code point has up to four octets, and quoting can double a text.
fn converted(function: &str, overload: &str, size: Span) -> Estimate {
    let result = match (function, overload) {
        ("bytes", "string") => Span { least: size.least, most: size.most.wrapping_mul(4) },
        ("string", "bytes") => Span { least: size.least / 4, most: size.most },
        ("strings.quote", _) => {
            Span { least: size.least.wrapping_add(2), most: size.most.wrapping_mul(2).wrapping_add(2) }
        }
        _ => return (Span::fixed(1), None),
    };
    (size.scaled(TRAVERSAL), Some(result))
}

fn is_comparison(function: &str, overload: &str) -> bool {
    match function {
        "_==_" | "_!=_" => true,
        "_<_" | "_<=_" | "_>_" | "_>=_" => matches!(overload, "string" | "bytes"),
        _ => false,
    }
}
