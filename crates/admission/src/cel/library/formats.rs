//! `format.NAME()`, `format.named()` and `validate()`.

use std::any::Any;

use super::cost::{self, Outcome};
use super::format_rules::{self as rules, Rule};
use super::text_argument;
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::{Implementation, Overload};
use crate::cel::types::Type;
use crate::cel::value::{Opaque, Value, same_kind};

/// The type's name on the server.
const NAME: &str = "kubernetes.NamedFormat";

/// The release whose expressions know named formats first.
const SINCE: KubeVersion = KubeVersion::minor(31);

/// A named format.
#[derive(Clone, Copy, Debug)]
struct Format {
    /// The name in expressions.
    name: &'static str,
    rule: Rule,
    /// The length of the pattern that the cost model assumes.
    pattern: usize,
}

const FORMATS: [Format; 13] = [
    Format { name: "dns1123Label", rule: rules::label, pattern: 30 },
    Format { name: "dns1123Subdomain", rule: rules::subdomain, pattern: 60 },
    Format { name: "dns1035Label", rule: rules::old_label, pattern: 30 },
    Format { name: "qualifiedName", rule: rules::qualified_name, pattern: 60 },
    Format { name: "dns1123LabelPrefix", rule: rules::label_prefix, pattern: 30 },
    Format { name: "dns1123SubdomainPrefix", rule: rules::subdomain_prefix, pattern: 60 },
    Format { name: "dns1035LabelPrefix", rule: rules::old_label_prefix, pattern: 30 },
    Format { name: "labelValue", rule: rules::label_value, pattern: 40 },
    Format { name: "uri", rule: rules::uri, pattern: 1_103 },
    Format { name: "uuid", rule: rules::uuid, pattern: rules::UUID.len() },
    Format { name: "byte", rule: rules::byte, pattern: 84 },
    Format { name: "date", rule: rules::date, pattern: rules::TIME.len() },
    Format { name: "datetime", rule: rules::datetime, pattern: rules::TIME.len() },
];

impl Format {
    fn named(name: &str) -> Option<Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }
}

impl Opaque for Format {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        same_kind::<Self>(other).map(|other| self.name == other.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The functions by which expressions get each format; a function pointer cannot carry the name itself.
const GETTERS: [(&str, Implementation); 13] = [
    ("format.dns1123Label", |_| constant("dns1123Label")),
    ("format.dns1123Subdomain", |_| constant("dns1123Subdomain")),
    ("format.dns1035Label", |_| constant("dns1035Label")),
    ("format.qualifiedName", |_| constant("qualifiedName")),
    ("format.dns1123LabelPrefix", |_| constant("dns1123LabelPrefix")),
    ("format.dns1123SubdomainPrefix", |_| constant("dns1123SubdomainPrefix")),
    ("format.dns1035LabelPrefix", |_| constant("dns1035LabelPrefix")),
    ("format.labelValue", |_| constant("labelValue")),
    ("format.uri", |_| constant("uri")),
    ("format.uuid", |_| constant("uuid")),
    ("format.byte", |_| constant("byte")),
    ("format.date", |_| constant("date")),
    ("format.datetime", |_| constant("datetime")),
];

fn constant<'a>(name: &str) -> Result<Value<'a>, EvalError> {
    Format::named(name).map(Value::opaque).ok_or_else(EvalError::no_such_overload)
}

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let format = || Type::opaque(NAME);
    let problems = Type::optional(Type::list(Type::String));
    let getters = GETTERS.map(|(name, getter)| Overload::global(name, name, Vec::new(), format(), getter));
    let others = [
        Overload::global("format.named", "format-named", vec![Type::String], Type::optional(format()), named),
        Overload::member("validate", "format-validate", vec![format(), Type::String], problems, validate)
            .cost(validation_cost),
    ];
    getters.into_iter().chain(others).map(|overload| overload.since(SINCE)).collect()
}

fn named<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let format = Format::named(text_argument(arguments, 0)?);
    Ok(format.map_or_else(Value::none, |format| Value::some(Value::opaque(format))))
}

fn operand<'v>(arguments: &'v [Value<'_>]) -> Result<&'v Format, EvalError> {
    arguments.first().ok_or_else(EvalError::no_such_overload)?.downcast()
}

fn validate<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let problems = (operand(arguments)?.rule)(text_argument(arguments, 1)?);
    if problems.is_empty() {
        return Ok(Value::none());
    }
    Ok(Value::some(Value::list(problems.into_iter().map(Value::text).collect())))
}

fn validation_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    operand(arguments).map_or(1, |format| {
        let pattern = u64::try_from(format.pattern).unwrap_or(u64::MAX);
        cost::pattern(cost::size_of(arguments, 1), pattern)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_function() {
        let getters = GETTERS.map(|(name, _)| name);
        let formats = FORMATS.map(|format| format!("format.{}", format.name));
        assert_eq!(getters.map(String::from), formats);
        for (name, getter) in GETTERS {
            let value = getter(&[]).unwrap();
            assert_eq!(format!("format.{}", value.downcast::<Format>().unwrap().name), name);
        }
    }

    #[test]
    fn validation_costs_text_times_assumed_pattern() {
        let cases = [
            ("dns1123Label", "Abc", 8),
            ("uri", "http://a b", 552),
            ("uuid", "x", 18),
            ("byte", "", 21),
            ("date", "2021-02-29", 36),
            ("datetime", "2021-01-01T24:00:00Z", 54),
        ];
        for (format, text, expected) in cases {
            let arguments = [constant(format).unwrap(), Value::borrowed(text)];
            assert_eq!(validation_cost(&arguments, &Ok(Value::Null)), expected, "{format} {text}");
        }
    }
}
