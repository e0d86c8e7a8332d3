//! Whether the guard is seen to refuse, and to admit what is legitimate.
//!
//! The probes are dry runs in the agent's name, marked as probes. Each comes over a connection of its own, because behind
//! one name there may be several API servers, and a policy reaches one after the other. What counts is a refusal by our
//! policy's own name, by the rule that the probe breaks; what another policy refuses proves nothing of ours.

use api::cases::Identity;
use api::finding::{Ending, Finding};
use attack::exchange::{Credentials, NoAnswer, Sent, send};
use attack::{Answer, Layer};
use kube::Client;
use manifests::install::{Installation, PROBE};
use ownership::Profile;
use ownership::guard::{Guard, HEARTBEATS, Rule};
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use ownership::spec::{Channel, OwnNode};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::object::{Objects, Place, RequestError};

/// Refusals in a row that are a proof.
pub const ENOUGH: u32 = 5;
/// Between two probes: the first and the last are more than five seconds apart.
pub(crate) const PAUSE: Duration = Duration::from_millis(1300);
/// How long a guard may take to be in force.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Keys of which no sensible profile owns all. They hold KubeVirt's domain, so that its own policy, which looks for a part
/// of the text, lets them pass.
const FOREIGN: [&str; 2] = ["kubevirt.io.probe.invalid/nodebound", "kubevirt.io.nodebound.io/probe"];

/// Opens a new connection.
pub type Connect = Box<dyn Fn() -> Result<Client, String> + Send + Sync>;

/// That a guard was seen to refuse and to admit. It is made here alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proven {
    policy: String,
    rule: String,
    message: String,
    refusals: u32,
    admitted: bool,
}

impl Proven {
    #[cfg(test)]
    pub(crate) fn of(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            rule: "labels".to_owned(),
            message: String::new(),
            refusals: ENOUGH,
            admitted: true,
        }
    }

    /// What the prober saw, which says so only of guards that refused often enough.
    pub(crate) fn reported(finding: &Finding) -> Option<Self> {
        let first = finding.guards.first().filter(|_| finding.ending == Ending::Refused)?;
        let rules: Vec<&str> = finding.guards.iter().map(|seen| seen.rule.as_str()).collect();
        Some(Self {
            policy: first.policy.clone(),
            rule: spoken(&rules),
            message: finding.message.clone(),
            refusals: ENOUGH,
            admitted: false,
        })
    }

    /// The policy that refused.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// What was seen, for people.
    #[must_use]
    pub fn evidence(&self) -> String {
        let admitted = if self.admitted { ", and admitted an empty one" } else { "" };
        format!("refused {} of {} probes by {}{admitted}", self.refusals, self.refusals, self.rule)
    }
}

