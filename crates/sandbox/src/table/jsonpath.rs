//! The part of JSONPath that printer columns use (`k8s.io/client-go/util/jsonpath`): fields, indices, slices, unions,
//! wildcards, descent and filters. Missing keys are no error.

use serde_json::Value;
use std::cmp::Ordering;

/// Filters may stand in filters this deep.
const MAX_DEPTH: usize = 8;

/// A path that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Every,
    Descend,
    Slice(Slice),
    Union(Vec<Step>),
    Filter(Box<Filter>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    step: Option<i64>,
    /// One index, which is a slice of length one.
    single: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Filter {
    left: Operand,
    /// The comparison; a filter without one asks whether there is something.
    compared: Option<(String, Operand)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Path),
    Value(Value),
}

impl Path {
    /// Reads a path; nothing if it is none that is known here.
    pub fn read(text: &str) -> Option<Self> {
        read(text, MAX_DEPTH)
    }

    /// What the path leads to; nothing if it cannot be followed (an index that is out of bounds, a slice of a map).
    pub fn find<'v>(&self, root: &'v Value) -> Option<Vec<&'v Value>> {
        self.0.iter().try_fold(vec![root], |values, step| step.follow(&values))
    }
}

fn read(text: &str, depth: usize) -> Option<Path> {
    let depth = depth.checked_sub(1)?;
    let mut rest = text.trim().trim_start_matches(['$', '@']);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = read_step(rest, depth)?;
        steps.extend(step);
        rest = after;
    }
    Some(Path(steps))
}

fn read_step(text: &str, depth: usize) -> Option<(Option<Step>, &str)> {
    if let Some(rest) = text.strip_prefix("..") {
        let rest = if rest.starts_with('[') { rest } else { text.get(1..)? };
        return Some((Some(Step::Descend), rest));
    }
    if text.starts_with('[') {
        let end = closing(text)?;
        let step = read_bracket(text.get(1..end)?.trim(), depth)?;
        return Some((Some(step), text.get(end + 1..)?));
    }
    let rest = text.strip_prefix('.')?;
    let end = field_end(rest);
    let (name, rest) = (rest.get(..end)?, rest.get(end..)?);
    let step = match name {
        "" => None,
        "*" => Some(Step::Every),
        name => Some(Step::Field(unescaped(name))),
    };
    Some((step, rest))
}

/// Where a field's name ends: a backslash takes the next letter's meaning.
fn field_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '.' | '[' | ']' | ' ' | ')' => return index,
            _ => {}
        }
    }
    text.len()
}

fn unescaped(name: &str) -> String {
    name.replace('\\', "")
}

/// The bracket that closes the first one; those in quotes do not count.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut quote) = (0_usize, None);
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(mark), letter) if mark == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => open += 1,
            (None, ']') if open == 1 => return Some(index),
            (None, ']') => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn read_bracket(text: &str, depth: usize) -> Option<Step> {
    if text == "*" {
        return Some(Step::Every);
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        return Some(Step::Filter(Box::new(read_filter(filter, depth)?)));
    }
    if let Some(name) = quoted(text) {
        return Some(Step::Field(unescaped(name)));
    }
    if text.contains(',') {
        let parts: Option<Vec<Step>> = text.split(',').map(|part| read_element(part.trim())).collect();
        return parts.map(Step::Union);
    }
    read_element(text)
}

fn read_element(text: &str) -> Option<Step> {
    match quoted(text) {
        Some(name) => Some(Step::Field(unescaped(name))),
        None => read_slice(text).map(Step::Slice),
    }
}

/// The text between single quotes, if nothing else is there.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'').filter(|name| !name.contains('\''))
}

fn read_slice(text: &str) -> Option<Slice> {
    let number = |text: Option<&str>| match text.map(str::trim) {
        None | Some("") => Some(None),
        Some(digits) => digits.parse::<i64>().ok().map(Some),
    };
    let mut parts = text.split(':');
    let (start, end, step) = (parts.next(), parts.next(), parts.next());
    let single = end.is_none();
    if parts.next().is_some() || (single && start.is_none_or(str::is_empty)) {
        return None;
    }
    Some(Slice { start: number(start)?, end: number(end)?, step: number(step)?, single })
}

const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

fn read_filter(text: &str, depth: usize) -> Option<Filter> {
    let Some(at) = text.find(['!', '<', '>', '=']) else {
        return Some(Filter { left: read_operand(text, depth)?, compared: None });
    };
    let (left, rest) = (text.get(..at)?, text.get(at..)?);
    let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
    let right = read_operand(rest.get(operator.len()..)?, depth)?;
    Some(Filter { left: read_operand(left, depth)?, compared: Some((operator.to_owned(), right)) })
}

fn read_operand(text: &str, depth: usize) -> Option<Operand> {
    let text = text.trim();
    if text.starts_with(['@', '$', '.']) {
        return read(text, depth).map(Operand::Path);
    }
    if let Some(text) = quoted(text) {
        return Some(Operand::Value(Value::from(text)));
    }
    serde_json::from_str(text).ok().filter(|value: &Value| !value.is_object() && !value.is_array()).map(Operand::Value)
}

