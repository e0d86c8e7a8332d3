//! `url()` and its functions.

use std::any::Any;

use super::cost;
use super::text_argument;
use super::url_syntax::{Url, check_request};
use crate::cel::error::EvalError;
use crate::cel::map::Entries;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::{Opaque, Value, same_kind};

/// The type's name on the server.
const NAME: &str = "kubernetes.URL";

impl Opaque for Url {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        same_kind::<Self>(other).map(|other| self.to_octets() == other.to_octets())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Whether a text is what a request may name: an absolute path or an absolute URI (`url.ParseRequestURI` of Go).
#[must_use]
pub fn is_request_uri(text: &str) -> bool {
    super::url_syntax::check_request(text).is_ok()
}

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let url = || vec![Type::opaque(NAME)];
    let query = Type::map(Type::String, Type::list(Type::String));
    vec![
        Overload::global("url", "string_to_url", vec![Type::String], Type::opaque(NAME), parse)
            .cost(cost::first_argument),
        Overload::global("isURL", "is_url_string", vec![Type::String], Type::Bool, is_url),
        Overload::member("getScheme", "url_get_scheme", url(), Type::String, scheme),
        Overload::member("getHost", "url_get_host", url(), Type::String, host),
        Overload::member("getHostname", "url_get_hostname", url(), Type::String, hostname),
        Overload::member("getPort", "url_get_port", url(), Type::String, port),
        Overload::member("getEscapedPath", "url_get_escaped_path", url(), Type::String, escaped_path),
        Overload::member("getQuery", "url_get_query", url(), query, get_query),
    ]
}

fn operand<'v>(arguments: &'v [Value<'_>]) -> Result<&'v Url, EvalError> {
    arguments.first().ok_or_else(EvalError::no_such_overload)?.downcast()
}

fn parse<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let parsed = Url::parse(text_argument(arguments, 0)?);
    parsed
        .map(Value::opaque)
        .map_err(|error| EvalError::new(format!("URL parse error during conversion from string: {error}")))
}

fn is_url<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Bool(check_request(text_argument(arguments, 0)?).is_ok()))
}

/// Text of unescaped octets. The server holds octets outside UTF-8 as they are; texts here cannot.
fn text<'a>(octets: &[u8]) -> Result<Value<'a>, EvalError> {
    let text = std::str::from_utf8(octets);
    text.map(Value::text).map_err(|_| EvalError::new("an escaped part of the URL is not UTF-8"))
}

fn scheme<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::text(operand(arguments)?.scheme()))
}

fn host<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    text(operand(arguments)?.host())
}

fn hostname<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    text(operand(arguments)?.hostname())
}

fn port<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    text(operand(arguments)?.port())
}

fn escaped_path<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    text(&operand(arguments)?.escaped_path())
}

fn get_query<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let mut entries = Entries::new();
    for (key, values) in operand(arguments)?.query() {
        let values = values.iter().map(|value| text(value)).collect::<Result<_, _>>()?;
        entries.insert(text(&key)?, Value::list(values));
    }
    Ok(Value::map(entries))
}