/// The rules by which guards refused, for people: that of publications, and that of heartbeats.
fn spoken(rules: &[&str]) -> String {
    rules.join(", of heartbeats by ")
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotProven {
    /// A probe got through.
    #[error("a label that the agent does not own was let in for {object}: the guard {policy} is not in force")]
    LetIn {
        /// The guard.
        policy: String,
        /// What would have been written.
        object: String,
    },
    /// Somebody else refused, or our guard by another rule.
    #[error("the guard {policy} was not seen to refuse; instead: {instead}")]
    Otherwise {
        /// The guard.
        policy: String,
        /// What was seen instead.
        instead: String,
    },
    /// What is legitimate was refused.
    #[error("a write that changes nothing was refused, so the agent would be locked out: {0}")]
    LockedOut(String),
    /// The server had too much to do, or failed: that says nothing of the guard.
    #[error("the API server did not judge a probe: {0}")]
    Unjudged(String),
    /// There is nothing to probe with.
    #[error("{0}")]
    Nothing(String),
    /// The prober says nothing of the guard as it stands.
    #[error("{0}")]
    Unsaid(String),
    /// There is no answer.
    #[error("{0}")]
    NoAnswer(#[from] NoAnswer),
    /// A request failed.
    #[error("{0}")]
    Request(#[from] RequestError),
}

/// Whose node the probes claim to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The Node that is written, so that the guard is seen to admit too: for whoever may impersonate any claim.
    Node,
    /// A node that there is not: whoever may claim no other can harm no Node.
    Elsewhere,
}

/// A node that there is not.
const ELSEWHERE: &str = "nodebound-probe-elsewhere";

/// The policy that is probed: that of the objects by which agents publish.
pub(crate) fn probed(profile: &Profile) -> String {
    let guard = if profile.channel() == Channel::ShadowNode { Guard::ShadowNodes } else { Guard::Nodes };
    guard.policy_name(profile.name())
}

/// What is probed, and where: the guard of the objects by which agents publish, and that of their heartbeats.
#[derive(Clone, Debug)]
pub struct Ground(Vec<Spot>);

/// Where one guard is probed.
#[derive(Clone, Debug)]
struct Spot {
    policy: String,
    /// The rule that a probe breaks.
    rule: Rule,
    /// Whether an empty write is legitimate.
    admits: bool,
    /// What is written: the object, and what else of it the guard looks at.
    paths: Vec<String>,
    /// The object, for people.
    object: String,
    key: &'static str,
    who: Identity,
}

/// Where a Node's labels can be written besides in the Node itself.
const STATUS: &str = "/status";

impl Ground {
    /// Finds objects to probe with: a Node; for ShadowNodes, one is made if there is none; a heartbeat, if there is one.
    ///
    /// # Errors
    /// [`NotProven`]
    pub async fn find(objects: &Objects, installation: &Installation, claim: Claim) -> Result<Self, NotProven> {
        let profile = &installation.profile;
        let node = node(objects).await?;
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let key = FOREIGN.into_iter().find(|key| !profile.labels().owns(key));
        let key =
            key.ok_or_else(|| NotProven::Nothing("the profile owns every key that could be probed".to_owned()))?;
        let paths = match profile.channel() {
            // Whoever may claim no node makes no object either.
            Channel::ShadowNode if claim == Claim::Elsewhere => vec![any_shadow(objects).await?.path()],
            Channel::ShadowNode => vec![shadow(objects, &node).await?.path()],
            _ => {
                let path = format!("/api/v1/nodes/{name}");
                vec![path.clone(), path + STATUS]
            }
        };
        let broken = |otherwise: Rule| match claim {
            Claim::Elsewhere => broken_from_elsewhere(profile, otherwise),
            Claim::Node => otherwise,
        };
        let claimed = if claim == Claim::Node { name } else { ELSEWHERE };
        let spot = |policy: String, rule: Rule, paths: Vec<String>, object: String| Spot {
            admits: rule != Rule::OwnNode,
            who: speaker(profile, claimed),
            policy,
            rule,
            paths,
            object,
            key,
        };
        let mut spots = vec![spot(probed(profile), broken(Rule::Labels), paths, format!("Node {name}"))];
        if let Some(lease) = heartbeat(objects, profile, (claim == Claim::Node).then_some(name)).await? {
            let policy = Guard::Leases.policy_name(profile.name());
            spots.push(spot(policy, broken(Rule::Metadata), vec![lease.path()], lease.to_string()));
        }
        Ok(Self(spots))
    }

    /// One probe of each guard: how they refused it.
    ///
    /// # Errors
    /// [`NotProven`]
    pub async fn probe(&self, client: &Client) -> Result<Vec<Refused>, NotProven> {
        let mut all = Vec::new();
        for spot in &self.0 {
            all.push(spot.probe(client).await?);
        }
        match all.is_empty() {
            true => Err(NotProven::Nothing("there is nothing to probe".to_owned())),
            false => Ok(all),
        }
    }

    /// The policies that are probed, that of publications first.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|spot| spot.policy.as_str())
    }

    /// What is written, for people.
    pub(crate) fn object(&self) -> &str {
        self.0.first().map_or("", |spot| spot.object.as_str())
    }

    /// The policy that the proof is about.
    fn policy(&self) -> String {
        self.0.first().map_or_else(String::new, |spot| spot.policy.clone())
    }

    async fn admits(&self, client: &Client) -> Result<(), NotProven> {
        for spot in &self.0 {
            spot.admits(client).await?;
        }
        Ok(())
    }
}

/// The rule that is broken by whoever claims a node that there is not.
fn broken_from_elsewhere(profile: &Profile, otherwise: Rule) -> Rule {
    if profile.node() == OwnNode::Any { otherwise } else { Rule::OwnNode }
}

/// The rule by which the guard of publications refuses the prober.
pub(crate) fn expected(profile: &Profile) -> Rule {
    broken_from_elsewhere(profile, Rule::Labels)
}

/// The agent, as a probe, on that node.
fn speaker(profile: &Profile, node: &str) -> Identity {
    let claims = [(NODE_NAME, node), (POD_NAME, "probe"), (POD_UID, "probe"), ("nodebound.io/probe", "true")];
    let extra = claims.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
    Identity { username: profile.username().to_owned(), groups: vec![PROBE.to_owned()], extra: BTreeMap::from(extra) }
}

/// A heartbeat to probe with, of that node or of any: there is none before an agent has run.
async fn heartbeat(objects: &Objects, profile: &Profile, node: Option<&str>) -> Result<Option<Place>, NotProven> {
    if !profile.beats_by_lease() {
        return Ok(None);
    }
    let lease = |name: &str| Place {
        api_version: "coordination.k8s.io/v1".into(),
        kind: "Lease".into(),
        namespace: Some(HEARTBEATS.to_owned()),
        name: name.to_owned(),
    };
    if let Some(node) = node {
        let found = objects.find([lease(node)]).await?;
        return Ok(found.objects.into_keys().next());
    }
    let listed = objects.list(&lease("?limit=1")).await?;
    Ok(listed.first().and_then(|found| found["metadata"]["name"].as_str()).map(lease))
}

impl Spot {
    fn write(path: &str, metadata: Value) -> Sent {
        let path = format!("{path}?dryRun=All&fieldManager={}", attack::exchange::FIELD_MANAGER);
        let media_type = "application/merge-patch+json".to_owned();
        Sent { media_type, ..Sent::json("PATCH", path, json!({"metadata": metadata})) }
    }

    /// One probe: how the guard refused it. Where another policy is quicker to refuse the object itself, which says
    /// nothing of ours, the probe is made on its status.
    async fn probe(&self, client: &Client) -> Result<Refused, NotProven> {
        let mut hidden = None;
        for path in &self.paths {
            let who = Credentials::Impersonated(Box::new(self.who.clone()));
            let answer = send(client, &who, &Self::write(path, json!({"labels": {self.key: "1"}}))).await?;
            if let Some(unjudged) = unjudged(&answer) {
                return Err(unjudged);
            }
            let Some(refusal) = answer.refusal() else {
                return Err(match answer.is_success() {
                    true => NotProven::LetIn { policy: self.policy.clone(), object: self.object.clone() },
                    false => {
                        hidden.unwrap_or_else(|| self.otherwise(&format!("{}: {}", answer.code, answer.message())))
                    }
                });
            };
            let is_ours = refusal.layer == Layer::Guard && refusal.policy.as_deref() == Some(&*self.policy);
            let on = if path.ends_with(STATUS) { " on its status" } else { "" };
            match refusal.rule {
                Some(rule) if is_ours && rule == self.rule => {
                    return Ok(Refused { rule: format!("{}{on}", rule.as_str()), message: refusal.message });
                }
                _ if refusal.layer != Layer::Policy => {
                    return Err(hidden.unwrap_or_else(|| self.otherwise(answer.message())));
                }
                _ => hidden = hidden.or_else(|| Some(self.otherwise(answer.message()))),
            }
        }
        Err(hidden.unwrap_or_else(|| self.otherwise("there is nothing to probe")))
    }

    fn otherwise(&self, instead: &str) -> NotProven {
        NotProven::Otherwise { policy: self.policy.clone(), instead: instead.to_owned() }
    }

    async fn admits(&self, client: &Client) -> Result<(), NotProven> {
        if !self.admits {
            return Ok(());
        }
        let who = Credentials::Impersonated(Box::new(self.who.clone()));
        let answer = send(client, &who, &Self::write(&self.paths[0], json!({}))).await?;
        match unjudged(&answer) {
            Some(unjudged) => Err(unjudged),
            None if answer.is_success() => Ok(()),
            None => Err(NotProven::LockedOut(answer.message().to_owned())),
        }
    }
}

/// That nobody looked at the request, if so.
fn unjudged(answer: &Answer) -> Option<NotProven> {
    let is_judged = !matches!(answer.code, 429 | 500..=599);
    (!is_judged).then(|| NotProven::Unjudged(format!("{}: {}", answer.code, answer.message())))
}

/// How a guard refused a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(crate) rule: String,
    message: String,
}

