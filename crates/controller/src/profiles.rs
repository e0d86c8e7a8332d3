//! The profile as an object of the cluster, which somebody may change, break or delete while the controller runs.
//!
//! The last one that was valid goes on to be in force: what is unreadable, invalid or gone widens nothing.

use api::AgentProfile;
use channels::{Backoff, Observation, Observe as _, Watched};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use kube::{Api, Client};
use ownership::Profile;
use tokio::sync::watch;

use crate::report::Report;

/// Follows the AgentProfile of that name for ever: each valid state of it is sent, everything else is reported.
pub async fn follow(
    client: Client,
    name: &str,
    backoff: Backoff,
    valid: watch::Sender<Option<Profile>>,
    mut report: impl FnMut(Report),
) {
    let resource = ApiResource::erase::<AgentProfile>(&());
    let mut objects = Watched::of(Api::<DynamicObject>::all_with(client, &resource), backoff);
    let (mut listed, mut last, mut before) = (false, None, None);
    loop {
        let state = match objects.next().await {
            Observation::Begun => {
                listed = false;
                continue;
            }
            Observation::Listed(object) | Observation::Changed(object) if is(&object, name) => {
                listed = true;
                read(&object)
            }
            Observation::Gone(object) if is(&object, name) => State::Gone,
            Observation::Complete if !listed => State::Gone,
            Observation::Interrupted { cause, message } => State::Unseen(format!("{cause}: {message}")),
            Observation::Resumed => match std::mem::take(&mut before) {
                Some(state) => state,
                None => continue,
            },
            _ => continue,
        };
        if last.as_ref() == Some(&state) {
            continue;
        }
        let was_valid = matches!(last, None | Some(State::Valid(_)));
        if let Some(news) = take(&state, was_valid, &valid) {
            report(news);
        }
        if let (State::Unseen(_), Some(seen)) = (&state, &last) {
            before.get_or_insert_with(|| seen.clone());
        }
        last = Some(state);
    }
}

/// What the object is.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Valid(Box<Profile>),
    Invalid(String),
    Gone,
    Unseen(String),
}

fn is(object: &DynamicObject, name: &str) -> bool {
    object.metadata.name.as_deref() == Some(name)
}

fn read(object: &DynamicObject) -> State {
    let profile = serde_json::to_value(object)
        .and_then(serde_json::from_value::<AgentProfile>)
        .map_err(|error| error.to_string())
        .and_then(|object| Profile::try_from(object).map_err(|error| error.to_string()));
    match profile {
        Ok(profile) => State::Valid(Box::new(profile)),
        Err(error) => State::Invalid(error),
    }
}

fn take(state: &State, was_valid: bool, valid: &watch::Sender<Option<Profile>>) -> Option<Report> {
    match state {
        State::Valid(profile) => {
            let is_new = valid.send_if_modified(|known| {
                let is_new = known.as_ref() != Some(profile);
                *known = Some((**profile).clone());
                is_new
            });
            (is_new || !was_valid).then_some(Report::ProfileTaken)
        }
        State::Invalid(error) => Some(Report::ProfileInvalid(error.clone())),
        State::Gone => Some(Report::ProfileGone),
        State::Unseen(error) => Some(Report::ProfileUnseen(error.clone())),
    }
}
