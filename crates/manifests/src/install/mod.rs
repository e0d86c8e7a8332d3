//! Everything that is installed beside the guards: definitions, namespaces, accounts, rights, programs.
//!
//! Like the guards, the objects carry every field that the API server would default. They come in parts, because their
//! order matters: nothing is granted before the guard that limits it has been seen to refuse.

mod hold;
mod operator;
mod policies;
mod rights;
mod workloads;

use k8s_openapi::api::core::v1::ObjectReference;
use ownership::Profile;
use ownership::guard::HEARTBEATS;
use ownership::spec::{Action, Channel, LivenessSource, OwnNode, ServiceAccount};
use serde_json::{Value, json};

use crate::{Guarding, guards};

pub use operator::OPERATOR;
pub use policies::{PROBE, PROBES, controllers_profile};
pub use workloads::Program;

/// The account of our agents.
pub const AGENT: &str = "nodebound-agent";
/// The account of the controller.
pub const CONTROLLER: &str = "nodebound-controller";
/// The account of the prober.
pub const PROBER: &str = "nodebound-prober";
/// The label by which our objects are known, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "nodebound");

/// Where and how the programs run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The namespace of the programs and their accounts.
    pub namespace: String,
    /// Where images come from, without a slash at its end.
    pub registry: String,
    /// The tag of the images: the version of this crate.
    pub tag: String,
    /// Digests of images, `sha256:…`, by program, in place of the tag.
    pub digests: Vec<(Program, String)>,
    /// Secrets that the images are pulled with.
    pub pull_secrets: Vec<String>,
    /// How many controllers there are, of which one leads.
    pub replicas: u32,
    /// Whether controllers and operators run on any node, for clusters whose control plane takes no pods.
    pub any_node: bool,
    /// Whether a guarded product is kept at its version while its guard cannot be had.
    pub hold_upgrades: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "nodebound-system".to_owned(),
            registry: "ghcr.io/nodebound".to_owned(),
            tag: format!("v{}", env!("CARGO_PKG_VERSION")),
            digests: Vec::new(),
            pull_secrets: Vec::new(),
            replicas: 2,
            any_node: false,
            hold_upgrades: false,
        }
    }
}

/// The label of what is of one profile only.
pub const OF_PROFILE: &str = "nodebound.io/agent-profile";

/// Objects that are installed together, in the order in which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// CustomResourceDefinitions, namespaces and service accounts: they grant nothing.
    Ground,
    /// The policies and their bindings.
    Guards,
    /// What probes may try, which is what accounts are to be granted.
    ProbeRights,
    /// What the accounts of ours may do.
    Rights,
    /// The controller.
    Controller,
    /// The agents.
    Agents,
}

impl Part {
    /// Every part, in the order in which they are installed.
    pub const ALL: [Self; 6] =
        [Self::Ground, Self::Guards, Self::ProbeRights, Self::Rights, Self::Controller, Self::Agents];

    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ground => "ground",
            Self::Guards => "guards",
            Self::ProbeRights => "probe-rights",
            Self::Rights => "rights",
            Self::Controller => "controller",
            Self::Agents => "agents",
        }
    }
}

/// What is to be installed: one profile, and where the programs run.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    /// Who the agent is, and what it owns.
    pub profile: Profile,
    /// Where and how the programs run.
    pub settings: Settings,
}

