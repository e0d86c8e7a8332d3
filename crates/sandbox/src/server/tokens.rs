//! Bearer tokens: who they stand for, and the subresource that mints them.

use admission::UserInfo;
use std::sync::Arc;

use super::body;
use super::call::Call;
use super::change::Question;
use super::options::{OptionsKind, WriteOptions};
use super::reply::Reply;
use super::state::State;
use crate::failure::Failure;
use crate::identity::token::{Authenticated, TokenRequest};

/// Whom a bearer token stands for.
pub(super) fn user_of(state: &State, token: &str) -> Option<UserInfo> {
    examine(state, token, &[]).ok().map(|authenticated| authenticated.user)
}

/// Whom a bearer token stands for, for some audiences.
pub(super) fn examine(state: &State, token: &str, audiences: &[String]) -> Result<Authenticated, String> {
    state.authenticator.examine(token, audiences, &state.store, state.clock.seconds())
}

fn right_kind(state: &State, body: &serde_json::Value) -> Result<(), Failure> {
    let text = |field: &str| body.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
    let (kind, version) = (text("kind"), text("apiVersion"));
    if kind.is_empty() || kind == "TokenRequest" {
        return Ok(());
    }
    let (_, short) = version.rsplit_once('/').unwrap_or(("", version));
    let why = state.no_conversion("authentication.k8s.io", "TokenRequest", kind, version);
    Err(Failure::bad_request(format!("{kind} in version \"{short}\" cannot be handled as a TokenRequest: {why}")))
}

/// A POST to `serviceaccounts/NAME/token`.
pub(super) fn request(state: &mut State, call: &Call) -> Result<Reply, Failure> {
    let options = WriteOptions::read(&call.query, OptionsKind::Create)?;
    let body = body::read(call)?.object;
    right_kind(state, &body)?;
    let authenticator = state.authenticator.clone();
    let (signer, now) = (authenticator.signer(), state.clock.seconds());
    let account = (call.namespace(), call.place.name.as_str());
    let request = TokenRequest::prepare(signer, account, &body, &state.store, now)?;
    let question = Question {
        call,
        operation: admission::Operation::Create,
        name: &call.place.name,
        old: None,
        new: Some(Arc::new(request.object().clone())),
        dry_run: options.dry_run,
        options: options.shown(OptionsKind::Create),
    };
    let uid = state.uid();
    let asked = state.ask_policies(&question.into_request(uid))?;
    let bits = state.bits();
    let issued = signer.mint(request, &state.store, now, &mut || bits)?;
    Ok(Reply::json(201, issued.object).warn(issued.warnings.iter().chain(&asked.warnings)))
}
