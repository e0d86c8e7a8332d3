//! Who may do what, as tables of roles.

use ownership::guard::{Guard, HEARTBEATS};
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use ownership::spec::Channel;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use super::{AGENT, CONTROLLER, Installation, PROBE, PROBER};

const GROUP: &str = "rbac.authorization.k8s.io";
/// Where Events about objects without a namespace are (`ValidateEventCreate` in `pkg/apis/core/validation`).
const EVENTS: &str = "default";
/// The node, the pod and the mark of probes, which are all that the prober may claim in somebody else's name.
const CLAIMS: [(&str, &str); 4] =
    [(NODE_NAME, "nodebound-probe-elsewhere"), (POD_NAME, "probe"), (POD_UID, "probe"), ("nodebound.io/probe", "true")];

/// Verbs on a resource.
#[derive(Clone)]
pub(super) struct Right {
    group: &'static str,
    resource: String,
    verbs: Vec<&'static str>,
    names: Vec<String>,
}

pub(super) fn right(group: &'static str, resource: impl Into<String>, verbs: &[&'static str]) -> Right {
    Right { group, resource: resource.into(), verbs: verbs.to_vec(), names: Vec::new() }
}

impl Right {
    pub(super) fn on(self, name: &str) -> Self {
        self.on_all([name.to_owned()])
    }

    pub(super) fn on_all(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.names.extend(names);
        self
    }

    /// Whether whoever has this has a right to those verbs there.
    fn is_about(&self, other: &Self) -> bool {
        let all = self.names.is_empty() || self.names == other.names;
        all && (self.group, &self.resource) == (other.group, &other.resource)
    }

    pub(super) fn is_something(&self) -> bool {
        !self.verbs.is_empty()
    }

    pub(super) fn rule(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": self.verbs});
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }
}

/// A role with whom it is for, in a namespace or everywhere.
pub(super) struct Role {
    name: String,
    namespace: Option<String>,
    rights: Vec<Right>,
    subject: Value,
}

impl Role {
    pub(super) fn objects(self) -> Vec<Value> {
        if self.rights.is_empty() {
            return Vec::new();
        }
        let kind = if self.namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut metadata = json!({"name": self.name});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let (version, rules): (_, Vec<Value>) = (format!("{GROUP}/v1"), self.rights.iter().map(Right::rule).collect());
        vec![
            json!({"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules}),
            json!({"apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": kind, "name": self.name}, "subjects": [self.subject]}),
        ]
    }
}

/// What decides over rights.
#[derive(Clone, Copy)]
struct Ways {
    /// Publications go by ShadowNodes.
    shadow: bool,
    /// Heartbeats are Leases.
    leases: bool,
    /// Who is alive is told by pods.
    pods: bool,
    /// There is a controller.
    controlled: bool,
}

impl Ways {
    fn of(installation: &Installation) -> Self {
        Self {
            shadow: installation.profile.channel() == Channel::ShadowNode,
            leases: installation.profile.beats_by_lease(),
            pods: installation.watches_pods(),
            controlled: installation.is_controlled(),
        }
    }

