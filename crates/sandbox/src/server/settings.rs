//! What a server is started with.

use admission::KubeVersion;
use std::collections::BTreeSet;
use std::time::Duration;

use super::recording::Recording;
use crate::adversity::Rule;
use crate::webhook::Services;

/// Built-in admission plugins that can be switched off, by kube-apiserver's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plugin {
    /// Namespaces must exist, and take nothing new while they end.
    NamespaceLifecycle,
    /// Pods get the default service account.
    ServiceAccount,
    /// New Nodes get the taint `node.kubernetes.io/not-ready`.
    TaintNodesByCondition,
    /// What kubelets may write.
    NodeRestriction,
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The release of Kubernetes that is emulated.
    pub version: KubeVersion,
    /// Plugins that are switched off.
    pub disabled: BTreeSet<Plugin>,
    /// Bearer tokens that are known without a service account: token, user name, groups.
    pub static_tokens: Vec<(String, String, Vec<String>)>,
    /// What identifiers and generated names are drawn from.
    pub seed: u64,
    /// The time at the start, since the Unix epoch; `None` is the system's.
    pub began: Option<Duration>,
    /// The issuer of service account tokens, and their audience by default.
    pub issuer: String,
    /// How many changes of a resource are remembered for watches and continued lists.
    pub history: usize,
    /// Where services that webhooks name are really reached.
    pub services: Services,
    /// What goes wrong on purpose.
    pub adversity: Vec<Rule>,
    /// Where the audit log goes.
    pub recording: Option<Recording>,
    /// How often a watch that asked for bookmarks gets one.
    pub bookmarks: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: KubeVersion::minor(36),
            disabled: BTreeSet::new(),
            static_tokens: Vec::new(),
            seed: 0,
            began: None,
            issuer: "https://kubernetes.default.svc".to_owned(),
            history: 10_000,
            services: Services::new(),
            adversity: Vec::new(),
            recording: None,
            bookmarks: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// Whether a plugin is on.
    #[must_use]
    pub fn runs(&self, plugin: Plugin) -> bool {
        !self.disabled.contains(&plugin)
    }
}
