//! What is wrong with a profile that only the cluster shows.

use api::AgentProfile;
use manifests::install::{Installation, OF_PROFILE, PROBES, Part, Settings};
use ownership::Profile;
use serde_json::Value;
use std::collections::BTreeSet;

use crate::object::{Objects, Place, RequestError};
use crate::plan::is_ours;
use crate::status::Reason;

/// A profile as it is in the cluster.
#[derive(Clone, Debug)]
pub struct Listed {
    object: Value,
    /// What it is, if it is valid.
    pub profile: Result<(Profile, AgentProfile), String>,
}

impl Listed {
    /// Reads one.
    #[must_use]
    pub fn read(mut object: Value) -> Self {
        // Items of a list do not name their kind.
        object["apiVersion"] = ownership::parse::API_VERSION.into();
        object["kind"] = ownership::parse::KIND.into();
        let profile = serde_json::from_value::<AgentProfile>(object.clone())
            .map_err(|error| error.to_string())
            .and_then(|object| {
                let profile = Profile::try_from(object.clone()).map_err(|error| error.to_string())?;
                Ok((profile, object))
            });
        Self { object, profile }
    }

    /// The object as it was read.
    #[must_use]
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn age(&self) -> (&str, &str) {
        let text = |field: &str| self.object["metadata"][field].as_str().unwrap_or_default();
        (text("creationTimestamp"), text("name"))
    }
}

/// All profiles, the oldest first: of two that cannot both be, it is the older one.
///
/// # Errors
/// [`RequestError`]
pub async fn profiles(objects: &Objects) -> Result<Vec<Listed>, RequestError> {
    let place = Place {
        api_version: ownership::parse::API_VERSION.to_owned(),
        kind: ownership::parse::KIND.to_owned(),
        namespace: None,
        name: String::new(),
    };
    let mut listed: Vec<Listed> = objects.list(&place).await?.into_iter().map(Listed::read).collect();
    listed.sort_by(|one, other| one.age().cmp(&other.age()));
    Ok(listed)
}

/// What a profile needs that no other one may have.
struct Needs {
    name: String,
    account: String,
    places: BTreeSet<Place>,
}

impl Needs {
    fn of(installation: &Installation) -> Self {
        let profile = &installation.profile;
        let (name, account) = (profile.name().to_owned(), profile.username().to_owned());
        Self { name, account, places: exclusive(installation) }
    }

    /// Why it cannot be beside the older ones, if so.
    fn refused(&self, installation: &Installation, older: &[Self]) -> Option<String> {
        if installation.is_of_a_guardian() {
            let account = &self.account;
            return Some(format!("{account} is an account of nodebound itself, which is guarded without a profile"));
        }
        if let Some(taken) = reserved(installation).intersection(&self.places).next() {
            return Some(format!("the operator needs the {taken} itself; rename the AgentProfile"));
        }
        older.iter().find_map(|other| {
            let name = &other.name;
            if other.account == self.account {
                return Some(format!("the AgentProfile {name} is about {} too; remove one of the two", self.account));
            }
            let both = other.places.intersection(&self.places).next()?;
            Some(format!("the AgentProfile {name} needs the {both} too; rename or remove one of the two"))
        })
    }
}

/// With which of the older profiles this one cannot be.
#[must_use]
pub fn conflict(installation: &Installation, older: &[Installation]) -> Option<String> {
    let older: Vec<Needs> = older.iter().map(Needs::of).collect();
    Needs::of(installation).refused(installation, &older)
}

/// Of each profile, in their order, with which of the older ones it cannot be; only one that can is in the way of others.
#[must_use]
pub fn conflicts(listed: &[Listed], settings: &Settings) -> Vec<Option<String>> {
    let mut older = Vec::new();
    let mut of = |listed: &Listed| {
        let (profile, _) = listed.profile.as_ref().ok()?;
        let installation = Installation { profile: profile.clone(), settings: settings.clone() };
        let claim = Needs::of(&installation);
        let refused = claim.refused(&installation, &older);
        if refused.is_none() {
            older.push(claim);
        }
        refused
    };
    listed.iter().map(&mut of).collect()
}

/// What an installation cannot share: its guards, whatever the profile says one day, and its rights and workloads.
fn exclusive(installation: &Installation) -> BTreeSet<Place> {
    let objects = Part::ALL.into_iter().flat_map(|part| installation.objects(part)).chain(installation.hold());
    let own = installation.guards();
    let own = own.iter().map(|guarding| guarding.guard.policy_name(installation.profile.name()));
    let names = installation.policy_names().into_iter().filter(|name| name != PROBES).chain(own);
    let policy = |name: String| {
        ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"].map(|kind| Place {
            api_version: "admissionregistration.k8s.io/v1".to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.clone(),
        })
    };
    let others = objects.filter(|object| is_of(object, installation)).map(|object| Place::of(&object));
    names.flat_map(policy).chain(others).collect()
}