    /// Those that a profile may go one day.
    fn all(installation: &Installation) -> Vec<Self> {
        let direct = Self { shadow: false, pods: true, controlled: true, ..Self::of(installation) };
        let [by_lease, shadow] = [false, true].map(|shadow| Self { shadow, leases: true, ..direct });
        if installation.is_ours() { vec![by_lease, shadow] } else { vec![direct] }
    }
}

/// What probes may try: what the agents write by way of the channel.
pub(super) fn probes(installation: &Installation) -> Vec<Value> {
    probing(installation, Ways::of(installation)).into_iter().flat_map(Role::objects).collect()
}

fn probing(installation: &Installation, ways: Ways) -> Vec<Role> {
    let name = format!("nodebound-{}-probe", installation.profile.name());
    let subject = json!({"kind": "Group", "apiGroup": GROUP, "name": PROBE});
    let of_leases = ways.leases.then(|| Role {
        name: name.clone(),
        namespace: Some(HEARTBEATS.to_owned()),
        rights: vec![right("coordination.k8s.io", "leases", &["patch"])],
        subject: subject.clone(),
    });
    let nodes = right("", "nodes", &["patch"]);
    let rights = match () {
        () if ways.shadow => vec![right("nodebound.io", "shadownodes", &["patch"])],
        () if installation.is_ours() => vec![nodes],
        // A policy of somebody else may hide from probes of Nodes what ours would say.
        () => vec![nodes, right("", "nodes/status", &["patch"])],
    };
    let everywhere = Role { name, namespace: None, rights, subject };
    [everywhere].into_iter().chain(of_leases).collect()
}

fn shadow_nodes() -> Right {
    right("nodebound.io", "shadownodes", &["get", "patch"])
}

/// What the prober may do: speak for the agent, marked and from a node that there is not, look at what it writes to, and say
/// what it finds.
pub(super) fn prober(installation: &Installation) -> Vec<Role> {
    let (account, admission) = (installation.profile.service_account(), "admissionregistration.k8s.io");
    let ways = Ways::all(installation);
    let mut everywhere =
        vec![right("nodebound.io", "agentprofiles", &["list", "watch"]), right("", "nodes", &["list"])];
    for resource in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        everywhere.push(right(admission, resource, &["list", "watch"]));
        everywhere.push(right(admission, resource, &["get"]).on_all(probed(installation, &ways)));
    }
    if ways.iter().any(|ways| ways.shadow) {
        everywhere.push(right("nodebound.io", "shadownodes", &["list"]));
    }
    everywhere.extend(claims());
    let lease = api::finding::lease_name(installation.profile.name());
    let says = right("coordination.k8s.io", "leases", &["patch"]).on(&lease);
    let speaks = right("", "serviceaccounts", &["impersonate"]).on(&account.name);
    let [create, lead, _] = election(installation, PROBER);
    let here = vec![create, lead, says];
    let mut all = Rights::from([(None, everywhere), (Some(installation.settings.namespace.clone()), here)]);
    all.entry(Some(account.namespace.clone())).or_default().push(speaks);
    if ways.iter().any(|ways| ways.leases) {
        let beats = right("coordination.k8s.io", "leases", &["list"]);
        all.entry(Some(HEARTBEATS.to_owned())).or_default().push(beats);
    }
    let role =
        |(namespace, rights): (Option<String>, _)| installation.role(PROBER, "prober", namespace.as_deref(), rights);
    all.into_iter().map(role).collect()
}

/// The guards that are probed, by whatever channel.
fn probed(installation: &Installation, ways: &[Ways]) -> Vec<String> {
    let of = |ways: &Ways| {
        let publications = if ways.shadow { Guard::ShadowNodes } else { Guard::Nodes };
        [Some(publications), ways.leases.then_some(Guard::Leases)]
    };
    let guards: BTreeSet<String> =
        ways.iter().flat_map(of).flatten().map(|guard| guard.policy_name(installation.profile.name())).collect();
    guards.into_iter().collect()
}

