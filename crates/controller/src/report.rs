//! What the controller tells whoever runs it.

use channels::Cause;
use ownership::guard::Rule;
use std::fmt;
use std::time::Duration;

use crate::desired::Held;
use crate::liveness::Name;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nodes.
    Nodes,
    /// ShadowNodes.
    ShadowNodes,
    /// The Leases of heartbeats.
    Leases,
    /// The pods of agents.
    Pods,
    /// The DaemonSets of agents.
    DaemonSets,
    /// Virtual machine instances.
    VirtualMachines,
}

/// One thing that happened. Each is told once, until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every watch has listed.
    Synced,
    /// A watch does not work.
    Blind {
        /// What is not seen.
        kind: Kind,
        /// Why.
        cause: Cause,
        /// What the server or the connection said.
        message: String,
    },
    /// A watch works again.
    Sighted(Kind),
    /// It leads from now on, or does not any more.
    Leading(bool),
    /// The guard has been seen to refuse, or has not any more.
    Guarded(bool),
    /// A Node was written.
    Wrote(Name),
    /// An object in the middle was made.
    Made(Kind, Name),
    /// An object in the middle was removed: it belonged to an earlier Node of that name, or to none.
    Removed(Kind, Name),
    /// Keys of a publication were left out.
    LeftOut {
        /// The node.
        node: Name,
        /// The rule that they broke.
        rule: Rule,
        /// The keys.
        keys: Vec<String>,
    },
    /// A publication was not taken.
    Held {
        /// The node.
        node: Name,
        /// Why.
        held: Held,
    },
    /// A write failed.
    Failed {
        /// The node.
        node: Name,
        /// Why.
        cause: Cause,
        /// What the server or the connection said.
        message: String,
    },
    /// A node has become silent.
    Silent(Name),
    /// A node has shown a sign of life.
    Alive {
        /// The node.
        node: Name,
        /// Whether it was silent before.
        recovered: bool,
    },
    /// The mark of a silent node was taken back by somebody else, and stays so until the silence ends.
    Overruled(Name),
    /// A publication has reached its Node, so long after it was seen.
    Took(Duration),
    /// So many nodes wait for their turn.
    Waiting(usize),
    /// A virtual machine had no living pod on a node that is silent or gone, and is Failed.
    Stranded {
        /// The node.
        node: Name,
        /// Its namespace, name and UID.
        machine: [String; 3],
    },
    /// There are virtual machines on a silent node, and no agent is to be expected there.
    Orphaned(Name),
    /// Something could not be done for the virtual machines of a node.
    NotRescued {
        /// The node.
        node: Name,
        /// Why.
        cause: Cause,
        /// What the server or the connection said.
        message: String,
    },
    /// The AgentProfile of the cluster is valid, and another one than before: it is in force from now on.
    ProfileTaken,
    /// The AgentProfile of the cluster cannot be accepted; the last valid one stays in force.
    ProfileInvalid(String),
    /// There is no such AgentProfile; the last valid one stays in force.
    ProfileGone,
    /// AgentProfiles cannot be watched.
    ProfileUnseen(String),
    /// More nodes are silent than may be marked in a minute.
    Limited,
}

/// What an Event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    /// The object of a node: its ShadowNode, or the Node where there is none.
    Node(&'a Name),
    /// The Node itself.
    Orphans(&'a Name),
    /// A virtual machine instance: namespace, name and UID.
    Machine(&'a [String; 3]),
    /// The controller as a whole.
    Itself,
}

impl Kind {
    /// As people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::ShadowNodes => "ShadowNodes",
            Self::Leases => "Leases",
            Self::Pods => "Pods",
            Self::DaemonSets => "DaemonSets",
            Self::VirtualMachines => "VirtualMachineInstances",
        }
    }
}

