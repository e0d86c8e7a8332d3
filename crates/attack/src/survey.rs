//! Finds out, on a live cluster, what there is to attack and as whom.

use api::cases::{Identity, ResourceName};
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use ownership::Profile;
use ownership::guard::Guard;
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use ownership::profile::Resource;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use thiserror::Error;

use crate::answer::Answer;
use crate::exchange::{Credentials, NoAnswer, Sent, send};
use crate::ground::{AgentPod, Ground, Held, Speaker, name, uid};
use crate::inspect::Installed;
use crate::run::{Keys, Server};

/// How long minted tokens last, in seconds: the shortest that API servers grant.
const LIFETIME: u32 = 600;
/// So many objects of a resource are looked at.
const PAGE: usize = 500;

/// Why there is nothing to attack.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SurveyError {
    /// The cluster does not answer.
    #[error("the cluster cannot be reached")]
    Unreachable(#[from] NoAnswer),
    /// The operator may not look.
    #[error("cannot read {what}: {message}")]
    Refused {
        /// What was to be read.
        what: String,
        /// What the API server said.
        message: String,
    },
    /// There is no such account.
    #[error("there is no service account {0}: the profile names an agent that does not exist here")]
    NoAccount(String),
    /// No pod of the account runs.
    #[error("no pod of the service account {0} is running: there is no agent whose protection could be proven")]
    NoPod(String),
    /// No pod of the account runs on the node that was asked for.
    #[error("no pod of the service account {account} is running on {node}")]
    NoPodOnNode {
        /// The account.
        account: String,
        /// The node.
        node: String,
    },
    /// The account's tokens may neither be minted nor its identity borrowed.
    #[error(
        "there is no token of {account} ({minting}), and it may not be impersonated ({impersonation}): grant create on serviceaccounts/token, or impersonate on serviceaccounts, groups and, in authentication.k8s.io, each of its userextras"
    )]
    NoMeans {
        /// The account.
        account: String,
        /// Why no token.
        minting: String,
        /// Why no impersonation.
        impersonation: String,
    },
}

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// What to attack.
    pub ground: Ground,
    /// As whom.
    pub keys: Keys,
    /// The version of Kubernetes.
    pub version: String,
    /// Which of the profile's resources are served, by their plural names.
    pub served: Vec<String>,
    /// The policies and bindings of the cluster; none where the API is not served.
    pub installed: Option<Installed>,
    /// Secrets with tokens of the account, which carry no claim and never expire; none if they may not be listed.
    pub legacy: Option<Vec<String>>,
    /// What the API server says of the bearer of the agent's token; null without a token.
    pub bearer: Value,
    /// Why no token could be minted; empty if one was.
    pub no_token: String,
    /// Why the account cannot be impersonated; empty if it can.
    pub no_impersonation: String,
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The node to attack from; any with a running agent if it is not given.
    pub node: Option<String>,
    /// A Node that exists for nothing else.
    pub scratch: Option<String>,
    /// Policies that are meant to guard the agent, besides those of its profile.
    pub policies: Vec<String>,
}

/// Looks at a cluster.
///
/// # Errors
/// [`SurveyError`]
pub async fn survey(server: &Server, profile: Profile, wanted: &Wanted) -> Result<Survey, SurveyError> {
    let look = Look { server };
    let version = look.read("the version", "/version").await?;
    look.account(&profile).await?;
    let (pod, victim) = look.pods(&profile, wanted).await?;
    let own = look.node("the agent's Node", &pod.node).await?;
    let other = look.other(&pod.node, victim.as_ref()).await?;
    let scratch = look.scratch(wanted).await?;
    let (objects, served) = look.objects(&profile, &pod.node).await?;
    let installed = look.installed().await?;
    let policies = meant(&profile, wanted, installed.as_ref());
    let ground = Ground { profile, pod, own, other, victim, scratch, objects, policies };
    let mut survey = Survey {
        ground,
        keys: Keys::default(),
        installed,
        served,
        version: version["gitVersion"].as_str().unwrap_or("unknown").to_owned(),
        legacy: None,
        bearer: Value::Null,
        no_token: String::new(),
        no_impersonation: String::new(),
    };
    look.means(&mut survey).await?;
    survey.legacy = look.legacy(&survey.ground.profile).await?;
    Ok(survey)
}