impl Step {
    fn follow<'v>(&self, values: &[&'v Value]) -> Option<Vec<&'v Value>> {
        let mut found = Vec::new();
        for &value in values {
            match self {
                Self::Field(name) => found.extend(value.as_object().and_then(|fields| fields.get(name))),
                Self::Every => found.extend(children(value)),
                Self::Descend => descend(value, &mut found),
                Self::Slice(slice) => slice.cut(value, &mut found)?,
                Self::Union(steps) => {
                    for step in steps {
                        found.extend(step.follow(&[value])?);
                    }
                }
                Self::Filter(filter) => filter.sift(value, &mut found)?,
            }
        }
        Some(found)
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// Every map and list in a value, and the value itself.
fn descend<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        let children = children(value);
        if !children.is_empty() {
            found.push(value);
            waiting.extend(children.into_iter().rev());
        }
    }
}

impl Slice {
    fn cut<'v>(self, value: &'v Value, found: &mut Vec<&'v Value>) -> Option<()> {
        let items = match value {
            Value::Null => return Some(()),
            Value::Array(items) => items,
            _ => return None,
        };
        let length = i64::try_from(items.len()).ok()?;
        let from_end = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
        let start = from_end(self.start.unwrap_or(0));
        let end = if self.single { start.saturating_add(1) } else { self.end.map_or(length, from_end) };
        if start == end {
            return Some(());
        }
        let cut = items.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        let step = usize::try_from(self.step.unwrap_or(1)).ok().filter(|step| *step > 0)?;
        let first = cut.first().filter(|_| start < length)?;
        found.push(first);
        found.extend(cut.iter().step_by(step).skip(1));
        Some(())
    }
}

impl Filter {
    fn sift<'v>(&self, value: &'v Value, found: &mut Vec<&'v Value>) -> Option<()> {
        for item in value.as_array()? {
            if self.passes(item)? {
                found.push(item);
            }
        }
        Some(())
    }

    fn passes(&self, item: &Value) -> Option<bool> {
        let left = self.left.values(item);
        let Some((operator, right)) = &self.compared else {
            return Some(left.is_some_and(|left| !left.is_empty()));
        };
        let right = right.values(item);
        match (left?.as_slice(), right?.as_slice()) {
            ([], _) | (_, []) => Some(false),
            ([left], [right]) => compare(left, operator, right),
            _ => None,
        }
    }
}

impl Operand {
    fn values<'v>(&'v self, item: &'v Value) -> Option<Vec<&'v Value>> {
        match self {
            Self::Path(path) => path.find(item),
            Self::Value(value) => Some(vec![value]),
        }
    }
}

/// Only values of one kind can be compared, and truth has no order.
fn compare(left: &Value, operator: &str, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?)?,
            _ => return None,
        },
        (Value::Bool(left), Value::Bool(right)) if matches!(operator, "==" | "!=") => left.cmp(right),
        _ => return None,
    };
    Some(match operator {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn first(path: &str) -> Option<Value> {
        let object = json!({
            "spec": {"size": "l", "list": ["x", "y", "z"], "empty": [], "n": 2, "deep": {"deep": 5}},
            "metadata": {"annotations": {"a.b/c": "yes"}},
            "status": {"conditions": [{"type": "Foo", "status": "False", "n": 1}, {"type": "Ready", "status": "True"}]},
        });
        Some(Path::read(path)?.find(&object)?.first().copied()?.clone())
    }

    #[test]
    fn paths_lead_where_the_server_s_lead() {
        let cases = [
            (".spec.size", json!("l")),
            ("$.spec.size", json!("l")),
            (".spec['size']", json!("l")),
            (".spec.list[0]", json!("x")),
            (".spec.list[-1]", json!("z")),
            (".spec.list[*]", json!("x")),
            (".spec.list[1:]", json!("y")),
            (".spec.list[-1:]", json!("z")),
            (".spec.list[0:3:2]", json!("x")),
            (".spec.list[2,0]", json!("z")),
            (".spec['nope','n']", json!(2)),
            (".metadata.annotations.a\\.b/c", json!("yes")),
            (".metadata.annotations['a\\.b/c']", json!("yes")),
            (".metadata.annotations['a.b/c']", json!("yes")),
            (".status.conditions[?(@.type==\"Ready\")].status", json!("True")),
            (".status.conditions[?(@.type=='Ready')].status", json!("True")),
            (".status.conditions[?(@.type!='Ready')].status", json!("False")),
            (".status.conditions[?(@.n)].type", json!("Foo")),
            (".status.conditions[?(@.n >= 1)].type", json!("Foo")),
            ("..deep", json!({"deep": 5})),
            (".spec.*", json!({"deep": 5})),
        ];
        for (path, expected) in cases {
            assert_eq!(first(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_find_nothing() {
        let cases = [
            ".spec.nope",
            ".spec.size.more",
            ".spec.list[3]",
            ".spec.list[-4]",
            ".spec.empty[0]",
            ".spec.list[1:1]",
            ".spec.size[0]",
            ".spec.list[0:3:0]",
            ".spec[?(@.x==1)]",
            ".status.conditions[?(@.type==1)]",
            ".status.conditions[?(@.type",
            ".spec.list[",
            ".spec.list[]",
            "spec",
        ];
        for path in cases {
            assert_eq!(first(path), None, "{path}");
        }
    }

    #[test]
    fn filters_in_filters_have_an_end() {
        let path = format!("{}.x{}", "[?(@".repeat(5_000), ")]".repeat(5_000));
        assert_eq!(Path::read(&path), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[.\\[\\]*?()@'\"a-c0-9:,=<>!$\\\\-]{0,40}") {
            let object = json!({"a": [{"b": 1}, {"c": [1, 2, "a"]}], "b": {"a": null}});
            if let Some(path) = Path::read(&text) {
                let _ = path.find(&object);
            }
        }
    }
}
