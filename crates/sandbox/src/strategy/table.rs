//! The strategies of the served kinds as data.

/// What makes the generation grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// There is none.
    None,
    /// A change of one of these fields, in which what is empty counts as absent.
    Fields(&'static [&'static str]),
    /// A change of `spec` or of the annotations (Deployments).
    SpecOrAnnotations,
    /// A change of anything outside of the metadata (custom resources).
    Content,
}

/// How one kind treats requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strategy {
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    /// Whether requests to the object itself leave its status alone.
    pub(super) status: bool,
    /// Whether a new object may bring a status.
    pub(super) brings_status: bool,
    pub(super) generation: Generation,
    pub(super) unconditional: bool,
    pub(super) creates_on_put: bool,
    /// What requests to `status` leave alone.
    pub(super) reset_by_status: &'static [&'static str],
}

const SPEC: Generation = Generation::Fields(&["spec"]);

const PLAIN: Strategy = Strategy {
    group: "",
    resource: "",
    status: false,
    brings_status: true,
    generation: Generation::None,
    unconditional: true,
    creates_on_put: false,
    reset_by_status: &[],
};
const WITH_STATUS: Strategy = Strategy { status: true, brings_status: false, reset_by_status: &["spec"], ..PLAIN };
const UPSERTED: Strategy = Strategy { creates_on_put: true, ..PLAIN };

/// Custom resources; whether they have a status is up to their definition.
pub(super) const CUSTOM: Strategy = Strategy {
    brings_status: false,
    generation: Generation::Content,
    unconditional: false,
    reset_by_status: &["metadata", "spec"],
    ..PLAIN
};

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

static TABLE: [Strategy; 23] = [
    Strategy { resource: "nodes", brings_status: true, ..WITH_STATUS },
    Strategy { resource: "namespaces", ..WITH_STATUS },
    Strategy {
        resource: "pods",
        generation: SPEC,
        reset_by_status: &["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"],
        ..WITH_STATUS
    },
    Strategy { resource: "services", creates_on_put: true, ..WITH_STATUS },
    Strategy { resource: "serviceaccounts", ..PLAIN },
    Strategy { resource: "secrets", ..PLAIN },
    Strategy { resource: "configmaps", ..PLAIN },
    Strategy { resource: "events", ..UPSERTED },
    Strategy { group: "events.k8s.io", resource: "events", ..UPSERTED },
    Strategy { group: "coordination.k8s.io", resource: "leases", unconditional: false, ..UPSERTED },
    Strategy { group: "apps", resource: "daemonsets", generation: SPEC, ..WITH_STATUS },
    Strategy {
        group: "apps",
        resource: "deployments",
        generation: Generation::SpecOrAnnotations,
        reset_by_status: &["spec", "metadata.labels"],
        ..WITH_STATUS
    },
    Strategy { group: "apps", resource: "controllerrevisions", ..PLAIN },
    Strategy {
        group: "policy",
        resource: "poddisruptionbudgets",
        generation: SPEC,
        unconditional: false,
        ..WITH_STATUS
    },
    Strategy { group: RBAC, resource: "roles", ..UPSERTED },
    Strategy { group: RBAC, resource: "clusterroles", ..UPSERTED },
    Strategy { group: RBAC, resource: "rolebindings", ..UPSERTED },
    Strategy { group: RBAC, resource: "clusterrolebindings", ..UPSERTED },
    Strategy {
        group: ADMISSION,
        resource: "validatingadmissionpolicies",
        generation: SPEC,
        unconditional: false,
        reset_by_status: &["spec", "metadata"],
        ..WITH_STATUS
    },
    Strategy {
        group: ADMISSION,
        resource: "validatingadmissionpolicybindings",
        generation: SPEC,
        unconditional: false,
        ..PLAIN
    },
    Strategy {
        group: ADMISSION,
        resource: "validatingwebhookconfigurations",
        generation: Generation::Fields(&["webhooks"]),
        unconditional: false,
        ..PLAIN
    },
    Strategy {
        group: "apiextensions.k8s.io",
        resource: "customresourcedefinitions",
        generation: SPEC,
        unconditional: false,
        ..WITH_STATUS
    },
    Strategy { group: "apps", resource: "replicasets", generation: SPEC, ..WITH_STATUS },
];

/// The strategy of a built-in resource.
pub(super) fn of(group: &str, resource: &str) -> Strategy {
    let known = TABLE.iter().find(|strategy| strategy.group == group && strategy.resource == resource);
    known.copied().unwrap_or(PLAIN)
}