struct Look<'a> {
    server: &'a Server,
}

impl Look<'_> {
    async fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        send(&self.server.operator, &Credentials::Own, &Sent::bare("GET", path)).await
    }

    async fn read(&self, what: &str, path: &str) -> Result<Value, SurveyError> {
        let answer = self.get(path).await?;
        if answer.is_success() && answer.body.is_object() { Ok(answer.body) } else { Err(cannot(what, &answer)) }
    }

    async fn node(&self, what: &str, name: &str) -> Result<Value, SurveyError> {
        let node = self.read(what, &format!("/api/v1/nodes/{name}")).await?;
        match Node::deserialize(&node) {
            Ok(_) => Ok(node),
            Err(error) => Err(SurveyError::Refused { what: what.to_owned(), message: error.to_string() }),
        }
    }

    async fn account(&self, profile: &Profile) -> Result<(), SurveyError> {
        let account = profile.service_account();
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}", account.namespace, account.name);
        let answer = self.get(&path).await?;
        match answer.code {
            404 => Err(SurveyError::NoAccount(text_of(profile))),
            _ if answer.is_success() => Ok(()),
            _ => Err(cannot("the service account", &answer)),
        }
    }

    /// The pod to attack as, and one of its counterparts on another node.
    async fn pods(&self, profile: &Profile, wanted: &Wanted) -> Result<(AgentPod, Option<Value>), SurveyError> {
        let all = self.running(profile, "").await?;
        let here = match &wanted.node {
            // On its own, for it may be beyond the first page.
            Some(node) if is_name(node) => self.running(profile, &format!(",spec.nodeName%3D{node}")).await?,
            Some(_) => Vec::new(),
            None => all.clone(),
        };
        let chosen = here.iter().find(|pod| wanted.node.as_deref().is_none_or(|node| node_of(pod) == node));
        let chosen = chosen.ok_or_else(|| no_pod(profile, wanted))?;
        let pod =
            AgentPod { name: name(chosen).to_owned(), uid: uid(chosen).to_owned(), node: node_of(chosen).to_owned() };
        let victim = all.into_iter().find(|other| node_of(other) != pod.node);
        Ok((pod, victim.map(|pod| typed(pod, "v1", "Pod"))))
    }

    /// The running pods of the agent, by their names.
    async fn running(&self, profile: &Profile, more: &str) -> Result<Vec<Value>, SurveyError> {
        let account = profile.service_account();
        let selector = format!("spec.serviceAccountName%3D{},status.phase%3DRunning{more}", account.name);
        let path = format!("/api/v1/namespaces/{}/pods?fieldSelector={selector}&limit={PAGE}", account.namespace);
        let list = self.read("the agent's pods", &path).await?;
        let mut running: Vec<Value> = items(list).filter(|pod| runs_as(pod, &account.name)).collect();
        running.sort_by(|a, b| name(a).cmp(name(b)));
        Ok(running)
    }

    async fn other(&self, own: &str, victim: Option<&Value>) -> Result<Option<Value>, SurveyError> {
        if let Some(node) = victim.map(node_of) {
            return self.node("another Node", node).await.map(Some);
        }
        let list = self.read("the Nodes", &format!("/api/v1/nodes?limit={PAGE}")).await?;
        let other = items(list).find(|node| name(node) != own);
        Ok(other.map(|node| typed(node, "v1", "Node")))
    }

    async fn scratch(&self, wanted: &Wanted) -> Result<Option<Value>, SurveyError> {
        let Some(name) = &wanted.scratch else { return Ok(None) };
        self.node("the scratch Node", name).await.map(Some)
    }

    /// Objects of the profile's resources, and which of the resources are served.
    async fn objects(&self, profile: &Profile, node: &str) -> Result<(Vec<Held>, Vec<String>), SurveyError> {
        let (mut found, mut served) = (Vec::new(), Vec::new());
        for resource in profile.resources() {
            let root = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
            let root = format!("{root}/{}", resource.version);
            if !self.serves(&root, &resource.resource).await? {
                continue;
            }
            let path = format!("{root}/{}?limit={PAGE}", resource.resource);
            if let Some(held) = self.held(resource, &path, node).await? {
                served.push(resource.resource.clone());
                found.extend(held);
            }
        }
        Ok((found, served))
    }

    /// Whether a resource is listed as served. Who may list its objects does not matter here.
    async fn serves(&self, root: &str, resource: &str) -> Result<bool, NoAnswer> {
        let answer = self.get(root).await?;
        let listed = answer.body.get("resources").and_then(Value::as_array);
        let names = |known: &Vec<Value>| known.iter().any(|known| known["name"] == resource);
        Ok(answer.code != 404 && listed.is_none_or(names))
    }

    /// An object of the own node and one of another, page by page; `None` if the resource is not served.
    async fn held(&self, resource: &Resource, path: &str, node: &str) -> Result<Option<Vec<Held>>, SurveyError> {
        let mut sides = BTreeMap::new();
        let mut next = String::new();
        loop {
            let answer = self.get(&format!("{path}{next}")).await?;
            if answer.code == 404 {
                return Ok(None);
            }
            if !answer.is_success() || !answer.body.is_object() {
                return Err(cannot(&resource.resource, &answer));
            }
            let token =
                answer.body.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
            of_both_sides(resource, answer.body, node, &mut sides);
            if sides.len() == 2 || !is_token(&token) {
                return Ok(Some(sides.into_values().collect()));
            }
            next = format!("&continue={token}");
        }
    }

    async fn installed(&self) -> Result<Option<Installed>, SurveyError> {
        let root = "/apis/admissionregistration.k8s.io/v1";
        let policies = self.get(&format!("{root}/validatingadmissionpolicies")).await?;
        if policies.code == 404 {
            return Ok(None);
        }
        if !policies.is_success() || !policies.body.is_object() {
            return Err(cannot("the policies", &policies));
        }
        let bindings =
            self.read("the bindings of policies", &format!("{root}/validatingadmissionpolicybindings")).await?;
        Ok(Some(Installed { policies: items(policies.body).collect(), bindings: items(bindings).collect() }))
    }

    async fn legacy(&self, profile: &Profile) -> Result<Option<Vec<String>>, SurveyError> {
        let account = profile.service_account();
        let query = "fieldSelector=type%3Dkubernetes.io/service-account-token";
        let answer =
            self.get(&format!("/api/v1/namespaces/{}/secrets?{query}&limit={PAGE}", account.namespace)).await?;
        let annotation = "/metadata/annotations/kubernetes.io~1service-account.name";
        let of_account = |secret: &Value| secret.pointer(annotation).and_then(Value::as_str) == Some(&account.name);
        let names = |body| items(body).filter(of_account).map(|secret| name(&secret).to_owned()).collect();
        Ok(answer.is_success().then(|| names(answer.body)))
    }

    /// Tokens where they can be had, impersonation where it is allowed.
    async fn means(&self, survey: &mut Survey) -> Result<(), SurveyError> {
        self.tokens(survey).await?;
        self.impersonation(survey).await?;
        let has_token = survey.keys.tokens.contains_key(&Speaker::Agent);
        if has_token || survey.keys.impersonation { Ok(()) } else { Err(no_means(survey)) }
    }

    /// Tokens, if the API server takes their bearer for the agent.
    async fn tokens(&self, survey: &mut Survey) -> Result<(), SurveyError> {
        for speaker in [Speaker::Agent, Speaker::Unbound, Speaker::NodeBound] {
            match self.mint(&survey.ground, speaker).await? {
                Ok(token) => drop(survey.keys.tokens.insert(speaker, token)),
                Err(reason) if speaker == Speaker::Agent => survey.no_token = reason,
                Err(_) => {}
            }
        }
        let Some(token) = survey.keys.tokens.get(&Speaker::Agent).cloned() else { return Ok(()) };
        let who = self.who(&self.server.nobody, &Credentials::Token(token)).await?;
        match taken_for(&who, &survey.ground.identity(Speaker::Agent)) {
            Ok(user) => survey.bearer = user,
            Err(reason) => {
                survey.keys.tokens.clear();
                survey.no_token = format!("one was minted, but {reason}");
            }
        }
        Ok(())
    }

    async fn impersonation(&self, survey: &mut Survey) -> Result<(), SurveyError> {
        let identity = survey.ground.identity(Speaker::Agent);
        let who = self.who(&self.server.operator, &Credentials::Impersonated(Box::new(identity.clone()))).await?;
        let taken = taken_for(&who, &identity).and_then(|user| claims_arrive(&user, &identity));
        survey.keys.impersonation = taken.is_ok();
        survey.no_impersonation = taken.err().unwrap_or_default();
        Ok(())
    }

    async fn who(&self, client: &Client, credentials: &Credentials) -> Result<Answer, NoAnswer> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        send(client, credentials, &Sent::json("POST", path, review)).await
    }

    /// A token for the account; or why there is none.
    async fn mint(&self, ground: &Ground, speaker: Speaker) -> Result<Result<String, String>, NoAnswer> {
        let bound = match speaker {
            Speaker::Agent => {
                json!({"apiVersion": "v1", "kind": "Pod", "name": ground.pod.name, "uid": ground.pod.uid})
            }
            Speaker::NodeBound => {
                json!({"apiVersion": "v1", "kind": "Node", "name": ground.pod.node, "uid": uid(&ground.own)})
            }
            _ => Value::Null,
        };
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": LIFETIME, "boundObjectRef": bound}});
        let account = ground.profile.service_account();
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", account.namespace, account.name);
        let answer = send(&self.server.operator, &Credentials::Own, &Sent::json("POST", path, request)).await?;
        let token = answer.body.pointer("/status/token").and_then(Value::as_str).map(str::to_owned);
        Ok(token.filter(|_| answer.is_success()).ok_or_else(|| answer.message().to_owned()))
    }
}

