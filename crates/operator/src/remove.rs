//! What is removed, and what has to stay: never a guard while whom it holds keeps a grant that is not ours to revoke.

use manifests::install::{Installation, PROBES, Part};
use serde_json::{Value, json};
use thiserror::Error;

use crate::object::{Objects, Place, RequestError};
use crate::plan::{is_ours, is_shared};

/// Why nothing, or not everything, is removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoveError {
    /// The agent could write any Node.
    #[error(
        "{account} may patch nodes, and that right is not ours to revoke: without the guard it could write every Node; revoke it first, or use --force"
    )]
    Exposed {
        /// The agent's user name.
        account: String,
    },
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// What would be removed, in this order: the reverse of that in which it came.
///
/// # Errors
/// [`RemoveError`]
pub async fn removable(objects: &Objects, installation: &Installation) -> Result<Vec<Place>, RemoveError> {
    let others = other_profiles(objects, installation).await?;
    let mut places = Vec::new();
    for part in Part::ALL.into_iter().rev() {
        let wanted = installation.objects(part);
        let of_part = wanted.iter().rev().map(Place::of).filter(|place| !(others && is_common(place)));
        let of_part: Vec<Place> = of_part.collect();
        let found = objects.find(of_part.iter().cloned()).await?;
        places.extend(of_part.into_iter().filter(|place| found.get(place).is_some_and(is_ours)));
    }
    Ok(places)
}

/// Whether it serves other profiles too.
fn is_common(place: &Place) -> bool {
    is_shared(place) || place.name == PROBES
}

async fn other_profiles(objects: &Objects, installation: &Installation) -> Result<bool, RemoveError> {
    let place = Place::of(&installation.agent_profile());
    match objects.list(&place).await {
        Ok(profiles) => Ok(profiles.iter().any(|profile| profile["metadata"]["name"] != place.name.as_str())),
        Err(RequestError::Refused { code: 404, .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes it. Without `force`, not while the agent's account keeps the right to write Nodes.
///
/// # Errors
/// [`RemoveError`]
pub async fn remove(
    objects: &Objects,
    installation: &Installation,
    force: bool,
    mut tell: impl FnMut(&Place),
) -> Result<Vec<Place>, RemoveError> {
    let places = removable(objects, installation).await?;
    let (before, guards): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|place| !is_guard_or_ground(place));
    let mut removed = Vec::new();
    for place in before {
        tell(&place);
        objects.delete(&place).await?;
        removed.push(place);
    }
    if !force && may_write_nodes(objects, installation).await? {
        return Err(RemoveError::Exposed { account: installation.profile.username().to_owned() });
    }
    for place in guards {
        tell(&place);
        objects.delete(&place).await?;
        removed.push(place);
    }
    Ok(removed)
}

fn is_guard_or_ground(place: &Place) -> bool {
    place.kind.starts_with("ValidatingAdmissionPolicy")
        || is_shared(place)
        || matches!(place.kind.as_str(), "ServiceAccount" | "AgentProfile")
}

/// Whether the agent's account may patch any Node, by whatever role.
async fn may_write_nodes(objects: &Objects, installation: &Installation) -> Result<bool, RequestError> {
    let account = installation.profile.service_account();
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{}", account.namespace),
        "system:authenticated".to_owned(),
    ];
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
        "spec": {"user": installation.profile.username(), "groups": groups,
            "resourceAttributes": {"verb": "patch", "resource": "nodes", "version": "v1"}}});
    let answer = objects.create(&review).await?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(true))
}