async fn node(objects: &Objects) -> Result<Value, NotProven> {
    let nodes = Place { api_version: "v1".into(), kind: "Node".into(), namespace: None, name: "?limit=1".into() };
    let listed = objects.list(&nodes).await?;
    listed.into_iter().next().ok_or_else(|| NotProven::Nothing("there is no Node to probe with".to_owned()))
}

async fn any_shadow(objects: &Objects) -> Result<Place, NotProven> {
    let mut place = Place {
        api_version: "nodebound.io/v1alpha1".into(),
        kind: "ShadowNode".into(),
        namespace: None,
        name: "?limit=1".into(),
    };
    let listed = objects.list(&place).await?;
    let name = listed.first().and_then(|found| found["metadata"]["name"].as_str());
    place.name = name.ok_or_else(|| NotProven::Nothing("there is no ShadowNode to probe with".to_owned()))?.to_owned();
    Ok(place)
}

/// Makes an object to probe with, where there has to be one and there is none.
pub(crate) async fn prepare(objects: &Objects, profile: &Profile) -> Result<(), NotProven> {
    if profile.channel() == Channel::ShadowNode {
        shadow(objects, &node(objects).await?).await?;
    }
    Ok(())
}

/// The ShadowNode of a Node, as the controller would make it.
async fn shadow(objects: &Objects, node: &Value) -> Result<Place, NotProven> {
    let owner =
        json!({"apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"], "uid": node["metadata"]["uid"]});
    let object = json!({"apiVersion": "nodebound.io/v1alpha1", "kind": "ShadowNode",
        "metadata": {"name": node["metadata"]["name"], "ownerReferences": [owner]}, "spec": {}});
    let place = Place::of(&object);
    if objects.find([place.clone()]).await?.objects.is_empty() {
        objects.create(&object).await?;
    }
    Ok(place)
}

