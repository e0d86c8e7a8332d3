//! What is removed, and what has to stay: never a guard while whom it holds keeps a grant that is not ours to revoke.

use api::finding::lease_name;
use manifests::Guarding;
use manifests::install::{AGENT, CONTROLLER, Installation, PROBES, Part};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use thiserror::Error;
use tokio::time::sleep;

use crate::former;
use crate::object::{Objects, Place, RequestError};
use crate::plan::{is_of_another, is_ours, is_shared};

/// How often it is looked whether anything came back, and how long between.
const ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Why nothing, or not everything, is removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoveError {
    /// The agent could write any Node.
    #[error(
        "{account} may write nodes, and that right is not ours to revoke: without the guard it could write every Node; revoke it first, or use --force"
    )]
    Exposed {
        /// The agent's user name.
        account: String,
    },
    /// The guard is not that of the profile.
    #[error(
        "{policy} does not hold {account}: it guards another account, or somebody changed it; look at its matchConditions, then use --force"
    )]
    Another {
        /// The guard.
        policy: Place,
        /// The account that it was to hold.
        account: String,
    },
    /// A request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// What would be removed, in this order: the operator, so that it brings nothing back, and then the reverse of the order in
/// which it came.
///
/// # Errors
/// [`RemoveError`]
pub async fn removable(objects: &Objects, installation: &Installation) -> Result<Vec<Place>, RemoveError> {
    let others = other_profiles(objects, installation).await?;
    let mut wanted = Vec::new();
    if !others {
        let operator = installation.operator().into_iter().map(|object| Place::of(&object));
        wanted.extend(operator.filter(|place| !is_shared(place)).rev());
    }
    wanted.push(Place::of(&installation.agent_profile()));
    wanted.push(finding(installation));
    if others {
        // What programs may do for this profile; what they may do for others stays.
        let of_programs = installation.operator().into_iter().filter(is_role).map(|object| Place::of(&object));
        wanted.extend(of_programs.rev());
    }
    let mut parts = Vec::new();
    for part in Part::ALL.into_iter().rev() {
        let of_part = installation.objects(part).into_iter().rev().map(|object| Place::of(&object));
        parts.extend(of_part.filter(|place| place.kind != ownership::parse::KIND && !(others && is_common(place))));
    }
    // What is left of another channel.
    wanted.extend(former::places(installation).filter(|place| !parts.contains(place) && !is_common(place)));
    wanted.extend(parts);
    if !others {
        // The operator brings definitions and a namespace of its own, whatever the profile asks for.
        let shared: Vec<Place> = installation.operator().iter().map(Place::of).filter(is_shared).collect();
        wanted.retain(|place| !shared.contains(place));
        wanted.extend(shared.into_iter().rev());
    }
    let found = objects.find(wanted.iter().cloned()).await?;
    let is_removable = |place: &Place| {
        let is_given = [ownership::parse::KIND, "Lease"].contains(&&*place.kind);
        // What is on its way out has been deleted.
        let is_there = |object: &&Value| object["metadata"]["deletionTimestamp"].is_null();
        let is_removable = |object: &Value| is_given || (is_ours(object) && !is_of_another(object, installation));
        found.get(place).filter(is_there).is_some_and(is_removable)
    };
    wanted.retain(is_removable);
    wanted.sort_by_key(is_guard_or_ground);
    Ok(wanted)
}

/// What the prober said of it.
fn finding(installation: &Installation) -> Place {
    Place {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(installation.settings.namespace.clone()),
        name: lease_name(installation.profile.name()),
    }
}

/// Roles and their bindings are by profile.
fn is_role(object: &Value) -> bool {
    object["apiVersion"] == "rbac.authorization.k8s.io/v1"
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
    let exposed = || RemoveError::Exposed { account: installation.profile.username().to_owned() };
    // What is somebody else's stays as it is: it is known before anything is removed.
    if !force && !installation.is_ours() && may_write_nodes(objects, installation).await? {
        return Err(exposed());
    }
    if let Some(policy) = of_another(objects, installation).await?.filter(|_| !force) {
        return Err(RemoveError::Another { policy, account: installation.profile.username().to_owned() });
    }
    let mut removed = Vec::new();
    // An operator that is still at work may make again what is removed, until it sees that its profile is gone.
    for _ in 0..ROUNDS {
        let mut checked = force;
        let places = removable(objects, installation).await?;
        if places.is_empty() {
            break;
        }
        if !removed.is_empty() {
            sleep(PAUSE).await;
        }
        for place in places {
            if !checked && is_guard_or_ground(&place) {
                if may_write_nodes(objects, installation).await? {
                    return Err(exposed());
                }
                checked = true;
            }
            tell(&place);
            objects.delete(&place).await?;
            if !removed.contains(&place) {
                removed.push(place);
            }
        }
    }
    Ok(removed)
}

