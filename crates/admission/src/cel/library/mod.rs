//! Function libraries of Kubernetes and of the expression language's extensions.
//!
//! What kube-apiserver 1.36 offers to admission policies (`pkg/cel/environment/base.go` in `k8s.io/apiserver`),
//! with its results, messages and costs. Whatever it does not offer is not declared here:
//! `math`, `base64`, `cel.bind`, regular-expression replacement, `reverse` of text.

pub mod authorizer;
mod cost;
mod decimal;
#[cfg(test)]
mod expressions;
pub mod format_clauses;
mod format_rules;
mod formats;
mod ip;
mod ip_syntax;
mod list_shapes;
mod lists;
mod localized;
mod order;
mod patterns;
mod quantity;
mod quantity_amount;
mod quoting;
pub mod re2;
mod re2_classes;
mod semver;
mod sets;
mod text;
mod text_format;
mod text_functions;
mod url_escapes;
mod url_syntax;
pub mod urls;

use super::error::EvalError;
use super::overload::Overload;
use super::value::Value;

/// The libraries, each with all its overloads.
const LIBRARIES: [fn() -> Vec<Overload>; 11] = [
    urls::overloads,
    patterns::overloads,
    lists::overloads,
    authorizer::overloads,
    quantity::overloads,
    text::overloads,
    sets::overloads,
    ip::overloads,
    formats::overloads,
    semver::overloads,
    list_shapes::overloads,
];

/// All overloads of all libraries, each with the versions that have it.
pub fn overloads() -> Vec<Overload> {
    LIBRARIES.iter().flat_map(|library| library()).collect()
}

fn argument<'v, 'a>(arguments: &'v [Value<'a>], index: usize) -> Result<&'v Value<'a>, EvalError> {
    arguments.get(index).ok_or_else(EvalError::no_such_overload)
}

fn text_argument<'v>(arguments: &'v [Value<'_>], index: usize) -> Result<&'v str, EvalError> {
    argument(arguments, index)?.as_str()
}

fn integer_argument(arguments: &[Value<'_>], index: usize) -> Result<i64, EvalError> {
    argument(arguments, index)?.as_int()
}

/// The message for a call whose arguments fit no overload.
fn no_such_call(name: &str, arguments: &[Value<'_>]) -> EvalError {
    let kinds: Vec<&str> = arguments.iter().map(Value::type_name).collect();
    EvalError::new(format!("no such overload: {name}({})", kinds.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Overload, function, whether a member, number of parameters: what the server declares beyond the standard library.
    const DECLARED: &str = include_str!("declarations.tsv");

    #[test]
    fn exactly_the_servers_overloads_are_declared() {
        let mut found: Vec<String> = overloads()
            .iter()
            .map(|overload| {
                let Overload { id, name, member, parameters, .. } = overload;
                format!("{id}\t{name}\t{member}\t{}", parameters.len())
            })
            .collect();
        found.sort();
        let mut expected: Vec<&str> = DECLARED.lines().collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn missing_and_unfit_arguments_are_refused() {
        for overload in overloads().iter().filter(|overload| !overload.parameters.is_empty()) {
            let (call, id) = (overload.implementation, overload.id);
            assert!(call(&[]).is_err(), "{id}");
            assert!(call(&[Value::Null, Value::Null, Value::Null, Value::Null]).is_err(), "{id}");
            if let Some(cost) = overload.cost {
                cost(&[], &Ok(Value::Null));
                cost(&[Value::Null, Value::Null], &Err(EvalError::no_such_overload()));
            }
        }
    }
}