/// Probes until the guard has refused often enough in a row, over new connections, and then admits an empty write.
///
/// # Errors
/// [`NotProven`], the last one, once a minute has passed.
pub async fn prove(connect: &Connect, ground: &Ground, mut seen: impl FnMut(u32)) -> Result<Proven, NotProven> {
    let (end, mut refusals) = (Instant::now() + PATIENCE, 0);
    loop {
        let client = connect().map_err(NotProven::Nothing)?;
        match ground.probe(&client).await {
            Ok(refused) => {
                refusals = (refusals + 1).min(ENOUGH);
                seen(refusals);
                if refusals == ENOUGH {
                    match ground.admits(&client).await {
                        Err(NotProven::Unjudged(_)) if Instant::now() < end => {
                            sleep(PAUSE).await;
                            continue;
                        }
                        admitted => admitted?,
                    }
                    let admitted = ground.0.iter().all(|spot| spot.admits);
                    let rules: Vec<&str> = refused.iter().map(|refused| refused.rule.as_str()).collect();
                    let message = refused.first().map_or_else(String::new, |refused| refused.message.clone());
                    return Ok(Proven { policy: ground.policy(), rule: spoken(&rules), message, refusals, admitted });
                }
            }
            Err(error) if Instant::now() >= end => return Err(error),
            Err(NotProven::Unjudged(_)) => {}
            Err(_) => refusals = 0,
        }
        sleep(PAUSE).await;
    }
}