/// A guard of that name that holds somebody else.
async fn of_another(objects: &Objects, installation: &Installation) -> Result<Option<Place>, RequestError> {
    let guards: Vec<Value> =
        installation.guards().iter().map(|guarding| Guarding::objects(guarding)[0].clone()).collect();
    let found = objects.find(guards.iter().map(Place::of)).await?;
    let whom = |policy: &Value| policy["spec"]["matchConditions"].clone();
    let is_another = |wanted: &Value| found.get(&Place::of(wanted)).is_some_and(|there| whom(there) != whom(wanted));
    Ok(guards.iter().find(|wanted| is_another(wanted)).map(Place::of))
}

/// The field managers of ours that write Nodes.
const MANAGERS: [&str; 2] = [AGENT, CONTROLLER];

/// By Node, the keys that our field managers wrote there.
///
/// # Errors
/// [`RequestError`]
pub async fn written(objects: &Objects) -> Result<BTreeMap<String, BTreeSet<String>>, RequestError> {
    let mut written = BTreeMap::new();
    for node in objects.list(&nodes("")).await? {
        let entries = node["metadata"]["managedFields"].as_array().into_iter().flatten();
        let ours = entries.filter(|entry| entry["manager"].as_str().is_some_and(|name| MANAGERS.contains(&name)));
        let keys: BTreeSet<String> = ours
            .flat_map(|entry| ["f:labels", "f:annotations"].map(|map| &entry["fieldsV1"]["f:metadata"][map]))
            .filter_map(Value::as_object)
            .flatten()
            .filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
            .collect();
        if !keys.is_empty() {
            written.insert(node["metadata"]["name"].as_str().unwrap_or_default().to_owned(), keys);
        }
    }
    Ok(written)
}

/// Removes from a Node what our field managers wrote, as each of them: what others wrote too stays.
///
/// # Errors
/// [`RequestError`]
pub async fn clear(objects: &Objects, node: &str) -> Result<(), RequestError> {
    let place = nodes(node);
    let found = objects.find([place.clone()]).await?;
    let Some(uid) = found.get(&place).map(|node| node["metadata"]["uid"].clone()) else { return Ok(()) };
    for manager in MANAGERS {
        // With its UID, so that no Node is made where one has just gone.
        let nothing = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "uid": uid}});
        objects.apply_as(manager, &nothing).await?;
    }
    Ok(())
}

fn nodes(name: &str) -> Place {
    Place { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, name: name.to_owned() }
}

fn is_guard_or_ground(place: &Place) -> bool {
    place.kind.starts_with("ValidatingAdmissionPolicy") || is_shared(place) || place.kind == "ServiceAccount"
}

/// What can be done to any Node, labels through its status included.
const WRITES: [(&str, &str); 6] =
    [("patch", ""), ("update", ""), ("create", ""), ("delete", ""), ("patch", "status"), ("update", "status")];

/// Whether the agent's account may write any Node, by whatever role.
async fn may_write_nodes(objects: &Objects, installation: &Installation) -> Result<bool, RequestError> {
    for (verb, subresource) in WRITES {
        let attributes = json!({"verb": verb, "resource": "nodes", "subresource": subresource, "version": "v1"});
        if may(objects, installation, attributes).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn may(objects: &Objects, installation: &Installation, attributes: Value) -> Result<bool, RequestError> {
    let account = installation.profile.service_account();
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{}", account.namespace),
        "system:authenticated".to_owned(),
    ];
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {},
        "spec": {"user": installation.profile.username(), "groups": groups, "resourceAttributes": attributes}});
    let answer = objects.create(&review).await?;
    Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(true))
}