fn is_of(object: &Value, installation: &Installation) -> bool {
    object["metadata"]["labels"].get(OF_PROFILE).is_some_and(|profile| profile == installation.profile.name())
}

/// What is there whatever the profiles say.
fn reserved(installation: &Installation) -> BTreeSet<Place> {
    let shared = installation.objects(Part::Guards).into_iter().filter(|object| !is_of(object, installation));
    let own = installation.operator().into_iter().filter(|object| object["kind"] != "AgentProfile");
    shared.chain(own).map(|object| Place::of(&object)).collect()
}

/// Why the account of a profile is nobody's, if it is: it does not exist, or no pod uses it.
///
/// # Errors
/// [`RequestError`]
pub async fn unused(objects: &Objects, profile: &Profile) -> Result<Option<(Reason, String)>, RequestError> {
    let account = profile.service_account();
    let place = |kind: &str, name: String| Place {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some(account.namespace.clone()),
        name,
    };
    let itself = place("ServiceAccount", account.name.clone());
    let label = format!("{}/{}", account.namespace, account.name);
    if objects.find([itself]).await?.objects.is_empty() {
        return Ok(Some((Reason::AccountUnused, format!("the service account {label} does not exist"))));
    }
    let pods = objects.list(&place("Pod", String::new())).await?;
    let is_used = pods.iter().any(|pod| pod["spec"]["serviceAccountName"] == account.name.as_str());
    Ok((!is_used).then(|| (Reason::AccountUnused, format!("no pod uses the service account {label}"))))
}

/// Who has rights by others in a namespace of ours that somebody else made: whoever may read its tokens or run its pods is
/// our programs.
///
/// # Errors
/// [`RequestError`]
pub async fn strangers(objects: &Objects, installation: &Installation) -> Result<Vec<String>, RequestError> {
    let wanted = installation.operator().into_iter().chain(installation.objects(Part::Ground));
    let namespaces: BTreeSet<Place> =
        wanted.filter(|object| object["kind"] == "Namespace").map(|object| Place::of(&object)).collect();
    let found = objects.find(namespaces).await?;
    let mut strangers = Vec::new();
    for (namespace, _) in found.objects.iter().filter(|(_, object)| !is_ours(object)) {
        let bindings = Place {
            api_version: "rbac.authorization.k8s.io/v1".to_owned(),
            kind: "RoleBinding".to_owned(),
            namespace: Some(namespace.name.clone()),
            name: String::new(),
        };
        let names = objects.list(&bindings).await?.into_iter().filter_map(|found| {
            found["metadata"]["name"].as_str().map(|name| format!("RoleBinding {}/{name}", namespace.name))
        });
        strangers.extend(names);
    }
    Ok(strangers)
}

/// How many guards are there of profiles that are not.
///
/// # Errors
/// [`RequestError`]
pub async fn orphans(objects: &Objects, profiles: &[&str]) -> Result<usize, RequestError> {
    let policies = Place {
        api_version: "admissionregistration.k8s.io/v1".to_owned(),
        kind: "ValidatingAdmissionPolicy".to_owned(),
        namespace: None,
        name: String::new(),
    };
    let listed = match objects.list(&policies).await {
        Err(RequestError::Refused { code: 404, .. }) => Vec::new(),
        listed => listed?,
    };
    let profile = |policy: &Value| policy["metadata"]["labels"][OF_PROFILE].as_str().map(str::to_owned);
    let of = listed.iter().filter(|policy| is_ours(policy)).filter_map(profile);
    Ok(of.filter(|name| !profiles.contains(&name.as_str())).count())
}

/// Keys on Nodes that the agent seems to write and the profile does not let it. The field managers of a Node are a hint:
/// those that are named like a container of the agent's pods.
///
/// # Errors
/// [`RequestError`]
pub async fn locked_out(objects: &Objects, profile: &Profile) -> Result<BTreeSet<String>, RequestError> {
    let account = profile.service_account();
    let kind = |kind: &str, namespace: Option<&String>| Place {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.cloned(),
        name: String::new(),
    };
    let pods = objects.list(&kind("Pod", Some(&account.namespace))).await?;
    let of_account = pods.iter().filter(|pod| pod["spec"]["serviceAccountName"] == account.name.as_str());
    let containers = of_account.flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten());
    let managers: BTreeSet<&str> = containers.filter_map(|container| container["name"].as_str()).collect();
    let mut keys = BTreeSet::new();
    for node in objects.list(&kind("Node", None)).await? {
        let entries = node["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        for entry in
            entries.iter().filter(|entry| entry["manager"].as_str().is_some_and(|name| managers.contains(name)))
        {
            for (map, owned) in [("f:labels", profile.labels()), ("f:annotations", profile.annotations())] {
                let written = entry["fieldsV1"]["f:metadata"][map].as_object();
                let written = written.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("f:"));
                keys.extend(written.filter(|key| !owned.owns(key)).map(str::to_owned));
            }
        }
    }
    Ok(keys)
}
