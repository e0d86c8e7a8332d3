//! The authorizer: declared so that expressions which use it compile, never answered.
//!
//! Whether somebody may do something is known to a cluster only. Every call fails, so that no expression
//! passes because of a guess.

use super::cost::{self, Outcome};
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::Value;

/// The type of `authorizer`.
pub const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
const PATH_CHECK: &str = "kubernetes.authorization.PathCheck";
const GROUP_CHECK: &str = "kubernetes.authorization.GroupCheck";
/// The type of `authorizer.requestResource`.
pub const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";
const DECISION: &str = "kubernetes.authorization.Decision";

/// The release whose expressions know the authorizer first.
const SINCE: KubeVersion = KubeVersion::minor(27);
/// The release whose expressions may narrow checks by selectors first.
const SELECTORS_SINCE: KubeVersion = KubeVersion::minor(31);

/// What the server charges for asking its authorizer: two checks fit into an expression, three do not.
const CHECK_COST: u64 = 350_000;
/// What a selector's requirement costs, and each of its characters counts for half a requirement.
const REQUIREMENT_COST: u64 = 50;
const LIST_COST: u64 = 10;

/// The overloads of both libraries.
pub(super) fn overloads() -> Vec<Overload> {
    let builders = builders().into_iter().chain(decisions()).map(|overload| overload.since(SINCE));
    builders.chain(selectors().map(|overload| overload.since(SELECTORS_SINCE))).collect()
}

fn method(name: &'static str, id: &'static str, receiver: &'static str, result: Type, texts: usize) -> Overload {
    let mut parameters = vec![Type::opaque(receiver)];
    parameters.resize(texts + 1, Type::String);
    Overload::member(name, id, parameters, result, refuse)
}

fn builders() -> [Overload; 7] {
    let resource = || Type::opaque(RESOURCE_CHECK);
    [
        method("path", "authorizer_path", AUTHORIZER, Type::opaque(PATH_CHECK), 1),
        method("group", "authorizer_group", AUTHORIZER, Type::opaque(GROUP_CHECK), 1),
        method("serviceAccount", "authorizer_serviceaccount", AUTHORIZER, Type::opaque(AUTHORIZER), 2),
        method("resource", "groupcheck_resource", GROUP_CHECK, resource(), 1),
        method("subresource", "resourcecheck_subresource", RESOURCE_CHECK, resource(), 1),
        method("namespace", "resourcecheck_namespace", RESOURCE_CHECK, resource(), 1),
        method("name", "resourcecheck_name", RESOURCE_CHECK, resource(), 1),
    ]
}

fn decisions() -> [Overload; 6] {
    let decision = || Type::opaque(DECISION);
    [
        method("check", "pathcheck_check", PATH_CHECK, decision(), 1).cost(check_cost),
        method("check", "resourcecheck_check", RESOURCE_CHECK, decision(), 1).cost(check_cost),
        method("errored", "decision_errored", DECISION, Type::Bool, 0),
        method("error", "decision_error", DECISION, Type::String, 0),
        method("allowed", "decision_allowed", DECISION, Type::Bool, 0),
        method("reason", "decision_reason", DECISION, Type::String, 0),
    ]
}

fn selectors() -> impl Iterator<Item = Overload> {
    let selector = |name, id| method(name, id, RESOURCE_CHECK, Type::opaque(RESOURCE_CHECK), 1).cost(selector_cost);
    [selector("fieldSelector", "authorizer_fieldselector"), selector("labelSelector", "authorizer_labelselector")]
        .into_iter()
}

fn refuse<'a>(_: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Err(EvalError::unanswered("authorization checks cannot be evaluated without a cluster"))
}

fn check_cost<'a>(_: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    CHECK_COST
}

fn selector_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    let size = cost::size_of(arguments, 1);
    let requirements = size.div_ceil(2).saturating_mul(REQUIREMENT_COST);
    requirements.saturating_add(cost::traversal(size)).saturating_add(LIST_COST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_refused() {
        let overloads = overloads();
        assert_eq!(overloads.len(), 15);
        for overload in overloads {
            assert!((overload.implementation)(&[]).is_err(), "{}", overload.id);
        }
    }

    #[test]
    fn a_third_check_exceeds_the_limit_of_an_expression() {
        let check = check_cost(&[], &Ok(Value::Null));
        assert!(2 * check < crate::cel::program::EXPRESSION_COST_LIMIT);
        assert!(3 * check > crate::cel::program::EXPRESSION_COST_LIMIT);
    }
}
