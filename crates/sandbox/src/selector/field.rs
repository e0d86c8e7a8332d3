//! Field selectors (`k8s.io/apimachinery/pkg/fields`): `metadata.name=x,spec.unschedulable!=true`.

use serde_json::Value;

/// A field selector. Without terms it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Term {
    field: String,
    equal: bool,
    value: String,
}

/// What a selector sees where the server's type has a value and the object has none: kind, field, value
/// (`ToSelectableFields` of the kinds in `pkg/registry`).
const ABSENT: [(&str, &str, &str); 4] = [
    ("Node", "spec.unschedulable", "false"),
    ("Pod", "spec.hostNetwork", "false"),
    ("Job", "status.successful", "0"),
    ("ReplicationController", "status.replicas", "0"),
];

/// Fields by another name than their path: kind, name, paths of which the first that is not empty counts.
const ELSEWHERE: [(&str, &str, &[&str]); 3] = [
    ("Event", "source", &["source.component", "reportingComponent"]),
    ("Job", "status.successful", &["status.succeeded"]),
    ("Namespace", "name", &["metadata.name"]),
];

impl FieldSelector {
    /// Parses a selector of which `supported` are all the fields that it may name.
    ///
    /// # Errors
    /// The server's words for what is wrong.
    pub fn parse(selector: &str, supported: &[&str]) -> Result<Self, String> {
        let mut parts: Vec<&str> = terms(selector).into_iter().filter(|part| !part.is_empty()).collect();
        parts.sort_unstable();
        let understood = |part: &&str| Term::parse(part, selector);
        let mut terms = parts.iter().map(understood).collect::<Result<Vec<_>, _>>()?;
        terms.retain(|term| !(term.field.is_empty() && term.value.is_empty()));
        match terms.iter().find(|term| !supported.contains(&term.field.as_str())) {
            Some(term) => Err(format!("field label not supported: {}", term.field)),
            None => Ok(Self(terms)),
        }
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that a field must have.
    #[must_use]
    pub fn required(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|term| term.equal && term.field == field).map(|term| term.value.as_str())
    }

    /// Whether an object is selected.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|term| (text_at(object, &term.field) == term.value) == term.equal)
    }
}

impl Term {
    fn parse(part: &str, selector: &str) -> Result<Self, String> {
        let Some((left, right)) = part.split_once('=') else {
            return Err(format!("invalid selector: '{selector}'; can't understand '{part}'"));
        };
        let (field, equal) = left.strip_suffix('!').map_or((left, true), |field| (field, false));
        let value = if equal { right.strip_prefix('=').unwrap_or(right) } else { right };
        Ok(Self { field: field.to_owned(), equal, value: unescaped(value)? })
    }
}

/// The parts between commas that have no backslash before them.
fn terms(selector: &str) -> Vec<&str> {
    let mut escaped = false;
    let separates = |c: char| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    };
    selector.split(separates).collect()
}

fn unescaped(value: &str) -> Result<String, String> {
    let wrong = |what: String| Err(format!("invalid field selector: {what}"));
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                Some(other) => return wrong(format!("invalid escape sequence: \\{other}")),
                None => return wrong("invalid escape sequence: \\".to_owned()),
            },
            ',' | '=' => return wrong(format!("unescaped character in value: {}", u32::from(c))),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn text_at(object: &Value, field: &str) -> String {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let elsewhere = ELSEWHERE.iter().find(|(known, name, _)| (*known, *name) == (kind, field));
    let found = match elsewhere {
        Some((_, _, paths)) => paths.iter().map(|path| text_of(object, path)).find(|text| !text.is_empty()),
        None => Some(text_of(object, field)),
    };
    let absent = || ABSENT.iter().find(|(known, name, _)| (*known, *name) == (kind, field)).map(|(_, _, text)| *text);
    found.filter(|text| !text.is_empty()).unwrap_or_else(|| absent().unwrap_or_default().to_owned())
}

fn text_of(object: &Value, path: &str) -> String {
    match path.split('.').try_fold(object, |value, part| value.get(part)) {
        Some(Value::String(text)) => text.clone(),
        Some(plain @ (Value::Bool(_) | Value::Number(_))) => plain.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SUPPORTED: [&str; 4] = ["metadata.name", "spec.unschedulable", "a", "b"];

    #[test]
    fn selects() {
        let node = json!({"kind": "Node", "metadata": {"name": "n1"}, "a": "x,y=\\", "b": 5});
        let cases = [
            ("", true),
            (",", true),
            ("=,!=", true),
            ("metadata.name=n1", true),
            ("metadata.name==n1", true),
            ("metadata.name!=n1", false),
            ("metadata.name=n2", false),
            ("spec.unschedulable=false", true),
            ("spec.unschedulable!=true,metadata.name=n1", true),
            ("spec.unschedulable=", false),
            ("a=x\\,y\\=\\\\", true),
            ("b=5", true),
        ];
        for (text, expected) in cases {
            let selector = FieldSelector::parse(text, &SUPPORTED).unwrap();
            assert_eq!(selector.matches(&node), expected, "{text}");
            assert_eq!(selector.is_empty(), !text.contains(|c: char| c.is_alphanumeric()));
        }
        let custom = json!({"kind": "Gadget", "spec": {"unschedulable": null}});
        assert!(FieldSelector::parse("spec.unschedulable=", &SUPPORTED).unwrap().matches(&custom));
        let event = json!({"kind": "Event", "reportingComponent": "kubelet", "source": {}});
        assert!(FieldSelector::parse("source=kubelet", &["source"]).unwrap().matches(&event));
    }

    #[test]
    fn requires() {
        let selector = FieldSelector::parse("a!=z,metadata.name=n1", &SUPPORTED).unwrap();
        assert_eq!((selector.required("metadata.name"), selector.required("a")), (Some("n1"), None));
    }

    #[test]
    fn refusals() {
        let cases = [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("b=1,a", "invalid selector: 'b=1,a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            ("a===b", "invalid field selector: unescaped character in value: 61"),
            ("a=b\\x", "invalid field selector: invalid escape sequence: \\x"),
            ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
            ("status.phase=x", "field label not supported: status.phase"),
            ("=x", "field label not supported: "),
            ("z=1,c=\\x", "invalid field selector: invalid escape sequence: \\x"),
        ];
        for (text, expected) in cases {
            assert_eq!(FieldSelector::parse(text, &SUPPORTED).unwrap_err(), expected, "{text}");
        }
    }
}
