//! Finds out, on a live cluster, what there is to attack and as whom.

use api::cases::ResourceName;
use kube::Client;
use ownership::Profile;
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use ownership::profile::Resource;
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
    #[error("the cluster cannot be reached: {0}")]
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
        "tokens of {account} may not be minted ({minting}), and it may not be impersonated ({impersonation}): grant create on serviceaccounts/token, or impersonate on users, groups and userextras"
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
    let own = look.read("the agent's Node", &format!("/api/v1/nodes/{}", pod.node)).await?;
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
        if answer.is_success() { Ok(answer.body) } else { Err(cannot(what, &answer)) }
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
        let account = profile.service_account();
        let query =
            format!("fieldSelector=spec.serviceAccountName%3D{},status.phase%3DRunning&limit={PAGE}", account.name);
        let list =
            self.read("the agent's pods", &format!("/api/v1/namespaces/{}/pods?{query}", account.namespace)).await?;
        let mut running: Vec<Value> = items(list).filter(|pod| runs_as(pod, &account.name)).collect();
        running.sort_by(|a, b| name(a).cmp(name(b)));
        let here = |pod: &&Value| wanted.node.as_deref().is_none_or(|node| node_of(pod) == node);
        let Some(chosen) = running.iter().find(here).cloned() else {
            let account = text_of(profile);
            return Err(match &wanted.node {
                Some(node) => SurveyError::NoPodOnNode { account, node: node.clone() },
                None => SurveyError::NoPod(account),
            });
        };
        let pod = AgentPod {
            name: name(&chosen).to_owned(),
            uid: uid(&chosen).to_owned(),
            node: node_of(&chosen).to_owned(),
        };
        let victim = running.into_iter().find(|other| node_of(other) != pod.node);
        Ok((pod, victim.map(|pod| typed(pod, "v1", "Pod"))))
    }

    async fn other(&self, own: &str, victim: Option<&Value>) -> Result<Option<Value>, SurveyError> {
        if let Some(node) = victim.map(node_of) {
            return self.read("another Node", &format!("/api/v1/nodes/{node}")).await.map(Some);
        }
        let list = self.read("the Nodes", &format!("/api/v1/nodes?limit={PAGE}")).await?;
        let other = items(list).find(|node| name(node) != own);
        Ok(other.map(|node| typed(node, "v1", "Node")))
    }

    async fn scratch(&self, wanted: &Wanted) -> Result<Option<Value>, SurveyError> {
        let Some(name) = &wanted.scratch else { return Ok(None) };
        self.read("the scratch Node", &format!("/api/v1/nodes/{name}")).await.map(Some)
    }

    /// Objects of the profile's resources, and which of the resources are served.
    async fn objects(&self, profile: &Profile, node: &str) -> Result<(Vec<Held>, Vec<String>), SurveyError> {
        let (mut found, mut served) = (Vec::new(), Vec::new());
        for resource in profile.resources() {
            let root = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
            let path = format!("{root}/{}/{}?limit={PAGE}", resource.version, resource.resource);
            let answer = self.get(&path).await?;
            if answer.is_success() {
                served.push(resource.resource.clone());
                found.extend(of_both_sides(resource, answer.body, node));
            } else if answer.code != 404 {
                return Err(cannot(&resource.resource, &answer));
            }
        }
        Ok((found, served))
    }

    async fn installed(&self) -> Result<Option<Installed>, SurveyError> {
        let root = "/apis/admissionregistration.k8s.io/v1";
        let policies = self.get(&format!("{root}/validatingadmissionpolicies")).await?;
        if policies.code == 404 {
            return Ok(None);
        }
        if !policies.is_success() {
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
        for speaker in [Speaker::Agent, Speaker::Unbound, Speaker::NodeBound] {
            match self.mint(&survey.ground, speaker).await? {
                Ok(token) => drop(survey.keys.tokens.insert(speaker, token)),
                Err(reason) if speaker == Speaker::Agent => survey.no_token = reason,
                Err(_) => {}
            }
        }
        let identity = survey.ground.identity(Speaker::Agent);
        let who = self.who(&self.server.operator, &Credentials::Impersonated(Box::new(identity))).await?;
        survey.keys.impersonation = who.is_success();
        if !who.is_success() {
            survey.no_impersonation = who.message().to_owned();
        }
        let Some(token) = survey.keys.tokens.get(&Speaker::Agent).cloned() else {
            return if survey.keys.impersonation { Ok(()) } else { Err(no_means(survey)) };
        };
        survey.bearer =
            self.who(&self.server.nobody, &Credentials::Token(token)).await?.body["status"]["userInfo"].take();
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

/// The policies that are there and meant to guard the agent.
fn meant(profile: &Profile, wanted: &Wanted, installed: Option<&Installed>) -> Vec<String> {
    let guard = ownership::guard::Guard::Nodes.policy_name(profile.name());
    let there = |wanted: &&String| {
        installed.is_some_and(|installed| installed.policies.iter().any(|known| name(known) == **wanted))
    };
    std::iter::once(&guard).chain(&wanted.policies).filter(there).cloned().collect()
}

fn no_means(survey: &Survey) -> SurveyError {
    SurveyError::NoMeans {
        account: text_of(&survey.ground.profile),
        minting: survey.no_token.clone(),
        impersonation: survey.no_impersonation.clone(),
    }
}

fn cannot(what: &str, answer: &Answer) -> SurveyError {
    let message = format!("{} {}", answer.code, answer.message());
    SurveyError::Refused { what: what.to_owned(), message }
}

/// The account as people write it.
#[must_use]
pub fn text_of(profile: &Profile) -> String {
    let account = profile.service_account();
    format!("{}/{}", account.namespace, account.name)
}

fn items(mut list: Value) -> impl Iterator<Item = Value> {
    match list["items"].take() {
        Value::Array(items) => items,
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
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object
}

/// The first object of the own node, and the first that names another one.
fn of_both_sides(resource: &Resource, list: Value, node: &str) -> Vec<Held> {
    let kind = list["kind"].as_str().unwrap_or_default().trim_end_matches("List").to_owned();
    let api_version = list["apiVersion"].as_str().unwrap_or_default().to_owned();
    let name = ResourceName {
        group: resource.group.clone(),
        version: resource.version.clone(),
        resource: resource.resource.clone(),
    };
    let mut sides: BTreeMap<bool, Held> = BTreeMap::new();
    for object in items(list) {
        let named: Vec<&str> =
            resource.node.iter().map(|field| field.text(&object)).filter(|text| !text.is_empty()).collect();
        if named.is_empty() {
            continue;
        }
        let is_own = named.contains(&node);
        let held = Held { resource: name.clone(), is_own, object: typed(object.clone(), &api_version, &kind) };
        sides.entry(is_own).or_insert(held);
    }
    sides.into_values().collect()
}