/// Taking part in the election of a leader, and reading what the prober says.
pub(super) fn election(installation: &Installation, lease: &str) -> [Right; 3] {
    let leases = |verbs: &[&'static str]| right("coordination.k8s.io", "leases", verbs);
    [
        leases(&["create"]),
        leases(&["get", "update"]).on(lease),
        leases(&["get"]).on(&api::finding::lease_name(installation.profile.name())),
    ]
}

/// The group and the claims of probes.
fn claims() -> Vec<Right> {
    let claim = |(key, value): (&str, &str)| {
        right("authentication.k8s.io", format!("userextras/{key}"), &["impersonate"]).on(value)
    };
    let group = right("", "groups", &["impersonate"]).on(PROBE);
    std::iter::once(group).chain(CLAIMS.map(claim)).collect()
}

/// What the accounts may do that are ours.
pub(super) fn accounts(installation: &Installation) -> Vec<Value> {
    granted(installation, Ways::of(installation)).into_iter().flat_map(Role::objects).collect()
}

/// By namespace, or everywhere: what somebody may do.
pub(super) type Rights = BTreeMap<Option<String>, Vec<Right>>;

/// Everything that is granted, whatever the profile says one day: nobody may grant what he has not.
pub(super) fn all(installation: &Installation) -> Rights {
    let mut all = Rights::new();
    for ways in Ways::all(installation) {
        for role in granted(installation, ways).into_iter().chain(probing(installation, ways)) {
            all.entry(role.namespace).or_default().extend(role.rights);
        }
    }
    all
}

/// Each right once, and none in a namespace that is given everywhere.
pub(super) fn once(rights: Rights) -> Rights {
    let mut once = Rights::new();
    for (namespace, rights) in rights {
        let everywhere = once.get(&None).cloned().unwrap_or_default();
        let mut of_namespace: Vec<Right> = Vec::new();
        for mut right in rights {
            let known = everywhere.iter().chain(&of_namespace).filter(|known| known.is_about(&right));
            let given: Vec<&str> = known.flat_map(|known| known.verbs.clone()).collect();
            right.verbs.retain(|verb| !given.contains(verb));
            if right.verbs.is_empty() {
                continue;
            }
            match of_namespace.iter_mut().find(|known| known.is_about(&right) && known.names == right.names) {
                Some(known) => known.verbs.append(&mut right.verbs),
                None => of_namespace.push(right),
            }
        }
        once.insert(namespace, of_namespace);
    }
    once
}

fn granted(installation: &Installation, ways: Ways) -> Vec<Role> {
    let mut roles = Vec::new();
    if installation.is_ours() {
        roles.extend(agent(installation, ways));
    }
    if ways.controlled {
        roles.extend(controller(installation, ways));
    }
    roles
}

fn agent(installation: &Installation, ways: Ways) -> Vec<Role> {
    // An agent that publishes by another object writes no Node.
    let nodes = right("", "nodes", if ways.shadow { &["get"] } else { &["get", "patch"] });
    let mut everywhere = vec![nodes, right("kubevirt.io", "kubevirts", &["list"])];
    everywhere.extend(ways.shadow.then(shadow_nodes));
    let role = |namespace: Option<&str>, rights| installation.role(AGENT, "agent", namespace, rights);
    let mut roles = vec![role(None, everywhere), role(Some(EVENTS), vec![right("", "events", &["create"])])];
    if ways.leases {
        let leases = right("coordination.k8s.io", "leases", &["patch"]);
        roles.push(role(Some(HEARTBEATS), vec![leases]));
    }
    roles
}

fn controller(installation: &Installation, ways: Ways) -> Vec<Role> {
    let account = installation.profile.service_account();
    let mut everywhere = vec![
        right("", "nodes", &["get", "list", "watch", "patch"]),
        right("nodebound.io", "agentprofiles", &["list", "watch"]),
    ];
    let mut beside_agents = Vec::new();
    if ways.shadow {
        everywhere.push(right("nodebound.io", "shadownodes", &["get", "list", "watch", "create", "delete"]));
    }
    if ways.pods {
        beside_agents.push(right("", "pods", &["list", "watch"]));
        beside_agents.push(right("apps", "daemonsets", &["list", "watch"]));
    }
    let role = |name: &str, namespace: Option<&str>, rights| installation.role(CONTROLLER, name, namespace, rights);
    let mut here = election(installation, CONTROLLER).to_vec();
    here.push(right("", "events", &["create"]));
    let mut roles = vec![
        role("controller", None, everywhere),
        role("controller", Some(EVENTS), vec![right("", "events", &["create"])]),
        role("controller", Some(&installation.settings.namespace), here),
        role("controller-agents", Some(&account.namespace), beside_agents),
    ];
    if ways.leases {
        let leases = right("coordination.k8s.io", "leases", &["get", "list", "watch", "create", "delete"]);
        roles.push(role("controller", Some(HEARTBEATS), vec![leases]));
    }
    roles
}

/// What roles and their bindings are called that are granted, by whatever channel.
pub(super) fn names(installation: &Installation) -> Vec<String> {
    let names: BTreeSet<String> = Ways::all(installation)
        .into_iter()
        .flat_map(|ways| granted(installation, ways).into_iter().chain(probing(installation, ways)))
        .map(|role| role.name)
        .collect();
    names.into_iter().collect()
}

impl Installation {
    pub(super) fn role(&self, account: &str, name: &str, namespace: Option<&str>, rights: Vec<Right>) -> Role {
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": self.settings.namespace});
        let name = format!("nodebound-{}-{name}", self.profile.name());
        Role { name, namespace: namespace.map(str::to_owned), rights, subject }
    }
}