impl Survey {
    /// Whether the agent's own token says which node and which pod it belongs to; `None` without a token.
    #[must_use]
    pub fn is_claimed(&self) -> Option<bool> {
        self.keys.tokens.get(&Speaker::Agent)?;
        let says = |key: &str, expected: &str| self.bearer["extra"][key] == json!([expected]);
        let pod = &self.ground.pod;
        Some(says(NODE_NAME, &pod.node) && says(POD_NAME, &pod.name) && says(POD_UID, &pod.uid))
    }
}

const GUARDS: [Guard; 5] = [Guard::Nodes, Guard::Resources, Guard::ShadowNodes, Guard::Leases, Guard::NodeFeatures];

/// The policies that are there and meant to guard the agent, and their bindings.
fn meant(profile: &Profile, wanted: &Wanted, installed: Option<&Installed>) -> Vec<Value> {
    let Some(Installed { policies, bindings }) = installed else { return Vec::new() };
    let guards = GUARDS.map(|guard| guard.policy_name(profile.name()));
    let names: Vec<&str> = guards.iter().chain(&wanted.policies).map(String::as_str).collect();
    let of_guard = |binding: &&Value| {
        binding.pointer("/spec/policyName").and_then(Value::as_str).is_some_and(|policy| names.contains(&policy))
    };
    let policies = policies.iter().filter(|policy| names.contains(&name(policy)));
    let policies = policies.map(|policy| named("ValidatingAdmissionPolicy", name(policy)));
    let bindings = bindings.iter().filter(of_guard);
    policies.chain(bindings.map(|binding| named("ValidatingAdmissionPolicyBinding", name(binding)))).collect()
}

