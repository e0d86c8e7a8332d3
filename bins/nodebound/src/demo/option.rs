//! The ways to protect Nodes, as data.

use anyhow::anyhow;
use ownership::guard::Guard;
use ownership::spec::{Channel, OwnNode};
use ownership::{Profile, builtin};
use serde::Deserialize;
use serde_json::{Value, json};

/// One way to protect Nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Way {
    pub number: String,
    pub name: String,
    pub installs: String,
    pub opens: String,
    /// What the agent's role has besides reading Nodes and looking after virtual machines.
    pub rules: Vec<Value>,
    #[serde(default)]
    pub node: OwnNode,
    #[serde(default)]
    pub channel: Channel,
    #[serde(default)]
    pub guards: Vec<Watched>,
    pub middle: Option<Middle>,
}

/// A guard of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Watched {
    Nodes,
    Resources,
    ShadowNodes,
    NodeFeatures,
}

/// An object between the agent and the Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Middle {
    ShadowNode,
    NodeFeature,
    SharedStatus,
    Pod,
}

impl Watched {
    fn guard(self) -> Guard {
        match self {
            Self::Nodes => Guard::Nodes,
            Self::Resources => Guard::Resources,
            Self::ShadowNodes => Guard::ShadowNodes,
            Self::NodeFeatures => Guard::NodeFeatures,
        }
    }
}

impl Middle {
    /// The plural name of its kind.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::ShadowNode => "shadownodes",
            Self::NodeFeature => "nodefeatures",
            Self::SharedStatus => "kubevirts",
            Self::Pod => "pods",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::ShadowNode => "shadow-node",
            Self::NodeFeature => "node-feature",
            Self::SharedStatus => "shared-status",
            Self::Pod => "pod",
        }
    }

    /// The object of a node. The shared one belongs to none.
    pub(crate) fn object(self, node: &str) -> anyhow::Result<Value> {
        let all: Value = attack::stage::of_node(include_str!("middle.yaml"), node)?;
        Ok(all[self.key()].clone())
    }

    pub(crate) fn is_shared(self) -> bool {
        self == Self::SharedStatus
    }

    /// Whether it is there without being planted.
    pub(crate) fn is_there(self) -> bool {
        self == Self::Pod
    }
}

/// The ways that KubeVirt's design weighs, in its order.
pub(crate) fn ways() -> anyhow::Result<Vec<Way>> {
    Ok(serde_saphyr::from_str(include_str!("options.yaml"))?)
}

/// The widest role that agents are found with: everything about Nodes.
pub(crate) fn widest() -> Way {
    Way {
        number: String::new(),
        name: "everything about nodes".to_owned(),
        installs: String::new(),
        opens: String::new(),
        rules: attack::stage::widest_rules().as_array().cloned().unwrap_or_default(),
        node: OwnNode::Own,
        channel: Channel::Direct,
        guards: Vec::new(),
        middle: None,
    }
}

impl Way {
    /// The same with the guards that the profile needs.
    pub(crate) fn guarded(self) -> Self {
        Self { guards: vec![Watched::Nodes, Watched::Resources], ..self }
    }

    /// Whether the agent writes the Node itself.
    pub(crate) fn writes_nodes(&self) -> bool {
        self.rules.iter().any(|rule| rule["resources"].as_array().is_some_and(|list| list.contains(&json!("nodes"))))
    }

    /// The profile `kubevirt`, as this way uses it.
    pub(crate) fn profile(&self) -> anyhow::Result<Profile> {
        let base = builtin::profile("kubevirt").ok_or_else(|| anyhow!("there is no built-in profile kubevirt"))??;
        let mut spec = base.spec().clone();
        spec.node = self.node;
        spec.channel = self.channel;
        Profile::new(base.name(), spec).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow!("{}", errors.join("; "))
        })
    }

    /// The agent's role and its binding, for the agent of a node.
    pub(crate) fn role(&self, node: &str) -> Vec<Value> {
        let reads = json!({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]});
        let machines = json!({"apiGroups": ["kubevirt.io"], "resources": ["virtualmachineinstances"],
            "verbs": ["list", "watch", "update"]});
        let rules: Vec<Value> = [reads, machines].into_iter().chain(self.rules.iter().cloned()).collect();
        let text = Value::from(rules).to_string().replace("OWN", node);
        let rules: Value = serde_json::from_str(&text).unwrap_or_default();
        attack::stage::role(&rules).to_vec()
    }

    /// The policies and bindings.
    pub(crate) fn policies(&self) -> anyhow::Result<Vec<Value>> {
        let profile = self.profile()?;
        Ok(self.guards.iter().flat_map(|watched| manifests::render(&profile, watched.guard()).objects()).collect())
    }
}