impl Report {
    /// Whether somebody should look into it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Blind { .. } | Self::LeftOut { .. } | Self::Failed { .. } | Self::Silent(_) | Self::Limited => true,
            Self::ProfileInvalid(_) | Self::ProfileGone | Self::ProfileUnseen(_) => true,
            Self::Overruled(_) | Self::Orphaned(_) | Self::NotRescued { .. } | Self::Stranded { .. } => true,
            Self::Guarded(seen) => !seen,
            Self::Held { held, .. } => *held != Held::NothingPublished,
            _ => false,
        }
    }

    /// What it is about, and one word for the reason of an Event, if it is worth one.
    #[must_use]
    pub fn event(&self) -> Option<(About<'_>, &'static str)> {
        let (about, reason) = match self {
            Self::LeftOut { node, .. } => (About::Node(node), "KeysRefused"),
            // That the guard is not proven is one Event, and not one for each node.
            Self::Held { held: Held::NothingPublished | Held::NotGuarded, .. } => return None,
            Self::Held { node, .. } => (About::Node(node), "PublicationHeld"),
            Self::Failed { node, cause, .. } if cause.is_refusal() => (About::Node(node), "NodeWriteRefused"),
            Self::Overruled(node) => (About::Node(node), "MarkTakenBack"),
            // virt-controller's word, for these three.
            Self::Silent(node) => (About::Node(node), "NodeUnresponsive"),
            Self::Orphaned(node) => (About::Orphans(node), "NodeUnresponsive"),
            Self::Stranded { machine, .. } => (About::Machine(machine), "NodeUnresponsive"),
            Self::Alive { node, recovered: true } => (About::Node(node), "NodeResponsive"),
            Self::Blind { .. } => (About::Itself, "WatchFailed"),
            Self::Sighted(_) => (About::Itself, "WatchRestored"),
            Self::Guarded(true) => (About::Itself, "GuardProven"),
            Self::Guarded(false) => (About::Itself, "GuardNotProven"),
            Self::Limited => (About::Itself, "MarksLimited"),
            Self::ProfileTaken => (About::Itself, "ProfileAccepted"),
            Self::ProfileInvalid(_) => (About::Itself, "ProfileInvalid"),
            Self::ProfileGone => (About::Itself, "ProfileGone"),
            _ => return None,
        };
        Some((about, reason))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Synced => f.write_str("everything has been listed"),
            Self::Blind { kind, cause, message } => write!(f, "{} cannot be watched: {cause}: {message}", kind.word()),
            Self::Sighted(kind) => write!(f, "{} are watched again", kind.word()),
            Self::Leading(true) => f.write_str("this controller leads"),
            Self::Leading(false) => f.write_str("this controller does not lead"),
            Self::Guarded(true) => f.write_str("the guard has been seen to refuse what comes from other nodes"),
            Self::Guarded(false) => f.write_str("the guard does not refuse what comes from other nodes"),
            Self::Wrote(node) => write!(f, "Node {node} was written"),
            Self::Made(kind, node) => write!(f, "{}: {node} was made", kind.word()),
            Self::Removed(kind, node) => write!(f, "{}: {node} was removed, its Node is gone", kind.word()),
            Self::LeftOut { node, rule, keys } => {
                write!(f, "{node}: left out of the publication by rule {rule}: {}", keys.join(", "))
            }
            Self::Held { node, held } => write!(f, "{node}: what stands on the Node stays: {held}"),
            Self::Failed { node, cause, message } => write!(f, "Node {node} was not written: {cause}: {message}"),
            Self::Silent(node) => write!(f, "{node}: its agent is silent, the node is marked"),
            Self::Alive { node, recovered: true } => write!(f, "{node}: its agent is not silent any more"),
            Self::Alive { node, recovered: false } => write!(f, "{node}: its agent is alive"),
            Self::Overruled(node) => {
                write!(f, "{node}: its agent is silent, and somebody took the mark back; it is not set again")
            }
            Self::Took(time) => write!(f, "a publication was on its Node after {time:?}"),
            Self::Waiting(nodes) => write!(f, "{nodes} nodes wait for their turn"),
            Self::Stranded { node, machine: [namespace, name, _] } => {
                write!(f, "{namespace}/{name} has no living pod on node {node}, whose agent is silent: it is Failed")
            }
            Self::Orphaned(node) => {
                write!(
                    f,
                    "{node}: no agent is to come, and there are virtual machines; run an agent there, or remove them"
                )
            }
            Self::NotRescued { node, cause, message } => {
                write!(f, "{node}: its virtual machines were not dealt with: {cause}: {message}")
            }
            Self::ProfileTaken => f.write_str("the AgentProfile is in force as it is now"),
            Self::ProfileInvalid(error) => {
                write!(f, "the AgentProfile cannot be accepted, the last valid one stays in force: {error}")
            }
            Self::ProfileGone => f.write_str("there is no AgentProfile; the last valid one, if any, stays in force"),
            Self::ProfileUnseen(error) => write!(f, "AgentProfiles cannot be watched: {error}"),
            Self::Limited => f.write_str("more nodes are silent than may be marked in a minute; the others wait"),
        }
    }
}