fn named(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}})
}

fn no_pod(profile: &Profile, wanted: &Wanted) -> SurveyError {
    let account = text_of(profile);
    match &wanted.node {
        Some(node) => SurveyError::NoPodOnNode { account, node: node.clone() },
        None => SurveyError::NoPod(account),
    }
}

/// Whether the name can be one of a Node, and so be asked for.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
}

/// Whether there is another page, and it can be asked for: API servers encode where it begins for addresses.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
}

/// The user of a SelfSubjectReview, if it is this one and in no other groups.
fn taken_for(answer: &Answer, expected: &Identity) -> Result<Value, String> {
    if !answer.is_success() {
        return Err(answer.message().to_owned());
    }
    let user = answer.body.pointer("/status/userInfo").cloned().unwrap_or_default();
    let groups = user["groups"].as_array().into_iter().flatten();
    let strange = groups.filter_map(Value::as_str).find(|group| !expected.groups.iter().any(|known| known == group));
    match (user["username"].as_str(), strange) {
        (Some(name), None) if name == expected.username => Ok(user),
        (Some(name), Some(group)) if name == expected.username => {
            Err(format!("the API server sees a member of {group}"))
        }
        (name, _) => Err(format!("the API server sees {}", name.unwrap_or("nobody"))),
    }
}