impl Installation {
    /// Whether the agent is one of ours. Of somebody else's, nothing but the guards is installed.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        *self.profile.service_account() == self.account(AGENT)
    }

    fn account(&self, name: &str) -> ServiceAccount {
        ServiceAccount { namespace: self.settings.namespace.clone(), name: name.to_owned() }
    }

    /// Whether a controller has anything to do.
    fn is_controlled(&self) -> bool {
        self.profile.channel() == Channel::ShadowNode || self.profile.spec().liveness.is_some()
    }

    fn watches_pods(&self) -> bool {
        let source = self.profile.spec().liveness.as_ref().map(|liveness| liveness.source);
        source == Some(LivenessSource::PodReadiness)
    }

    /// The guards: those of the profile, and that of the controller where there is one.
    #[must_use]
    pub fn guards(&self) -> Vec<Guarding> {
        let controllers = self.is_controlled().then(|| controllers_profile(&self.profile, self.account(CONTROLLER)));
        guards(&self.profile).into_iter().chain(controllers.iter().flat_map(guards)).collect()
    }

    /// What records the requests that the rule to come will refuse, while not every token names its node: the guards as they will
    /// be, which audit and nothing else.
    #[must_use]
    pub fn rehearsal(&self) -> Vec<Value> {
        let coming = self.profile.clone().with_node(OwnNode::Own).with_actions(&[Action::Audit]);
        let objects = guards(&coming).into_iter().flat_map(|guarding| guarding.objects());
        objects.map(|object| self.owned(renamed(object))).collect()
    }

    /// What its policies are called, whatever the profile says one day, and the one that all profiles share.
    #[must_use]
    pub fn policy_names(&self) -> Vec<String> {
        operator::policies(self)
    }

    /// Whether the profile is about an account that guards others.
    #[must_use]
    pub fn is_of_a_guardian(&self) -> bool {
        [CONTROLLER, OPERATOR, PROBER].iter().any(|name| *self.profile.service_account() == self.account(name))
    }

    /// The operator with what it needs: it installs all the rest.
    #[must_use]
    pub fn operator(&self) -> Vec<Value> {
        operator::objects(self).into_iter().map(Self::labelled).collect()
    }

    /// The objects of one part where there is no operator, which brings the prober: a controller applies nothing that the prober
    /// does not vouch for.
    #[must_use]
    pub fn objects_without_operator(&self, part: Part) -> Vec<Value> {
        let prober = (self.profile.channel() == Channel::ShadowNode).then(|| operator::prober(self, part));
        let prober = prober.into_iter().flatten().map(Self::labelled);
        self.objects(part).into_iter().chain(prober).collect()
    }

    /// The objects of one part.
    #[must_use]
    pub fn objects(&self, part: Part) -> Vec<Value> {
        let objects = match part {
            Part::Ground => self.ground(),
            Part::Guards => self.all_guards(),
            Part::ProbeRights => rights::probes(self),
            Part::Rights => rights::accounts(self),
            Part::Controller if self.is_controlled() => workloads::controller(self),
            Part::Agents if self.is_ours() => workloads::agents(self),
            _ => Vec::new(),
        };
        let label = |object: Value| if is_shared(&object) { Self::labelled(object) } else { self.owned(object) };
        objects.into_iter().map(label).collect()
    }

    fn all_guards(&self) -> Vec<Value> {
        let guards = self.guards();
        guards.iter().flat_map(Guarding::objects).chain(policies::probes()).collect()
    }

    fn ground(&self) -> Vec<Value> {
        let mut objects = Self::definitions(self.profile.channel() == Channel::ShadowNode);
        // What is not ours to run needs no namespace of ours, unless a controller judges who is alive.
        if self.is_ours() || self.is_controlled() {
            objects.push(self.namespace());
        }
        if self.profile.beats_by_lease() {
            objects.push(heartbeats());
        }
        objects.extend(self.is_ours().then(|| self.service_account(AGENT)));
        objects.extend(self.is_controlled().then(|| self.service_account(CONTROLLER)));
        objects.push(self.agent_profile());
        objects
    }

    /// The definition of AgentProfiles, and, of `all`, that of ShadowNodes.
    #[must_use]
    pub fn definitions(all: bool) -> Vec<Value> {
        let plain = "a definition has no maps with keys other than text";
        let definition = |definition| serde_json::to_value(definition).expect(plain);
        let shadow_nodes = all.then(|| definition(api::shadow_node_definition()));
        std::iter::once(definition(api::agent_profile_definition())).chain(shadow_nodes).collect()
    }

    /// Agents read files of their hosts, which no stricter level of pod security lets them.
    fn namespace(&self) -> Value {
        let level = if self.is_ours() { "privileged" } else { "restricted" };
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.settings.namespace,
            "labels": {"pod-security.kubernetes.io/enforce": level}}})
    }

    fn service_account(&self, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": self.settings.namespace}})
    }

    /// The profile as an object of the cluster.
    #[must_use]
    pub fn agent_profile(&self) -> Value {
        json!({"apiVersion": ownership::parse::API_VERSION, "kind": ownership::parse::KIND,
            "metadata": {"name": self.profile.name()}, "spec": self.profile.spec()})
    }

    /// Of this profile, and of no other.
    fn owned(&self, object: Value) -> Value {
        let mut object = Self::labelled(object);
        object["metadata"]["labels"][OF_PROFILE] = json!(self.profile.name());
        object
    }

    /// The same for every profile: some objects are those of several.
    fn labelled(mut object: Value) -> Value {
        let mut labels = match object["metadata"]["labels"].take() {
            Value::Object(labels) => labels,
            _ => serde_json::Map::new(),
        };
        for (key, value) in
            [MANAGED_BY, ("app.kubernetes.io/name", "nodebound"), ("app.kubernetes.io/part-of", "nodebound")]
        {
            labels.insert(key.to_owned(), json!(value));
        }
        object["metadata"]["labels"] = Value::Object(labels);
        object
    }
}

/// What a guard is called that only records.
fn rehearsed(name: String) -> String {
    name + "-rehearsal"
}

/// A policy or its binding under the name of a rehearsal.
fn renamed(mut object: Value) -> Value {
    for pointer in ["/metadata/name", "/spec/policyName"] {
        if let Some(Value::String(name)) = object.pointer_mut(pointer) {
            *name = rehearsed(std::mem::take(name));
        }
    }
    object
}

/// Whether several profiles may need it.
fn is_shared(object: &Value) -> bool {
    let kinds = ["Namespace", "CustomResourceDefinition", ownership::parse::KIND];
    kinds.iter().any(|kind| object["kind"] == *kind) || object["metadata"]["name"] == PROBES
}

/// The namespace of heartbeats.
fn heartbeats() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HEARTBEATS}})
}

/// What an object is: the way to find it again.
#[must_use]
pub fn reference(object: &Value) -> ObjectReference {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    ObjectReference {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        ..ObjectReference::default()
    }
}
