//! Questions that are asked by a POST and answered at once: who am I, who is this, may I.

use serde_json::Value;

use super::body;
use super::call::Call;
use super::options::{OptionsKind, WriteOptions};
use super::reply::Reply;
use super::state::State;
use super::tokens;
use crate::failure::Failure;
use crate::identity::review;
use crate::rbac::Attributes;
use crate::resource::Resource;

/// Whether objects of a resource are answered and not stored.
pub(super) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers a review.
pub(super) fn answer(state: &State, call: &Call) -> Result<Reply, Failure> {
    let mut received = body::read(call)?;
    state.check_kind(call, &mut received.object)?;
    let validation = WriteOptions::read(&call.query, OptionsKind::Create)?.field_validation;
    let left_out = body::settle(&call.resource, &mut received, validation, body::refuse_write(&call.resource))?;
    let asked = &received.object;
    let may = |attributes: &Attributes<'_>| state.decide(attributes);
    let answer: Value = match call.resource.plural.as_str() {
        "selfsubjectreviews" => review::self_subject(&call.user, state.clock.seconds()),
        "tokenreviews" => {
            let own = state.authenticator.signer().audiences();
            review::token(asked, own, &|token, audiences| tokens::examine(state, token, audiences))?
        }
        "subjectaccessreviews" => review::subject_access(asked, &may)?,
        "localsubjectaccessreviews" => review::local_subject_access(asked, call.namespace(), &may)?,
        "selfsubjectaccessreviews" => review::self_subject_access(asked, &call.user, &may)?,
        "selfsubjectrulesreviews" => review::self_subject_rules(asked, &call.user, &state.store)?,
        _ => return Err(Failure::method_not_allowed()),
    };
    Ok(Reply::json(201, answer).warn(&left_out.warnings))
}