/// Whether the claims that were spoken are there.
fn claims_arrive(user: &Value, expected: &Identity) -> Result<(), String> {
    let missing = expected.extra.iter().find(|(key, values)| user["extra"][key.as_str()] != json!(values));
    missing.map_or(Ok(()), |(key, _)| Err(format!("{key} does not reach the API server")))
}

fn no_means(survey: &Survey) -> SurveyError {
    SurveyError::NoMeans {
        account: text_of(&survey.ground.profile),
        minting: survey.no_token.clone(),
        impersonation: survey.no_impersonation.clone(),
    }
}

fn cannot(what: &str, answer: &Answer) -> SurveyError {
    let message = match answer.is_success() {
        true => "the answer is not that of an API server".to_owned(),
        false => format!("{} {}", answer.code, answer.message()),
    };
    SurveyError::Refused { what: what.to_owned(), message }
}

/// The account as people write it.
#[must_use]
pub fn text_of(profile: &Profile) -> String {
    let account = profile.service_account();
    format!("{}/{}", account.namespace, account.name)
}

fn items(mut list: Value) -> impl Iterator<Item = Value> {
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
    .into_iter()
}

fn runs_as(pod: &Value, account: &str) -> bool {
    let text = |pointer| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let ending = pod.pointer("/metadata/deletionTimestamp").is_some();
    text("/spec/serviceAccountName") == account
        && text("/status/phase") == "Running"
        && !node_of(pod).is_empty()
        && !ending
}

fn node_of(pod: &Value) -> &str {
    pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default()
}

/// Objects of lists do not say what they are.
fn typed(mut object: Value, api_version: &str, kind: &str) -> Value {
    json_patch::merge(&mut object, &json!({"apiVersion": api_version, "kind": kind}));
    object
}

/// The first object of the own node, and the first that names another one, unless there is one already.
fn of_both_sides(resource: &Resource, list: Value, node: &str, sides: &mut BTreeMap<bool, Held>) {
    let kind = list["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned();
    let api_version = list["apiVersion"].as_str().unwrap_or_default().to_owned();
    let name = ResourceName {
        group: resource.group.clone(),
        version: resource.version.clone(),
        resource: resource.resource.clone(),
    };
    for object in items(list) {
        let named: Vec<&str> =
            resource.node.iter().map(|field| field.text(&object)).filter(|text| !text.is_empty()).collect();
        if named.is_empty() {
            continue;
        }
        let is_own = named.contains(&node);
        let held = || Held { resource: name.clone(), is_own, object: typed(object.clone(), &api_version, &kind) };
        sides.entry(is_own).or_insert_with(held);
    }
}
